"""Schema changes: what is new flows on; what would lose data stops that table alone."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.letters import REPLAY_TOPIC
from finlake.errors import UsageProblem
from infra.lake.tables import Lake as DeltaLake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from stream_jobs.io.appended import AppendedTable
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.resume import resume_table
from stream_jobs.transforms.envelope import Decoder, _Reject
from stream_jobs.transforms.schema_change import changed_tables, problem
from tests.unit.stream_world import (
    BASE,
    GOLDEN,
    T0,
    Event,
    Lake,
    Stream,
    delta_writer,
    envelope,
    gold_faults,
    live,
    meant,
    records,
    row,
)

SOURCES = {c.name: c for c in contracts.source_tables()}
SERVICE = [GOLDEN.parent / f"{flavour}_service.jsonl" for flavour in ("mariadb", "mysql")]


def schema_events(path: Path) -> list[bytes]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line["value"].encode() for line in lines if line["topic"] == "cdc" and line["value"]]


@pytest.fixture(params=SERVICE, ids=lambda path: path.stem)
def columns(request) -> dict[str, list[dict[str, Any]]]:
    """Columns of the source tables as a real connector describes them."""
    found = dict(changed_tables(schema_events(request.param)))
    return {name: found[name] for name in SOURCES}


def changed(columns: list[dict[str, Any]], name: str, /, **values: Any) -> list[dict[str, Any]]:
    assert name in {column["name"] for column in columns}
    return [{**column, **values} if column["name"] == name else column for column in columns]


@pytest.mark.parametrize("table", SOURCES)
def test_the_tables_as_they_are_made_fit(columns, table):
    assert problem(SOURCES[table], columns[table]) == ""


def test_a_new_column_is_no_problem(columns):
    new = [*columns["cards"], {"name": "colour", "typeName": "VARCHAR", "length": 9}]
    assert problem(SOURCES["cards"], new) == ""


def test_the_secret_columns_need_not_be_there(columns):
    rest = [c for c in columns["cards"] if c["name"] not in SOURCES["cards"].dropped]
    assert len(rest) == len(columns["cards"]) - 2
    assert problem(SOURCES["cards"], rest) == ""


def test_a_dropped_column_is_named(columns):
    rest = [c for c in columns["transactions"] if c["name"] != "zip"]
    assert problem(SOURCES["transactions"], rest) == "transactions: the source no longer has zip"


def test_a_renamed_column_is_guessed(columns):
    there = changed(columns["transactions"], "zip", name="postcode")
    assert "no longer has zip (new: postcode; was it renamed?)" in problem(
        SOURCES["transactions"], there
    )


@pytest.mark.parametrize(
    ("name", "change", "fits"),
    [
        ("mcc", {"typeName": "SMALLINT"}, True),
        ("mcc", {"typeName": "BIGINT"}, False),
        ("mcc", {"typeName": "INT UNSIGNED"}, False),
        ("mcc", {"typeName": "MEDIUMINT UNSIGNED"}, True),
        ("id", {"typeName": "BIGINT UNSIGNED"}, False),
        ("mcc", {"typeName": "VARCHAR", "length": 4}, False),
        ("amount", {"length": 10, "scale": 2}, True),
        ("amount", {"length": 12, "scale": 0}, False),
        ("amount", {"length": 14, "scale": 2}, False),
        ("amount", {"length": 12, "scale": 3}, False),
        ("amount", {"typeName": "DOUBLE"}, False),
        ("date", {"typeName": "TIMESTAMP", "length": 3}, False),
        ("date", {"typeName": "DATE"}, False),
        ("merchant_city", {"length": 4000}, True),
        ("merchant_city", {"typeName": "LONGTEXT"}, True),
        ("merchant_city", {"typeName": "BLOB"}, False),
    ],
)
def test_a_type_may_change_as_far_as_the_contract_holds_every_value(columns, name, change, fits):
    found = problem(SOURCES["transactions"], changed(columns["transactions"], name, **change))
    assert (found == "") is fits
    assert fits or found.startswith(f"transactions.{name}: the source made it ")


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: path.stem)
def test_real_schema_events_are_understood(path):
    names = [name for name, _ in changed_tables(schema_events(path))]
    assert names.count("every_type") == 5  # made, and altered four times
    assert set(names) > set(SOURCES)


@pytest.mark.parametrize(
    "value", [None, b"", b"[]", b"nonsense", b"{}", b'{"tableChanges":[1]}', b"[" * 100_000]
)
def test_a_schema_event_that_cannot_be_read_says_nothing(value):
    assert list(changed_tables([value])) == []


# ── The stream ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stream():
    stream = Stream(Lake())
    yield stream
    stream.stop()


def alter(table: str, name: str, **values: Any) -> Event:
    """A schema change event that changes one column of a source table."""
    there = changed(dict(changed_tables(schema_events(SERVICE[0])))[table], name, **values)
    change = {"type": "ALTER", "id": f'"finance"."{table}"', "table": {"columns": there}}
    return Event("cdc", 0, b"{}", json.dumps({"tableChanges": [change]}).encode())


def states(stream: Stream) -> dict[str, str]:
    rows = stream.lake.rows("gold.pipeline_status").sort_by("since").to_pylist()
    return {one["table_name"]: one["state"] for one in rows}


def test_a_widened_column_stops_its_table_alone_and_stays_so_after_a_restart(stream, tmp_path):
    big = envelope("c", None, row("transactions", mcc=2**31), 1000)
    good = envelope("c", None, row("transactions", id=2), 1100)
    user = envelope("c", None, BASE["users"], 1200)
    stream.process(
        records(
            [
                (alter("transactions", "mcc", typeName="BIGINT"), 0),
                (Event("transactions", 0, b"{}", big), 0),
                (Event("users", 0, b"{}", user), 0),
            ]
        )
    )
    assert states(stream) == {**dict.fromkeys(SOURCES, "running"), "transactions": "stopped"}
    stream.restart()
    stream.process(records([(Event("transactions", 0, b"{}", good), 1)]))
    assert live(stream.lake, "transactions") == {}
    assert live(stream.lake, "users").keys() == {825}
    letters = stream.lake.rows("bronze.dead_letters").sort_by("offset").to_pylist()
    assert [one["value"] for one in letters] == [big, good]
    assert [one["reason"] for one in letters][1] == "table_stopped"
    assert gold_faults(stream.lake, tmp_path) == []


def test_a_schema_change_of_another_table_stops_nothing(stream):
    event = alter("transactions", "mcc", typeName="BIGINT")
    assert event.value is not None
    other = Event("cdc", 0, b"{}", event.value.replace(b"transactions", b"every_type"))
    stream.process(records([(other, 0)]))
    assert set(states(stream).values()) == {"running"}


# ── Flowing again ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def delta(home):
    settings = load_settings(home=home)
    lake = DeltaLake(settings)
    for contract in contracts.lake_tables():
        lake.ensure(contract)
    stream = Stream(lake, lambda: delta_writer(lake, "app"), settings)
    yield stream
    stream.stop()


def tables_of(stream: Stream) -> Tables:
    writer = stream.processor._writer
    assert isinstance(writer, LakeWriter)
    return writer._tables


def held(stream: Stream) -> None:
    """A stopped table with changes set aside: one poisoned, one old, one that fits."""
    stream.process(records([(alter("transactions", "mcc", typeName="BIGINT"), 0)]))
    values = [
        b"poison",
        envelope("c", None, row("transactions", amount="1.00"), 1000),
        envelope("u", None, row("transactions", amount="4000.00"), 1100),
        envelope("c", None, row("transactions", id=2), 1200),
    ]
    stream.process(
        records([(Event("transactions", i % 2, b"{}", v), i) for i, v in enumerate(values)])
    )
    assert live(stream.lake, "transactions") == {}


def test_a_resumed_table_has_what_was_set_aside_and_the_counts_add_up(delta, home):
    held(delta)
    resume_table(tables_of(delta), delta.processor, "transactions")
    expected = {1: row("transactions", amount="4000.00"), 2: row("transactions", id=2)}
    assert live(delta.lake, "transactions") == meant("transactions", expected)
    (left,) = delta.lake.open(contracts.get("bronze.dead_letters")).to_pyarrow_table().to_pylist()
    assert left["reason"] == "not_json"
    alerts = delta.lake.open(contracts.get("gold.fraud_alerts")).to_pyarrow_table()
    assert alerts["alert_id"].to_pylist() == ["1:amount_over"]
    assert gold_faults(delta.lake, home) == []
    more = envelope("u", None, row("transactions", amount="2.00"), 1300)
    delta.process(records([(Event("transactions", 0, b"{}", more), 9)]))
    assert live(delta.lake, "transactions")[1]["amount"] == Decimal("2.00")
    delta.restart()
    assert not delta.processor._status.stopped("transactions")
    assert gold_faults(delta.lake, home) == []


def test_a_resumption_that_is_cut_short_and_done_again_changes_nothing_twice(
    delta, home, monkeypatch
):
    held(delta)

    def lost(*arguments: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(AppendedTable, "keep", lost)
        with pytest.raises(ConnectionError):
            resume_table(tables_of(delta), delta.processor, "transactions")
    delta.restart()
    resume_table(tables_of(delta), delta.processor, "transactions")
    assert live(delta.lake, "transactions").keys() == {1, 2}
    assert gold_faults(delta.lake, home) == []


def test_a_table_can_be_resumed_twice_with_nothing_to_apply(delta):
    for offset in range(2):
        delta.process(records([(alter("cards", "card_last4", typeName="INT"), offset)]))
        resume_table(tables_of(delta), delta.processor, "cards")
        delta.process(records([(Event("users", 0, b"{}", None, kafka_us=T0), offset)]))
        delta.restart()
        assert not delta.processor._status.stopped("cards")


def test_an_unknown_table_cannot_be_resumed(delta):
    with pytest.raises(UsageProblem, match="no source table nix"):
        resume_table(tables_of(delta), delta.processor, "nix")


# ── Dead letters, put through again ──────────────────────────────────────────────────────────────


def order(**choice: Any) -> Event:
    """An order as ``finlake dead-letters replay`` sends it."""
    value = json.dumps({"by": "test", "choice": {"table": "cards", **choice}}).encode()
    return Event(REPLAY_TOPIC, 0, b"cards", value)


def letters_of(stream: Stream) -> list[int]:
    rows = stream.lake.open(contracts.get("bronze.dead_letters")).to_pyarrow_table()
    return sorted(rows["offset"].to_pylist())


@pytest.fixture
def narrow(delta, monkeypatch):
    """A stream that set three cards aside, one of them poisoned; then its contract was mended."""
    real = Decoder._row

    def too_narrow(self: Decoder, event: dict[str, Any]) -> Any:
        if self.table == "cards" and event["after"]["card_brand"] == "Visa":
            raise _Reject("rule", "cards: a brand that is not allowed")
        return real(self, event)

    values = [
        envelope("c", None, row("cards", id=1), 1000),
        b"poison",
        envelope("c", None, row("cards", id=2, credit_limit="1.00"), 1100),
        envelope("u", None, row("cards", id=2, card_brand="Amex"), 1200),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "_row", too_narrow)
        patch.setattr(Decoder, "_read", Decoder._look_closer)
        patch.setattr(Decoder, "_at_once", lambda *_: None)
        delta.process(records([(Event("cards", 0, b"{}", v), i) for i, v in enumerate(values)]))
    assert letters_of(delta) == [0, 1, 2]
    assert live(delta.lake, "cards").keys() == {2}
    return delta


def test_replayed_letters_are_applied_once_and_overwrite_nothing_newer(narrow, home):
    for offset in range(2):  # an order that is sent twice finds nothing left to do
        narrow.process(records([(order(), offset)]))
    assert letters_of(narrow) == [1]
    expected = {1: row("cards", id=1), 2: row("cards", id=2, card_brand="Amex")}
    assert live(narrow.lake, "cards") == meant("cards", expected)
    assert gold_faults(narrow.lake, home) == []


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        ({"reason": "rule"}, [1]),
        ({"reason": "not_json"}, [0, 1, 2]),
        ({"place": {"topic": "cdc.finance.cards", "partition": 0, "offset": 2}}, [0, 1]),
        ({"place": {"topic": "cdc.finance.cards", "partition": 1, "offset": 2}}, [0, 1, 2]),
        ({"table": "users"}, [0, 1, 2]),
        ({"table": "nix"}, [0, 1, 2]),
    ],
)
def test_what_an_order_does_not_name_stays_where_it_is(narrow, home, choice, left):
    narrow.process(records([(order(**choice), 0)]))
    assert letters_of(narrow) == left
    assert gold_faults(narrow.lake, home) == []


@pytest.mark.parametrize("lost_at", ["keep", "log"])
def test_a_batch_with_an_order_that_is_cut_short_replays_nothing_twice(
    narrow, home, monkeypatch, lost_at
):
    batch = records([(order(), 0), (Event("users", 0, b"{}", None), 5)])

    def lost(*arguments: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        where: Any = AppendedTable if lost_at == "keep" else type(narrow.processor)
        patch.setattr(where, "keep" if lost_at == "keep" else "_log", lost)
        with pytest.raises(ConnectionError):
            narrow.process(batch)
    narrow.restart()
    narrow.process(batch)
    assert letters_of(narrow) == [1]
    assert live(narrow.lake, "cards").keys() == {1, 2}
    assert gold_faults(narrow.lake, home) == []


def test_letters_that_do_not_fit_yet_are_counted_right_when_they_do(narrow, home, monkeypatch):
    with monkeypatch.context() as patch:
        refused = _Reject("rule", "cards: not yet")
        patch.setattr(Decoder, "_read", lambda *_: (_ for _ in ()).throw(refused))
        patch.setattr(Decoder, "_at_once", lambda *_: None)
        narrow.process(records([(order(), 0)]))
    assert letters_of(narrow) == [0, 1, 2]
    narrow.process(records([(order(), 1)]))
    assert letters_of(narrow) == [1]
    assert gold_faults(narrow.lake, home) == []


def test_a_stopped_table_and_an_unreadable_order_are_left_alone(delta, home):
    held(delta)
    rubbish = [Event(REPLAY_TOPIC, 0, b"", value) for value in (None, b"{}", b"\xff", b"[1]")]
    orders = [*rubbish, order(table="transactions")]
    delta.process(records([(one, offset) for offset, one in enumerate(orders)]))
    assert letters_of(delta) == [0, 1, 2, 3]
    assert delta.processor.stopped("transactions")
    assert gold_faults(delta.lake, home) == []
