"""Uses of one card in order, and apart from them those that the burst rules count."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Place", "Use", "Uses", "between", "count_up_to", "place_of"]

Place = tuple[int, int]
"""Where a use stands: its event time (microseconds since 1970) and its transaction's number."""

_BEHIND = 2**63  # behind every number


class Use(NamedTuple):
    """One use of a card; sorts by event time (microseconds since 1970), then transaction number."""

    ts: int
    id: int
    cents: int
    declined: bool
    physical: bool
    state: str | None


class Uses:
    """Uses in order; of the small and the declined ones the places too.

    A busy card has thousands of uses within the rules' minutes: to take one in, or to count those
    of a stretch, looks at a few of them only.

    Args:
        small_cents: uses of more than nothing and at most that are small.
        uses: those that are there, in any order.
    """

    __slots__ = ("_small_cents", "declined", "every", "small")

    def __init__(self, small_cents: int, uses: Iterable[Use] = ()) -> None:
        self._small_cents = small_cents
        self.every = sorted(uses)
        self.small: list[Place] = [place_of(use) for use in self.every if self._is_small(use)]
        self.declined: list[Place] = [place_of(use) for use in self.every if use.declined]

    def __len__(self) -> int:
        return len(self.every)

    def __iter__(self) -> Iterator[Use]:
        return iter(self.every)

    def __getitem__(self, index: int) -> Use:
        return self.every[index]

    def put(self, use: Use) -> None:
        """Take in a use that is not there."""
        for ordered in self._places(use):
            insort(ordered, place_of(use))
        insort(self.every, use)

    def drop(self, use: Use) -> None:
        """Take out a use.

        Raises:
            ValueError: when it is not there.
        """
        index = self.first_from(*place_of(use))
        if self.every[index : index + 1] != [use]:
            raise ValueError(f"{use} is not among the card's uses")
        del self.every[index]
        for ordered in self._places(use):
            del ordered[bisect_left(ordered, place_of(use))]

    def cut(self, count: int) -> list[Use]:
        """Take out the first so many; returns them."""
        gone, self.every = self.every[:count], self.every[count:]
        if gone:
            last = place_of(gone[-1])
            self.small = self.small[bisect_right(self.small, last) :]
            self.declined = self.declined[bisect_right(self.declined, last) :]
        return gone

    def first_from(self, ts: int, number: int = -_BEHIND) -> int:
        """Index of the first use at that place or behind it."""
        return bisect_left(self.every, (ts, number))

    def _is_small(self, use: Use) -> bool:
        return 0 < use.cents <= self._small_cents

    def _places(self, use: Use) -> Iterator[list[Place]]:
        if self._is_small(use):
            yield self.small
        if use.declined:
            yield self.declined


def place_of(use: Use) -> Place:
    """Where a use stands among the others."""
    return use.ts, use.id


def between(places: Sequence[Place], after: int, until: int) -> Sequence[Place]:
    """Those behind the one time and up to the other, the latter included."""
    return places[bisect_right(places, (after, _BEHIND)) : bisect_right(places, (until, _BEHIND))]


def count_up_to(places: Sequence[Place], after: int, use: Use) -> int:
    """How many stand behind that time, up to a use and with it."""
    return bisect_right(places, place_of(use)) - bisect_right(places, (after, _BEHIND))
