"""One card's recent uses, and what the rules find in them.

The same for the micro-batch, which takes in many changes of a card at once, and for the live path,
which takes in one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stream_jobs.transforms.places import is_abroad
from stream_jobs.transforms.rules import Rules, Use, evaluate

__all__ = ["EVER", "Card", "Found"]

EVER = -(2**63)
_TRIM_ABOVE = 64  # uses of a card before it is worth forgetting some

Found = dict[tuple[int, str], str]
"""(transaction, rule) to the reason."""


@dataclass
class Card:
    """Uses of a card from ``since`` on (microseconds since 1970), all of them and in order."""

    since: int
    uses: list[Use] = field(default_factory=list)
    last_physical: Use | None = None  # before `since`
    abroad: list[tuple[int, int]] = field(default_factory=list)  # of all time

    def judge(self, times: Iterable[int], rules: Rules) -> Found:
        """What the rules find in the uses that a change at one of these times can touch.

        Those are the uses at that time, the small and the declined ones of the burst that may
        follow, the next use in person, and the card's first use abroad.
        """
        small, burst_us = round(rules.testing_amount * 100), rules.burst_us
        uses, count = self.uses, len(self.uses)
        positions: set[int] = set()
        burst = in_person = 0  # how far has been looked for the one, and for the other
        for ts in sorted(times):
            index = self._position(ts)
            if index == count:
                break
            burst, in_person = max(burst, index), max(in_person, index)
            while index < count and uses[index].ts == ts:
                positions.add(index)
                index += 1
            while burst < count and uses[burst].ts <= ts + burst_us:
                if uses[burst].declined or 0 < uses[burst].cents <= small:
                    positions.add(burst)
                burst += 1
            while in_person < count and not (uses[in_person].ts > ts and uses[in_person].physical):
                in_person += 1
            if in_person < count:
                positions.add(in_person)
        first_abroad = self.abroad[0] if self.abroad else None
        if first_abroad:
            index = self._position(*first_abroad)
            if index < len(self.uses) and self.uses[index].id == first_abroad[1]:
                positions.add(index)
        found = evaluate(self.uses, sorted(positions), rules, self.last_physical, first_abroad)
        if first_abroad:
            found.setdefault((first_abroad[1], "first_abroad"), "")
        return found

    def _position(self, ts: int, number: int = EVER) -> int:
        return bisect_left(self.uses, (ts, number))

    def put(self, use: Use) -> None:
        """Take in a use that is not there."""
        insort(self.uses, use)
        self.see_abroad(use)

    def put_all(self, uses: Sequence[Use]) -> None:
        """Take in uses that are not there."""
        new = sorted(uses)
        late = bool(new and self.uses) and new[0] < self.uses[-1]
        self.uses += new
        if late:
            self.uses.sort()
        for use in new:
            self.see_abroad(use)

    def see_abroad(self, use: Use) -> None:
        """Note a use of any time, should it be abroad and not noted yet."""
        if is_abroad(use.state) and (use.ts, use.id) not in self.abroad:
            insort(self.abroad, (use.ts, use.id))

    def take(self, use: Use) -> None:
        """Take out a use that is there.

        Raises:
            ValueError: when it is not.
        """
        index = self._position(use.ts, use.id)
        if self.uses[index : index + 1] != [use]:
            raise ValueError(f"{use} is not among the card's uses")
        del self.uses[index]
        if is_abroad(use.state):
            self.abroad.remove((use.ts, use.id))

    def trim(self, rules: Rules, above: int | None = None) -> list[Use]:
        """Forget uses that no rule will look at for a timely change; returns them.

        Nothing is forgotten while there are at most ``above`` uses.
        """
        if len(self.uses) <= (_TRIM_ABOVE if above is None else above):
            return []
        since = self.uses[-1].ts - 2 * rules.burst_us
        keep = bisect_left(self.uses, since, key=lambda u: u.ts)
        if keep < len(self.uses) // 2:
            return []
        gone = self.uses[:keep]
        for use in reversed(gone):
            if use.physical:
                self.last_physical = use
                break
        self.uses = self.uses[keep:]
        self.since = max(self.since, since)
        return gone
