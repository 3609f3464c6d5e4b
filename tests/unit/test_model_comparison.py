"""Champion against challenger: what is counted, and how sure one can be."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from models.comparison import compare
from models.mcnemar import mcnemar
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.scoring.compared import Compared, comparisons
from stream_jobs.shapes import Patch

SCORES = contracts.get("gold.fraud_scores").lake_schema
LABELS = contracts.get("silver.fraud_labels").lake_schema
TABLE = contracts.get("gold.model_comparison")
DAY = 86_400_000_000


@given(st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_the_share_of_throws_as_uneven(one, other):
    thrown = one + other
    if thrown <= 12:
        least = abs(one - other)
        heads = [sum(coins) for coins in product((0, 1), repeat=thrown)]
        uneven = [abs(2 * number - thrown) >= least for number in heads]
        assert mcnemar(one, other) == pytest.approx(np.mean(uneven))
    assert mcnemar(one, other) == mcnemar(other, one)


def test_mcnemar_of_very_many_is_a_number():
    assert mcnemar(3000, 3000) == 1.0
    assert 0 <= mcnemar(3000, 4000) < 1e-20


def test_what_is_not_labelled_counts_for_nothing():
    label = np.array([1, 1, 0, 0, -1], np.int8)
    champion, challenger = np.array([1, 0, 1, 0, 1], bool), np.array([1, 1, 0, 0, 0], bool)
    scores = np.array([0.9, 0.2, 0.6, 0.1, 0.9]), np.array([0.9, 0.8, 0.3, 0.2, 0.0])
    found = compare(label, (champion, challenger), scores)
    assert (found.transactions, found.labelled, found.frauds) == (5, 4, 2)
    assert (found.champion_alerts, found.champion_caught) == (3, 1)
    assert (found.challenger_alerts, found.challenger_caught) == (2, 2)
    assert (found.only_champion, found.only_challenger, found.p_value) == (0, 2, 0.5)
    assert found.champion_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.challenger_precision == 1.0


def scores(rows):
    """Rows of number, day, versions, alerts and scores."""
    names = ("transaction_id", "transaction_ts", "model_version", "challenger_version",
             "is_alert", "challenger_alert", "score", "challenger_score")  # fmt: skip
    made = dict(zip(names, zip(*rows, strict=True), strict=True))
    count = len(rows)
    columns = [
        pa.array(made[f.name], f.type) if f.name in made else pa.nulls(count, f.type)
        for f in SCORES
    ]
    return pa.Table.from_arrays(columns, schema=SCORES)


def labels(told, batch=0):
    rows = {
        "transaction_id": list(told),
        "label": list(told.values()),
        "_is_deleted": [False] * len(told),
        "_order_token": [f"{batch}"] * len(told),
    }
    columns = [
        pa.array(rows[f.name], f.type) if f.name in rows else pa.nulls(len(told), f.type)
        for f in LABELS
    ]
    return pa.Table.from_arrays(columns, schema=LABELS)


ROWS = [
    (1, 5 * DAY, 1, 2, True, True, 0.9, 0.8),
    (2, 5 * DAY + 1, 1, 2, True, False, 0.7, 0.1),
    (3, 6 * DAY, 1, 2, False, False, 0.1, 0.2),
    (4, 6 * DAY, 1, 3, False, True, 0.1, 0.9),
]


def test_days_and_versions_are_apart():
    found = comparisons(scores(ROWS), labels({1: "Yes", 2: "No", 4: "Yes"}), 0).to_pylist()
    assert [row["comparison_id"] for row in found] == [
        "1970-01-06:1:2", "1970-01-07:1:2", "1970-01-07:1:3",
    ]  # fmt: skip
    assert found[0]["date"] == date(1970, 1, 6)
    assert [row["labelled"] for row in found] == [2, 0, 1]
    assert [row["only_challenger"] for row in found] == [1, 0, 1]
    assert found[1]["champion_precision"] is None


def version(lake):
    return lake.ensure(TABLE).version()


def test_the_table_follows_the_labels_and_is_let_alone_without_new_ones(tmp_path):
    lake = Lake(load_settings(home=tmp_path, lake=f"file:{tmp_path}/lake"))
    writer = LakeWriter(Tables(lake, 1 << 20), "test")
    compared = Compared(lake, 60, days=40)
    compared.look()  # before there is anything
    writer.append(contracts.get("gold.fraud_scores"), scores(ROWS), 0)
    writer.append(contracts.get("silver.fraud_labels"), labels({1: "Yes"}), 0)
    compared.look()
    first = version(lake)
    compared.look()
    assert version(lake) == first
    writer.append(contracts.get("silver.fraud_labels"), labels({4: "Yes"}), 1)
    compared.look()
    rows = lake.ensure(TABLE).to_pyarrow_dataset().to_table().sort_by("comparison_id").to_pylist()
    assert [row["labelled"] for row in rows] == [1, 0, 1]
    assert rows[0]["compared_at"] < rows[2]["compared_at"]


def rows_of(lake):
    return lake.ensure(TABLE).to_pyarrow_dataset().to_table().sort_by("comparison_id").to_pylist()


def test_a_label_that_changes_its_mind_counts_as_it_is(tmp_path):
    lake = Lake(load_settings(home=tmp_path, lake=f"file:{tmp_path}/lake"))
    tables = Tables(lake, 1 << 20)
    LakeWriter(tables, "test").append(contracts.get("gold.fraud_scores"), scores(ROWS), 0)
    told = tables.keyed(contracts.get("silver.fraud_labels"))
    none = labels({})
    compared = Compared(lake, 60, days=40)
    seen = []
    for label in ("Yes", "No", "Yes", None):
        rows = labels({2: label or "Yes"})
        if label is None:  # taken back: the marker stays
            place = rows.column_names.index("_is_deleted")
            rows = rows.set_column(place, LABELS.field("_is_deleted"), [[True]])
        there = told.of(rows["transaction_id"]).num_rows
        told.apply(Patch(*((none, rows) if there else (rows, none)), none))
        compared.look()
        row = rows_of(lake)[0]
        seen.append((row["labelled"], row["frauds"], row["only_champion"], row["only_challenger"]))
    assert seen == [(1, 1, 1, 0), (1, 0, 0, 1), (1, 1, 1, 0), (0, 0, 0, 0)]


def test_a_pair_that_has_no_transactions_any_more_goes(tmp_path):
    lake = Lake(load_settings(home=tmp_path, lake=f"file:{tmp_path}/lake"))
    tables = Tables(lake, 1 << 20)
    scored = tables.keyed(contracts.get("gold.fraud_scores"))
    none = scores(ROWS).slice(0, 0)
    scored.apply(Patch(scores(ROWS), none, none))
    LakeWriter(tables, "test").append(contracts.get("silver.fraud_labels"), labels({1: "Yes"}), 0)
    compared = Compared(lake, 60, days=40)
    compared.look()
    assert len(rows_of(lake)) == 3
    # One is deleted, and one was scored again, by another pair.
    again = scores([(3, 6 * DAY, 9, 2, False, False, 0.1, 0.2)])
    scored.apply(Patch(none, again, scores(ROWS[3:])))
    compared.look()
    found = [row["comparison_id"] for row in rows_of(lake)]
    assert found == ["1970-01-06:1:2", "1970-01-07:9:2"]
