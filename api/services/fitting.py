"""Models of forecasts are fitted by a process beside the worker.

Their libraries take seconds to load and hundreds of megabytes, and a fit would hold up whoever else
asks; so the worker itself never loads them. The process starts when it is first needed, and ends
when nobody has needed it for some minutes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Final

from finlake.errors import ComponentMissing
from models.forecasting.fitted import Task
from models.forecasting.series import Array

__all__ = ["Fitting"]

_IDLE_S: Final = 600.0
_LOOK_S: Final = 2.0
_LATER: Final = 5  # of the nice values: requests come first


class Fitting:
    """Maps fits over tasks in a process of its own; safe to use from several threads.

    Args:
        idle_s: how long the process stays when it has nothing to do.
    """

    def __init__(self, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._timer: threading.Timer | None = None
        self._busy = 0

    def each(self, call: Callable[[Task], Array], tasks: Iterable[Task]) -> Iterator[Array]:
        """Results in the order of the tasks, for ``each`` of :func:`models.forecasting.forecast`.

        Raises:
            ComponentMissing: the process ended meanwhile.
        """
        listed = list(tasks)
        if not listed:
            return
        pool = self._taken()
        try:
            yield from pool.map(call, listed)
        except BrokenProcessPool:
            self._end(pool)
            raise ComponentMissing("the process that fits forecasts ended; ask again") from None
        finally:
            self._given_back()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            self._end(pool)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._pool is not None

    def _taken(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._busy += 1
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
                )
            return self._pool

    def _given_back(self) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy and self._pool is not None:
                self._timer = threading.Timer(self._idle_s, self._end, [self._pool])
                self._timer.daemon = True
                self._timer.start()

    def _end(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(parent: int) -> None:
    """What the process does first."""
    os.nice(_LATER)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End when the worker was killed: the pool's own processes would wait for it for ever."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(0)
