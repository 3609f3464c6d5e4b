"""The quality page: what breaks a rule is counted, and a record that was set aside stays masked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some

from dashboard import markup, quality_queries
from dashboard.figures import rows
from dashboard.letters import fields
from infra.lake.query import Query
from infra.settings import load_settings
from lakehouse_schemas import contracts
from tests.browser.gold import World, build
from tests.unit.dashboard_pages import opened, said
from tests.unit.test_dashboard_markup import HOSTILE, Reader, texts

UNTIL = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = build(tmp_path_factory.mktemp("quality"), UNTIL, number=120)
    found.set_letters_aside(UNTIL)
    return found


@pytest.fixture(scope="module")
def lake(world: World) -> Query:
    return Query(load_settings(home=world.settings.home, lake=world.settings.lake))


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def test_rows_that_break_a_rule_are_counted(world: World, lake: Query):
    contract = contracts.get("gold.fraud_alerts")
    places = {
        (check.column, check.rule): place
        for place, check in enumerate(quality_queries.rules(contract))
    }
    assert ("alert_id", "required") not in places  # a key is always there
    (before,) = rows(lake, quality_queries.broken_rules(contract))
    assert before["looked_at"] == len(world.alerts)
    assert sum(value for name, value in before.items() if name != "looked_at") == 0
    odd = world.alerts[0] | {"alert_id": "9:guess", "rule": "guess", "severity": "some"}
    world.write("fraud_alerts", [odd])
    (found,) = rows(lake, quality_queries.broken_rules(contract))
    assert found[f"rule_{places['rule', 'one_of']}"] == 1
    assert found[f"rule_{places['severity', 'one_of']}"] == 1
    assert found[f"rule_{places['reason', 'required']}"] == 0
    assert found["looked_at"] == len(world.alerts) + 1


def test_every_table_with_rules_can_be_looked_at(lake: Query):
    for contract in contracts.all():
        if contract.layer in ("silver", "gold") and contract.kind != "additive" and contract.key:
            (found,) = rows(lake, quality_queries.broken_rules(contract))
            assert len(found) == 1 + len(quality_queries.rules(contract))


def test_dead_letters_are_counted_listed_and_found_by_their_place(lake: Query):
    counted = rows(lake, quality_queries.letter_counts())
    assert [(r["source_table"], r["reason"], r["letters"]) for r in counted] == [
        ("transactions", "bad_type", 2),
        ("cards", "rule", 1),
        ("transactions", "not_json", 1),
    ]
    assert [r["offset"] for r in rows(lake, quality_queries.letters(None, 3))] == [40, 41, 42]
    (card,) = rows(lake, quality_queries.letters("cards", 3))
    (found,) = rows(lake, quality_queries.letter(card["topic"], card["partition"], card["offset"]))
    assert found["detail"] == "expires: breaks the rule pattern"
    assert rows(lake, quality_queries.letter(card["topic"], 0, 4_711)) == []
    (none,) = rows(lake, quality_queries.set_aside(UNTIL - timedelta(days=1)))
    assert none == {"events": None, "quarantined": None}


# ── what may be shown of a record ────────────────────────────────────────────────────────────────


def test_only_known_values_that_are_nobodys_are_shown():
    shown = dict(
        fields(
            "cards",
            json.dumps(
                {
                    "op": "u",
                    "source": {"file": "f"},
                    "after": {
                        "card_brand": "Visa",
                        "card_last4": "1234",
                        "card_number": "4111111111111111",
                        "unknown": "Ada Lovelace",
                    },
                    "before": None,
                }
            ).encode(),
        )
    )
    assert shown["op"] == '"u"'
    assert shown["after.card_brand"] == '"Visa"'
    assert shown["after.card_last4"] == "•••• (text of 4 characters)"
    assert shown["after.card_number"] == "•••• (text of 16 characters)"
    assert shown["after.unknown"] == "•••• (text of 12 characters)"
    assert shown["source"] == "•••• (object of 1)"
    assert shown["before"] == "null"


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=6,
)


@given(some.dictionaries(some.sampled_from(["after", "before", "op", "x"]), json_values))
def test_a_record_of_any_form_is_shown_without_what_people_wrote(record: dict[str, object]):
    written = "canary-4f1e"
    marked = record | {"note": written, "after": {"address": written, "id": 1}}
    shown = fields("users", json.dumps(marked).encode())
    assert written not in str(shown)
    assert ("after.id", "1") in shown or contracts.get("source.users").column("id").pii != "none"


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"{ \xff"])
def test_what_is_no_json_has_no_fields(value: bytes):
    assert fields("cards", value) == []


def test_a_record_that_is_no_object_is_told_by_its_kind():
    assert fields("cards", b"[1, 2]") == [("the record", "list of 2")]


@given(texts)
def test_no_text_of_a_letter_becomes_markup(text: str):
    def html(word: str) -> str:
        row = {"source_table": word, "reason": word, "detail": word, "topic": word}
        return markup.letters([(row | {"partition": 0, "offset": 1, "kafka_ts": UNTIL}, word)])

    found = Reader(html(text or HOSTILE))
    assert found.tags == Reader(html("plain")).tags
    assert (text or HOSTILE) in found.text


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def _page() -> None:
    from dashboard.views import quality

    quality.show()


def page(home: Path, monkeypatch: pytest.MonkeyPatch, **chosen: str) -> str:
    monkeypatch.setenv("FINLAKE_HOME", str(home))
    st.cache_resource.clear()
    return said(opened(_page, **chosen))


def test_an_empty_lake_has_no_dead_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown = page(tmp_path, monkeypatch)
    assert "No dead letters" in shown
    assert "is empty" in shown


def test_a_record_is_named_in_the_address(world: World, monkeypatch: pytest.MonkeyPatch):
    home = world.settings.home
    shown = page(home, monkeypatch, record="cdc.finance.transactions:0:40", table="gold.dim_card")
    assert "cdc.finance.transactions[0]@40" in shown
    assert "after.mcc" in shown
    assert "5411" in shown
    assert "12.30" not in shown
    assert "rows of gold.dim_card with the highest keys" in shown
    broken = page(home, monkeypatch, record="cdc.finance.transactions:0:42", of="cards")
    assert "bytes that are no JSON" in broken
    assert "No record" in page(home, monkeypatch, record="cdc.finance.cards:0:1")
    assert "with colons between" in page(home, monkeypatch, record="what")
