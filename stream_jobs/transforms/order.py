"""The order of changes.

A token is text that sorts as the changes happened: source epoch, binlog file number, position,
row within the event, Kafka offset. Positions decide; the offset only separates a repeated
delivery from its first. Times never decide: MariaDB's have whole seconds, and clocks go back.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["order_token", "order_tokens"]

_DIGITS = (4, 8, 12, 6, 12)
_OUT_OF_RANGE = "the position is out of range"


def order_token(epoch: int, binlog_file: str, position: int, row: int, offset: int) -> str:
    """The token of a change; compare tokens as text.

    Args:
        epoch: rises when the source is rebuilt, so that positions may start again.
        binlog_file: for example ``mysql-bin.000012``; its number counts.
        position: byte position in that file.
        row: row within the binlog event.
        offset: Kafka offset of the record.

    Raises:
        ValueError: when the file name ends in no number, or a part has more digits than its place.
    """
    parts = (epoch, _file_number(binlog_file), position, row, offset)
    if any(not 0 <= part < 10**digits for part, digits in zip(parts, _DIGITS, strict=True)):
        raise ValueError(_OUT_OF_RANGE)
    return "-".join(f"{part:0{digits}d}" for part, digits in zip(parts, _DIGITS, strict=True))


def order_tokens(
    epochs: pa.ChunkedArray,
    binlog_files: Sequence[str],
    positions: Sequence[int],
    rows: Sequence[int],
    offsets: pa.ChunkedArray,
) -> pa.Array:
    """The tokens of many changes, see :func:`order_token`; epochs are numbers written as text.

    Raises:
        ValueError: when one of them has none.
    """
    numbers = {name: _file_number(name) for name in set(binlog_files)}
    parts = (
        epochs.cast(pa.int64()),
        pa.array([numbers[name] for name in binlog_files], pa.int64()),
        pa.array(positions, pa.int64()),
        pa.array(rows, pa.int64()),
        offsets,
    )
    texts = []
    for part, digits in zip(parts, _DIGITS, strict=True):
        span = pc.min_max(part)
        if len(part) and not (span["min"].as_py() >= 0 and span["max"].as_py() < 10**digits):
            raise ValueError(_OUT_OF_RANGE)
        texts.append(pc.utf8_lpad(part.cast(pa.string()), digits, "0"))
    joined = pc.binary_join_element_wise(*texts, "-")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _file_number(binlog_file: str) -> int:
    ending = binlog_file.rpartition(".")[2]
    if not ending.isdecimal():
        raise ValueError("the binlog file's name ends in no number")
    return int(ending)
