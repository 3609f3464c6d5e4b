"""What features look at, found out by asking them over nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.features.events import Array, Events
from models.features.kernel import features_in
from models.features.marks import mark
from models.features.view import View

__all__ = ["Needs", "known_without", "needs"]


@dataclass
class Needs:
    """What is asked of an entity.

    ``measures`` are summed up, and ``starts`` is how much older than a row windows begin or end
    (microseconds). A row looks back over ``reach``, and at labels from the delay on over
    ``label_reach``.
    """

    measures: set[str] = field(default_factory=set)
    starts: set[int] = field(default_factory=set)
    reach: int = -1
    label_reach: int = -1


def needs(names: Sequence[str], label_delay: int) -> dict[str, Needs]:
    """By entity, what these features and the marks look at.

    Raises:
        KeyError: a name is no feature's.
    """
    view = _Listening(label_delay)
    mark(view)
    features_in(view, names)
    return view.heard


def known_without(columns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Those of the features that can be made of a row without these columns of its own.

    They may look at the same columns of earlier transactions.
    """
    view = View(Events.none(), Events.none().without(columns))
    found = []
    for name in names:
        try:
            features_in(view, (name,))
        except KeyError:
            continue
        found.append(name)
    return tuple(found)


class _Listening(View):
    """A view over no rows that notes what is asked."""

    def __init__(self, label_delay: int) -> None:
        super().__init__(Events.none(), Events.none(), label_delay)
        self.heard: dict[str, Needs] = {}

    def bounds(self, entity: str, window: int, *, delayed: bool = False) -> tuple[Array, Array]:
        own = self.heard.setdefault(entity, Needs())
        if delayed:
            own.starts |= {self.label_delay, self.label_delay + window}
            own.label_reach = max(own.label_reach, window)
        else:
            own.starts.add(window)
            own.reach = max(own.reach, window)
        return super().bounds(entity, window, delayed=delayed)

    def sum(self, entity: str, window: int, measure: str, *, delayed: bool = False) -> Array:
        self._note(entity, measure)
        return super().sum(entity, window, measure, delayed=delayed)

    def last(
        self, entity: str, window: int, which: str | None = None, *, delayed: bool = False
    ) -> Array:
        self._note(entity, which)
        return super().last(entity, window, which, delayed=delayed)

    def first_after(self, entity: str, place: Array, which: str) -> Array:
        self._note(entity, which)
        return super().first_after(entity, place, which)

    def sum_from(self, entity: str, place: Array, high: Array, measure: str) -> Array:
        self._note(entity, measure)
        return super().sum_from(entity, place, high, measure)

    def _note(self, entity: str, measure: str | None) -> None:
        if measure is not None:
            self.heard.setdefault(entity, Needs()).measures.add(measure)
