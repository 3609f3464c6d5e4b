"""The Kaggle set's values: from their text to the source's types, and back.

Amounts read ``$-77.00``, zips ``58523.0``, credit limits ``$24295``; an empty field is no value.
A bad value rejects its own row alone, with the line, the column and a reason. Reasons never repeat
the value: a row that lost a comma may hold a card number anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from lakehouse_schemas.model import Column, Contract

__all__ = [
    "COMPUTED",
    "Parsed",
    "Reject",
    "file_columns",
    "parse_block",
    "parse_columns",
    "render_lines",
]

COMPUTED = ("card_token", "card_token_key", "card_last4")
"""Columns of the source that no file has; they are made from the card number."""


@dataclass(frozen=True)
class Reject:
    """Why a row was set aside; ``column`` is empty when the whole line is at fault."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True)
class Parsed:
    """The good rows of a block, typed as the contract says, and what was wrong with the others."""

    rows: pa.Table
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rejected_rows(self) -> int:
        """How many lines were set aside; one line may have several reasons."""
        return len({reject.line for reject in self.rejects})


@dataclass(frozen=True)
class _Rule:
    pattern: str | None  # RE2; None takes any text
    reason: str
    convert: Callable[[pa.Array, Column], pa.Array]  # gives null where the text is still bad


def file_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of the table's Kaggle file, in order."""
    return tuple(name for name in contract.column_names if name not in COMPUTED)


# ── From text ────────────────────────────────────────────────────────────────────────────────────


def _integer(text: pa.Array, column: Column) -> pa.Array:
    wide = text.cast(pa.int64())
    if column.type == "int64":
        return wide
    fits = pc.and_(pc.greater_equal(wide, -(2**31)), pc.less(wide, 2**31))
    return pc.if_else(fits, wide, None).cast(pa.int32())


def _decimal(text: pa.Array, column: Column) -> pa.Array:
    return pc.replace_substring(text, "$", "", max_replacements=1).cast(column.arrow_type)


def _timestamp(text: pa.Array, column: Column) -> pa.Array:
    try:
        return text.cast(pa.timestamp("us")).cast(column.arrow_type)
    except pa.ArrowInvalid:  # a day that no calendar has: find the rows
        return pa.array([_moment(v) for v in text.to_pylist()], pa.timestamp("us")).cast(
            column.arrow_type
        )


def _moment(text: str | None) -> datetime | None:
    try:
        return text and datetime.fromisoformat(text)  # type: ignore[return-value]
    except ValueError:
        return None


def _zip(text: pa.Array, _: Column) -> pa.Array:
    return pc.utf8_lpad(pc.replace_substring_regex(text, r"\.0$", ""), 5, "0")


def _text(text: pa.Array, column: Column) -> pa.Array:
    if column.length is None:
        return text
    return pc.if_else(pc.less_equal(pc.utf8_length(text), column.length), text, None)


_MONTH = _Rule(r"^(0[1-9]|1[0-2])/\d{4}$", "is not a month such as 12/2022", _text)
_YES_NO = _Rule(r"^(?i:yes|no)$", "is neither yes nor no", _text)
_SPECIAL: dict[tuple[str, str], _Rule] = {
    ("transactions", "zip"): _Rule(r"^\d{1,5}(\.0)?$", "is not a zip such as 58523.0", _zip),
    ("cards", "card_number"): _Rule(r"^\d{12,19}$", "is not 12 to 19 digits", _text),
    ("cards", "cvv"): _Rule(r"^\d{1,4}$", "is not 1 to 4 digits", _text),
    ("cards", "expires"): _MONTH,
    ("cards", "acct_open_date"): _MONTH,
    ("cards", "has_chip"): _YES_NO,
    ("cards", "card_on_dark_web"): _YES_NO,
    ("fraud_labels", "label"): _Rule(r"^(Yes|No)$", "is neither Yes nor No", _text),
}


def _rule(contract: Contract, column: Column) -> _Rule:
    special = _SPECIAL.get((contract.name, column.name))
    if special:
        return special
    if column.decimal:
        precision, scale = column.decimal
        return _Rule(
            rf"^\$?-?\d{{1,{precision - scale}}}(\.\d{{1,{scale}}})?$",
            f"is not a number with at most {scale} decimals and {precision - scale} digits before",
            _decimal,
        )
    if column.type in ("int32", "int64"):
        digits = 10 if column.type == "int32" else 18
        return _Rule(rf"^-?\d{{1,{digits}}}$", "is not a whole number in range", _integer)
    if column.type == "timestamp":
        return _Rule(
            r"^[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?$",
            "is not a date and time such as 2010-01-31 00:01:00",
            _timestamp,
        )
    return _Rule(None, f"is longer than {column.length} characters", _text)


def _parse(contract: Contract, column: Column, text: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """Typed values (null where bad) and the bad rows' reasons by row number."""
    rule = _rule(contract, column)
    given = pc.not_equal(text, "")
    good = pc.match_substring_regex(text, rule.pattern) if rule.pattern else given
    values = rule.convert(text if pc.all(good).as_py() else pc.if_else(good, text, None), column)
    bad = pc.is_null(values)
    if not column.required:
        bad = pc.and_(given, bad)
    if not pc.any(bad).as_py():
        return values, {}
    rows = pc.indices_nonzero(bad).to_pylist()
    return values, {r: rule.reason if given[r].as_py() else "is empty" for r in rows}


def parse_columns(
    contract: Contract,
    columns: dict[str, pa.Array],
    first_line: int,
    numbers: list[int] | None = None,
) -> Parsed:
    """Parse text columns; rows with a bad value are left out and listed.

    A row's line is ``first_line`` plus its number; ``numbers`` are 0, 1, 2 ... unless given.
    """
    total = len(next(iter(columns.values())))
    values: dict[str, pa.Array] = {}
    rejects: list[Reject] = []
    bad_rows: set[int] = set()
    for name, text in columns.items():
        values[name], bad = _parse(contract, contract.column(name), text)
        bad_rows.update(bad)
        rejects += [
            Reject(first_line + (numbers[row] if numbers else row), name, reason)
            for row, reason in bad.items()
        ]
    schema = contract.arrow_schema()
    table = pa.Table.from_arrays(
        list(values.values()), schema=pa.schema([schema.field(name) for name in values])
    )
    if bad_rows:
        table = table.filter(pa.array([row not in bad_rows for row in range(total)]))
    return Parsed(table, sorted(rejects, key=lambda reject: reject.line))


def parse_block(contract: Contract, block: bytes, first_line: int) -> Parsed:
    """Parse whole lines of a Kaggle CSV file (without its header).

    ``first_line`` is the file's line number of the block's first line.
    """
    text = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    if not text.endswith(b"\n"):
        text += b"\n"
    broken = _broken_lines(text)
    if broken:
        lines = text.split(b"\n")
        for number in broken:
            lines[number] = b""
        text = b"\n".join(lines)
    names = file_columns(contract)
    table, shape = _read(text, names)
    numbers = None
    if shape or broken:
        shape = {n: actual for n, actual in shape.items() if n not in broken}
        numbers = [n for n in range(text.count(b"\n")) if n not in shape]
        if broken:
            table = table.filter(pa.array([n not in broken for n in numbers]))
            numbers = [n for n in numbers if n not in broken]
    columns = {name: table[name].combine_chunks() for name in names}
    parsed = parse_columns(contract, columns, first_line, numbers)
    rejects = [
        *parsed.rejects,
        *(
            Reject(first_line + n, "", f"has {actual} columns instead of {len(names)}")
            for n, actual in shape.items()
        ),
        *(Reject(first_line + n, "", reason) for n, reason in broken.items()),
    ]
    return Parsed(parsed.rows, sorted(rejects, key=lambda reject: reject.line))


_WELL_QUOTED = re.compile(rb'(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*')


def _broken_lines(text: bytes) -> dict[int, str]:
    """Lines that a CSV reader would join or split wrongly, by number, with what is wrong."""
    broken: dict[int, str] = {}
    at = text.find(b'"')
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        if not _WELL_QUOTED.fullmatch(text, start, end):
            broken[text.count(b"\n", 0, start)] = "has a stray quote"
        at = text.find(b'"', end)
    if b"\r" in text or not _is_utf8(text):
        for number, line in enumerate(text.split(b"\n")):
            if b"\r" in line:
                broken[number] = "has a carriage return in its middle"
            elif not _is_utf8(line):
                broken[number] = "is not UTF-8 text"
    return broken


def _is_utf8(text: bytes) -> bool:
    try:
        text.isascii() or text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read(text: bytes, names: tuple[str, ...]) -> tuple[pa.Table, dict[int, int]]:
    """The rows with the right number of columns as text; row number and columns of the others."""
    wrong: list[pcsv.InvalidRow] = []

    def set_aside(row: pcsv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    def read(*, threads: bool) -> pa.Table:
        wrong.clear()
        return pcsv.read_csv(
            pa.BufferReader(text),
            pcsv.ReadOptions(column_names=names, use_threads=threads, block_size=len(text) + 1),
            pcsv.ParseOptions(invalid_row_handler=set_aside, ignore_empty_lines=False),
            pcsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )

    table = read(threads=True)
    if wrong:  # only a single thread knows the rows' numbers
        table = read(threads=False)
    return table, {row.number - 1: row.actual_columns for row in wrong}


# ── To text ──────────────────────────────────────────────────────────────────────────────────────


def _render(column: Column, values: pa.Array) -> pa.Array:
    name = column.name
    if column.type == "timestamp":
        text = values.cast(pa.timestamp("us")).cast(pa.string())
        return pc.replace_substring(text, ".000000", "")
    if column.decimal:
        text = values.cast(pa.string())
        if name in ("latitude", "longitude"):
            return pc.replace_substring_regex(text, r"(\.\d+?)0+$", r"\1")
        if name != "amount":
            text = pc.replace_substring_regex(text, r"\.00$", "")
        return pc.binary_join_element_wise("$", text, "")
    if name == "zip":
        whole = values.cast(pa.int32(), safe=False).cast(pa.string())
        return pc.binary_join_element_wise(whole, ".0", "")
    return values.cast(pa.string())


def _quoted(text: pa.Array) -> pa.Array:
    special = pc.match_substring_regex(text, '[",\n\r]')
    if not pc.any(special).as_py():
        return text
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), text)


def render_lines(contract: Contract, rows: pa.Table, end: str = "\n") -> pa.Array:
    """Each row as a line of the table's Kaggle file, with its line end."""
    cells: list[Any] = []
    for name in file_columns(contract):
        column = contract.column(name)
        text = _render(column, rows[name].combine_chunks())
        if not column.required:
            text = pc.fill_null(text, "")
        cells.append(_quoted(text) if column.type == "string" else text)
    cells[-1] = pc.binary_join_element_wise(cells[-1], end, "")
    return pc.binary_join_element_wise(*cells, ",")
