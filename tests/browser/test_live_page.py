"""The page of live alerts, as a person sees it; Kafka is a log in memory."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import SCREENSHOTS
from tests.unit.api_world import OTHER, OWN, ApiWorld, build, served
from tests.unit.test_api_alerts import Log, with_log


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    return build(tmp_path_factory.mktemp("api") / "home", customers=2)


def alert(log: Log, number: int, user: int, severity: str = "medium") -> None:
    body = {
        "alert_id": f"{number}:amount", "transaction_id": number, "rule": "amount_over_limit",
        "severity": severity, "reason": "3,001.50 is more than 3,000 dollars",
        "raised_at": "2026-11-22T10:15:30.123456Z", "user_id": user, "card_id": 3,
        "merchant_city": "Vista", "merchant_state": "CA", "amount": "3001.50",
    }  # fmt: skip
    log.put(user, 0, json.dumps(body).encode())


@pytest.mark.parametrize("width", [1280, 390])
def test_alerts_appear_by_themselves_and_after_a_break(
    world: ApiWorld, chromium: Browser, width: int
) -> None:
    log = Log(1)
    page = chromium.new_page(viewport={"width": width, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    with with_log(world, log) as alerts, served(world) as port:
        page.goto(f"http://127.0.0.1:{port}/live")
        page.get_by_label("API key").fill("fl_0_0")
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_role("status")).to_contain_text("send a valid key")
        said.clear()  # the browser notes the refusal
        page.get_by_label("API key").fill(world.keys["analyst"])
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_role("status")).to_have_text("Connected")
        expect(page.get_by_text("No alert yet")).to_be_visible()
        alert(log, 1, OWN)
        alert(log, 2, OTHER, "high")
        rows = page.locator("#rows tr")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("$3,001.50")
        expect(rows.first).to_contain_text("Vista, CA")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"live-alerts-{width}.png")
        width_of_page = page.evaluate("document.documentElement.scrollWidth")
        assert width_of_page <= width
        (listener,) = alerts._listeners
        listener.loop.call_soon_threadsafe(listener.end, "you do not keep up")
        alerts.leave(listener)
        alert(log, 3, OWN)
        expect(rows).to_have_count(3)
        alert(log, 4, OWN)
        expect(rows).to_have_count(4)
        page.close()
    assert said == []
