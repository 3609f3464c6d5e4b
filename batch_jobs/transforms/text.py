"""The bytes of a column of strings, as they lie in memory one behind the other."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["edges", "joined"]


def edges(text: pa.Array) -> memoryview:
    """Where each string begins in the array's bytes, and where the last one ends."""
    return memoryview(text.buffers()[1]).cast("i")[text.offset : text.offset + len(text) + 1]


def joined(text: pa.Array) -> memoryview:
    """All strings as one run of bytes, without a copy."""
    ends = edges(text)
    return memoryview(text.buffers()[2])[ends[0] : ends[-1]]
