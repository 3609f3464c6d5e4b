"""The models' page: its statements against a recount, its words, and the page itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import pytest
import streamlit as st
from hypothesis import given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from dashboard import model_charts, model_markup, model_queries
from dashboard.comparing import precision, verdict
from dashboard.figures import rows
from models.mcnemar import mcnemar
from tests.browser import models as made
from tests.browser.gold import World, build, transaction
from tests.unit.dashboard_pages import opened
from tests.unit.test_dashboard_markup import HOSTILE, Reader, texts
from tests.unit.test_dashboard_queries import ArrowLake

UNTIL = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def test_roles_are_those_noted_last():
    none = made.versions(UNTIL)[0] | {"role": "none", "measured_at": UNTIL}
    lake = ArrowLake({"model_versions": [*made.versions(UNTIL), none]})
    found = rows(lake, model_queries.roles())
    assert [(r["model_version"], r["role"]) for r in found] == [
        (made.CHALLENGER, "challenger"),
        (made.CHAMPION, "champion"),
    ]
    assert found[1]["kind"] == "xgboost"  # as it was noted when it became champion


@settings(max_examples=10, deadline=None)
@given(some.integers(0, 10**6), some.integers(0, 60))
def test_scores_are_counted_by_band_and_bin(seed: int, number: int):
    rng = Random(seed)
    moments = [UNTIL - timedelta(hours=rng.randrange(60)) for _ in range(number)]
    scored = [made.score(transaction(n, at, rng), rng) for n, at in enumerate(moments)]
    start, end = UNTIL - timedelta(hours=40), UNTIL - timedelta(hours=2)
    lake = ArrowLake({"fraud_scores": scored})
    found = rows(lake, model_queries.scores(start, end))
    wanted = [r for r in scored if start <= r["transaction_ts"] < end]

    def place(score: float | None) -> int | None:
        return None if score is None else sum(score >= edge for edge in model_queries.EDGES)

    assert Counter(
        (r.get("band"), place(r.get("score")), place(r.get("challenger_score"))) for r in wanted
    ) == {
        (r["band"], r["bin"], r["challenger_bin"]): n
        for r, n in _summed(found, "band", "bin", "challenger_bin")
    }
    alarms = sum(r.get("challenger_alert") is True for r in wanted)
    assert sum(r["transactions"] for r in found if r["challenger_alert"]) == alarms
    newest = rows(lake, model_queries.newest_scored())
    assert [r["transaction_ts"] for r in newest] == sorted(moments)[-1:]
    told = rows(lake, model_queries.model_alerts(start, end, 5))
    raised = sorted((r["transaction_ts"] for r in wanted if r["is_alert"]), reverse=True)
    assert [r["transaction_ts"] for r in told] == raised[:5]


def _summed(found: list[dict[str, Any]], *names: str) -> list[tuple[dict[str, Any], int]]:
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in found:
        sums[tuple(row[name] for name in names)] += row["transactions"]
    return [(dict(zip(names, key, strict=True)), number) for key, number in sums.items()]


def test_drift_and_decay_are_those_measured_last():
    rng = Random(1)
    drift, weeks = made.drifted(UNTIL, rng), made.decayed(UNTIL)
    again = drift[0] | {"psi": 9.0, "level": "alarm", "measured_at": UNTIL + timedelta(hours=1)}
    other = drift[0] | {"model_version": 1, "window_end": UNTIL.date()}
    late = weeks[0] | {"frauds": 99, "measured_at": UNTIL + timedelta(hours=1)}
    lake = ArrowLake({"model_drift": [*drift, again, other], "model_decay": [*weeks, late]})
    found = rows(lake, model_queries.drift(made.CHAMPION))
    assert len(found) == len(made.FEATURES)
    assert [r["level"] for r in found[:5]] == ["alarm", "alarm", "alarm", "ok", "ok"]
    assert (found[0]["feature"], found[0]["psi"]) == (drift[0]["feature"], 9.0)
    windows = rows(lake, model_queries.drift_of_scores(made.CHAMPION))
    assert [w["alarms"] for w in windows[-2:]] == [0, 3]
    scores = {d["window_end"]: d["psi"] for d in drift if d["feature"] == "score"}
    assert {w["window_end"]: w["psi"] for w in windows} == scores
    found = rows(lake, model_queries.decay(made.CHAMPION))
    assert [w["week_start"] for w in found] == sorted(w["week_start"] for w in weeks)
    assert found[0]["frauds"] == 99


def test_days_of_a_pair_add_up_to_its_sums():
    rng = Random(2)
    moments = [UNTIL - timedelta(hours=n) for n in range(90)]
    scored = [made.score(transaction(n, at, rng), rng) for n, at in enumerate(moments)]
    lake = ArrowLake({"model_comparison": made.compared(scored, UNTIL)})
    pairs = rows(lake, model_queries.comparison_pairs())
    assert [(p["champion_version"], p["challenger_version"]) for p in pairs] == [(3, 4), (2, 3)]
    for pair in pairs:
        days = rows(
            lake,
            model_queries.comparison_days(pair["champion_version"], pair["challenger_version"]),
        )
        for name in ("transactions", "labelled", "frauds", "only_champion", "only_challenger"):
            assert pair[name] == sum(day[name] for day in days)
        assert [day["date"] for day in days] == sorted(day["date"] for day in days)
        assert (pair["first"], pair["last"]) == (days[0]["date"], days[-1]["date"])


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def sums(**given: int) -> dict[str, int]:
    about = {"champion_version": 3, "challenger_version": 4, "transactions": 900, "labelled": 600}
    return about | {"frauds": 7, "only_champion": 0, "only_challenger": 0} | given


@given(some.integers(0, 60), some.integers(0, 60))
def test_who_is_better_is_said_only_when_chance_is_unlikely(one: int, other: int):
    found = verdict(sums(only_champion=one, only_challenger=other))
    sure = mcnemar(one, other) < 0.05
    assert found.tone == ("open" if not sure else "good" if other > one else "bad")
    assert ("judges better" in found.title) == sure
    if sure:
        assert f"version {4 if other > one else 3}" in found.title
    turned = verdict(sums(only_champion=other, only_challenger=one))
    assert {found.tone, turned.tone} in ({"open"}, {"good", "bad"})


def test_a_verdict_is_in_words():
    found = verdict(sums(only_champion=9, only_challenger=18))
    assert found.title == "No difference shown yet"
    assert "18 were judged rightly by the challenger alone, 9 by the champion alone" in found.text
    assert "in 12 of 100 cases (McNemar's exact test, p = 0.12)" in found.text
    assert verdict(sums(labelled=0, frauds=0)).title == "No labels yet"
    assert verdict(sums()).title == "No difference so far"
    assert "fewer false alarms" in verdict(sums(frauds=0, only_champion=1)).text
    assert "nearly always" in verdict(sums(only_champion=4, only_challenger=4)).text
    assert "in fewer than 1 of 10,000 cases" in verdict(sums(only_challenger=40)).text
    assert "in 2 of 1,000 cases" in verdict(sums(only_champion=10)).text


def test_average_precision_of_days_is_weighed_by_their_frauds():
    days: list[dict[str, Any]] = [
        {"frauds": 3, "champion_precision": 0.5},
        {"frauds": 1, "champion_precision": 0.9},
        {"frauds": 0, "champion_precision": None},
    ]
    assert precision(days, "champion") == pytest.approx(0.6)
    assert precision(days[2:], "champion") is None


@given(texts)
def test_no_text_of_a_model_becomes_markup(text: str):
    version = made.versions(UNTIL)[3] | {"note": None}
    broken = version | {"note": text or HOSTILE, "role": "challenger"}
    html = model_markup.cards([version | {"kind": text}, broken], UNTIL, "http://127.0.0.1:5000/x")
    html += model_markup.alert_list(
        [
            {
                "transaction_ts": UNTIL, "user_id": 8, "card_last4": text, "amount": 3,
                "band": text,
                "score": 0.5, "reasons": text, "model_version": 3, "category": text,
            }
        ]
    )  # fmt: skip
    read = Reader(html)
    known = {"div", "article", "header", "span", "b", "small", "dl", "dt", "dd", "ul", "ol", "li"}
    assert set(read.tags) <= known | {"p", "a", "time"}
    assert text in read.text


def test_bins_are_named_by_their_ends():
    assert model_charts.bins()[:3] == ["0–0.1 %", "0.1–1 %", "1–5 %"]
    assert model_charts.bins()[-1] == "75–100 %"


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def _page() -> None:
    from dashboard.views import models

    models.show()


def page(home: Path, monkeypatch: pytest.MonkeyPatch, mlflow: str = "", **chosen: str) -> AppTest:
    monkeypatch.setenv("FINLAKE_HOME", str(home))
    monkeypatch.setenv("FINLAKE_MLFLOW_URL", mlflow)
    st.cache_resource.clear()
    return opened(_page, **chosen)


def texts_of(app: AppTest) -> str:
    html = [element.proto.body for element in app.get("html")]
    captions = [element.value for element in app.caption]
    return unescape(re.sub(r"<[^>]+>", " ", " ".join([*html, *captions])))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = build(tmp_path_factory.mktemp("models"), UNTIL, number=900)
    made.add_models(found)
    return found


def test_a_lake_without_models_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build(tmp_path, UNTIL, number=30)
    shown = texts_of(page(tmp_path, monkeypatch))
    for title in (
        "No model is known here", "No scores yet", "Nothing to compare yet",
        "Drift was not measured yet", "No week has been judged yet", "No decision yet",
    ):  # fmt: skip
        assert title in shown
    for command in ("finlake train --alias champion", "finlake score", "finlake drift"):
        assert command in shown


def test_scores_without_a_challenger_labels_or_a_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    world = build(tmp_path, UNTIL, number=30)
    champion = [v for v in made.versions(UNTIL) if v["role"] == "champion"][-1]
    world.write("model_versions", [champion])
    rng = Random(1)
    alone = {"challenger_score": None, "challenger_alert": None, "challenger_version": None}
    world.write("fraud_scores", [made.score(t, rng) | alone for t in world.transactions])
    app = page(tmp_path, monkeypatch, span="30 d")
    shown = texts_of(app)
    assert "There is no challenger" in shown
    assert "would have raised" not in shown
    assert "Nothing to compare yet" in shown
    scored = {tile.label: tile.value for tile in app.metric}
    assert int(scored["Scored"]) + int(scored["Without score"]) == 30


def test_all_that_is_known_is_shown(world: World, monkeypatch: pytest.MonkeyPatch):
    app = page(world.settings.home, monkeypatch)
    shown = texts_of(app)
    assert "Version 3" in shown
    assert "XGBoost over 161 features" in shown
    assert "612,003 transactions" in shown
    assert "0.701 to 0.803" in shown
    assert "Version 2 was champion until" in shown
    assert "McNemar's exact test" in shown
    assert "Version 4, the challenger, against version 3, the champion" in shown
    assert "PSI 7.7 × the limit" in shown
    assert "hour" not in re.findall(r"\w+", shown.split("The worst first")[1])  # it did not move
    assert "0.515 (0.425 to 0.595)" in shown
    assert "all 9 checks passed" in shown
    assert "latency" in shown
    tiles = {tile.label: tile.value for tile in app.metric}
    assert tiles["In alarm"] == "2 of 13"


def test_the_address_chooses_what_is_shown(world: World, monkeypatch: pytest.MonkeyPatch):
    chosen = {"features": "All", "versions": "2 against 3", "span": "24 h"}
    app = page(world.settings.home, monkeypatch, **chosen)
    shown = texts_of(app)
    assert "The challenger, version 3, judges better" in shown
    assert "Transactions of the 24 hours up to" in shown
    assert "minutes since last" in shown


def test_mlflow_is_linked_only_while_it_runs(world: World, monkeypatch: pytest.MonkeyPatch):
    home = world.settings.home
    url = "http://127.0.0.1:5017"
    link = f"{url}/#/models/finlake-fraud/versions/3"

    def linked(given: str) -> bool:
        app = page(home, monkeypatch, mlflow=given)
        return link in " ".join(element.proto.body for element in app.get("html"))

    assert linked(url)  # a server elsewhere
    assert not linked("")
    own = [{"component": "mlflow", "state": "healthy", "address": url, "version": "3", "pid": 7}]
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "state.json").write_text(json.dumps(own))
    assert not linked(url)  # the stack of this home has stopped
    (home / "run" / "state.json").unlink()
