"""What a role sees of single values, where there is no engine that a view could mask.

The masks are those of the views (:mod:`lakehouse_schemas.render.views`), but for the keyed hash:
there is no key here, so its values are hidden.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lakehouse_schemas.model import Column, Contract, Role
from lakehouse_schemas.render.views import shown

__all__ = ["HIDDEN", "masked_row", "masked_value"]

HIDDEN: Final = "***"
"""Stands for a value that the role may not see."""


def masked_row(contract: Contract, role: Role, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the role sees it; of a column that the contract does not know it sees nothing.

    An admin sees all of it.
    """
    columns = {column.name: column for column in contract.columns}
    return {name: masked_value(columns.get(name), role, value) for name, value in row.items()}


def masked_value(column: Column | None, role: Role, value: Any) -> Any:
    """The value as the role sees it; nothing stays nothing.

    ``last4`` leaves the last four characters, ``partial`` the lower end of the value's band.
    """
    if value is None or role == "admin":
        return value
    if column is None:
        return HIDDEN
    way = shown(column, role)
    if way == "clear":
        return value
    if way == "last4":
        return str(value)[-4:]
    if way == "partial":
        return _band(value, column.mask_step)
    return HIDDEN


def _band(value: Any, step: int) -> int | str:
    try:
        return math.floor(Decimal(str(value)) / step) * step
    except (InvalidOperation, ValueError, OverflowError):  # no number, or not a finite one
        return HIDDEN
