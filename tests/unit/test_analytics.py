"""Segments, value, cohorts and credit risk: the formulas, and the job on small lakes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.analytics import make
from batch_jobs.transforms import risk, segments, value
from finlake.cli import root
from finlake.errors import ComponentMissing, UsageProblem
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts

END = date(2019, 10, 31)
NOW = datetime(2019, 12, 1, 12, tzinfo=UTC)
CUSTOMERS = contracts.get("gold.customer_analytics")

# ── The scorecard ────────────────────────────────────────────────────────────────────────────────

MONEY = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e9, allow_nan=False))
INPUTS = st.fixed_dictionaries({factor.code: MONEY for factor in risk.FACTORS})


def score(given: dict[str, float]) -> int:
    values = {code: np.array([one]) for code, one in given.items()}
    return int(risk.scores(risk.points(values))[0])


@given(INPUTS)
def test_a_score_is_0_to_1000_and_in_its_band(given_values):
    found = score(given_values)
    assert 0 <= found <= 1000
    (band,) = risk.bands(np.array([found]))
    lowest = {name: low for low, name in risk.BANDS}
    assert found >= lowest[band]
    assert not [low for low in lowest.values() if lowest[band] < low <= found]


@given(INPUTS, st.sampled_from(risk.FACTORS), st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_is_better_never_costs(given_values, factor, one, other):
    worse, better = sorted((one, other), reverse=factor.best < factor.worst)
    assert score(given_values | {factor.code: worse}) <= score(given_values | {factor.code: better})


def test_the_best_has_all_points_and_the_worst_none():
    assert score({factor.code: factor.best for factor in risk.FACTORS}) == 1000
    assert score({factor.code: factor.worst for factor in risk.FACTORS}) == 0
    assert sum(factor.points for factor in risk.FACTORS) == 1000


@given(INPUTS)
def test_reasons_are_the_heaviest_losses_and_only_of_what_is_known(given_values):
    values = {code: np.array([one]) for code, one in given_values.items()}
    found = risk.points(values)
    (why,) = risk.reasons(values, found)
    lost = {f.code: f.points - found[0][n] for n, f in enumerate(risk.FACTORS)}
    known = {code for code, one in given_values.items() if not np.isnan(one)}
    named = [f.code for f in why]
    assert len(named) == len(set(named)) <= 4
    assert set(named) <= known
    assert [lost[code] for code in named] == sorted((lost[code] for code in named), reverse=True)
    heavy = [code for code in known - set(named) if lost[code] >= 10]
    assert not heavy or (len(named) == 4 and max(lost[c] for c in heavy) <= lost[named[-1]])


# ── Segments, clusters, value ────────────────────────────────────────────────────────────────────


@given(st.lists(st.integers(-5, 30), max_size=40), st.randoms())
def test_fifths_go_with_the_values_and_not_with_their_order(values, random):
    found = segments.fifths(np.array(values, dtype=np.int64))
    assert all(1 <= one <= 5 for one in found)
    for (a, x), (b, y) in pairwise(sorted(zip(values, found, strict=True))):
        assert (x == y) if a == b else (x <= y)
    mixed = list(enumerate(values))
    random.shuffle(mixed)
    again = segments.fifths(np.array([v for _, v in mixed], dtype=np.int64))
    assert [found[n] for n, _ in mixed] == list(again)


def test_five_different_customers_are_in_five_fifths():
    assert segments.fifths(np.array([40, 10, 30, 50, 20])).tolist() == [4, 1, 3, 5, 2]
    assert segments.fifths(np.array([7, 7, 7])).tolist() == [3, 3, 3]
    assert segments.fifths(np.array([0, 9, 9, 9])).tolist() == [1, 4, 4, 4]


@given(*[st.integers(1, 5)] * 3)
def test_every_customer_has_a_segment_that_the_contract_knows(r, f, m):
    (name,) = segments.segments(*(np.array([one]) for one in (r, f, m)))
    (allowed,) = CUSTOMERS.column("segment").expectations
    assert name in allowed.values
    assert set(segments.SEGMENTS) | {"none"} == set(allowed.values)


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 200), st.integers(-900, 10**6)), max_size=30
    )
)
def test_clusters_are_numbered_by_value_and_equal_customers_are_in_one(customers):
    columns = np.array(customers, dtype=np.int64).reshape(-1, 3).T
    found = segments.clusters(*columns)
    assert found.tolist() == segments.clusters(*columns).tolist()
    assert len(set(found)) <= 5
    together: dict[int, list[int]] = defaultdict(list)
    groups: dict[Any, set[int]] = defaultdict(set)
    for one, label in zip(customers, found.tolist(), strict=True):
        together[label].append(max(one[2], 0))
        groups[one].add(label)
    means = [np.mean(together[label]) for label in sorted(together)]
    assert all(a >= b - 1e-6 for a, b in pairwise(means))
    assert all(len(labels) == 1 for labels in groups.values())


def test_clear_groups_are_found():
    group = np.array([1, 1, 1, 300, 300, 300]), np.array([90, 95, 92, 2, 1, 2])
    found = segments.clusters(*group, np.array([9000, 9100, 9050, 20, 15, 18]), most=2)
    assert found.tolist() == [1, 1, 1, 2, 2, 2]


@given(st.floats(0, 1), st.floats(0, 0.99), st.floats(0, 1), st.floats(-1e6, 1e6))
def test_the_future_value_is_the_sum_of_the_years(margin, kept, discount, spent):
    (found,) = value.future_value(np.array([spent]), margin, kept, discount)
    years = sum(max(spent, 0) * margin * (kept / (1 + discount)) ** n for n in range(1, 3000))
    assert found == pytest.approx(years, rel=1e-6, abs=1e-6)


@given(st.integers(0, 50), st.integers(0, 50))
def test_retention_is_a_share_below_one(before, more):
    assert 0 <= value.retention(before + more, before) <= 0.99


# ── The job ──────────────────────────────────────────────────────────────────────────────────────


def write(settings: Settings, table: str, rows: Iterable[dict[str, Any]]) -> None:
    contract = contracts.get(f"gold.{table}")
    data = pa.Table.from_pylist(list(rows), schema=contract.lake_schema)
    write_deltalake(Lake(settings).ensure(contract), data, mode="append")


def transactions() -> list[dict[str, Any]]:
    """Three years of customers 1 to 9; all that number 9 did was declined."""
    random, rows = Random(7), []
    for number in range(1, 1500):
        user = random.choice([1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8])
        back = random.randrange(0, 1100) if user != 8 else random.randrange(500, 1100)
        moment = datetime(2019, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC) - timedelta(days=back)
        amount = Decimal(random.randrange(-2000, 30_000)) / 100
        declined = random.random() < 0.05
        rows.append(
            {
                "transaction_id": number, "transaction_ts": moment, "user_id": user,
                "card_id": user * 10 + random.randrange(2), "amount": amount,
                "mcc": random.choice([5411, 5812, 4829, 6011]), "is_declined": declined,
                "errors": random.choice(["Insufficient Balance", "Bad PIN,Insufficient Balance",
                                         "Bad PIN"]) if declined else "",
            }
        )  # fmt: skip
    moment = datetime(2019, 10, 1, tzinfo=UTC)
    rows.append(rows[0] | {"transaction_id": 1500, "user_id": 9, "card_id": 90,
                           "is_declined": True, "transaction_ts": moment})  # fmt: skip
    future = datetime(2019, 11, 1, tzinfo=UTC)
    rows.append(rows[0] | {"transaction_id": 1501, "user_id": 2, "transaction_ts": future})
    return rows


@pytest.fixture
def there(home: Path) -> Settings:
    settings = load_settings(home=home)
    write(settings, "fact_transactions", transactions())
    users = [
        {
            "user_id": user, "credit_score": 500 + 40 * user,
            "yearly_income": Decimal(user % 4 * 20_000), "total_debt": Decimal(user * 15_000),
        }
        for user in range(1, 11)
    ]  # fmt: skip
    write(settings, "dim_user", users)
    cards = [
        {
            "card_id": user * 10 + n, "user_id": user, "credit_limit": Decimal(1000 * user),
            "card_type": ["Credit", "Debit"][n],
        }
        for user in range(1, 10)
        for n in (0, 1)
    ]  # fmt: skip
    write(settings, "dim_card", cards)
    return settings


def rows(settings: Settings, table: str = "customer_analytics") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        Query(settings).query(f"SELECT * FROM gold.{table} ORDER BY ALL").to_pylist()
    )
    return found


def test_customers_are_what_a_plain_count_says(there):
    summary = make(there, until=END, now=NOW)
    mine = [t for t in transactions() if t["transaction_ts"].date() <= END]
    assert (summary.as_of, summary.customers, summary.transactions) == (END, 10, len(mine))
    found = {one["user_id"]: one for one in rows(there)}
    assert sorted(found) == list(range(1, 11))
    for user, one in found.items():
        own = [t for t in mine if t["user_id"] == user]
        done = [t for t in own if not t["is_declined"]]
        bought = [t for t in done if t["amount"] > 0]
        year = [t for t in own if (END - t["transaction_ts"].date()).days < 365]
        spent = sum((t["amount"] for t in done), Decimal(0))
        recent = [t for t in bought if t in year]
        assert one["purchases"] == len(bought)
        assert one["spent_total"] == spent
        assert one["frequency"] == len(recent)
        assert one["monetary"] == sum((t["amount"] for t in done if t in year), Decimal(0))
        last = max((t["transaction_ts"].date() for t in bought), default=None)
        assert one["last_use"] == last
        assert one["recency_days"] == (None if last is None else (END - last).days)
        first = min((t["transaction_ts"].date() for t in bought), default=None)
        assert one["cohort_month"] == (first and first.replace(day=1))
        assert (one["segment"] == "none") == (not bought)
        assert one["lifetime_value"] == one["value_past"] + one["value_future"]
        assert one["value_past"] == pytest.approx(spent * Decimal("0.015"), abs=Decimal("0.006"))
        cash = sum(t["amount"] for t in recent if t["mcc"] in (4829, 6011))
        everything = sum(t["amount"] for t in recent)
        assert one["cash_share"] == (pytest.approx(float(cash / everything)) if recent else None)
        short = [t for t in year if "Insufficient" in t["errors"]]
        assert one["shortage_share"] == (pytest.approx(len(short) / len(year)) if year else None)
        on_credit = sum(
            (t["amount"] for t in done if t["card_id"] % 10 == 0 and user != 10
             and (END - t["transaction_ts"].date()).days < 30), Decimal(0)
        )  # fmt: skip
        used = pytest.approx(max(0.0, float(on_credit)) / (1000 * user))
        assert one["utilisation"] == (used if user < 10 else None)
        income = user % 4 * 20_000
        owed = pytest.approx(user * 15_000 / income) if income else None
        assert one["debt_to_income"] == owed
        codes = [one[f"reason_{n}"] for n in range(1, 5)]
        texts = {f.code: f.reason for f in risk.FACTORS}
        assert one["risk_reasons"] == "; ".join(texts[code] for code in codes if code)
    before = {t["user_id"] for t in mine if t["amount"] > 0 and not t["is_declined"]
              and 365 <= (END - t["transaction_ts"].date()).days < 730}  # fmt: skip
    stay = [user for user in before if found[user]["frequency"]]
    assert summary.retention == pytest.approx(min(0.99, len(stay) / len(before)))
    assert found[8]["value_future"] == 0
    assert found[1]["value_future"] > 0
    for one in found.values():
        for column in CUSTOMERS.columns:
            assert one[column.name] is not None or not column.required, column.name


def test_cohorts_are_what_a_plain_count_says(there):
    make(there, until=END, now=NOW)
    done = [t for t in transactions() if t["transaction_ts"].date() <= END and not t["is_declined"]]
    bought = [t for t in done if t["amount"] > 0]
    month = lambda t: t["transaction_ts"].date().replace(day=1)  # noqa: E731
    began = {user: min(month(t) for t in bought if t["user_id"] == user)
             for user in {t["user_id"] for t in bought}}  # fmt: skip
    active = {(began[t["user_id"]], month(t), t["user_id"]) for t in bought}
    counts = Counter((cohort, at) for cohort, at, _ in active)
    spent: dict[Any, Decimal] = defaultdict(Decimal)
    for t in done:
        if month(t) >= began[t["user_id"]]:
            spent[began[t["user_id"]], month(t)] += t["amount"]
    sizes = Counter(began.values())
    found = rows(there, "customer_cohorts")
    assert len({(one["cohort_month"], one["month_number"]) for one in found}) == len(found)
    for one in found:
        place = one["cohort_month"], one["active_month"]
        assert one["customers"] == sizes[one["cohort_month"]]
        assert one["active_customers"] == counts[place]
        assert one["retention"] == pytest.approx(counts[place] / one["customers"])
        assert one["spent"] == spent[place]
        later = (place[1].year - place[0].year) * 12 + place[1].month - place[0].month
        assert one["month_number"] == later
    assert {one["cohort_month"] for one in found} == set(sizes)
    assert sum(one["active_customers"] for one in found) == len(active)
    assert max(one["active_month"] for one in found) == END.replace(day=1)


def test_a_second_run_gives_the_same_rows_and_an_earlier_day_others(there):
    make(there, until=END, now=NOW)
    first = [rows(there, table) for table in ("customer_analytics", "customer_cohorts")]
    make(there, until=END, now=NOW)
    assert [rows(there, t) for t in ("customer_analytics", "customer_cohorts")] == first
    early = make(there, until=date(2018, 1, 1), now=NOW)
    assert {one["as_of"] for one in rows(there)} == {date(2018, 1, 1)}
    assert early.transactions < 1500
    with pytest.raises(UsageProblem, match=r"--day 2019-12-01: that day is not over"):
        make(there, until=date(2019, 12, 1), now=NOW)


def test_the_newest_whole_day_counts_when_none_is_given(there):
    assert make(there, now=NOW).as_of == date(2019, 11, 1)
    assert make(there, now=datetime(2019, 11, 1, 5, tzinfo=UTC)).as_of == END


def test_a_lake_without_facts_or_customers(home):
    settings = load_settings(home=home)
    with pytest.raises(ComponentMissing, match=r"no gold.fact_transactions yet"):
        make(settings)
    Lake(settings).ensure(contracts.get("gold.fact_transactions"))
    assert make(settings, now=NOW).customers == 0
    assert rows(settings) == rows(settings, "customer_cohorts") == []


def test_the_command(there):
    words = ["analytics", "--day", str(END)]
    done = CliRunner().invoke(root, [*words, "--json"], catch_exceptions=False)
    found = json.loads(done.output)
    assert (found["customers"], found["as_of"]) == (10, str(END))
    assert sum(found["segments"].values()) == sum(found["bands"].values()) == 10
    shown = CliRunner().invoke(root, words, catch_exceptions=False).output
    assert "10 customers" in shown
    assert "cohorts" in shown
