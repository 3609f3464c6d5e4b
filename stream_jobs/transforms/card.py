"""One card's recent uses, and what the rules find in them.

The same for the micro-batch, which takes in many changes of a card at once, and for the live path,
which takes in one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from stream_jobs.transforms.places import is_abroad
from stream_jobs.transforms.rules import Rules, evaluate
from stream_jobs.transforms.uses import Place, Use, Uses, between, place_of

__all__ = ["EVER", "KEEP", "Card", "Found"]

EVER = -(2**63)
KEEP = 4
"""Uses of a card that are remembered in any case: below, it is not worth forgetting some."""

Found = dict[tuple[int, str], str]
"""(transaction, rule) to the reason."""


class Card:
    """Uses of a card from ``since`` on (microseconds since 1970), all of them and in order.

    ``last_physical`` is the last use in person before ``since``; ``abroad`` has the places of all
    uses abroad of all time, in order.
    """

    __slots__ = ("_rules", "abroad", "last_physical", "since", "uses")

    def __init__(self, since: int, rules: Rules, uses: Iterable[Use] = ()) -> None:
        self._rules = rules
        self.since = since
        self.uses = Uses(rules.testing_cents, uses)
        self.last_physical: Use | None = None
        self.abroad: list[Place] = []

    def judge(self, times: Iterable[int]) -> Found:
        """What the rules find in the uses that a change at one of these times can touch.

        Those are the uses at that time, the small and the declined ones of the burst that may
        follow, and the next use in person; and which use is the card's first abroad, with an empty
        reason when it is none of the uses at hand.
        """
        uses, count, burst_us = self.uses, len(self.uses), self._rules.burst_us
        positions: set[int] = set()
        burst, in_person = EVER, 0  # how far has been looked for the one, and for the other
        for ts in sorted(times):
            index = uses.first_from(ts)
            if index == count:
                break
            in_person = max(in_person, index)
            while index < count and uses[index].ts == ts:
                positions.add(index)
                index += 1
            since = max(burst, ts)
            for places in (uses.small, uses.declined):
                for place in between(places, since, ts + burst_us):
                    positions.add(uses.first_from(*place))
            burst = ts + burst_us
            while in_person < count and not (uses[in_person].ts > ts and uses[in_person].physical):
                in_person += 1
            if in_person < count:
                positions.add(in_person)
        first_abroad = self.abroad[0] if self.abroad else None
        found = evaluate(uses, sorted(positions), self._rules, self.last_physical, first_abroad)
        if first_abroad:
            found.setdefault((first_abroad[1], "first_abroad"), "")
        return found

    def put(self, use: Use) -> None:
        """Take in a use that is not there."""
        self.uses.put(use)
        self.see_abroad(use)

    def see_abroad(self, use: Use) -> None:
        """Note a use of any time, should it be abroad and not noted yet."""
        if is_abroad(use.state):
            place = place_of(use)
            index = bisect_left(self.abroad, place)
            if self.abroad[index : index + 1] != [place]:
                insort(self.abroad, place)

    def take(self, use: Use) -> None:
        """Take out a use that is there.

        Raises:
            ValueError: when it is not.
        """
        self.uses.drop(use)
        self.forget_abroad(use)

    def forget_abroad(self, use: Use) -> None:
        """Take a use of any time out of those abroad, should it be one."""
        if is_abroad(use.state) and place_of(use) in self.abroad:
            self.abroad.remove(place_of(use))

    def trim(self, above: int) -> list[Use]:
        """Forget uses that no rule will look at for a timely change; returns them.

        Nothing is forgotten while there are at most ``above`` uses, or when it is less than a
        quarter of them.
        """
        if len(self.uses) <= above:
            return []
        since = self.uses[-1].ts - self._rules.burst_us - self._rules.burst_us // 3
        count = self.uses.first_from(since)
        return self._forget(count, since) if count >= len(self.uses) / 4 else []

    def rest(self) -> list[Use]:
        """Forget all uses but the last in person; returns them."""
        return self._forget(len(self.uses), self.uses[-1].ts + 1) if len(self.uses) else []

    def forgotten(self, now: float) -> int | None:
        """From what time on a card that is not remembered is as good as this one.

        ``None`` when it never is: this one has uses, some of them abroad, or in the future.

        Args:
            now: seconds since 1970.
        """
        since = max(self.since, self.last_physical.ts if self.last_physical else EVER)
        since += self._rules.travel_us
        return None if len(self.uses) or self.abroad or since > now * 1e6 else since

    def _forget(self, count: int, since: int) -> list[Use]:
        gone = self.uses.cut(count)
        self.last_physical = next((u for u in reversed(gone) if u.physical), self.last_physical)
        self.since = max(self.since, since)
        return gone
