"""The order of changes.

A token is text that sorts as the changes happened: source epoch, binlog file number, position,
row within the event, Kafka offset. Positions decide; the offset only separates a repeated
delivery from its first. Times never decide: MariaDB's have whole seconds, and clocks go back.
"""

from __future__ import annotations

__all__ = ["order_token"]


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
    ending = binlog_file.rpartition(".")[2]
    if not ending.isdecimal():
        raise ValueError("the binlog file's name ends in no number")
    number = int(ending)
    parts = ((epoch, 4), (number, 8), (position, 12), (row, 6), (offset, 12))
    if any(not 0 <= part < 10**digits for part, digits in parts):
        raise ValueError("the position is out of range")
    return f"{epoch:04d}-{number:08d}-{position:012d}-{row:06d}-{offset:012d}"
