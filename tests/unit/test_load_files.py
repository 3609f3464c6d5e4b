"""The five files: found, checked at their edges, cut into blocks of whole rows."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.load import files
from batch_jobs.load.files import LABELS, open_set
from batch_jobs.transforms import labels
from batch_jobs.transforms.kaggle import file_columns
from finlake.errors import FinlakeError, UsageProblem
from lakehouse_schemas import contracts

FRAUD_LABELS = contracts.get("source.fraud_labels")
ROW = "1,2010-01-01 00:01:00,1,1,$1.00,Chip Transaction,1,Reno,NV,89501.0,5499,"
CARD = "1,1,Visa,Debit,4344676511950444,12/2022,623,YES,2,$24295,09/2002,2008,No"
USER = "1,53,66,1966,11,Female,462 Rose Lane,34.15,-117.76,$29278,$59696,$127613,787,5"


def header(table: str) -> str:
    return ",".join(file_columns(contracts.get(f"source.{table}")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small set in which all is well."""
    made = tmp_path / "set"
    made.mkdir()
    (made / "mcc_codes.json").write_text('{"5499": "Food", "5812": "Restaurants"}')
    (made / "users_data.csv").write_text(f"{header('users')}\n{USER}\n")
    (made / "cards_data.csv").write_text(f"{header('cards')}\r\n{CARD}\r\n")
    (made / "transactions_data.csv").write_text(f"{header('transactions')}\n{ROW}\n{ROW}\n")
    (made / LABELS).write_text('{"target": {"1": "No", "2": "Yes"}}')
    return made


def read(file) -> list[dict[str, object]]:
    rows = []
    for block in file.blocks(file.begin, file.first_line):
        parsed = file.parse(block)
        assert parsed.rejects == []
        rows += parsed.rows.to_pylist()
    return rows


def test_the_set_is_read_in_the_order_of_references(folder):
    found = open_set(folder)
    assert [file.contract.name for file in found] == [
        "mcc_codes",
        "users",
        "cards",
        "transactions",
        "fraud_labels",
    ]
    assert [len(read(file)) for file in found] == [2, 1, 1, 2, 2]


def test_labels_alone_may_be_missing(folder):
    (folder / LABELS).unlink()
    assert len(open_set(folder)) == 4


def test_all_missing_files_are_named_at_once(folder):
    (folder / "users_data.csv").unlink()
    (folder / "cards_data.csv").unlink()
    with pytest.raises(UsageProblem, match=r"lacks users_data.csv, cards_data.csv; nothing was"):
        open_set(folder)
    with pytest.raises(UsageProblem, match="is not a folder"):
        open_set(folder / "none")


@pytest.mark.parametrize(
    ("first_line", "problem"),
    [
        ("id,date", "lacks client_id, card_id"),
        (header("transactions").replace("zip,mcc", "mcc,zip"), "another order"),
        (header("transactions") + ",city", "1 unknown columns"),
        (ROW, "lacks id, date"),
        ("", "lacks id, date"),
    ],
)
def test_a_wrong_header_is_one_line_that_names_the_columns(folder, first_line, problem):
    (folder / "transactions_data.csv").write_text(f"{first_line}\n{ROW}\n")
    with pytest.raises(FinlakeError, match=r"transactions_data.csv: line 1") as caught:
        open_set(folder)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_file_without_a_header_shows_no_card_number(folder):
    (folder / "cards_data.csv").write_text(f"{CARD}\n")
    with pytest.raises(FinlakeError) as caught:
        open_set(folder)
    assert "4344676511950444" not in str(caught.value)


def test_a_header_with_a_byte_order_mark_is_the_header(folder):
    path = folder / "users_data.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read(open_set(folder)[1])) == 1


def test_a_table_of_a_header_alone_is_empty(folder):
    (folder / "users_data.csv").write_text(header("users"))
    assert read(open_set(folder)[1]) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("mcc_codes.json", '{"5499": "Food"', "broken JSON"),
        ("mcc_codes.json", '["Food"]', "is not an object"),
        ("mcc_codes.json", '{"5499": 3}', "is not an object"),
        (LABELS, '{"target": {"1": "No", "2": "N', "cut off"),
        (LABELS, '{"labels": {"1": "No"}}', "does not begin"),
        (LABELS, "", "does not begin"),
    ],
)
def test_broken_json_is_found_at_its_edges(folder, name, text, problem):
    (folder / name).write_text(text)
    with pytest.raises(FinlakeError, match=f"{name}: ") as caught:
        open_set(folder)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "entries",
    [
        '"1": "No", "2" "No"',
        '"1": "No",, "2": "No"',
        '"1": "No", 2: "No"',
        '"1": {"a": "No"}',
        '"1": "No",',
    ],
)
def test_broken_json_in_the_middle_is_found_when_it_is_read(folder, entries):
    (folder / LABELS).write_text(f'{{"target": {{{entries}}}}}')
    file = open_set(folder)[-1]
    with pytest.raises(FinlakeError, match=r"broken JSON before byte \d+: entry \d"):
        read(file)


def test_a_label_that_is_neither_yes_nor_no_rejects_its_entry():
    parsed = labels.parse_entries(FRAUD_LABELS, b'"7": "No", "8": "Maybe", "x": "Yes"', 11)
    assert parsed.rows.to_pylist() == [{"transaction_id": 7, "label": "No"}]
    assert [(r.line, r.column) for r in parsed.rejects] == [(12, "label"), (13, "transaction_id")]


@given(
    st.dictionaries(st.integers(0, 10**9), st.sampled_from(["Yes", "No"]), max_size=60),
    st.integers(1, 90),
    st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 2}]),
)
def test_labels_are_the_same_however_they_are_written_and_cut(tmp_path_factory, known, size, style):
    path = tmp_path_factory.mktemp("labels") / LABELS
    path.write_text(json.dumps({"target": known}, **style))
    file = files._Labels(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "BLOCK_BYTES", size)
        blocks = list(file.blocks(file.begin, 1))
        rows = [row for block in blocks for row in file.parse(block).rows.to_pylist()]
        assert [(r["transaction_id"], r["label"]) for r in rows] == list(known.items())
        counted = 1
        for block in blocks:  # a run may begin again behind any block
            assert block.first_line == counted
            counted += file.parse(block).rows.num_rows
            rest = file.blocks(block.end, counted)
            left = sum(file.parse(b).rows.num_rows for b in rest)
            assert left == len(known) - counted + 1
    shutil.rmtree(path.parent)


@given(st.integers(1, 40), st.integers(1, 400), st.sampled_from(["\n", "\r\n"]))
def test_lines_are_the_same_however_they_are_cut(tmp_path_factory, count, size, end):
    path = tmp_path_factory.mktemp("lines") / "transactions_data.csv"
    lines = [ROW.replace("1,2010", f"{n},2010") for n in range(count)]
    path.write_text(end.join([header("transactions"), *lines]), newline="")
    file = files._Csv(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "BLOCK_BYTES", size)
        blocks = list(file.blocks(file.begin, 2))
        assert [r["id"] for b in blocks for r in file.parse(b).rows.to_pylist()] == [*range(count)]
        assert blocks[-1].end == file.end
        last = blocks[len(blocks) // 2]
        following = last.first_line + file.parse(last).rows.num_rows
        rest = list(file.blocks(last.end, following))
        assert rest == blocks[len(blocks) // 2 + 1 :]
    shutil.rmtree(path.parent)


def test_a_changed_file_has_another_fingerprint(folder):
    before = [file.fingerprint for file in open_set(folder)]
    assert [file.fingerprint for file in open_set(folder)] == before
    with (folder / "users_data.csv").open("a") as file:
        file.write(USER.replace("1,53", "2,53") + "\n")
    after = [file.fingerprint for file in open_set(folder)]
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False, True, True, True]
