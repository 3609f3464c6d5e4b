"""The live path raises what the rules say of each moment, also when changes repeat or come late."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_schemas import contracts
from stream_jobs.live.cards import LiveCards
from stream_jobs.live.feed import Feed, Record, Seen
from stream_jobs.live.history import Silver
from stream_jobs.transforms.envelope import Decoder
from stream_jobs.transforms.rules import Rules
from tests.unit import stream_world
from tests.unit.stream_world import Event, Row, World
from tests.unit.test_stream_rules import USES, judged

RULES = Rules.of(stream_world.settings())
SILVER = contracts.get("silver.transactions")
Key = tuple[int, str]
AFTER_ALL = 4e9  # seconds since 1970: no event is in the future
PACES = st.sampled_from([0.0, 600.0, 3600.0, 40_000.0, 200_000.0])  # from record to record


@dataclass
class Moment:
    """What is there after some records: positions, current rows with their tokens, alerts."""

    positions: dict[int, int]
    rows: dict[int, tuple[str, Row, bool]] = field(default_factory=dict)
    alerts: dict[Key, str] = field(default_factory=dict)

    @property
    def live(self) -> dict[int, Row]:
        return {key: one for key, (_, one, deleted) in self.rows.items() if not deleted}


class Reference:
    """Looks at all live transactions after each record."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.records: list[Record] = []
        self.moments = [Moment({0: 0, 1: 0})]
        self.raised: list[set[Key]] = []  # by record
        read = Decoder("transactions")
        for event in events:
            now = self.moments[-1]
            place = event.partition
            record = Record(place, now.positions[place], event.value, event.epoch)
            self.records.append(record)
            positions = {**now.positions, place: record.offset + 1}
            rows = dict(now.rows)
            change = event.value and read.change(event.value, event.epoch, record.offset)
            op = ""
            if change:
                op = change.op
                image = change.after or change.before
                values = {name: getattr(image, name) for name in stream_world.BASE["transactions"]}
                if rows.get(image.id, ("",))[0] < change.token:
                    rows[image.id] = (change.token, values, change.op == "d")
            then = Moment(positions, rows)
            then.alerts = judged(then.live) if rows != now.rows else now.alerts
            self.moments.append(then)
            self.raised.append(then.alerts.keys() - now.alerts.keys() if op != "r" else set())

    @property
    def all(self) -> set[Key]:
        return set().union(*self.raised)


class Life:
    """The live path's process, over a lake that is as far as a moment says."""

    def __init__(
        self,
        reference: Reference,
        lake_at: int,
        ends_at: int,
        committed: dict[int, int] | None,
        now: int,
        pace: float = 0.0,
        **limits: Any,
    ) -> None:
        self._pace = pace
        self._reference = reference
        self.lake_at = lake_at
        self._silver = Silver(_Lake(self), RULES)  # type: ignore[arg-type]
        self._clock = AFTER_ALL
        self._cards = LiveCards(RULES, self._silver.start(), now=AFTER_ALL, **limits)
        self.feed = Feed(Decoder("transactions"), self._cards)
        self.published: set[Key] = set()
        self._positions: dict[int, int] = {0: 0, 1: 0}
        ends = reference.moments[ends_at].positions
        self._goal = committed or ends
        start = {p: min(self._goal[p], ends[p]) for p in ends}
        newest = reference.moments[now].positions
        there = [
            r for r in reference.records if start[r.partition] <= r.offset < newest[r.partition]
        ]
        self.feed.rewind(there)
        for record in there:  # first what was published before, of all partitions
            if record.offset < self._goal[record.partition]:
                self.take(record)
        for record in there:
            if record.offset >= self._goal[record.partition]:
                self.take(record)

    def take(self, record: Record, answered: bool = True) -> None:
        self._note([self.feed.take(record)])
        self._positions[record.partition] = record.offset + 1
        if answered:
            self.answer()
        self._clock += self._pace
        self._cards.let_go(self._clock)

    def answer(self) -> None:
        while asked := self.feed.asks():
            self.feed.answer(self._silver.read(asked))
            while self.feed.is_answered:
                self._note(self.feed.step())

    def _note(self, seen: list[Seen]) -> None:
        for one in seen:
            if one.record.offset >= self._goal[one.record.partition]:
                self.published |= {(a.booked.use.id, a.rule) for a in one.alerts}

    @property
    def committed(self) -> dict[int, int]:
        return {
            place: max(self.feed.done(place, position), self._goal[place])
            for place, position in self._positions.items()
        }


class _Lake:
    """Silver as of the moment at which a life says the lake is."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def open(self, contract: Any) -> Any:
        table = stream_world.Table(contract)
        moment = self._life._reference.moments[self._life.lake_at]
        rows = stream_world.meant("transactions", {k: r for k, (_, r, _) in moment.rows.items()})
        marks = {"_batch_id": 0}
        values = [
            {**rows[key], "_order_token": token, "_is_deleted": deleted, **marks}
            for key, (token, _, deleted) in moment.rows.items()
        ]
        table.commit(pa.Table.from_pylist(values, schema=table.schema), "test", 0)
        return table


def events(steps: Iterable[Any]) -> list[Event]:
    world = World()
    for step in steps:
        if isinstance(step, int):
            world.delete("transactions", step)
        elif step == "read":
            world.read("transactions")
        else:
            world.put("transactions", step)
    return world.sent


ELSEWHERE = USES.map(lambda one: {**one, "card_id": 1 - one["card_id"]})
STEPS = st.lists(
    st.one_of(USES, USES, USES, USES, ELSEWHERE, st.integers(1, 14), st.just("read")),
    min_size=1,
    max_size=24,
)
# More than the lake is ever behind by: what neither has is the limit that is known.
LIMITS = st.fixed_dictionaries(
    {"capacity": st.integers(8, 12), "keep": st.integers(0, 4), "pace": PACES}
)
QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)


def until(reference: Reference, life: Life, start: int, end: int, lags: list[int]) -> None:
    """Let a life take the records, with the lake so far behind."""
    for number in range(start, end):
        life.lake_at = max(life.lake_at, number - lags[number % len(lags)])
        life.take(reference.records[number])


@QUICK
@given(steps=STEPS, lags=st.lists(st.integers(0, 3), min_size=1, max_size=4), limits=LIMITS)
def test_alerts_are_those_of_each_moment(steps, lags, limits):
    reference = Reference(events(steps))
    life = Life(reference, 0, 0, None, 0, **limits)
    until(reference, life, 0, len(reference.records), lags)
    assert life.published == reference.all


RESTARTS = st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=3)


def lives(reference: Reference, restarts: list[Any], lags: list[int], **limits: Any) -> set[Key]:
    """What all lives together publish, when the process is killed now and then.

    At each restart the offsets committed are those of some moment since the last one, and the
    lake, ahead of them or behind, is further than the offsets that it says it has.
    """
    end = len(reference.records)
    start, committed, lake, told = 0, None, 0, 0
    published: set[Key] = set()
    for at, kept, ahead, less in [*sorted(restarts), (1.0, 1.0, 0.0, 0.0)]:
        life = Life(reference, lake, told, committed, start, **limits)
        stop = max(start, round(at * end))
        keep = start + round(kept * (stop - start))
        until(reference, life, start, keep, lags)
        committed = life.committed
        until(reference, life, keep, stop, lags)
        published |= life.published
        start = stop
        lake = max(life.lake_at, round(ahead * stop))
        told = max(told, round(less * lake))
    return published


@QUICK
@given(steps=STEPS, restarts=RESTARTS, lags=st.lists(st.integers(0, 3), min_size=1), limits=LIMITS)
def test_a_killed_process_misses_nothing_and_invents_nothing(steps, restarts, lags, limits):
    reference = Reference(events(steps))
    assert lives(reference, restarts, lags, **limits) == reference.all


def disturbed(steps: Iterable[Any], moves: list[tuple[float, float, bool]]) -> list[Event]:
    """The events of a history, some of them again or not before a later one."""
    found = events(steps)
    for origin, distance, again in moves if found else []:
        place = round(origin * (len(found) - 1))
        event = found[place] if again else found.pop(place)
        found.insert(place + round(distance * (len(found) - place)), event)
    return found


MOVES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), max_size=6)


@QUICK
@given(steps=STEPS, moves=MOVES, lags=st.lists(st.integers(0, 3), min_size=1), limits=LIMITS)
def test_repeated_and_late_changes_count_once(steps, moves, lags, limits):
    reference = Reference(disturbed(steps, moves))
    life = Life(reference, 0, 0, None, 0, **limits)
    until(reference, life, 0, len(reference.records), lags)
    assert life.published == reference.all


@QUICK
@given(
    steps=STEPS,
    moves=MOVES,
    restarts=RESTARTS,
    lags=st.lists(st.integers(0, 3), min_size=1),
    limits=LIMITS,
)
def test_nothing_is_missed_whatever_happens_together(steps, moves, restarts, lags, limits):
    reference = Reference(disturbed(steps, moves))
    assert lives(reference, restarts, lags, **limits) >= reference.all
