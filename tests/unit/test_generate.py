"""The generated set: the same for a seed, like the real one, and with schemes to be found."""

import hashlib
import json
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_jobs.generate import Plan, write_files
from batch_jobs.generate import dataset as dataset_module
from batch_jobs.generate.dataset import Dataset
from batch_jobs.generate.frauds import SCHEMES, _Thief
from batch_jobs.generate.people import luhn_digit
from batch_jobs.generate.plan import FIRST_ID
from batch_jobs.generate.reference import categories, cities
from batch_jobs.generate.rows import NOWHERE, ONLINE
from batch_jobs.load.files import FILES, open_set
from finlake.commands.data import generate
from finlake.errors import UsageProblem
from lakehouse_schemas import contracts

PLAN = Plan(300_000, 11)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset.make(PLAN)


@pytest.fixture(scope="module")
def parts(data: Dataset) -> list[dataset_module.Part]:
    return [data.part(number) for number in range(data.parts)]


@pytest.fixture(scope="module")
def transactions(parts) -> pa.Table:
    return pa.concat_tables([part.transactions for part in parts]).combine_chunks()


@pytest.fixture(scope="module")
def labels(parts) -> pa.Table:
    return pa.concat_tables([part.labels for part in parts]).combine_chunks()


def share(column: pa.ChunkedArray, value: str) -> float:
    return float(pc.mean(pc.equal(pc.fill_null(column, ""), value).cast(pa.float64())).as_py())


def write(plan: Plan, folder: Path) -> dict[str, str]:
    write_files(plan, folder)
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


# ── Sizes, order, keys ───────────────────────────────────────────────────────────────────────────


@settings(max_examples=15)
@given(
    count=st.integers(1, 3_000),
    seed=st.integers(0, 2**70),
    start=st.dates(date(1995, 1, 1), date(2030, 1, 1)),
    days=st.integers(1, 1_000),
    users=st.integers(1, 60),
)
@example(count=1, seed=11, start=date(2000, 1, 1), days=1, users=1)  # nobody has a chip
def test_every_plan_gives_so_many_transactions_in_order_within_its_dates(
    count, seed, start, days, users
):
    end = date.fromordinal(start.toordinal() + days - 1)
    data = Dataset.make(Plan(count, seed, start, end, users))
    table = pa.concat_tables([data.part(n).transactions for n in range(data.parts)])
    assert table["id"].to_pylist() == list(range(FIRST_ID, FIRST_ID + count))
    moments = table["date"].to_pylist()
    assert moments == sorted(moments)
    assert start <= moments[0].date() <= moments[-1].date() <= end
    assert set(table["client_id"].to_pylist()) <= set(range(users))


def test_all_tables_are_as_their_contracts_say_and_refer_to_rows_that_exist(
    data, transactions, labels
):
    assert transactions.schema == contracts.get("source.transactions").arrow_schema()
    assert labels.schema == contracts.get("source.fraud_labels").arrow_schema()
    owner = dict(zip(*(data.people.cards[n].to_pylist() for n in ("id", "client_id")), strict=True))
    used = set(zip(*(transactions[n].to_pylist() for n in ("card_id", "client_id")), strict=True))
    assert all(owner[card] == client for card, client in used)
    assert set(owner.values()) == set(data.people.users["id"].to_pylist())
    assert set(transactions["mcc"].to_pylist()) <= set(categories().mcc.tolist())
    assert set(labels["transaction_id"].to_pylist()) <= set(transactions["id"].to_pylist())
    assert len(set(labels["transaction_id"].to_pylist())) == labels.num_rows


def test_there_are_109_categories_each_with_a_name():
    kind = categories()
    assert len(set(kind.mcc.tolist())) == len(set(kind.description)) == 109


def test_card_numbers_differ_and_have_a_right_check_digit(data):
    numbers = data.people.cards["card_number"].to_pylist()
    assert len(set(numbers)) == len(numbers)
    assert all(luhn_digit(number[:-1]) == number[-1] for number in numbers)
    assert luhn_digit("7992739871") == "3"


# ── The same for a seed ──────────────────────────────────────────────────────────────────────────


def test_the_same_plan_writes_the_same_bytes_and_another_seed_others(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_module, "_PART_ROWS", 4_000)
    plan = Plan(20_000, 5)
    one = write(plan, tmp_path / "one")
    assert write(plan, tmp_path / "two") == one
    other = write(Plan(20_000, 6), tmp_path / "other")
    assert {name for name in one if one[name] == other[name]} == {"mcc_codes.json"}


def test_a_part_does_not_depend_on_the_others(data, parts):
    assert data.parts > 1
    again = Dataset.make(PLAN).part(data.parts - 1)
    assert again.transactions.equals(parts[-1].transactions)
    assert again.labels.equals(parts[-1].labels)


# ── Like the real set ────────────────────────────────────────────────────────────────────────────


def test_the_real_sets_shares_are_met(transactions, labels):
    channel = transactions["use_chip"]
    assert share(channel, "Swipe Transaction") == pytest.approx(0.524, abs=0.01)
    assert share(channel, "Chip Transaction") == pytest.approx(0.359, abs=0.01)
    assert share(channel, "Online Transaction") == pytest.approx(0.117, abs=0.005)
    cents = pc.multiply(transactions["amount"].cast(pa.float64()), 100).to_numpy()
    assert (cents < 0).mean() == pytest.approx(0.05, abs=0.004)
    assert cents.min() >= -50_000
    assert cents.max() <= 682_020
    assert np.median(cents) == pytest.approx(2_500, rel=0.2)
    assert 3_500 < cents.mean() < 5_500  # skewed: the mean lies far above the median
    declined = 1 - transactions["errors"].null_count / transactions.num_rows
    assert declined == pytest.approx(0.016, abs=0.002)
    assert labels.num_rows / transactions.num_rows == pytest.approx(0.67, abs=0.01)
    assert 0.0015 < share(labels["label"], "Yes") < 0.003


def test_online_rows_have_no_place_and_foreign_ones_a_country_without_zip(transactions):
    online = pc.equal(transactions["use_chip"], "Online Transaction")
    at_web, at_till = transactions.filter(online), transactions.filter(pc.invert(online))
    assert set(at_web["merchant_city"].to_pylist()) == {"ONLINE"}
    assert at_web["merchant_state"].null_count == at_web["zip"].null_count == at_web.num_rows
    abroad = at_till.filter(pc.is_null(at_till["zip"]))
    assert abroad.num_rows / transactions.num_rows == pytest.approx(0.007, abs=0.002)
    place = cities()
    assert set(abroad["merchant_state"].to_pylist()) <= set(place.state[place.domestic :])
    home = at_till.filter(pc.is_valid(at_till["zip"]))
    assert pc.all(pc.match_substring_regex(home["zip"], "^[0-9]{5}$")).as_py()
    assert pc.all(pc.equal(pc.utf8_length(home["merchant_state"]), 2)).as_py()


def test_few_merchants_make_most_of_the_business(transactions):
    counts = np.sort(pc.value_counts(transactions["merchant_id"]).field("counts").to_numpy())[::-1]
    assert counts[: len(counts) // 10].sum() > 0.6 * counts.sum()
    assert len(counts) > 1_000


def test_people_keep_to_their_home_and_their_hours(data, transactions):
    place = cities()
    city = dict(enumerate(place.city))
    home = [city[index] for index in data.people.home.tolist()]
    at_till = transactions.filter(pc.is_valid(transactions["zip"])).slice(0, 20_000)
    near = [
        name == home[client]
        for name, client in zip(
            at_till["merchant_city"].to_pylist(), at_till["client_id"].to_pylist(), strict=True
        )
    ]
    assert np.mean(near) > 0.9
    hours = pc.hour(transactions["date"])
    night = pc.sum(pc.less(hours, 5)).as_py() / transactions.num_rows
    assert night < 0.12


def test_attributes_of_users_hang_together(data):
    income = data.people.income
    limit = pc.cast(data.people.cards["credit_limit"], pa.float64()).to_numpy()
    debt = pc.cast(data.people.users["total_debt"], pa.float64()).to_numpy()
    assert np.corrcoef(income[data.people.owner], limit)[0, 1] > 0.2
    assert np.corrcoef(income, debt)[0, 1] > 0.2
    assert np.corrcoef(debt / income, data.people.score)[0, 1] < -0.1


def test_subscriptions_recur_at_one_shop_for_one_price_a_month_apart(data):
    which, day = data.subscriptions.due(PLAN.start, 0, PLAN.days)
    assert 0.03 * PLAN.transactions < len(which) <= 0.065 * PLAN.transactions
    for number in np.flatnonzero(data.subscriptions.period == 1)[:50]:
        gaps = np.diff(np.sort(day[which == number]))
        assert ((gaps >= 28) & (gaps <= 31)).all()
    for number in np.flatnonzero(data.subscriptions.period == 0)[:20]:
        assert (np.diff(np.sort(day[which == number])) == 7).all()


def test_subscriptions_of_a_period_are_those_of_its_parts(data):
    def payments(first: int, behind: int) -> list[tuple[int, int]]:
        which, day = data.subscriptions.due(PLAN.start, first, behind)
        return sorted(zip(which.tolist(), day.tolist(), strict=True))

    cut = [0, 31, 59, 60, 400, 401, PLAN.days]
    pieces = [p for a, b in pairwise(cut) for p in payments(a, b)]
    assert sorted(pieces) == payments(0, PLAN.days)


# ── Fraud schemes ────────────────────────────────────────────────────────────────────────────────


def scheme(data: Dataset, name: str, seed: int = 3) -> list[dict[str, Any]]:
    (make,) = [make for make, _ in SCHEMES if make.__name__ == name]
    thief = _Thief(data.habits, np.random.default_rng(seed))
    return make(thief)


def minutes(records: list[dict[str, Any]]) -> list[int]:
    return [int(record["minute"]) for record in records]


@pytest.mark.parametrize("seed", range(8))
def test_a_stolen_card_runs_up_dear_purchases_in_shops(data, seed):
    records = scheme(data, "_stolen_card", seed)
    assert len({record["card"] for record in records}) == 1
    assert len(records) >= 4
    assert all(record["channel"] != ONLINE and record["cents"] >= 6_000 for record in records)
    assert max(np.diff(minutes(records))) <= 140


@pytest.mark.parametrize("seed", range(8))
def test_card_testing_is_a_burst_of_tiny_amounts_before_large_ones(data, seed):
    records = scheme(data, "_card_testing", seed)
    tiny = [record for record in records if record["cents"] <= 450]
    assert len(tiny) >= 5
    assert minutes(tiny)[3] - minutes(tiny)[0] <= 10
    assert records[-1]["cents"] >= 25_000
    assert all(record["city"] == NOWHERE for record in records)


@pytest.mark.parametrize("seed", range(8))
def test_a_taken_over_account_fails_checks_first(data, seed):
    records = scheme(data, "_account_takeover", seed)
    failed = [bool(record["error"]) for record in records]
    assert failed[0]
    assert failed == sorted(failed, reverse=True)
    assert failed.count(False) >= 3


def test_a_compromised_merchants_customers_are_defrauded_within_weeks(data):
    for seed in range(20):
        records = scheme(data, "_merchant_compromise", seed)
        users = {record["user"] for record in records}
        shops = [set(data.habits.favourite[user].tolist()) for user in users]
        assert set.intersection(*shops)
        if len(users) > 2:
            break
    else:
        pytest.fail("no merchant with several customers in 20 draws")


@pytest.mark.parametrize("seed", range(8))
def test_impossible_travel_follows_a_genuine_use_at_home(data, seed):
    first, *others = scheme(data, "_impossible_travel", seed)
    assert not first["fraud"]
    assert first["city"] == data.people.home[first["user"]]
    place = cities()
    for record in others:
        assert place.kilometres(first["city"], record["city"]) > 1_500
    assert others[0]["minute"] - first["minute"] < 60


def test_frauds_are_two_in_a_thousand_and_their_labels_are_right(data, transactions, labels):
    assert np.count_nonzero(data.frauds.fraud) == 600
    known = dict(zip(*(labels[n].to_pylist() for n in labels.column_names), strict=True))
    dates = transactions["date"].cast(pa.int64()).to_numpy() // 60_000_000
    start = int(np.datetime64(PLAN.start, "m").astype(int))
    at = dict(
        zip(
            transactions["id"].to_pylist(),
            zip(dates - start, transactions["card_id"].to_pylist(), strict=True),
            strict=True,
        )
    )
    expected = {(int(m), int(c)) for m, c in zip(data.frauds.minute, data.frauds.card, strict=True)}
    frauds = [at[identity] for identity, label in known.items() if label == "Yes"]
    assert len(frauds) > 300
    assert {(int(m), c) for m, c in frauds} <= expected


# ── Files ────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_read_back_by_the_loader_as_the_same_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_module, "_PART_ROWS", 2_000)
    plan = Plan(5_000, 9)
    rows = write_files(plan, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.part"))
    assert set(FILES) == {path.name for path in (tmp_path / "out").iterdir()}
    data = Dataset.make(plan)
    parts = [data.part(number) for number in range(data.parts)]
    expected = {
        "users": data.people.users,
        "cards": data.people.cards,
        "transactions": pa.concat_tables([part.transactions for part in parts]),
        "fraud_labels": pa.concat_tables([part.labels for part in parts]),
    }
    for file in open_set(tmp_path / "out"):
        tables = []
        for block in file.blocks(file.begin, file.first_line):
            parsed = file.parse(block)
            assert parsed.rejects == []
            tables.append(parsed.rows)
        table = pa.concat_tables(tables)
        assert table.num_rows == rows[file.contract.name]
        if file.contract.name in expected:
            assert table.to_pylist() == expected[file.contract.name].to_pylist()


def test_labels_are_valid_json(tmp_path):
    write_files(Plan(500, 2), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "train_fraud_labels.json").read_text())
    assert set(found["target"].values()) <= {"Yes", "No"}
    assert json.loads((tmp_path / "out" / "mcc_codes.json").read_text())["5411"]


def test_existing_files_are_never_overwritten(tmp_path):
    (tmp_path / "users_data.csv").write_text("mine")
    with pytest.raises(UsageProblem, match=r"holds users_data.csv already"):
        write_files(Plan(10, 1), tmp_path)
    assert (tmp_path / "users_data.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"transactions": 0}, "at least 1"),
        ({"seed": -1}, "not be negative"),
        ({"start": date(2020, 1, 1)}, "lies before"),
        ({"transactions": 10**9, "start": date(2019, 10, 31)}, "a day"),
    ],
)
def test_plans_that_cannot_be_are_refused(arguments, problem):
    with pytest.raises(UsageProblem, match=problem):
        Plan(**{"transactions": 10, "seed": 1, **arguments})


def test_the_command_writes_the_files_and_prints_one_object_a_table(tmp_path):
    words = ["--transactions", "300", "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(generate, words)
    assert result.exit_code == 0, result.output
    rows = {line["table"]: line["rows"] for line in map(json.loads, result.stdout.splitlines())}
    assert rows["transactions"] == 300
    assert list(rows) == ["mcc_codes", "users", "cards", "transactions", "fraud_labels"]
    again = CliRunner().invoke(generate, words)
    assert isinstance(again.exception, UsageProblem)
