"""The Kaggle files' values: parsed, rejected one by one, and rendered back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_jobs.transforms.kaggle import Parsed, file_columns, parse_block, render_lines
from batch_jobs.transforms.text import joined
from lakehouse_schemas import contracts

TRANSACTIONS = contracts.get("source.transactions")
CARDS = contracts.get("source.cards")
USERS = contracts.get("source.users")

GOOD = (
    "7475327,2010-01-01 00:01:00,1556,2972,$-77.00,Swipe Transaction,59935,Beulah,ND,58523.0,5499,"
)
CARD = "1,825,Visa,Debit,4344676511950444,12/2022,623,YES,2,$24295,09/2002,2008,No"


def parse(*lines: str, contract=TRANSACTIONS, first_line: int = 2) -> Parsed:
    return parse_block(contract, "\n".join(lines).encode() + b"\n", first_line)


def told(parsed: Parsed) -> list[tuple[int, str, str]]:
    return [(reject.line, reject.column, reject.reason) for reject in parsed.rejects]


def change(line: str, contract, **values: str) -> str:
    cells = dict(zip(file_columns(contract), line.split(","), strict=True))
    return ",".join({**cells, **values}.values())


def test_a_transaction_gets_the_sources_types():
    (row,) = parse(GOOD).rows.to_pylist()
    assert row == {
        "id": 7475327,
        "date": datetime(2010, 1, 1, 0, 1, tzinfo=UTC),
        "client_id": 1556,
        "card_id": 2972,
        "amount": Decimal("-77.00"),
        "use_chip": "Swipe Transaction",
        "merchant_id": 59935,
        "merchant_city": "Beulah",
        "merchant_state": "ND",
        "zip": "58523",
        "mcc": 5499,
        "errors": None,
    }
    schema = TRANSACTIONS.arrow_schema()
    assert parse(GOOD).rows.schema == schema


def test_online_rows_have_no_state_and_no_zip_and_errors_may_hold_commas():
    line = '1,2010-01-01 00:01:00,1,2,$5.00,Online Transaction,9,ONLINE,,,5499,"Bad PIN,Bad CVV"'
    (row,) = parse(line).rows.to_pylist()
    assert (row["merchant_state"], row["zip"]) == (None, None)
    assert row["errors"] == "Bad PIN,Bad CVV"


@pytest.mark.parametrize(
    ("text", "zip_code"), [("2130.0", "02130"), ("501", "00501"), ("", None), ("99950.0", "99950")]
)
def test_zips_have_five_digits(text, zip_code):
    (row,) = parse(change(GOOD, TRANSACTIONS, zip=text)).rows.to_pylist()
    assert row["zip"] == zip_code


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("id", "", "is empty"),
        ("id", "x1", "whole number"),
        ("id", "12345678901234567890", "whole number in range"),
        ("client_id", "2147483648", "whole number in range"),
        ("client_id", "1.5", "whole number"),
        ("amount", "$1.234", "at most 2 decimals"),
        ("amount", "$12345678901.00", "10 digits before"),
        ("amount", "77 dollars", "not a number"),
        ("amount", "$", "not a number"),
        ("amount", "1e5", "not a number"),
        ("amount", "", "is empty"),
        ("date", "2010-02-30 00:00:00", "date and time"),
        ("date", "2010-13-01 00:00:00", "date and time"),
        ("date", "01/31/2010", "date and time"),
        ("date", "2010-01-01 24:00:00", "date and time"),
        ("use_chip", "C" * 33, "longer than 32"),
        ("merchant_city", "é" * 65, "longer than 64"),
        ("zip", "123456", "zip"),
        ("zip", "58523.5", "zip"),
        ("mcc", "food", "whole number"),
    ],
)
def test_a_bad_value_rejects_its_own_row_alone(column, value, reason):
    parsed = parse(GOOD, change(GOOD, TRANSACTIONS, **{column: value}), GOOD)
    assert parsed.rows.num_rows == 2
    ((line, name, why),) = told(parsed)
    assert (line, name) == (3, column)
    assert reason in why


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("card_number", "4344x"),
        ("card_number", "4.34E+15"),
        ("cvv", "12345"),
        ("expires", "13/2022"),
        ("expires", "2022-12"),
        ("has_chip", "maybe"),
        ("credit_limit", "much"),
    ],
)
def test_reasons_never_repeat_a_cards_values(column, value):
    parsed = parse(change(CARD, CARDS, **{column: value}), contract=CARDS)
    ((_, name, why),) = told(parsed)
    assert name == column
    assert value not in why
    assert "4344676511950444" not in repr(parsed.rejects)


def test_a_lost_comma_shifts_a_card_number_and_still_shows_it_nowhere():
    shifted = CARD.replace("Visa,Debit,", "Visa,")
    moved = CARD.replace(",Debit,4344676511950444,", ",4344676511950444,Debit,")
    parsed = parse(shifted, moved, contract=CARDS)
    assert parsed.rows.num_rows == 0
    assert "4344676511950444" not in repr(parsed.rejects)


def test_broken_lines_are_named_and_their_neighbours_stay():
    lines = [
        GOOD.encode(),
        b"1,2,3",
        b"",
        GOOD.encode() + b",more",
        GOOD.replace("Beulah", '"Beulah').encode(),
        GOOD.replace("Beulah", 'Beu"lah,"x').encode(),
        GOOD.replace("Beulah", "Beu\rlah").encode(),
        GOOD.replace("Beulah", "").encode() + b"\xff",
        GOOD.encode(),
    ]
    parsed = parse_block(TRANSACTIONS, b"\n".join(lines), 10)
    assert parsed.rows.num_rows == 2
    by_line = {line: why for line, column, why in reversed(told(parsed))}
    assert sorted(by_line) == [11, 12, 13, 14, 15, 16, 17]
    assert "3 columns instead of 12" in by_line[11]
    assert "13 columns" in by_line[13]
    assert "stray quote" in by_line[14]
    assert "stray quote" in by_line[15]
    assert "carriage return" in by_line[16]
    assert "UTF-8" in by_line[17]


def test_windows_line_ends_and_a_missing_last_one_change_nothing():
    plain = parse(GOOD, GOOD).rows
    assert parse_block(TRANSACTIONS, f"{GOOD}\r\n{GOOD}".encode(), 2).rows.equals(plain)


# ── Properties ───────────────────────────────────────────────────────────────────────────────────

LETTERS = st.sampled_from(list(" aZ0,\"'\\\téß中😀;|$"))
MONTH = st.from_regex(r"(0[1-9]|1[0-2])/(19|20)[0-9][0-9]", fullmatch=True)
SPECIAL = {
    "zip": st.none() | st.from_regex(r"[0-9]{5}", fullmatch=True),
    "card_number": st.none() | st.from_regex(r"[1-9][0-9]{11,18}", fullmatch=True),
    "cvv": st.none() | st.from_regex(r"[0-9]{1,4}", fullmatch=True),
    "expires": MONTH,
    "acct_open_date": MONTH,
    "has_chip": st.sampled_from(["YES", "NO"]),
    "card_on_dark_web": st.sampled_from(["Yes", "No"]),
}


def values(column) -> st.SearchStrategy:
    if column.name in SPECIAL:
        return SPECIAL[column.name]
    made: st.SearchStrategy[Any]
    if column.decimal:
        precision, scale = column.decimal
        limit = 10**precision - 1
        made = st.integers(-limit, limit).map(lambda n: Decimal(n).scaleb(-scale))
    elif column.type == "timestamp":
        year_1000, year_10000 = -30_610_224_000, 253_402_300_800  # seconds from 1970
        made = st.integers(year_1000 * 10**6, year_10000 * 10**6 - 1).map(
            lambda moment: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
        )
    elif column.type == "int32":
        made = st.integers(-(2**31), 2**31 - 1)
    elif column.type == "int64":
        made = st.integers(-(10**18) + 1, 10**18 - 1)
    else:
        made = st.text(LETTERS, min_size=1, max_size=min(12, column.length))
    return made if column.required else st.none() | made


def rows_of(contract) -> st.SearchStrategy[pa.Table]:
    names = file_columns(contract)
    schema = pa.schema([contract.arrow_schema().field(name) for name in names])
    row = st.fixed_dictionaries({name: values(contract.column(name)) for name in names})
    return st.lists(row, min_size=1, max_size=3).map(
        lambda rows: pa.Table.from_pylist(rows, schema=schema)
    )


@pytest.mark.parametrize("contract", [TRANSACTIONS, CARDS, USERS], ids=lambda c: c.name)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_rendered_is_parsed_back(contract, end, data):
    rows = data.draw(rows_of(contract))
    parsed = parse_block(contract, bytes(joined(render_lines(contract, rows, end))), 2)
    assert parsed.rejects == []
    assert parsed.rows.to_pylist() == rows.to_pylist()


@given(st.lists(st.binary(max_size=60) | st.just(GOOD.encode()), min_size=1, max_size=8))
@example([b'"'])
@example([b'a"b,"c', GOOD.encode()])
@example([b"\r"])
@example([b"", b""])
def test_every_line_is_either_a_row_or_a_reject(pieces):
    block = b"\n".join(pieces)
    parsed = parse_block(TRANSACTIONS, block, 1)
    lines = block.replace(b"\r\n", b"\n")
    total = lines.count(b"\n") + (not lines.endswith(b"\n"))
    assert parsed.rows.num_rows + parsed.rejected_rows == total
    assert all(1 <= reject.line <= total for reject in parsed.rejects)
    assert parsed.rows.num_rows >= sum(piece == GOOD.encode() for piece in pieces)


def test_a_long_block_is_numbered_right_to_its_end():
    lines = [GOOD] * 5_000
    lines[4_321] = "1,2"
    lines[4_999] = change(GOOD, TRANSACTIONS, amount="no")
    parsed = parse(*lines, first_line=100)
    assert [reject.line for reject in parsed.rejects] == [4_421, 5_099]
    assert parsed.rows.num_rows == 4_998
