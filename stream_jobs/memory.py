"""How often Python looks for garbage."""

from __future__ import annotations

import gc

__all__ = ["look_seldom_for_garbage"]


def look_seldom_for_garbage() -> None:
    """Leave alone what is there now, and look through the rest a hundred times less often.

    What a process remembers of cards and transactions are a great many small objects that stay:
    looking through them for garbage again and again takes longer than batches and requests do.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
