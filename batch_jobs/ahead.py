"""Work done ahead by threads while its results are used in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in order; at most ``workers`` + 1 items are in memory.

    Arrow and numpy let go of the interpreter's lock, so that threads are enough.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: list[tuple[Item, Future[Result]]] = []
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > workers:
                    first, result = waiting.pop(0)
                    yield first, result.result()
            while waiting:
                first, result = waiting.pop(0)
                yield first, result.result()
        finally:
            for _, result in waiting:
                result.cancel()
