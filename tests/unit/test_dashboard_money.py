"""The pages over the API: one customer's money, and the keys; it answers on a real port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st

from api.client import Client, Refused
from api.schemas.insights import AskHealth
from api.schemas.recommendations import AskSubscriptions
from dashboard import service
from tests.unit.api_world import NOBODY, OWN, ApiWorld, build, served
from tests.unit.dashboard_pages import opened, said

World = tuple[ApiWorld, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    api = build(tmp_path_factory.mktemp("money") / "home", customers=2)
    with served(api) as port:
        yield api, f"http://127.0.0.1:{port}"


@pytest.fixture
def page(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Opens a page as somebody of a role."""
    api, url = world

    def open_(show: Callable[[], None], role: str = "operator", **asked: str) -> Any:
        monkeypatch.setenv("FINLAKE_HOME", str(api.settings.home))
        monkeypatch.setenv("FINLAKE_API_URL", url)
        monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", role)
        st.cache_resource.clear()
        return opened(show, **asked)

    return open_


def _money() -> None:
    from dashboard.views import money

    money.show()


def _keys() -> None:
    from dashboard.views import keys

    keys.show()


# ── My money ─────────────────────────────────────────────────────────────────────────────────────


def test_the_page_shows_what_the_api_says(world, page):
    api, url = world
    with Client(url, api.keys["analyst"]) as client:
        health = client.health_score(AskHealth(user_id=OWN))
        (streaming, *_) = (
            one
            for one in client.subscriptions(AskSubscriptions(user_id=OWN)).subscriptions
            if one.price == 1599
        )
    app = page(_money, who=str(OWN))
    shown = said(app)
    assert f"Health score {health.score:.0f} of 100" in shown
    assert all(part.reason in shown for part in health.parts)
    assert f"{streaming.merchant} " in shown
    assert "$15.99" in shown
    assert f"{streaming.next_due:%d %b %Y}" in shown
    for heading in ("Savings ahead", "Budget of a month", "Subscriptions", "A goal"):
        assert heading in shown
    assert "in 9 of 10 cases" in shown
    assert "falls below zero in" in shown
    assert len(app.get("vega_lite_chart")) == 3


def test_a_goal_can_be_changed(page):
    app = page(_money, who=str(OWN))
    app.number_input(key="target").set_value(2400).run()
    app.number_input(key="months").set_value(24).run()
    assert not app.exception
    assert "To save a month $100.00" in said(app)
    assert "100 %" in said(app)


@pytest.mark.parametrize(
    ("who", "told"),
    [("", "Whose money?"), ("seven", "digits alone"), (str(NOBODY), f"No customer {NOBODY}")],
)
def test_whoever_is_not_there_is_told_so(page, who, told):
    assert told in said(page(_money, **({"who": who} if who else {})))


def test_an_api_that_is_away_is_told(page, monkeypatch):
    monkeypatch.setattr("dashboard.service._asked", _away)
    assert "does not answer" in said(page(_money, who=str(OWN)))


def _away(*_: object) -> None:
    from finlake.errors import ComponentMissing

    raise ComponentMissing("the API does not answer")


def test_without_an_api_in_the_home_the_page_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("FINLAKE_HOME", str(tmp_path))
    st.cache_resource.clear()
    assert "finlake up --with api" in said(opened(_money, who="7"))


def test_the_dashboards_own_key_is_made_again_when_it_was_revoked(world, page):
    api, _ = world
    page(_money, who=str(OWN))
    own = [key for key in api.store.listed() if key.name == "dashboard" and key.revoked is None]
    for key in own:
        assert set(key.scopes) <= {"insights", "predictions", "keys"}
        api.store.revoke(key.id)
    assert service.ask("analyst", lambda client: client.health_score(AskHealth(user_id=OWN))).score
    newer = [key for key in api.store.listed() if key.name == "dashboard" and key.revoked is None]
    assert len(newer) == 1


def test_a_key_that_was_given_is_used_and_no_other(world, page, monkeypatch):
    api, _ = world
    monkeypatch.setenv("FINLAKE_API_KEY", api.keys["viewer"])
    before = len(api.store.listed())
    assert "these are not your data" in said(page(_money, who=str(OWN)))
    assert len(api.store.listed()) == before
    monkeypatch.setenv("FINLAKE_API_KEY", "fl_nobody")
    with pytest.raises(Refused, match=r"^401 "):
        service.ask("analyst", lambda client: client.models())


# ── API keys ─────────────────────────────────────────────────────────────────────────────────────


def test_an_administrator_makes_rotates_and_revokes_a_key(world, page):
    api, url = world
    app = page(_keys, "admin")
    app.text_input(key="new_name").set_value("anna's phone")
    (make,) = (button for button in app.button if button.label == "Make it")
    make.click().run()
    assert "new_name" not in said(app)
    assert "name: " in said(app), "an apostrophe is no part of a key's name"
    app.text_input(key="new_name").set_value("phone of anna")
    app.selectbox(key="new_role").set_value("customer")
    app.text_input(key="new_user").set_value(str(OWN))
    (make,) = (button for button in app.button if button.label == "Make it")
    make.click().run()
    assert not app.exception
    (secret,) = (code.value for code in app.code)
    with Client(url, secret) as anna:
        assert anna.ask("GET", "/session")["user_id"] == OWN
    assert "phone of anna" in said(app)
    (key,) = (one for one in api.store.listed() if one.name == "phone of anna")
    app.selectbox(key="chosen").set_value(key.id).run()
    assert not app.code, "a secret is shown once"
    (rotate,) = (button for button in app.button if button.label == "New secret")
    assert rotate.disabled
    app.checkbox(key="sure").check().run()
    (revoke,) = (button for button in app.button if button.label == "Revoke")
    revoke.click().run()
    assert f"phone of anna ({key.id}) is revoked" in said(app)
    assert api.store.key(key.id).revoked is not None
    with Client(url, secret) as anna, pytest.raises(Refused, match=r"^401 "):
        anna.ask("GET", "/session")


def test_others_see_no_key(page):
    for role in ("analyst", "operator"):
        app = page(_keys, role)
        assert "For administrators" in said(app)
        assert not app.button
