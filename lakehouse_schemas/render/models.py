"""The API's models: one pydantic class for the rows of each gold table."""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse_schemas.model import Column, Contract

__all__ = ["models_py"]

_TYPES = {
    "int32": "int",
    "int64": "int",
    "double": "float",
    "boolean": "bool",
    "string": "str",
    "binary": "bytes",
    "date": "dt.date",  # a column may be named date
    "timestamp": "AwareDatetime",
}
_HEAD = '''"""Rows of the gold tables.

Rendered from the table contracts by `make generate`; do not edit.
"""

import datetime as dt
from decimal import Decimal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Row(BaseModel):
    """What all rows have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)
'''


def models_py(contracts: Iterable[Contract]) -> str:
    """A Python module with one class per contract, ``agg_minute`` as ``AggMinute``."""
    return "\n\n".join([_HEAD, *(_class(contract) for contract in contracts)])


def _class(contract: Contract) -> str:
    name = "".join(word.capitalize() for word in contract.name.split("_"))
    lines = [f"class {name}(Row):", f'    """{contract.description}"""', ""]
    lines += [_field(column) for column in contract.columns]
    return "\n".join(lines) + "\n"


def _field(column: Column) -> str:
    arguments = [f"description={column.description!r}"]
    kind = _TYPES.get(column.type, "Decimal")
    if column.decimal:
        precision, scale = column.decimal
        arguments[:0] = [f"max_digits={precision}", f"decimal_places={scale}"]
    if not column.required:
        kind += " | None"
        arguments.insert(0, "default=None")
    return f"    {column.name}: {kind} = Field({', '.join(arguments)})"
