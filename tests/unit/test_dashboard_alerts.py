"""The alerts' page: its statements against a recount, its words, and the page itself."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import pytest
import streamlit as st
from hypothesis import given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from dashboard import alert_charts, alert_markup, alert_queries
from dashboard.alert_queries import BANDS, MODEL, SEVERITIES, VERDICTS, CaseFilters
from dashboard.figures import rows
from dashboard.period import Anchor
from finlake.errors import UsageProblem
from infra.database.notes import Note
from tests.browser import models as made
from tests.browser.gold import REASONS, Row, World, alert, build, transaction
from tests.unit.dashboard_pages import opened
from tests.unit.test_dashboard_markup import HOSTILE, Reader, texts
from tests.unit.test_dashboard_queries import ArrowLake

UNTIL = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)
START, END = UNTIL - timedelta(hours=40), UNTIL - timedelta(hours=2)


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def some_lake(seed: int, number: int) -> tuple[ArrowLake, dict[int, Row], list[Row], list[Row]]:
    rng = Random(seed)
    facts = [
        transaction(n, UNTIL - timedelta(minutes=rng.randrange(3_600)), rng) for n in range(number)
    ]
    alerts = [alert(t, rule) for t in facts for rule in REASONS if rng.random() < 0.1]
    scored = [made.score(t, rng) for t in facts if rng.random() < 0.8]
    lake = ArrowLake({"fact_transactions": facts, "fraud_alerts": alerts, "fraud_scores": scored})
    return lake, {t["transaction_id"]: t for t in facts}, alerts, scored


filter_sets = some.builds(
    CaseFilters,
    severities=some.lists(some.sampled_from(SEVERITIES), unique=True, max_size=2).map(tuple),
    rules=some.lists(some.sampled_from([*REASONS, MODEL]), unique=True, max_size=3).map(tuple),
    bands=some.lists(some.sampled_from(BANDS), unique=True, max_size=2).map(tuple),
    least=some.sampled_from([0.0, 0.0, 0.05, 0.31, 0.9]),
    verdicts=some.lists(some.sampled_from(VERDICTS), unique=True, max_size=2).map(tuple),
    among=some.none() | some.sets(some.integers(0, 80), max_size=40).map(tuple),
    besides=some.sets(some.integers(0, 80), max_size=9).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 10**6), some.integers(0, 80), filter_sets)
def test_cases_are_transactions_with_alerts_of_rules_or_model(
    seed: int, number: int, filters: CaseFilters
):
    lake, facts, alerts, scored = some_lake(seed, number)
    score = {r["transaction_id"]: r for r in scored}
    raised: dict[int, set[tuple[str, str]]] = {}
    for a in alerts:
        raised.setdefault(a["transaction_id"], set()).add((a["rule"], a["severity"]))
    for r in scored:
        if r["is_alert"]:
            severity = "high" if r["band"] == "critical" else "medium"
            raised.setdefault(r["transaction_id"], set()).add((MODEL, severity))

    labels = {None: "open", True: "fraud", False: "genuine"}

    def wanted(number: int, found: set[tuple[str, str]]) -> bool:
        said = score.get(number, {})
        return (
            START <= facts[number]["transaction_ts"] < END
            and (not filters.rules or any(rule in filters.rules for rule, _ in found))
            and (not filters.severities or any(s in filters.severities for _, s in found))
            and (not filters.bands or said.get("band") in filters.bands)
            and (not filters.verdicts or labels[facts[number]["is_fraud"]] in filters.verdicts)
            and (not filters.least or (said.get("score") or 0) >= filters.least)
            and (filters.among is None or number in filters.among)
            and number not in filters.besides
        )

    kept = {n: found for n, found in raised.items() if wanted(n, found)}
    newest = sorted(kept, key=lambda n: (facts[n]["transaction_ts"], n), reverse=True)
    found = rows(lake, alert_queries.cases(START, END, filters, 1_000))
    assert [r["transaction_id"] for r in found] == newest
    assert [
        r["transaction_id"] for r in rows(lake, alert_queries.cases(START, END, filters, 2))
    ] == newest[:2]
    worst = {n: min(SEVERITIES.index(s) for _, s in kept[n]) for n in kept}
    for r in found:
        n = r["transaction_id"]
        assert set(r["rules"]) == {rule for rule, _ in kept[n]}
        assert r["severity"] == SEVERITIES[worst[n]]
        assert (r["rules"][0], r["severity"]) in kept[n]  # the reason is the first one's
        assert r["score"] == score.get(n, {}).get("score")
        assert r["merchant_city"] == facts[n]["merchant_city"]
    (counts,) = rows(lake, alert_queries.case_counts(START, END, filters))
    models = [n for n in kept if MODEL in {rule for rule, _ in kept[n]}]
    assert counts == {
        "cases": len(kept),
        "high": sum(place == 0 for place in worst.values()),
        "by_model": len(models),
        "by_both": sum(len(kept[n]) > 1 for n in models),
        "cards": len({facts[n]["card_id"] for n in kept}),
        "amount": sum((max(facts[n]["amount"], Decimal(0)) for n in kept), Decimal(0)),
    }


@settings(max_examples=20, deadline=None)
@given(some.integers(0, 10**6), some.integers(1, 6), some.integers(0, 4))
def test_the_card_is_shown_around_the_case(seed: int, before: int, after: int):
    lake, facts, _, scored = some_lake(seed, 60)
    for chosen in facts.values():
        chosen["card_id"] = chosen["transaction_id"] % 2  # many of one card
    lake = ArrowLake({"fact_transactions": list(facts.values()), "fraud_scores": scored})
    chosen = facts[30]
    ordered = sorted(
        (t for t in facts.values() if t["card_id"] == chosen["card_id"]),
        key=lambda t: (t["transaction_ts"], t["transaction_id"]),
    )
    earlier = [t for t in ordered if t["transaction_ts"] <= chosen["transaction_ts"]][-before:]
    later = [t for t in ordered if t["transaction_ts"] > chosen["transaction_ts"]][:after]
    found = rows(
        lake,
        alert_queries.card_around(chosen["card_id"], chosen["transaction_ts"], before, after),
    )
    assert [r["transaction_id"] for r in found] == [
        t["transaction_id"] for t in reversed([*earlier, *later])
    ]


def test_one_case_has_what_the_rules_and_the_models_say():
    lake, facts, alerts, scored = some_lake(4, 80)
    raised = next(r for r in scored if r["is_alert"])
    number = raised["transaction_id"]
    (found,) = rows(lake, alert_queries.case(number))
    assert found["amount"] == facts[number]["amount"]
    assert (found["score"], found["band"]) == (raised["score"], raised["band"])
    one = alerts[0]["transaction_id"]
    told = rows(lake, alert_queries.case_alerts(one))
    assert {r["rule"] for r in told} == {a["rule"] for a in alerts if a["transaction_id"] == one}
    assert rows(lake, alert_queries.case(10**9)) == []
    (newest,) = rows(lake, alert_queries.newest_case())
    suspicious = [*alerts, *(r for r in scored if r["is_alert"])]
    assert newest["newest"] == max(r["transaction_ts"] for r in suspicious)


# ── words ────────────────────────────────────────────────────────────────────────────────────────


@given(texts)
def test_no_text_of_a_case_becomes_markup(text: str):
    def html(word: str) -> str:
        row: dict[str, Any] = {
            "transaction_id": 7, "transaction_ts": UNTIL, "user_id": 8, "card_last4": word,
            "card_brand": word, "card_type": word, "merchant_id": 3, "merchant_city": word,
            "merchant_state": word, "mcc": 5411, "category": word, "amount": Decimal("1.00"),
            "severity": word, "rules": [word], "reason": word, "score": 0.5, "band": word,
            "reasons": word, "note": None, "model_version": 3, "challenger_score": None,
            "channel": word, "errors": word, "is_fraud": None,
        }  # fmt: skip
        at = Anchor(UNTIL, historical=True)
        told = [{"rule": word, "severity": word, "reason": word}]
        noted = row | {"score": None, "note": word}
        return (
            alert_markup.cases([row], at, None, lambda n: f"alerts?case={n}&rule={word}", {7: word})
            + alert_markup.case(row, f"alerts?rule={word}")
            + alert_markup.why(row, told)
            + alert_markup.why(noted, [])
        )

    found = Reader(html(text or HOSTILE))
    assert found.tags == Reader(html("plain")).tags
    assert (text or HOSTILE) in found.text


def test_scores_of_a_card_mark_the_case():
    around = [
        {"transaction_id": n, "transaction_ts": UNTIL - timedelta(days=n), "amount": Decimal(n)}
        | {"score": None if n == 2 else n / 10, "is_alert": n == 4}
        for n in range(1, 5)
    ]
    chart = alert_charts.scores(around, 3).to_dict()
    (data,) = chart["datasets"].values()
    assert [(point["Score"], point["kind"], point["chosen"]) for point in data] == [
        (0.1, "no alert", False),
        (0.3, "no alert", True),
        (0.4, "alert", False),
    ]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def _page() -> None:
    from dashboard.views import alerts

    alerts.show()


def page(home: Path, monkeypatch: pytest.MonkeyPatch, **chosen: str | list[str]) -> AppTest:
    monkeypatch.setenv("FINLAKE_HOME", str(home))
    st.cache_resource.clear()
    return opened(_page, **chosen)


def html_of(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def text_of(app: AppTest) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", html_of(app)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = build(tmp_path_factory.mktemp("alerts"), UNTIL, number=900)
    made.add_models(found)
    return found


def test_without_alerts_the_page_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shown = text_of(page(tmp_path, monkeypatch))
    assert "No alerts yet" in shown
    assert "finlake stream" in shown
    assert "finlake score" in shown


def test_the_address_chooses_filters_and_case(world: World, monkeypatch: pytest.MonkeyPatch):
    home = world.settings.home
    raised = max(
        (a for a in world.alerts if a["rule"] == "amount_over"),
        key=lambda a: (a["transaction_ts"], a["transaction_id"]),
    )
    number = raised["transaction_id"]
    asked: dict[str, str | list[str]] = {"days": "30 d", "rule": ["amount over"]}
    html = html_of(page(home, monkeypatch, case=str(number), **asked))
    listed = re.findall(r'<li class="fl-(\w+)" data-case="(\d+)">', html)
    theirs = {str(a["transaction_id"]) for a in world.alerts if a["rule"] == "amount_over"}
    assert listed
    assert {case for _, case in listed} <= theirs
    assert listed[0][1] == str(number)
    assert f'href="alerts?days=30+d&amp;rule=amount+over&amp;case={number}"' in html
    assert f"Transaction {number}" in html
    assert "over 3,000" in html
    assert "fl-this" in html
    unknown = text_of(page(home, monkeypatch, case="4711"))
    assert "No transaction 4711" in unknown
    none = text_of(page(home, monkeypatch, score="100"))
    assert "No alerts here" in none


def test_a_case_is_a_number(world: World, monkeypatch: pytest.MonkeyPatch):
    app = page(world.settings.home, monkeypatch, case="x'; --")
    assert any("digits alone" in element.value for element in app.caption)


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────────


def test_without_a_user_who_may_judge_nobody_is_asked_to(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    number = world.alerts[0]["transaction_id"]
    app = page(world.settings.home, monkeypatch, case=str(number))
    assert any("FINLAKE_SOURCE_REVIEW_URL is not set" in c.value for c in app.caption)
    assert "Confirm fraud" not in [button.label for button in app.button]


def test_a_verdict_that_cannot_be_sent_says_why(world: World, monkeypatch: pytest.MonkeyPatch):
    unlabelled = {t["transaction_id"] for t in world.transactions if t["is_fraud"] is None}
    number = next(a["transaction_id"] for a in world.alerts if a["transaction_id"] in unlabelled)
    word = "canary-4f1e"
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"mysql://finlake_review:{word}@127.0.0.1:{port}/finance"
        monkeypatch.setenv("FINLAKE_SOURCE_REVIEW_URL", url)
        app = page(world.settings.home, monkeypatch, case=str(number))
        (confirm,) = (button for button in app.button if button.label == "Confirm fraud")
        confirm.click().run()
    assert not app.exception
    shown = text_of(app)
    assert "The verdict was not taken" in shown
    assert "cannot connect" in shown
    assert word not in shown


def test_what_operators_say_to_each_other_is_shown_and_added_to(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    kept = [Note(UNTIL, "Ada", "Bea", None), Note(UNTIL, "Bea", None, HOSTILE)]

    def add(_: object, case: int, author: str, *, comment: str, assign: str) -> None:
        if not author:
            raise UsageProblem("a note wants an author")
        kept.append(Note(UNTIL, author, assign or None, comment or None))

    monkeypatch.setenv("FINLAKE_SOURCE_REVIEW_URL", "mysql://review:x@127.0.0.1:9/finance")
    monkeypatch.setattr("dashboard.views.alerts.notes", lambda *_: kept)
    monkeypatch.setattr("dashboard.views.alerts.note", add)
    monkeypatch.setattr("dashboard.views.alerts.assignments", lambda _: {})
    number = world.alerts[0]["transaction_id"]
    app = page(world.settings.home, monkeypatch, case=str(number))
    assert "assigned it to Bea" in text_of(app)
    assert HOSTILE not in html_of(app)
    assert HOSTILE in unescape(html_of(app))
    assert "**Bea** looks into it" in [c.value for c in app.caption]
    (add_it,) = (b for b in app.button if b.label == "Add")
    add_it.click().run()
    assert "a note wants an author" in text_of(app)
    (name,) = (t for t in app.text_input if t.label == "Your name")
    (to,) = (t for t in app.text_input if t.label == "Assign to")
    name.set_value("Cleo")
    to.set_value("Dan")
    next(b for b in app.button if b.label == "Add").click().run()
    assert (kept[-1].author, kept[-1].assigned_to) == ("Cleo", "Dan")
    assert "**Dan** looks into it" in [c.value for c in app.caption]
    monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", "analyst")
    assert "Bea" not in text_of(page(world.settings.home, monkeypatch, case=str(number)))


def test_alerts_are_chosen_by_who_looks_into_them(world: World, monkeypatch: pytest.MonkeyPatch):
    numbers = sorted({a["transaction_id"] for a in world.alerts}, reverse=True)
    whose = {numbers[0]: "Bea", numbers[1]: "Cleo", numbers[2]: "Bea"}
    monkeypatch.setenv("FINLAKE_SOURCE_REVIEW_URL", "mysql://review:x@127.0.0.1:9/finance")
    monkeypatch.setattr("dashboard.views.alerts.assignments", lambda _: whose)

    def listed(**asked: str) -> set[int]:
        html = html_of(page(world.settings.home, monkeypatch, days="1 y", **asked))
        return {int(found) for found in re.findall(r'data-case="(\d+)"', html)}

    everybody = listed()
    assert listed(assigned="Bea") == {n for n, name in whose.items() if name == "Bea"} & everybody
    assert listed(assigned="Bea")
    assert not listed(assigned="nobody") & set(whose)
    assert listed(assigned="nobody")
    assert "Bea looks into it" in text_of(page(world.settings.home, monkeypatch, days="1 y"))


def test_who_looks_into_what_is_missed_in_a_line(world: World, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: object) -> None:
        raise UsageProblem("the source is gone")

    monkeypatch.setenv("FINLAKE_SOURCE_REVIEW_URL", "mysql://review:x@127.0.0.1:9/finance")
    monkeypatch.setattr("dashboard.views.alerts.assignments", refuse)
    app = page(world.settings.home, monkeypatch, days="1 y")
    assert "the source is gone" in text_of(app)
    assert re.search(r'data-case="\d+"', html_of(app))
