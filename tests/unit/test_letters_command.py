"""``finlake dead-letters``: what is shown of them, and how a replay is ordered and waited for."""

import json
from collections.abc import Iterator

import pytest

from connectors import letters
from connectors.letters import REPLAY_TOPIC, Choice, Place, place_of
from finlake.cli import main
from finlake.errors import UsageProblem
from infra.lake.tables import Lake as DeltaLake
from infra.settings import load_settings
from stream_jobs.io import source
from tests.unit.stream_world import Event, Stream, delta_writer, envelope, live, records, row

CARD = "cdc.finance.cards[0]"


class Sent:
    """Stands for a message that Kafka took."""

    def offset(self) -> int:
        return 7


@pytest.fixture
def stream(home) -> Iterator[Stream]:
    """A stream over a lake, with a card that is no JSON and one whose limit is no number."""
    settings = load_settings()
    lake = DeltaLake(settings)
    stream = Stream(lake, lambda: delta_writer(lake, "app"), settings)
    wrong = envelope("c", None, row("cards", credit_limit=[1]), 1000)
    values = [b"4444333322221111,", wrong, envelope("c", None, row("cards"), 1100)]
    stream.process(records([(Event("cards", 0, b'{"id":1}', v), i) for i, v in enumerate(values)]))
    yield stream
    stream.stop()


@pytest.fixture
def kafka(stream, monkeypatch) -> list[bytes]:
    """Stands for Kafka: what is sent to the topic of orders, the stream has at once."""
    taken: list[bytes] = []

    class Producer:
        def __init__(self, options: object) -> None:
            self._told = lambda: None

        def produce(self, topic, key, value, on_delivery) -> None:
            assert topic == REPLAY_TOPIC
            taken.append(value)
            stream.process(records([(Event(topic, 0, key, value), 7)]))
            self._told = lambda: on_delivery(None, Sent())

        def flush(self, timeout: float) -> int:
            self._told()
            return 0

    monkeypatch.setattr(letters, "Producer", Producer)
    monkeypatch.setattr(source, "partitions", lambda _: {REPLAY_TOPIC: 1})
    return taken


def said(capsys, *words: str, code: int = 0) -> str:
    assert main(["dead-letters", *words]) == code, capsys.readouterr().err
    found = capsys.readouterr()
    return f"{found.out}{found.err}"


def test_the_list_counts_by_table_and_reason_and_names_each_place(stream, capsys):
    shown = said(capsys, "list")
    assert "1  cards, bad_type" in shown
    assert "1  cards, not_json" in shown
    assert f"{CARD}@0 not_json: cards: the value is not JSON" in shown
    assert "4444" not in shown
    assert "not_json" not in said(capsys, "list", "--reason", "bad_type")
    assert said(capsys, "list", "--table", "users") == "no dead letters\n"
    (line,) = said(capsys, "list", "--reason", "bad_type", "--json").splitlines()
    assert json.loads(line)["offset"] == 1


def test_a_letter_is_shown_as_the_role_may_see_it(stream, capsys):
    assert "4444333322221111" not in said(capsys, "show", f"{CARD}@0")
    assert "4444333322221111" in said(capsys, "show", f"{CARD}@0", "--role", "admin")
    shown = said(capsys, "show", f"{CARD}@1")
    assert '"card_brand": "Visa"' in shown
    assert '"expires": "***"' in shown
    assert "12/2022" not in shown


@pytest.mark.parametrize("place", ["cards", f"{CARD}@2", f"{CARD}@x", "cdc.finance.users[0]@1"])
def test_a_place_without_a_letter_is_wrong_use(stream, capsys, place):
    assert place in said(capsys, "show", place, code=2)


def test_letters_that_still_do_not_fit_are_a_failed_check(stream, kafka, capsys):
    shown = said(capsys, "replay", "--table", "cards", "--yes", code=1)
    assert "cards: 0 of 2 dead letters are applied" in shown
    assert "cards: 2 still do not fit" in shown
    assert list(letters.read_orders(kafka)) == [Choice("cards")]


def test_one_letter_is_replayed_by_its_place_once_the_contract_is_mended(
    stream, kafka, capsys, monkeypatch
):
    decoder = stream.processor._decoders["cards"]
    real = decoder.decode
    mended = envelope("c", None, row("cards", id=9), 1000)

    def decode(records, *rest):
        index = records.column_names.index("value")
        values = [mended if b"[1]" in v else v for v in records["value"].to_pylist()]
        return real(records.set_column(index, "value", [values]), *rest)

    monkeypatch.setattr(decoder, "decode", decode)
    shown = said(capsys, "replay", f"{CARD}@1", "--yes")
    assert f"{CARD}@1: 1 of 1 dead letters are applied" in shown
    assert live(stream.lake, "cards").keys() == {9, 4524}
    assert list(letters.read_orders(kafka)) == [
        Choice("cards", place=Place("cdc.finance.cards", 0, 1))
    ]
    assert f"{CARD}@0" in said(capsys, "list")
    assert f"{CARD}@1" not in said(capsys, "list")


def test_an_order_that_the_stream_does_not_come_to_stays_and_says_so(
    stream, kafka, capsys, monkeypatch
):
    monkeypatch.setattr(letters, "send_order", lambda *_: 99)
    shown = said(capsys, "replay", "--table", "cards", "--yes", "--wait", "0", code=1)
    assert "waits on finlake.replays" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "either a PLACE or a --table"),
        ((f"{CARD}@1", "--table", "cards"), "either a PLACE or a --table"),
        (("--table", "nix"), "there are cards"),
        (("--table", "users"), "has no dead letters"),
        (("--table", "cards"), "say --yes"),
    ],
)
def test_a_replay_of_nothing_or_by_nobody_is_wrong_use(stream, kafka, capsys, words, says):
    assert says in said(capsys, "replay", *words, code=2)
    assert kafka == []


def test_a_stopped_table_is_resumed_and_not_replayed(stream, kafka, capsys):
    stream.processor._status.stop("cards", "the source made it wider")
    stream.process(records([(Event("users", 0, b"{}", None), 3)]))
    shown = said(capsys, "replay", "--table", "cards", "--yes", code=1)
    assert "finlake stream --resume cards" in shown
    assert kafka == []


def test_a_place_reads_back_as_it_is_written():
    place = Place("cdc.finance.fraud_labels", 3, 12)
    assert place_of(str(place)) == place
    with pytest.raises(UsageProblem, match=r"TOPIC\[PARTITION\]@OFFSET"):
        place_of("cdc.finance.cards:0:17")
