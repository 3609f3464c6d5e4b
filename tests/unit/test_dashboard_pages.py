"""The pages Live, Customers, Cards, Merchants and Pipeline, and whose clock times are shown by."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import charts
from dashboard.figures import Measures
from dashboard.wording import clock, short_clock, timed
from dashboard.zones import local, zone_name
from tests.browser.gold import Row, World, build
from tests.unit.dashboard_pages import opened_in, said

UNTIL = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)
Show = Callable[[], None]


def _live() -> None:
    from dashboard.views import live

    live.show()


def _alerts() -> None:
    from dashboard.views import alerts

    alerts.show()


def _customers() -> None:
    from dashboard.views import customers

    customers.show()


def _cards() -> None:
    from dashboard.views import cards

    cards.show()


def _merchants() -> None:
    from dashboard.views import merchants

    merchants.show()


def _quality() -> None:
    from dashboard.views import quality

    quality.show()


def _pipeline() -> None:
    from dashboard.views import pipeline

    pipeline.show()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = build(tmp_path_factory.mktemp("pages"), UNTIL, number=500)
    found.log_batches(UNTIL)
    found.set_letters_aside(UNTIL)
    return found


@pytest.fixture
def page(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def of(
        show: Show, home: Path = world.settings.home, zone: str | None = None, **asked: Any
    ) -> AppTest:
        monkeypatch.setenv("FINLAKE_HOME", str(home))
        st.cache_resource.clear()
        return opened_in(zone, show, **asked)

    return of


Page = Callable[..., AppTest]


def html_of(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def tiles(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def expected(rows: list[Row]) -> dict[str, str]:
    volume = sum((r["amount"] for r in rows), Decimal(0))
    return {
        "Transactions": f"{len(rows):,}",
        "Volume": f"{'-' if volume < 0 else ''}${abs(volume):,.0f}",
    }


# ── what the pages show, and what their addresses choose ─────────────────────────────────────────


def test_the_address_of_the_live_page_has_its_window_and_filters(world: World, page: Page):
    everything = page(_live, window="All")
    assert expected(world.transactions).items() <= tiles(everything).items()
    online = [t for t in world.transactions if t["channel"] == "Online"]
    numbers = {t["transaction_id"] for t in online}
    high = [a for a in world.alerts if a["severity"] == "high" and a["transaction_id"] in numbers]
    narrowed = page(_live, window="All", channels=["Online"], severities=["high"])
    assert expected(online).items() <= tiles(narrowed).items()
    assert tiles(narrowed)["Alerts"] == str(len(high))
    theirs = [t for t in world.transactions if t["user_id"] == 825]
    assert expected(theirs).items() <= tiles(page(_live, window="All", customer="825")).items()
    shown = page(_live, window="All", customer="x'; --")
    assert "digits alone" in said(shown)
    assert expected(world.transactions).items() <= tiles(shown).items()


def test_an_alert_of_the_feed_leads_to_its_case_and_its_customer(world: World, page: Page):
    newest = max(world.alerts, key=lambda a: (a["transaction_ts"], a["raised_at"]))
    html = html_of(page(_live, window="All"))
    assert f'href="alerts?case={newest["transaction_id"]}"' in html
    assert f'href="customers?who={newest["user_id"]}"' in html


def test_customers_are_ranked_and_lead_to_themselves(world: World, page: Page):
    sums: dict[int, Decimal] = {}
    for row in world.transactions:
        sums[row["user_id"]] = sums.get(row["user_id"], Decimal(0)) + row["amount"]
    ranked = sorted(sums, key=lambda user: (-sums[user], user))
    html = html_of(page(_customers, days="All"))
    assert [int(n) for n in re.findall(r'href="customers\?who=(\d+)"', html)] == ranked[:20]


def test_one_customer_has_their_own_figures(world: World, page: Page):
    theirs = [t for t in world.transactions if t["user_id"] == 825]
    app = page(_customers, who="825", days="All")
    assert expected(theirs).items() <= tiles(app).items()
    last4 = {f"{(825 * 7919 + place) % 10_000:04d}" for place in range(3)}
    assert last4 <= set(re.findall(r"\d{4}", said(app)))
    assert "No transactions of customer 4" in said(page(_customers, who="4", days="All"))
    assert "digits alone" in said(page(_customers, who="anybody"))


def test_cards_with_the_most_alerts_come_first(world: World, page: Page):
    alerts: dict[int, int] = {}
    for row in world.alerts:
        alerts[row["card_id"]] = alerts.get(row["card_id"], 0) + 1
    app = page(_cards, days="All")
    table = re.findall(r"<tr class=\"fl-ok\">(.*?)</tr>", html_of(app))
    listed = [
        [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", r)] for r in table
    ]
    most = [*sorted(alerts.values(), reverse=True), *[0] * 20]
    assert [int(row[-1]) for row in listed] == most[:20]
    card = max(alerts, key=lambda one: alerts[one])
    assert alerts[card] == int(listed[0][-1])
    assert re.fullmatch(r"••••\s\d{4}", listed[0][0])
    assert not re.search(r"\d{12,}", said(app))
    visa = sum((t["amount"] for t in world.transactions if t["card_id"] % 10 == 0), Decimal(0))
    assert f"${visa:,.0f}" in said(app)


def test_merchants_are_ranked_by_volume_with_their_places(world: World, page: Page):
    sums: dict[int, Decimal] = {}
    for row in world.transactions:
        sums[row["merchant_id"]] = sums.get(row["merchant_id"], Decimal(0)) + row["amount"]
    ranked = sorted(sums, key=lambda merchant: (-sums[merchant], merchant))
    html = html_of(page(_merchants, days="All"))
    assert [int(n) for n in re.findall(r'data-head="Merchant">(\d+)', html)] == ranked[:20]
    places = {t["merchant_city"] for t in world.transactions if t["merchant_id"] == ranked[0]}
    if len(places) > 1:
        assert f"and {len(places) - 1} more" in html
    day = UNTIL.date() - timedelta(6)
    week: dict[int, Decimal] = {}
    for row in world.transactions:
        if row["transaction_ts"].date() >= day:
            week[row["merchant_id"]] = week.get(row["merchant_id"], Decimal(0)) + row["amount"]
    of_week = sorted(week, key=lambda merchant: (-week[merchant], merchant))
    assert of_week[:20] != ranked[:20]
    shown = html_of(page(_merchants, days="7 d"))
    assert [int(n) for n in re.findall(r'data-head="Merchant">(\d+)', shown)] == of_week[:20]


def test_the_pipeline_shows_every_hop(page: Page):
    shown = said(page(_pipeline))
    for hop in ("kafka", "bronze", "silver", "gold"):
        assert hop in shown
    assert "when the stream was last busy" in shown


@pytest.mark.parametrize("show", [_live, _customers, _cards, _merchants])
def test_an_empty_lake_says_what_to_do(show: Show, page: Page, tmp_path: Path):
    assert "No transactions yet" in said(page(show, tmp_path))


def test_a_pipeline_without_figures_says_what_to_start(page: Page, tmp_path: Path):
    assert "Nothing measured yet" in said(page(_pipeline, tmp_path))


# ── whose clock ──────────────────────────────────────────────────────────────────────────────────


def test_outside_of_a_page_times_are_utc():
    assert zone_name() == "UTC"
    assert local(UNTIL) == UNTIL
    assert clock(UNTIL) == "31 Oct 2019 23:58:30 UTC"
    assert (short_clock(UNTIL), timed("Time")) == ("31 Oct 2019 23:58", "Time (UTC)")


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Tokyo", "01 Nov 2019 08:59:00 JST"),
        ("America/New_York", "31 Oct 2019 19:59:00 EDT"),
        ("Europe/Berlin", "01 Nov 2019 00:59:00 CET"),
        ("UTC", "31 Oct 2019 23:59:00 UTC"),
        ("Not/AZone", "31 Oct 2019 23:59:00 UTC"),
        ("../../etc/passwd", "31 Oct 2019 23:59:00 UTC"),
        ("", "31 Oct 2019 23:59:00 UTC"),
        (None, "31 Oct 2019 23:59:00 UTC"),
    ],
)
def test_times_are_the_readers_own(zone: str | None, shown: str, page: Page):
    assert f"as of the newest transaction, **{shown}**" in said(page(_live, zone=zone))


@pytest.mark.parametrize(
    ("show", "asked"),
    [
        (_customers, {"who": "825", "days": "All"}),
        (_quality, {}),
        (_alerts, {"case": "first"}),
    ],
)
def test_columns_of_times_name_the_zone(
    show: Show, asked: dict[str, str], world: World, page: Page
):
    if "case" in asked:
        asked = {"case": str(world.alerts[0]["transaction_id"])}
    shown = said(page(show, zone="Asia/Tokyo", **asked))
    assert "(Asia/Tokyo)" in shown
    assert "UTC" not in shown.replace("Day (UTC)", "")


def test_a_customers_times_are_moved_and_their_days_are_not(world: World, page: Page):
    newest = max(
        (t for t in world.transactions if t["user_id"] == 825), key=lambda t: t["transaction_ts"]
    )
    there = newest["transaction_ts"] + timedelta(hours=9)
    shown = page(_customers, who="825", days="All", zone="Asia/Tokyo")
    assert f"{there:%d %b %Y %H:%M}" in said(shown)
    assert tiles(shown) == tiles(page(_customers, who="825", days="All"))


def test_bars_of_minutes_are_by_the_readers_clock_and_of_days_by_utc():
    def spec(step: timedelta, zone: str) -> Any:
        return charts.volume_bars([(UNTIL, Measures())], step, "#000", zone).to_dict()["encoding"]

    minutes, days = timedelta(minutes=1), timedelta(days=1)
    assert spec(minutes, "Asia/Tokyo")["x"]["scale"]["type"] == "time"
    assert spec(minutes, "Asia/Tokyo")["tooltip"][0]["title"] == "From (Asia/Tokyo)"
    assert "timeUnit" not in spec(minutes, "Asia/Tokyo")["tooltip"][0]
    for step, zone in ((minutes, "UTC"), (days, "Asia/Tokyo")):
        assert spec(step, zone)["x"]["scale"]["type"] == "utc"
        assert spec(step, zone)["tooltip"][0]["timeUnit"].startswith("utc")
        assert spec(step, zone)["tooltip"][0]["title"] == "From (UTC)"
