"""The fraud rules: what each of them says, and that the order of arrival never matters."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_schemas import contracts
from stream_jobs.state import cards
from stream_jobs.state.cards import Cards
from stream_jobs.transforms import gold
from stream_jobs.transforms.places import distance_km, is_abroad
from stream_jobs.transforms.rules import SEVERITY, Rules, evaluate
from stream_jobs.transforms.uses import Use, Uses, between, count_up_to
from tests.unit import stream_world

MINUTE = 60_000_000
HOUR = 60 * MINUTE
RULES = Rules.of(stream_world.settings())


def use(minute: float = 0, cents: int = 2000, **rest: Any) -> Use:
    values = {"ts": int(minute * MINUTE), "id": int(minute * 100) + 7, "cents": cents}
    return Use(**{**values, "declined": False, "physical": True, "state": "CA", **rest})


def found(*uses: Use) -> set[tuple[int, str]]:
    """Positions of the uses, in the order given, with the rules that they break."""
    ordered = Uses(RULES.testing_cents, uses)
    abroad = next(((u.ts, u.id) for u in ordered if is_abroad(u.state)), None)
    places = {u.id: place for place, u in enumerate(uses)}
    return {
        (places[n], rule) for n, rule in evaluate(ordered, range(len(ordered)), RULES, None, abroad)
    }


@pytest.mark.parametrize(
    ("cents", "alert"),
    [(300_000, False), (300_001, True), (999_999_999_999, True), (-400_000, False)],
)
def test_amount_over_means_more_than_the_threshold(cents, alert):
    assert found(use(cents=cents)) == ({(0, "amount_over")} if alert else set())


@pytest.mark.parametrize(
    ("minutes", "cents", "alerts"),
    [
        ((0, 1, 2), (500, 500, 500), set()),
        ((0, 1, 2, 3), (500, 500, 500, 500), {3}),
        ((0, 1, 2, 3), (500, 500, 501, 500), set()),
        ((0, 1, 2, 3), (500, 0, 500, 500), set()),
        ((0, 1, 2, 3), (500, -100, 500, 500), set()),
        ((0, 1, 2, 9.99), (500, 500, 500, 500), {3}),
        ((0, 1, 2, 10), (500, 500, 500, 500), set()),
        ((0, 1, 2, 3, 4), (100, 100, 100, 100, 9900), {3}),
        ((0, 1, 2, 3, 4), (100, 100, 100, 100, 100), {3, 4}),
    ],
)
def test_card_testing_is_a_burst_of_small_amounts(minutes, cents, alerts):
    uses = [use(m, c) for m, c in zip(minutes, cents, strict=True)]
    assert found(*uses) == {(place, "card_testing") for place in alerts}


@pytest.mark.parametrize(
    ("minutes", "declined", "alerts"),
    [
        ((0, 1), (True, True), set()),
        ((0, 1, 2), (True, True, True), {2}),
        ((0, 1, 2, 3), (True, True, False, True), {3}),
        ((0, 1, 2, 3), (True, True, True, False), {2}),
        ((0, 1, 14.99), (True, True, True), {2}),
        ((0, 1, 15), (True, True, True), set()),
    ],
)
def test_declined_burst(minutes, declined, alerts):
    uses = [use(m, declined=d) for m, d in zip(minutes, declined, strict=True)]
    assert found(*uses) == {(place, "declined_burst") for place in alerts}


NEAR = use(0, state="CA"), use(60, state="NV")


@pytest.mark.parametrize(
    ("uses", "alerts"),
    [
        ((use(0, state="CA"), use(60, state="NY")), {1}),
        ((use(0, state="CA"), use(60, state="CA")), set()),
        (NEAR, set()),
        ((use(0, state="CA"), use(5 * 60, state="NY")), set()),
        ((use(0, state="CA"), use(60, state="NY", physical=False)), set()),
        ((use(0, state="CA", physical=False), use(60, state="NY")), set()),
        ((use(0, state="CA"), use(30, physical=False, state=None), use(60, state="NY")), {2}),
        ((use(0, state="CA"), use(60, state="NY"), use(61, state="CA")), {1, 2}),
        ((use(0, state="CA"), use(0.5, state="NY")), {1}),
        ((use(0, state="CA"), use(60, state=None)), set()),
        ((use(0, state="CA"), use(60, state="")), set()),
    ],
)
def test_impossible_travel_is_between_uses_in_person(uses, alerts):
    assert found(*uses) == {(place, "impossible_travel") for place in alerts}


def test_no_country_has_a_known_distance():
    assert found(use(0, state="CA"), use(10, state="Italy")) == {(1, "first_abroad")}


def test_first_abroad_is_the_first_ever_not_the_first_seen():
    early, late = use(5, state="Italy"), use(90, state="France", physical=False)
    assert found(late, use(0), early) == {(2, "first_abroad")}


def test_at_the_same_moment_the_lower_number_comes_first():
    uses = [use(0, id=n, declined=True) for n in (3, 1, 2)]
    assert found(*uses) == {(0, "declined_burst")}


@pytest.mark.parametrize(
    ("one", "other", "km"), [("CA", "NY", 3750), ("CA", "CA", 0), ("HI", "ME", 8200)]
)
def test_distances_are_those_of_the_globe(one, other, km):
    measured = distance_km(one, other)
    assert measured == pytest.approx(km, rel=0.06)
    assert measured == distance_km(other, one)


def test_distance_to_nowhere_is_not_known():
    assert distance_km("CA", "Italy") is None


def test_the_contract_knows_every_rule_and_severity():
    contract = contracts.get("gold.fraud_alerts")
    for name, values in (("rule", SEVERITY.keys()), ("severity", SEVERITY.values())):
        (expectation,) = contract.column(name).expectations
        assert set(values) == set(expectation.values)


# ── Whatever the order of arrival ────────────────────────────────────────────────────────────────

USES = st.builds(
    lambda number, minutes, cents, declined, online, state: stream_world.row(
        "transactions",
        id=number,
        card_id=number % 2,
        date=stream_world.T0 + minutes * MINUTE,
        amount=f"{cents / 100:.2f}",
        errors="Bad PIN" if declined else None,
        use_chip="Online Transaction" if online else "Chip Transaction",
        merchant_state=state,
    ),
    st.integers(1, 14),
    # Apart by less than a burst, by more, and by about a day, which is how far travel looks back.
    st.one_of(
        st.integers(0, 40),
        st.integers(0, 300),
        st.sampled_from([0, 200, 1380, 1430, 1439, 1441, 1535, 3100]),
    ),
    st.sampled_from([100, 100, 9900, 300_001]),
    st.booleans(),
    st.integers(0, 4).map(lambda n: n == 0),
    st.sampled_from(["CA", "NY", "NY", "FL", "Italy", None]),
)


def wide(rows: dict[int, dict[str, Any]]) -> pa.Table:
    """Silver rows as the rules see them."""
    contract = contracts.get("silver.transactions")
    values = [
        {**one, "_order_token": "1", "_is_deleted": False, "_batch_id": 0}
        for one in stream_world.meant("transactions", rows).values()
    ]
    schema = contract.lake_schema
    return pa.Table.from_pylist(values, schema=schema)


@pytest.fixture
def forgetful(monkeypatch):
    monkeypatch.setattr(cards, "KEEP", 1)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrivals=st.lists(
        st.tuples(
            st.lists(USES, max_size=6), st.lists(st.integers(1, 14), max_size=2), st.booleans()
        ),
        max_size=6,
    ),
    pace=st.sampled_from([0.0, 600.0, 3600.0, 200_000.0]),
)
def test_alerts_follow_from_the_history_not_from_the_order_of_arrival(arrivals, pace, forgetful):
    """Late, corrected and deleted uses, a memory that forgets, and restarts in between."""
    arrive(arrivals, pace)


def arrive(
    arrivals: Iterable[tuple[list[dict[str, Any]], list[int], bool]], pace: float = 0.0
) -> dict[Any, str]:
    """The alerts of new and gone uses that come in batches; fails unless the history says so.

    From one batch to the next ``pace`` seconds go by, long after the last use.
    """
    lake = stream_world.Lake()
    table = lake.ensure(contracts.get("silver.transactions"))
    labels = contracts.get("silver.fraud_labels").arrow_schema().empty_table()
    clock = count(4_000_000_000.0, pace)
    memory = _cards(lake, clock)
    rows: dict[int, dict[str, Any]] = {}
    alerts: dict[tuple[int, str], str] = {}
    for number, (new, gone, restart) in enumerate(arrivals):
        before = dict(rows)
        rows.update({one["id"]: one for one in new})
        for key in gone:
            rows.pop(key, None)
        moved = gold.moves(gold.wide(wide(before), labels), gold.wide(wide(rows), labels))
        change = memory.move(moved)
        for alert, reason in change.old.items():
            assert not reason or alerts.pop(alert) == reason
        alerts.update({alert: reason for alert, reason in change.new.items() if reason})
        table.commit(wide(rows), "test", number)
        if restart:
            memory = _cards(lake, clock)
    assert alerts == judged(rows)
    return alerts


def _cards(lake: stream_world.Lake, clock: Iterator[float]) -> Cards:
    table = lake.ensure(contracts.get("silver.transactions"))
    return Cards(
        lake,  # type: ignore[arg-type]
        RULES,
        lambda spans: stream_world.spanned(table.rows, spans),
        clock=lambda: next(clock),
    )


def judged(rows: dict[int, dict[str, Any]]) -> dict[tuple[int, str], str]:
    """Every rule over every card's whole history."""
    expected = {}
    for number in {one["card_id"] for one in rows.values()}:
        uses = Uses(
            RULES.testing_cents,
            (
                Use(
                    one["date"],
                    one["id"],
                    round(float(one["amount"]) * 100),
                    bool(one["errors"]),
                    not one["use_chip"].startswith("Online"),
                    one["merchant_state"],
                )
                for one in rows.values()
                if one["card_id"] == number
            ),
        )
        abroad = next(((u.ts, u.id) for u in uses if is_abroad(u.state)), None)
        expected.update(evaluate(uses, range(len(uses)), RULES, None, abroad))
    return expected


def test_a_late_use_between_two_late_uses_still_sees_where_the_card_was_before():
    """What is read back for one late use must not stand for all that an earlier one needs."""
    first = {"use_chip": "Chip Transaction", "card_id": 1, "merchant_state": "CA"}
    rows = [
        stream_world.row("transactions", **{**first, "id": n, "date": stream_world.T0 + m * MINUTE})
        for n, m in ((1, 0), (2, 3100), (3, 1535), (4, 200))
    ]
    rows[3]["merchant_state"] = "NY"
    arrivals: list[Any] = [(rows[:2], [], True), (rows[2:3], [], False), (rows[3:], [], False)]
    assert arrive(arrivals).keys() == {(4, "impossible_travel")}


def test_an_earlier_first_use_abroad_leaves_what_else_the_later_one_broke():
    """The later one is no longer the first abroad; its amount is as large as before."""
    rows = [
        stream_world.row("transactions", id=n, card_id=1, date=stream_world.T0 + m * MINUTE)
        | {"use_chip": "Online Transaction", "merchant_state": state, "amount": amount}
        for n, m, state, amount in (
            (1, 0, "CA", "1.00"),
            (3, 4, "Italy", "3000.01"),
            (1, 0, "Italy", "1.00"),
        )
    ]
    alerts = arrive([(rows[:2], [], False), (rows[2:], [], False)])
    assert alerts.keys() == {(1, "first_abroad"), (3, "amount_over")}


def test_cards_that_nobody_uses_are_forgotten():
    lake = stream_world.Lake()
    labels = contracts.get("silver.fraud_labels").arrow_schema().empty_table()
    now = [stream_world.T0 / 1e6]
    table = lake.ensure(contracts.get("silver.transactions"))
    memory = Cards(
        lake,  # type: ignore[arg-type]
        RULES,
        lambda spans: stream_world.spanned(table.rows, spans),
        clock=lambda: now[0],
    )

    def use(*numbers: int) -> None:
        rows = {
            n: stream_world.row("transactions", id=n, card_id=n, date=round(now[0] * 1e6))
            for n in numbers
        }
        memory.move(gold.moves(gold.wide(wide({}), labels), gold.wide(wide(rows), labels)))

    use(*range(1, 9))
    assert len(memory) == 8
    now[0] += 2 * RULES.burst_us / 1e6 + 1  # they rest, as the next use finds
    use(9)
    assert len(memory) == 9
    now[0] += RULES.travel_us / 1e6 + 1
    use(10)
    assert len(memory) == 2
    now[0] += RULES.travel_us / 1e6 + 1
    use(11)
    assert len(memory) == 2


def test_a_threshold_of_nothing_finds_everything():
    rules = replace(RULES, amount_over=-1e9)
    assert evaluate(Uses(rules.testing_cents, [use()]), [0], rules, None, None).keys() == {
        (7, "amount_over")
    }


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.booleans()), max_size=40),
    st.data(),
)
def test_uses_come_and_go_and_are_counted_as_in_a_plain_list(
    made: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    plain = [
        Use(ts, number, cents - 1, declined, True, None)
        for number, (ts, cents, declined) in enumerate(made)
    ]
    start = data.draw(st.integers(0, len(plain)))
    uses = Uses(2, plain[:start])
    for one in plain[start:]:
        uses.put(one)
    for _ in range(data.draw(st.integers(0, len(plain)))):
        one = plain.pop(data.draw(st.integers(0, len(plain) - 1)))
        uses.drop(one)
        with pytest.raises(ValueError, match="not among"):
            uses.drop(one)
    plain.sort()
    cut = data.draw(st.integers(0, len(plain)))
    assert uses.cut(cut) == plain[:cut]
    plain = plain[cut:]
    assert list(uses) == plain
    after, until = data.draw(st.tuples(st.integers(-1, 31), st.integers(-1, 31)))
    for places, counts in (
        (uses.small, lambda u: 0 < u.cents <= 2),
        (uses.declined, lambda u: u.declined),
    ):
        assert list(between(places, after, until)) == [
            (u.ts, u.id) for u in plain if counts(u) and after < u.ts <= until
        ]
        for one in plain:
            if one.ts > after:
                earlier = [u for u in plain if counts(u) and after < u.ts and u <= one]
                assert count_up_to(places, after, one) == len(earlier)
