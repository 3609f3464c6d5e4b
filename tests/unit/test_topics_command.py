"""``finlake topics``: what is shown of a record to whom, what is refused, how lag is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors import browse, tending
from connectors.topics import Topic
from finlake.cli import main
from finlake.commands import topics as command
from finlake.commands.asking import confirm
from finlake.errors import UsageProblem
from lakehouse_schemas import contracts
from lakehouse_schemas.masking import HIDDEN, masked_row, masked_value
from lakehouse_schemas.model import ROLES
from lakehouse_schemas.render.views import SHOWN
from stream_jobs.lag import Lag

CARDS, USERS = contracts.get("source.cards"), contracts.get("source.users")
CARD = {
    "id": 4524,
    "client_id": 825,
    "card_brand": "Visa",
    "expires": "12/2022",
    "credit_limit": "24295.00",
    "card_token": "ab" * 32,
    "card_last4": "0444",
}
EXPECTED = (
    Topic("cdc.finance.cards", "Changes of cards."),
    Topic("finlake.schema-history", "Memory of the connector: the DDL to replay."),
)


class Sent:
    """A record as Kafka's client gives it."""

    def __init__(self, key: object, value: object, topic: str = "cdc.finance.cards") -> None:
        self._key, self._value, self._topic = _bytes(key), _bytes(value), topic

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return 17

    def timestamp(self) -> tuple[int, int]:
        return 2, 1_700_000_000_123

    def headers(self) -> list[tuple[str, bytes]]:
        return [("epoch", b"2")]


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return json.dumps(value).encode()


def shown(key: object, value: object, role: Any = "operator", topic: str = "cdc.finance.cards"):
    contract = browse.contract_of(topic, "finance")
    return browse.decoded(Sent(key, value, topic), contract, role)  # type: ignore[arg-type]


# ── Masks ────────────────────────────────────────────────────────────────────────────────────────


def test_each_role_sees_of_a_card_what_the_contract_says():
    viewer, operator = masked_row(CARDS, "viewer", CARD), masked_row(CARDS, "operator", CARD)
    assert viewer == {
        "id": HIDDEN,
        "client_id": HIDDEN,
        "card_brand": "Visa",
        "expires": HIDDEN,
        "credit_limit": HIDDEN,
        "card_token": HIDDEN,
        "card_last4": "0444",
    }
    assert operator == {
        **CARD,
        "expires": HIDDEN,
        "credit_limit": 20_000,
    }
    assert masked_row(CARDS, "admin", CARD) == CARD


@pytest.mark.parametrize(
    ("value", "seen"),
    [("-117.76", -118), (34.15, 34), ("35", 35), (None, None), ("NaN", HIDDEN), ("no", HIDDEN)],
)
def test_a_band_is_its_lower_end_and_what_is_no_number_is_hidden(value, seen):
    assert masked_value(USERS.column("longitude"), "operator", value) == seen


def test_nobody_but_the_admin_sees_a_column_that_the_contract_does_not_know():
    for role in ROLES:
        assert masked_row(CARDS, role, {"pin": "1234"}) == {
            "pin": "1234" if role == "admin" else HIDDEN
        }


def test_every_column_that_a_view_drops_is_hidden():
    hidden = 0
    for contract in contracts.layer("source"):
        for column in contract.columns:
            for role in ROLES:
                if SHOWN[role][column.mask] == "drop":
                    assert masked_value(column, role, "secret") == HIDDEN, column.name
                    hidden += 1
    assert hidden > 10


# ── Records ──────────────────────────────────────────────────────────────────────────────────────


def test_a_change_is_shown_with_both_rows_masked():
    value = {"op": "u", "before": CARD, "after": {**CARD, "credit_limit": "31000"}, "ts_ms": 5}
    found = shown({"id": 4524}, value)
    assert (found.partition, found.offset, found.headers) == (1, 17, {"epoch": "2"})
    assert found.at == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)
    assert found.key == {"id": 4524}
    assert found.value["before"]["expires"] == found.value["after"]["expires"] == HIDDEN
    assert found.value["after"]["credit_limit"] == 30_000
    assert (found.value["op"], found.value["ts_ms"]) == ("u", 5)
    assert found.readable
    assert shown({"id": 4524}, value, "viewer").key == {"id": HIDDEN}


def test_a_tombstone_is_nothing_and_readable():
    found = shown({"id": 4524}, None)
    assert (found.value, found.size, found.readable) == (None, 0, True)
    assert "tombstone" in command._as_line(found)


@pytest.mark.parametrize("value", [b'{"after": {"expires": "12/2022"', b"12/2022", b"[1]", b"\xff"])
def test_a_record_that_cannot_be_read_shows_its_size_and_no_byte(value):
    found = shown(None, value)
    assert found.value == f"{len(value)} bytes that are no JSON object: {HIDDEN}"
    assert not found.readable
    assert value.decode("utf-8", "replace") in shown(None, value, "admin").value


def test_what_an_envelope_has_besides_the_rows_is_hidden_when_it_is_not_known():
    found = shown(None, {"op": "u", "after": None, "row": CARD})
    assert found.value == {"op": "u", "after": None, "row": HIDDEN}
    assert not found.readable


def test_rows_in_another_place_than_an_object_are_hidden():
    assert shown(None, {"op": "u", "after": [CARD]}).value["after"] == HIDDEN


def test_an_alert_is_masked_by_the_contract_of_its_table():
    row = {"alert_id": "7:amount_over", "user_id": 825, "card_id": 1, "amount": "3000.01"}
    key = b"7:amount_over"
    assert shown(key, row, "viewer", "finance.alerts").value == {
        **row,
        "user_id": HIDDEN,
        "card_id": HIDDEN,
    }
    assert shown(key, row, "operator", "finance.alerts").key == "7:amount_over"


def test_ddl_and_signs_of_life_are_shown_as_they_are():
    assert shown(None, {"ddl": "ALTER TABLE cards"}, "viewer", "cdc").value == {
        "ddl": "ALTER TABLE cards"
    }
    assert shown(b"k", b"plain", "viewer", "finlake.notifications").value == "plain"


def test_a_line_names_place_key_kind_and_rows():
    found = shown({"id": 1}, {"op": "c", "before": None, "after": {"card_brand": "Visa"}})
    assert command._as_line(found) == (
        '2023-11-14 22:13:20.123Z cdc.finance.cards[1]@17 {"id":1} c'
        ' {"after":{"card_brand":"Visa"}}'
    )
    assert json.loads(command._as_object(found))["at"] == "2023-11-14T22:13:20.123+00:00"


# ── Lag ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("position", "oldest", "end", "lag", "gone"),
    [(7, 0, 10, 3, 0), (10, 0, 10, 0, 0), (None, 4, 10, 6, 0), (2, 4, 10, 6, 2), (12, 0, 10, 0, 0)],
)
def test_lag_counts_what_is_there_and_gone_what_is_not_any_more(position, oldest, end, lag, gone):
    found = Lag("stream", "t", 0, position, oldest, end)
    assert (found.lag, found.gone) == (lag, gone)


def test_lag_is_told_by_topic_and_a_gap_by_partition():
    lines = list(
        command._lag_lines(
            [
                Lag("finlake-alerts", "t", 0, 1, 0, 5),
                Lag("finlake-alerts", "t", 1, 5, 0, 6),
                Lag("stream", "t", 0, None, 0, 9),
                Lag("stream", "u", 0, 2, 3, 3),
            ]
        )
    )
    assert [line.split() for line in lines[:3]] == [
        ["finlake-alerts", "t", "5"],
        ["stream", "t", "9", "has", "read", "nothing", "yet"],
        ["stream", "u", "0"],
    ]
    assert lines[3].startswith("stream: u[0] has lost 1 records")


# ── What is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cdc.finance.cards", "finlake topics clear cdc.finance.cards"),
        ("__consumer_offsets", "Kafka's"),
        ("finlake.connect-offsets", "Connect's own"),
    ],
)
def test_topics_that_somebody_lives_on_are_not_deleted(name, words):
    with pytest.raises(UsageProblem) as raised:
        tending.may_delete(name, EXPECTED)
    assert words in str(raised.value)


def test_a_schema_history_of_another_epoch_may_go_and_todays_may_not():
    tending.may_delete("finlake.schema-history.1", EXPECTED)
    with pytest.raises(UsageProblem, match="is in use"):
        tending.may_delete("finlake.schema-history", EXPECTED)


@pytest.mark.parametrize(
    ("name", "words"),
    [("finlake.schema-history", "connectors recover"), ("mine", "finlake topics delete mine")],
)
def test_what_must_stay_or_is_none_of_ours_is_not_cleared(name, words):
    with pytest.raises(UsageProblem, match=words):
        tending.may_clear(name, EXPECTED)
    tending.may_clear("cdc.finance.cards", EXPECTED)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--offset", "3"), "--offset needs a --partition"),
        (("--offset", "3", "--partition", "0", "--follow"), "exclude each other"),
        (("--role", "root"), "viewer"),
        (("-n", "0"), "x>=1"),
    ],
)
def test_wrong_words_of_tail_are_wrong_use(home, capsys, words, said):
    assert main(["topics", "tail", "cdc.finance.cards", *words]) == 2
    assert said in capsys.readouterr().err


def test_where_nobody_can_answer_yes_has_to_be_said(monkeypatch):
    class Closed:
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Closed())
    confirm("topic t: take it away?", yes=True)
    with pytest.raises(UsageProblem, match="say --yes"):
        confirm("topic t: take it away?", yes=False)
