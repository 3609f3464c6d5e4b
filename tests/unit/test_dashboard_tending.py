"""Who may do what on the pages, and the parts by which the capture and dead letters are tended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import connectors
from connectors import CaptureStatus, Reach
from connectors.letters import Choice, Place
from connectors.rest import ConnectorStatus, TaskStatus
from connectors.topics import Topic, TopicState
from dashboard import access, tending
from finlake.errors import ComponentMissing
from infra.settings import load_settings, secret
from stream_jobs.lag import Lag
from tests.browser.gold import build
from tests.unit.dashboard_pages import opened, said

T0 = 1_800_000_000.0
RUNS = ConnectorStatus("finlake-mariadb", "RUNNING", "3.5", (TaskStatus(0, "RUNNING", None),))
CARDS = TopicState(Topic("cdc.finance.cards", "Changes of cards."), 1, 17, {}, ())
LAGS = [
    Lag("stream", "cdc.finance.cards", 0, 5, 0, 5),
    Lag("stream", "cdc.finance.transactions", 0, 3, 0, 10),
    Lag("stream", "cdc.finance.transactions", 1, 8, 2, 10),
    Lag("score", "cdc.finance.transactions", 0, 1, 4, 10),
]


@pytest.fixture(autouse=True)
def anew() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


# ── Who somebody is ──────────────────────────────────────────────────────────────────────────────


def test_each_role_may_what_the_one_before_it_may():
    may = {g: [w for w in access.LOGINS if access.allowed(g, w)] for g in access.LOGINS}
    assert may == {
        "analyst": ["analyst"],
        "operator": ["analyst", "operator"],
        "admin": ["analyst", "operator", "admin"],
    }


def test_a_password_opens_for_its_own_user_alone(home):
    settings = load_settings()
    assert not access.is_password(settings, "operator", "")
    known = secret(home, "dashboard_operator_password")
    assert access.is_password(settings, "operator", known)
    assert not access.is_password(settings, "admin", known)
    assert not access.is_password(settings, "root", "")
    file = home / "secrets" / "dashboard_operator_password"
    assert file.stat().st_mode & 0o077 == 0


def test_a_cookie_is_good_until_its_time_and_nobody_else_can_make_one(home):
    settings = load_settings()
    token = access.make_token(settings, "operator", int(T0) + 10)
    assert access.read_token(settings, token, T0) == "operator"
    assert access.read_token(settings, token, T0 + 10) is None
    for forged in ("", "x", "operator.9", token.replace("operator", "admin"), token[:-1]):
        assert access.read_token(settings, forged, T0) is None
    root = access.make_token(settings, "root", int(T0) + 10)
    assert access.read_token(settings, root, T0) is None


def test_a_new_password_ends_every_session(home):
    settings = load_settings()
    token = access.make_token(settings, "admin", int(T0) + 10)
    (home / "secrets" / "dashboard_admin_password").unlink()
    assert access.read_token(settings, token, T0) is None


def _app() -> None:
    import streamlit as st

    from dashboard import access

    access.keep()
    if access.role():
        st.write(f"in as {access.actor()}")
        st.button("out", on_click=access.sign_out)
    else:
        access.ask()


def test_who_signs_in_is_in_until_signing_out(home, monkeypatch):
    monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", "login")
    monkeypatch.setattr("dashboard.access.time.sleep", lambda seconds: None)
    app = AppTest.from_function(_app, default_timeout=60).run()
    assert not app.markdown
    app.text_input[0].set_value("guess")
    app.button[0].click().run()
    assert [e.value for e in app.error] == ["The password is not this user's."]
    app.text_input[0].set_value(secret(home, "dashboard_operator_password"))
    app.button[0].click().run()
    assert [m.value for m in app.markdown] == ["in as operator"]
    scripts = [e.proto.body for e in app.get("html")]
    assert any("finlake_session=operator." in one for one in scripts)
    app.button[0].click().run()
    assert not app.markdown
    assert any("max-age=0" in e.proto.body for e in app.get("html"))
    assert not app.exception


def test_what_a_contract_hides_of_a_card_is_hidden_from_all_but_the_admin(home, monkeypatch):
    shown = {}
    for role in access.LOGINS:
        monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", role)
        st.cache_resource.clear()
        shown[role] = access.seen("gold.dim_card", "expires", "12/2030")
    assert shown == {"analyst": "hidden", "operator": "hidden", "admin": "12/2030"}


# ── What is told of Kafka, Connect and the proof ─────────────────────────────────────────────────


def test_lag_is_added_up_by_topic_with_what_is_lost_first():
    found = tending.summed(LAGS)
    assert [(r.reader, r.topic.rsplit(".", 1)[-1], r.lag, r.gone) for r in found] == [
        ("score", "transactions", 6, 3),
        ("stream", "transactions", 9, 0),
        ("stream", "cards", 0, 0),
    ]


def test_the_proof_is_read_from_its_gauges():
    text = (
        "finlake_reconciliation_equal 0.0\n"
        "finlake_reconciliation_lag_seconds 1.5\n"
        'finlake_reconciliation_differences{table="silver.cards"} 2.0\n'
        'finlake_reconciliation_differences{table="silver.users"} 0.0\n'
    )
    assert tending.read_proof(text) == tending.Proof(False, 1.5, {"silver.cards": 2})
    with pytest.raises(ComponentMissing, match="proved nothing"):
        tending.read_proof("up 1\n")


def _pipeline() -> None:
    from dashboard.views import pipeline

    pipeline.show()


def _quality() -> None:
    from dashboard.views import quality

    quality.show()


def page(show: Callable[[], None], monkeypatch: pytest.MonkeyPatch, role: str, **asked: str) -> Any:
    monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", role)
    return opened(show, **asked)


@pytest.fixture
def kafka(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for Kafka and Connect: answers what is asked and notes what is done."""
    done: list[str] = []

    def note(action: str) -> Callable[[object], ConnectorStatus]:
        def noted(_: object) -> ConnectorStatus:
            done.append(action)
            return RUNS

        return noted

    monkeypatch.setattr(tending, "_there", lambda url, what: None)
    monkeypatch.setattr(connectors, "status", lambda _: CaptureStatus(RUNS, 2, {"file": "f"}))
    reach = Reach(RUNS.name, {"file": "f"}, "f:0", "f:9000", 1234)
    monkeypatch.setattr(connectors, "reach", lambda _: reach)
    monkeypatch.setattr(connectors, "source_epoch", lambda _: 2)
    monkeypatch.setattr(tending, "lags", lambda _: LAGS)
    monkeypatch.setattr(tending, "expected", lambda *_, **__: (CARDS.topic,))
    monkeypatch.setattr(tending, "describe", lambda *_: [CARDS])
    monkeypatch.setattr(tending, "_ACTIONS", {name: note(name) for name in tending._ACTIONS})
    fake = SimpleNamespace(may_clear=lambda *_: None, clear=lambda _, name: done.append(name))
    monkeypatch.setattr(tending, "tending", fake)
    monkeypatch.setattr(
        tending, "send_order", lambda _, choice, by: done.append(f"{choice!r} by {by}")
    )
    return done


def test_an_operator_tends_the_connector_and_an_analyst_looks_on(kafka, monkeypatch):
    app = page(_pipeline, monkeypatch, "operator")
    shown = said(app)
    assert "Connector running" in shown
    assert "1,234 B" in shown
    assert "Records not read yet: 15; behind are 2 of 3 pairs" in shown
    for action in ("pause", "resume", "restart"):
        app.button(key=f"connector {action}").click().run()
    assert kafka == ["pause", "resume", "restart"]
    assert "connector finlake-mariadb: RUNNING" in said(app)
    looking = page(_pipeline, monkeypatch, "analyst")
    st.cache_resource.clear()
    looking = page(_pipeline, monkeypatch, "analyst")
    assert not looking.button
    assert "Connector running" in said(looking)


def test_a_topic_is_emptied_by_an_admin_who_names_it_twice_and_when_it_is_read(kafka, monkeypatch):
    app = page(_pipeline, monkeypatch, "admin")
    name = CARDS.topic.name
    app.selectbox[0].set_value(name)
    app.text_input[0].set_value("cards")
    app.button[-1].click().run()
    assert kafka == []
    app.selectbox[0].set_value(name)
    app.text_input[0].set_value(name)
    app.button[-1].click().run()
    assert kafka == [name]
    monkeypatch.setattr(tending, "lags", lambda _: [Lag("stream", name, 0, 1, 0, 5)])
    assert "stream has not read 4 records" in tending.clear_topic(name)
    assert kafka == [name]


def test_where_nobody_answers_each_part_says_so_at_once(home, monkeypatch):
    monkeypatch.setenv("FINLAKE_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    monkeypatch.setenv("FINLAKE_CONNECT_URL", "http://127.0.0.1:9")
    app = page(_pipeline, monkeypatch, "operator")
    shown = said(app)
    assert "Kafka Connect does not answer at 127.0.0.1:9" in shown
    assert "Kafka does not answer at 127.0.0.1:9" in shown
    assert "finlake up --with verify" in shown


def test_an_operator_orders_a_replay_of_what_is_chosen(kafka, tmp_path, monkeypatch):
    until = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)
    world = build(tmp_path, until, number=20)
    world.set_letters_aside(until)
    monkeypatch.setenv("FINLAKE_HOME", str(world.settings.home))
    record = "cdc.finance.transactions:0:40"
    app = page(_quality, monkeypatch, "operator", of="cards", record=record)
    place = Place("cdc.finance.transactions", 0, 40)
    for choice in (Choice("transactions", place=place), Choice("cards")):
        app.button(key=f"replay {choice}").click().run()
        assert kafka.pop() == f"{choice!r} by dashboard, operator"
        assert f"Ordered: {choice}." in said(app)
    st.cache_resource.clear()
    assert not page(_quality, monkeypatch, "analyst", of="cards", record=record).button
    assert kafka == []
