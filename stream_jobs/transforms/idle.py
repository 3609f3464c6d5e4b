"""Which cards nobody used for how long, so that what is remembered of them can be let go of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from stream_jobs.transforms.rules import Rules

__all__ = ["Idle"]

_US = 1_000_000
_AT_ONCE = 2_000  # so that a batch, or an alert, does not wait for it


class Idle:
    """Cards in the order of their last change; two spans of time let go of them.

    After the first a card *rests*: no burst reaches from a timely change to its uses any more.
    After the second, in which nobody travels, it is *forgotten*. Both are times of this machine's
    clock, and what is let go of can be read from the lake again: a wrong clock, or a history that
    comes slower than it was, costs time and no alert.

    Args:
        rules: how far they look back.
        now: seconds since 1970.
    """

    def __init__(self, rules: Rules, now: float) -> None:
        self._rest_s = 2 * rules.burst_us / _US
        self._forget_s = self._rest_s + rules.travel_us / _US
        self._now = now
        self._used: dict[int, float] = {}
        self._resting: dict[int, float] = {}

    def use(self, number: int) -> None:
        """The card changed, at the moment that was told last."""
        self._resting.pop(number, None)
        self._used.pop(number, None)
        self._used[number] = self._now

    def tell(self, now: float) -> None:
        """What time it is, seconds since 1970."""
        self._now = now

    def to_rest(self) -> Iterator[int]:
        """Cards that rest from now on; some at a time."""
        for number in _older(self._used, self._now - self._rest_s):
            self._resting[number] = self._now
            yield number

    def to_forget(self) -> Iterator[int]:
        """Cards that rested long enough; some at a time, and each once."""
        return _older(self._resting, self._now - (self._forget_s - self._rest_s))


def _older(since: dict[int, float], than: float) -> Iterator[int]:
    """Takes the first out, as far as they are of before that time."""
    for number in list(islice(since, _AT_ONCE)):
        if since[number] >= than:
            return
        del since[number]
        yield number
