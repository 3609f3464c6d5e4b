"""Whole sets that models of fraud are judged on, and what odd rows in them come to."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from batch_jobs.bench.sets import generated, kaggle
from batch_jobs.generate.job import write_files
from batch_jobs.generate.plan import Plan
from finlake.cli import main, root
from finlake.errors import FinlakeError, UsageProblem
from models.features.batch import chunks
from models.features.events import COLUMNS
from models.training.metrics import METRICS
from models.training.prequential import labelled_days
from tests.unit.model_world import quick_learners

SIZE = 20_000


def quiet(_text):
    return None


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A generated set as files of the Kaggle set's form."""
    folder = tmp_path_factory.mktemp("set") / "files"
    write_files(Plan(SIZE, 1), folder)
    return folder


def test_files_and_the_set_they_are_of_are_the_same_events(files):
    said: list[str] = []
    read, made = kaggle(files, None, said.append), generated(SIZE, 1)
    assert len(read) == SIZE
    for name in COLUMNS:
        assert np.array_equal(read[name], made[name], equal_nan=name not in ("id",)), name
    assert said == []


def test_only_what_the_days_look_at_is_kept(files):
    first, _ = labelled_days(generated(SIZE, 1), None, None)
    later = first.replace(year=2018)
    part, whole = kaggle(files, later, quiet), kaggle(files, None, quiet)
    assert 0 < len(part) < len(whole)
    assert np.array_equal(part["id"], whole["id"][-len(part) :])


@pytest.mark.slow
def test_models_over_all_features_and_over_raw_columns_are_printed(files, monkeypatch):
    quick_learners(monkeypatch)
    words = ["bench", "models", "--data", str(files), "--test-days", "700"]
    done = CliRunner().invoke(root, words)
    assert done.exit_code == 0, done.output
    for columns in ("all features", "raw columns"):
        for model in ("lightgbm", "forest", "logistic"):
            for metric in METRICS:
                line = rf"^files  {columns}  {model}  {re.escape(metric)}  [01]\.\d{{4}}$"
                assert re.search(line, done.output, re.MULTILINE), line


def test_what_cannot_be_judged_is_said_in_one_line(files, tmp_path, capsys):
    assert main(["bench", "models", "--data", str(tmp_path)]) == 2
    assert "lacks mcc_codes.json" in capsys.readouterr().err
    assert main(["bench", "models", "--data", str(files), "--start", "2031-01-01"]) == 1
    assert "has no transaction from 2031-01-01 on" in capsys.readouterr().err
    assert main(["bench", "models", "--data", str(files), "--test-days", "3000"]) == 1
    assert "and a test of 3000 days needs" in capsys.readouterr().err
    assert main(["bench", "models", "--data", str(tmp_path / "no.parquet")]) == 2
    assert "needs --start" in capsys.readouterr().err
    bare = tmp_path / "bare"
    shutil.copytree(files, bare)
    (bare / "train_fraud_labels.json").unlink()
    with pytest.raises(UsageProblem, match=r"lacks train_fraud_labels\.json: without labels"):
        kaggle(bare, None, quiet)
    (bare / "train_fraud_labels.json").write_text('{"target": {}}')
    with pytest.raises(FinlakeError, match="no transaction of these days has a label"):
        labelled_days(kaggle(bare, None, quiet), None, None)


# ── Odd rows ─────────────────────────────────────────────────────────────────────────────────────

USUAL = {
    "id": "99000000", "date": "2019-10-31 23:59:00", "client_id": "0", "card_id": "0",
    "amount": "$12.30", "use_chip": "Swipe Transaction", "merchant_id": "1",
    "merchant_city": "Reno",
    "merchant_state": "NV", "zip": "89501.0", "mcc": "5411", "errors": "",
}  # fmt: skip


def with_row(files, folder, **values):
    """The files with one more transaction behind all others; its features, and the events."""
    shutil.copytree(files, folder, dirs_exist_ok=True)
    known = (folder / "transactions_data.csv").read_text().splitlines()[1].split(",")
    row = USUAL | {"client_id": known[2], "card_id": known[3]} | values
    with (folder / "transactions_data.csv").open("a", newline="") as file:
        file.write(",".join(row.values()) + "\r\n")
    said: list[str] = []
    found = kaggle(folder, None, said.append)
    place = np.flatnonzero(found["id"] == int(row["id"]))
    if not len(place):
        return found, None, said
    which = np.zeros(len(found), dtype=bool)
    which[place] = True
    ((_, features),) = chunks(found, which)
    return found, {name: column[0] for name, column in features.items()}, said


def test_a_usual_row_has_everything(files, tmp_path):
    _, row, said = with_row(files, tmp_path)
    assert row["amount"] == 12.30
    assert row["mcc_word"] >= 0
    assert np.isfinite([row["credit_limit"], row["age"], row["km_from_home"]]).all()
    assert said == []


@pytest.mark.parametrize(
    ("values", "empty"),
    [
        ({"mcc": "9999"}, []),
        ({"card_id": "99999999"}, ["credit_limit", "card_brand"]),
        ({"client_id": "99999999"}, ["age", "yearly_income"]),
        ({"amount": "$9999999999.99"}, []),
        ({"amount": "$-9999999999.99"}, []),
        ({"merchant_city": "", "merchant_state": "", "zip": ""}, ["km_from_home"]),
        ({"use_chip": "By telephone"}, []),
        ({"errors": "Gremlins"}, []),
        ({"date": "1970-01-01 00:00:00"}, ["card_mean_30d"]),
        ({"date": "2150-01-01 00:00:00"}, ["card_mean_30d"]),
    ],
    ids=str,
)
def test_an_odd_row_has_features_and_harms_no_other(files, tmp_path, values, empty):
    found, row, said = with_row(files, tmp_path, **values)
    assert said == []
    assert len(found) == SIZE + 1
    assert all(not np.isinf(value) for value in row.values())
    assert [name for name in empty if not np.isnan(row[name])] == []
    if "mcc" in values:
        assert row["mcc"] == 9999
        assert row["mcc_word"] == -1
        assert row["mcc_length"] == 0
    before = generated(SIZE, 1)
    others = found.take(found["id"] != int(USUAL["id"]))
    assert all(np.array_equal(others[n], before[n], equal_nan=n != "id") for n in COLUMNS)


def test_an_absurd_amount_counts_as_fifty_thousand_for_those_after_it(files, tmp_path):
    shutil.copytree(files, tmp_path / "first")
    first, _, _ = with_row(
        files, tmp_path / "first", amount="$9999999999.99", date="2019-10-31 23:58:00"
    )
    whole, row, _ = with_row(tmp_path / "first", tmp_path / "second", id="99000001")
    assert len(whole) == len(first) + 1
    assert 50_000 <= row["card_sum_10m"] < 60_000


@pytest.mark.parametrize(
    "values", [{"amount": ""}, {"date": ""}, {"card_id": ""}, {"mcc": "none"}], ids=str
)
def test_a_row_whose_required_field_is_empty_or_wrong_is_left_out_and_counted(
    files, tmp_path, values
):
    found, row, said = with_row(files, tmp_path, **values)
    assert row is None
    assert len(found) == SIZE
    assert len(said) == 1
    assert "transactions_data.csv: 1 lines do not fit and are left out" in said[0]


def test_the_last_of_two_labels_and_of_two_rows_counts(files, tmp_path):
    found, row, _ = with_row(files, tmp_path)
    number = int(found["id"][0])
    labels = json.loads((tmp_path / "train_fraud_labels.json").read_text())["target"]
    others = [f'"{n}": "{label}"' for n, label in labels.items() if int(n) != number]
    for first, last in (("No", "Yes"), ("Yes", "No")):
        text = ", ".join([f'"{number}": "{first}"', *others, f'"{number}": "{last}"'])
        (tmp_path / "train_fraud_labels.json").write_text(f'{{"target": {{{text}}}}}')
        read = kaggle(tmp_path, None, quiet)
        assert read["label"][read["id"] == number].tolist() == [int(last == "Yes")]
    again, changed, _ = with_row(tmp_path, tmp_path / "again", amount="$99.00")
    assert len(again) == len(found)
    assert (row["amount"], changed["amount"]) == (12.30, 99.0)
