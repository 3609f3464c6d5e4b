"""The fraud labels' file: one JSON object of millions of entries on a single line.

``{"target": {"10649266": "No", "23410063": "Yes"}}`` is cut into blocks of whole entries; an
entry's number stands for its line, since there is only one.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from batch_jobs.transforms.kaggle import Parsed, parse_columns
from batch_jobs.transforms.text import joined
from lakehouse_schemas.model import Contract

__all__ = ["BrokenJson", "body", "parse_entries", "render_entries"]

_HEAD = re.compile(rb'\s*\{\s*"target"\s*:\s*\{\s*')
_TAIL = re.compile(rb"\s*\}\s*\}\s*\Z")
_LINES = bytes.maketrans(b",\n\r", b"\n  ")


class BrokenJson(Exception):
    """The text is no such JSON object; the message says where and why."""


def body(head: bytes, tail: bytes, size: int) -> tuple[int, int]:
    """Where the entries begin and end in a file of ``size`` bytes, from its two edges.

    Raises:
        BrokenJson: the file does not begin or end as it should, for example when it was cut off.
    """
    begin = _HEAD.match(head)
    if begin is None:
        raise BrokenJson('byte 0: does not begin with {"target": {')
    end = _TAIL.search(tail)
    if end is None:
        raise BrokenJson(f"byte {size}: does not end with }}}}, it may have been cut off")
    return begin.end(), max(begin.end(), size - len(tail) + end.start())


def parse_entries(contract: Contract, block: bytes, first_entry: int) -> Parsed:
    """Parse whole entries, with commas between them; a reject's line is its entry's number.

    Raises:
        BrokenJson: an entry is not of the form ``"10649266": "No"``.
    """
    broken: list[int] = []

    def set_aside(row: pcsv.InvalidRow) -> str:
        broken.append(row.number)
        return "skip"

    entries = pcsv.read_csv(
        pa.BufferReader(block.translate(_LINES) + b"\n"),
        pcsv.ReadOptions(
            column_names=contract.column_names, use_threads=False, block_size=len(block) + 2
        ),
        pcsv.ParseOptions(
            delimiter=":",
            quote_char=False,
            invalid_row_handler=set_aside,
            ignore_empty_lines=False,
        ),
        pcsv.ConvertOptions(
            column_types=dict.fromkeys(contract.column_names, pa.string()),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    if broken or not entries.num_rows:
        raise _broken(first_entry + min(broken, default=1) - 1)
    columns: dict[str, pa.Array] = {}
    for name in contract.column_names:
        text = pc.ascii_trim_whitespace(entries[name].combine_chunks())
        quoted = pc.match_substring_regex(text, r'^"[^"\\]*"$')
        if not pc.all(quoted).as_py():
            raise _broken(first_entry + pc.index(quoted, pa.scalar(False)).as_py())
        columns[name] = pc.utf8_slice_codeunits(text, 1, -1)
    return parse_columns(contract, columns, first_entry)


def _broken(entry: int) -> BrokenJson:
    return BrokenJson(f'entry {entry}: is not like "10649266": "No"')


def render_entries(rows: pa.Table) -> memoryview:
    """The labels as entries of the file, with a comma between two."""
    identity, label = (column.combine_chunks().cast(pa.string()) for column in rows.columns)
    entries = pc.binary_join_element_wise('"', identity, '": "', label, '", ', "")
    return joined(entries)[: -len(", ")]
