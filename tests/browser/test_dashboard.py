"""The dashboard in a real browser, against figures counted here from the rows themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Locator, Page, expect

from infra.settings import secret
from tests.browser.conftest import minute_after, screenshot
from tests.browser.gold import CATEGORIES, Row, World, alert, build, transaction
from tests.support.browser import SCREENSHOTS

Open = Callable[..., Page]
Start = Callable[[], str]
PAGES = {
    "": "Live",
    "alerts": "Fraud alerts",
    "customers": "Customers",
    "money": "My money",
    "cards": "Cards",
    "merchants": "Merchants",
    "categories": "Categories",
    "models": "Models",
    "quality": "Quality",
    "reports": "Reports",
    "pipeline": "Pipeline",
}
LENGTHS = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "24 h": timedelta(days=1),
    "7 d": timedelta(days=7),
}


@pytest.fixture(autouse=True)
def _patient():
    expect.set_options(timeout=60_000)


# ── what should be shown, counted from the rows ───────────────────────────────────────────────────


def bounds(world: World, window: str) -> tuple[datetime, datetime]:
    newest = max(t["transaction_ts"] for t in world.transactions)
    end = minute_after(newest)
    if window == "All":
        return datetime(2000, 1, 1, tzinfo=UTC), end
    return end - LENGTHS[window], end


def expected(transactions: Iterable[Row], alerts: Iterable[Row]) -> dict[str, str]:
    rows = list(transactions)
    volume = sum((t["amount"] for t in rows), Decimal(0))
    return {
        "Transactions": f"{len(rows):,}",
        "Volume": f"{'-' if volume < 0 else ''}${abs(volume):,.0f}",
        "Declined": f"{sum(t['is_declined'] for t in rows):,}",
        "Fraud": f"{sum(t['is_fraud'] is True for t in rows):,}",
        "Alerts": f"{len(list(alerts)):,}",
    }


def expected_in(world: World, window: str) -> dict[str, str]:
    start, end = bounds(world, window)
    alerts = [a for a in world.alerts if start <= a["transaction_ts"] < end]
    return expected(world.within(start, end), alerts)


# ── reading and using the page ────────────────────────────────────────────────────────────────────


def tile(page: Page, label: str) -> Locator:
    metric = page.get_by_test_id("stMetric").filter(
        has=page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    )
    return metric.get_by_test_id("stMetricValue")


def expect_tiles(page: Page, figures: dict[str, str]) -> None:
    for label, value in figures.items():
        expect(tile(page, label)).to_have_text(value)


def choose(page: Page, window: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(window, exact=True).click()


def scroll_to(page: Page, what: Locator) -> None:
    """Scroll there and wait until the page stands: a list that is open closes when it scrolls."""
    place = -1.0
    while place != (place := (what.bounding_box() or {"y": -1.0})["y"]):
        what.scroll_into_view_if_needed()
        page.wait_for_timeout(300)


def expect_no_trouble(page: Page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.locator(".fl-error")).to_have_count(0)
    assert "Traceback" not in page.inner_text("body")


def expect_fits(page: Page) -> None:
    width = page.viewport_size["width"]  # type: ignore[index]
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.tagName + ' ' + e.className)"""
    )
    assert outside == []


# ── the live page ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("window", ["15 min", "1 h", "24 h", "7 d", "All"])
def test_the_tiles_show_what_the_rows_add_up_to(
    window: str, history: World, history_app: str, open_page: Open
):
    page = open_page(history_app)
    choose(page, window)
    expect_tiles(page, expected_in(history, window))
    expect_no_trouble(page)


def test_without_a_day_of_news_time_runs_up_to_the_newest_transaction(
    history: World, history_app: str, open_page: Open
):
    page = open_page(history_app)
    _, end = bounds(history, "1 h")
    expect(
        page.get_by_text(f"as of the newest transaction, {end:%d %b %Y %H:%M:%S} UTC")
    ).to_be_visible()
    expect(page.locator(".fl-alerts time").first).to_contain_text("before")


def test_categories_and_channels_add_up(history: World, history_app: str, open_page: Open):
    page = open_page(history_app)
    choose(page, "All")
    expect_tiles(page, expected_in(history, "All"))
    groceries = [t["amount"] for t in history.transactions if t["mcc"] == 5411]
    row = page.locator(".fl-bars li").filter(has_text=CATEGORIES[5411])
    expect(row.locator("b")).to_have_text(f"${sum(groceries):,.0f}")
    expect(row).to_contain_text(f"{len(groceries):,} tx")
    for channel in ("Swipe", "Chip", "Online"):
        number = sum(t["channel"] == channel for t in history.transactions)
        row = page.locator(".fl-bars li").filter(has_text=re.compile(rf"^\s*{channel}\b"))
        expect(row).to_contain_text(f"{number:,} tx")


def test_the_feed_shows_the_newest_alerts_with_masked_cards(
    history: World, history_app: str, open_page: Open
):
    page = open_page(history_app)
    choose(page, "All")
    newest = sorted(
        history.alerts, key=lambda a: (a["transaction_ts"], a["raised_at"]), reverse=True
    )
    feed = page.locator(".fl-alerts > li")
    expect(feed).to_have_count(12)
    shown = [feed.nth(place).get_attribute("data-alert") for place in range(12)]
    assert shown == [a["alert_id"] for a in newest[:12]]
    card = newest[0]["card_id"]
    last4 = f"{(card // 10 * 7919 + card % 10) % 10_000:04d}"
    expect(feed.first).to_contain_text(f"•••• {last4}")
    expect(feed.first).to_contain_text(newest[0]["reason"])
    expect(feed.first).to_contain_text(f"customer {newest[0]['user_id']}")
    expect(feed.first.locator(".fl-amount")).to_have_text(
        f"{'-' if newest[0]['amount'] < 0 else ''}${abs(newest[0]['amount']):,.2f}"
    )
    page.get_by_role("button", name="Show 25 more").click()
    expect(feed).to_have_count(37)


def test_filters_narrow_tiles_and_feed(history: World, history_app: str, open_page: Open):
    page = open_page(history_app)
    choose(page, "All")
    page.get_by_role("button", name="Filters").click()

    page.get_by_test_id("stButtonGroup").get_by_text("high", exact=True).click()
    high = [a for a in history.alerts if a["severity"] == "high"]
    expect_tiles(page, expected(history.transactions, high))
    expect(page.locator(".fl-alerts > li:not(.fl-high)")).to_have_count(0)
    expect(page.locator(".fl-alerts > li").first).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("high", exact=True).click()

    page.get_by_test_id("stButtonGroup").get_by_text("Online", exact=True).click()
    online = [t for t in history.transactions if t["channel"] == "Online"]
    numbers = {t["transaction_id"] for t in online}
    expect_tiles(
        page, expected(online, [a for a in history.alerts if a["transaction_id"] in numbers])
    )
    page.get_by_test_id("stButtonGroup").get_by_text("Online", exact=True).click()
    # What is typed while the page is drawn anew is lost.
    everything = expected(history.transactions, history.alerts)
    expect_tiles(page, everything)

    page.get_by_label("Customer number").fill("825")
    page.get_by_label("Customer number").press("Enter")
    theirs = [t for t in history.transactions if t["user_id"] == 825]
    expect_tiles(page, expected(theirs, [a for a in history.alerts if a["user_id"] == 825]))
    expect(page.get_by_role("button", name="Filters (1)")).to_be_visible()
    page.get_by_label("Customer number").fill("no number")
    page.get_by_label("Customer number").press("Enter")
    expect(page.get_by_text("A customer number has digits alone")).to_be_visible()
    page.get_by_label("Customer number").fill("")
    page.get_by_label("Customer number").press("Enter")
    expect(page.get_by_text("A customer number has digits alone")).to_have_count(0)
    expect_tiles(page, everything)

    page.get_by_label("State or country").click()
    page.get_by_role("option", name="CA", exact=True).click()
    californian = [t for t in history.transactions if t["merchant_state"] == "CA"]
    expect_tiles(
        page,
        expected(californian, [a for a in history.alerts if a["merchant_state"] == "CA"]),
    )
    expect_no_trouble(page)


def test_filters_are_usable_on_a_phone(history_app: str, open_page: Open):
    page = open_page(history_app, 390)
    expect(page.locator(".fl-alerts")).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    choice = page.get_by_test_id("stButtonGroup").get_by_text("high", exact=True)
    expect(choice).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "filters-390.png")
    choice.click()
    expect(page.locator(".fl-alerts > li:not(.fl-high)")).to_have_count(0)
    expect_fits(page)


def test_what_was_chosen_stays_in_the_address(history: World, history_app: str, open_page: Open):
    page = open_page(history_app)
    choose(page, "All")
    page.get_by_role("button", name="Filters").click()
    page.get_by_test_id("stButtonGroup").get_by_text("Online", exact=True).click()
    online = [t for t in history.transactions if t["channel"] == "Online"]
    numbers = {t["transaction_id"] for t in online}
    figures = expected(online, [a for a in history.alerts if a["transaction_id"] in numbers])
    expect_tiles(page, figures)
    expect(page).to_have_url(re.compile("channels=Online"))
    again = open_page(page.url)
    expect_tiles(again, figures)
    expect(again.get_by_role("button", name="Filters (1)")).to_be_visible()
    ranked = open_page(f"{history_app}/merchants")
    choose(ranked, "All")
    expect(ranked).to_have_url(re.compile("days=All"))


@pytest.mark.parametrize(
    ("zone", "newest"),
    [("Asia/Tokyo", "01 Nov 2019 08:59:00 JST"), ("America/New_York", "31 Oct 2019 19:59:00 EDT")],
)
def test_times_are_the_readers_own(zone: str, newest: str, history_app: str, open_page: Open):
    page = open_page(f"{history_app}/?window=24+h", zone=zone)
    expect(page.get_by_text(f"as of the newest transaction, {newest}")).to_be_visible()
    screenshot(page, f"live-{zone.replace('/', '-')}")
    customer = open_page(f"{history_app}/customers?who=825&days=All", zone=zone)
    expect(customer.get_by_text(f"Time ({zone})")).to_be_visible()
    screenshot(customer, f"customer-{zone.replace('/', '-')}")
    months = open_page(f"{history_app}/categories", zone=zone)
    expect(months.locator(".fl-table").first).to_be_visible()
    screenshot(months, f"categories-{zone.replace('/', '-')}")


@pytest.mark.parametrize("path", ["", "alerts", "customers", "categories", "reports", "quality"])
def test_every_control_is_reached_by_the_keyboard(path: str, history_app: str, open_page: Open):
    page = open_page(f"{history_app}/{path}")
    expect(page.locator(".fl-bars, .fl-table, .fl-hops, .fl-cases").first).to_be_visible()
    page.get_by_test_id("stCheckbox").get_by_text("Pause").click()
    expect(page.locator(".fl-stamp")).to_contain_text("Paused")
    page.wait_for_timeout(1_000)
    stops = page.evaluate(
        """() => {
            const kinds = 'a[href], button, input, textarea, summary, [tabindex="0"]';
            const all = [...document.querySelectorAll('[data-testid=stMain] :is(' + kinds + ')')]
                .filter(e => !e.disabled && e.tabIndex >= 0 && e.getClientRects().length
                    && getComputedStyle(e).visibility != 'hidden');
            // A group of buttons is one stop: arrows go on within it.
            const groups = all.map(e => e.closest('[data-testid=stButtonGroup]') ?? e);
            const stops = groups.map(group => groups.indexOf(group));
            all.forEach((e, place) => e.dataset.stop = stops[place]);
            return all.map((e, place) => [stops[place], e.outerHTML.slice(0, 120)]);
        }"""
    )
    assert len(stops) > 3
    page.evaluate("document.activeElement.blur()")
    reached: set[str] = set()
    for _ in range(2 * len(stops) + 30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.stop || ''"))
    assert [what for stop, what in stops if str(stop) not in reached] == []


def test_new_rows_appear_without_a_reload_unless_paused(
    tmp_path: Path, app: Start, open_page: Open
):
    now = datetime.now(UTC)
    world = build(tmp_path, now, number=400)
    page = open_page(app())
    choose(page, "All")
    expect_tiles(page, expected_in(world, "All"))
    page.evaluate("window.neverReloaded = true")

    rng = Random(1)
    more = [transaction(90_000_000 + n, now + timedelta(seconds=n), rng) for n in range(25)]
    world.add(more, [alert(more[7], "impossible_travel")])
    expect_tiles(page, expected_in(world, "All"))
    expect(page.locator(".fl-alerts > li").first).to_have_attribute(
        "data-alert", "90000007:impossible_travel"
    )

    page.get_by_test_id("stCheckbox").get_by_text("Pause").click()
    expect(page.locator(".fl-stamp")).to_contain_text("Paused")
    before = expected_in(world, "All")
    world.add([transaction(91_000_000, now + timedelta(seconds=30), rng)], [])
    page.wait_for_timeout(5_000)  # two refreshes, had it not been paused
    expect_tiles(page, before)
    page.get_by_test_id("stCheckbox").get_by_text("Pause").click()
    expect_tiles(page, expected_in(world, "All"))
    assert page.evaluate("window.neverReloaded") is True
    expect_no_trouble(page)


def test_text_from_the_data_stays_text(tmp_path: Path, app: Start, open_page: Open):
    hostile = "<img src=x onerror='document.title=String(1)'><b>Rome</b>"
    world = build(tmp_path, datetime(2019, 10, 31, 12, tzinfo=UTC), number=50)
    row = transaction(
        95_000_000,
        datetime(2019, 10, 31, 12, 1, tzinfo=UTC),
        Random(1),
        merchant_city=hostile,
        merchant_state="Italy",
    )
    world.add([row], [alert(row, "first_abroad") | {"reason": f"`{hostile}`"}])
    world.set_status({"cards": (hostile, hostile)}, datetime.now(UTC))
    page = open_page(app())
    first = page.locator(".fl-alerts > li").first
    expect(first).to_contain_text(hostile)
    expect(page.locator(".fl-banner")).to_contain_text(hostile)
    assert page.locator(".fl-alerts img, .fl-banner img, .fl-facts b").count() == 0
    assert page.title() != "1"


# ── every page ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "light"), (1280, "dark")])
def test_every_page_is_drawn_and_fits(
    path: str, width: int, theme: str, history_app: str, open_page: Open
):
    page = open_page(f"{history_app}/{path}", width, theme)
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
    # Nobody's money is shown until somebody is named.
    drawn = ".fl-bars, .fl-table, .fl-hops, .fl-cases" + (", .fl-empty" if path == "money" else "")
    expect(page.locator(drawn).first).to_be_visible()
    expect(page.locator(".fl-stamp")).to_contain_text("updated")
    expect_no_trouble(page)
    expect_fits(page)
    screenshot(page, f"{path or 'live'}-{width}-{theme}")


@pytest.mark.parametrize("width", [1280, 390])
def test_one_customer_up_close(width: int, history: World, history_app: str, open_page: Open):
    page = open_page(f"{history_app}/customers?who=825", width)
    choose(page, "All")
    theirs = [t for t in history.transactions if t["user_id"] == 825]
    expect(tile(page, "Transactions")).to_have_text(f"{len(theirs):,}")
    volume = sum(t["amount"] for t in theirs)
    expect(tile(page, "Volume")).to_have_text(f"${volume:,.0f}")
    expect(page.get_by_role("heading", name="Spending ahead")).to_be_visible()
    expect(page.get_by_text("expected in the 30 days after 31 Oct 2019")).to_be_visible()
    newest = max(theirs, key=lambda t: (t["transaction_ts"], t["transaction_id"]))
    rows = page.locator(".fl-table").filter(has_text="Time (UTC)").locator("tbody tr")
    expect(rows.first).to_contain_text(f"${abs(newest['amount']):,.2f}")
    expect_fits(page)
    screenshot(page, f"customer-{width}")


def test_pages_show_no_more_of_a_card_than_four_digits(history_app: str, open_page: Open):
    for path in ("", "customers?who=825", "cards", "alerts"):
        page = open_page(f"{history_app}/{path}")
        expect(page.get_by_text(re.compile(r"••••\s[0-9]{4}")).first).to_be_visible()
        assert not re.search(r"\d{12,}", page.inner_text("body"))


def test_customers_cards_and_merchants_rank_by_what_the_rows_add_up_to(
    history: World, history_app: str, open_page: Open
):
    def top(key: str) -> tuple[object, int, Decimal]:
        sums: dict[object, list[Decimal]] = {}
        for row in history.transactions:
            sums.setdefault(row[key], []).append(row["amount"])
        best = max(sums, key=lambda k: sum(sums[k]))
        return best, len(sums[best]), sum(sums[best], Decimal(0))

    for path, key in (("customers", "user_id"), ("merchants", "merchant_id")):
        page = open_page(f"{history_app}/{path}")
        choose(page, "All")
        name, number, volume = top(key)
        first = page.locator(".fl-table tbody tr").first
        expect(first.locator("td").first).to_have_text(str(name))
        expect(first).to_contain_text(f"${volume:,.2f}")
        expect(first).to_contain_text(f"{number:,}")

    page = open_page(f"{history_app}/cards")
    choose(page, "All")
    alerts: dict[int, int] = {}
    for row in history.alerts:
        alerts[row["card_id"]] = alerts.get(row["card_id"], 0) + 1
    expect(page.locator(".fl-table tbody tr").first.locator("td").last).to_have_text(
        str(max(alerts.values()))
    )


# ── the alerts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_the_way_from_the_alerts_to_one_case(
    width: int, theme: str, history: World, history_app: str, open_page: Open
):
    """A case is opened within the filters that were chosen, and its address brings it back."""
    page = open_page(f"{history_app}/alerts?days=30+d&severity=high", width, theme)
    expect(page.get_by_role("button", name="Filters (1)")).to_be_visible()
    listed = page.locator(".fl-cases > li")
    expect(listed).to_have_count(15)
    expect(page.locator(".fl-cases > li:not(.fl-high)")).to_have_count(0)
    over = page.locator(".fl-cases > li").filter(has_text="amount over").first
    number = over.get_attribute("data-case") or ""
    raised = next(a for a in history.alerts if a["alert_id"] == f"{number}:amount_over")
    over.locator("a").click()
    case = page.locator(".fl-case")
    expect(case.get_by_role("heading")).to_have_text(f"Transaction {number}")
    expect(case.locator(".fl-amount")).to_have_text(f"${raised['amount']:,.2f}")
    expect(page.locator(".fl-why")).to_contain_text(raised["reason"])
    expect(page.locator(".fl-table tr.fl-this")).to_contain_text(f"${raised['amount']:,.2f}")
    expect(page.locator(".fl-cases a[aria-current]")).to_have_count(1)
    for part in ("days=30+d", "severity=high", f"case={number}"):
        assert part in page.url
    expect_no_trouble(page)
    expect_fits(page)
    screenshot(page, f"case-{width}-{theme}")
    page.get_by_text("Back to the list").click()
    expect(case).to_have_count(0)
    expect(listed).to_have_count(15)
    expect(page.locator(".fl-cases > li:not(.fl-high)")).to_have_count(0)


# ── the models ────────────────────────────────────────────────────────────────────────────────────


def test_the_way_through_the_models(history_app: str, open_page: Open):
    """From who decides to why, with what was chosen kept in the address."""
    page = open_page(f"{history_app}/models", 390)
    champion = page.locator(".fl-champion")
    expect(champion).to_contain_text("Version 3")
    expect(champion).to_contain_text("0.701 to 0.803")
    expect(page.locator(".fl-challenger")).to_contain_text("Alarms from")
    expect(page.locator(".fl-verdict")).to_contain_text("No difference shown yet")
    choice = page.get_by_test_id("stSelectbox").locator("input")
    scroll_to(page, choice)
    choice.click()
    page.get_by_role("option", name="2 against 3").click()
    expect(page.locator(".fl-verdict")).to_contain_text("The challenger, version 3, judges better")
    choose(page, "30 d")
    expect(page.get_by_text("Transactions of the 30 days")).to_be_visible()
    drift = page.locator(".fl-table").filter(has_text="The worst first")
    expect(drift.locator("tbody tr")).to_have_count(3)
    expect(drift.locator("tr.fl-alarm")).to_have_count(2)
    choose(page, "All")
    expect(drift.locator("tbody tr")).to_have_count(13)
    page.get_by_text("alerts of the champion").click()
    expect(page.locator(".fl-alerts .fl-reason").first).to_contain_text("amount over card mean")
    for part in ("span=30+d", "features=All", "versions=2+against+3"):
        assert part in page.url
    again = open_page(page.url, 390)
    expect(again.locator(".fl-verdict")).to_contain_text("version 3, judges better")
    expect_no_trouble(again)
    expect_fits(again)


# ── the pipeline ──────────────────────────────────────────────────────────────────────────────────


def test_the_pipeline_page_shows_freshness_and_what_became_of_changes(
    history_app: str, open_page: Open
):
    page = open_page(f"{history_app}/pipeline")
    expect(page.locator(".fl-hops li")).to_have_count(5)
    for hop in ("kafka", "bronze", "silver", "gold", "alert"):
        expect(page.locator(f"[data-hop={hop}] .fl-p50")).to_have_text(re.compile(r"^\d.* m?s$"))
    expect(page.get_by_text("the counts add up")).to_be_visible()
    expect(page.get_by_text("No embedded stack here")).to_be_visible()
    page.get_by_text("Per table", exact=True).click()
    table = page.locator(".fl-table").filter(has_text="per source table and hop")
    expect(table.locator("tbody tr")).to_have_count(10)
    page.wait_for_timeout(3_000)
    expect(table).to_be_visible()  # a refresh does not close what the reader opened


def test_unaccounted_changes_and_stopped_tables_are_told(
    tmp_path: Path, app: Start, open_page: Open
):
    now = datetime.now(UTC)
    world = build(tmp_path, now, number=100)
    world.log_batches(now, minutes=2)
    world.write(
        "pipeline_batches",
        [
            {"batch_id": 9_999, "table_name": "users", "events": 10, "applied": 7}
            | {"superseded": 0, "quarantined": 0, "started_at": now, "duration_ms": 9.0}
        ],
    )
    reason = "column credit_limit was dropped at mysql-bin.000003:4711"
    world.set_status({"cards": (reason, "add it again, then `finlake connectors restart`")}, now)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.json").write_text(
        '[{"component": "kafka", "state": "healthy", "address": "127.0.0.1:9092",'
        ' "version": "Kafka 4.3.1", "pid": 7}]',
        encoding="utf-8",
    )
    address = app()
    for path in ("", "pipeline"):
        page = open_page(f"{address}/{path}")
        banner = page.locator(".fl-banner")
        expect(banner).to_contain_text("cards stopped")
        expect(banner).to_contain_text(reason)
        expect(banner.locator("code")).to_have_text("finlake connectors restart")
    expect(page.get_by_text("3 changes are unaccounted for")).to_be_visible()
    expect(page.locator(".fl-components li")).to_contain_text("kafka")
    expect(page.locator(".fl-components li")).to_contain_text("Kafka 4.3.1")
    screenshot(page, "pipeline-trouble-1280")
    phone = open_page(f"{address}/pipeline", 390)
    expect(phone.locator(".fl-banner")).to_contain_text(reason)
    expect_fits(phone)
    screenshot(phone, "pipeline-trouble-390")


# ── reports, and who may do what ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [1280, 390])
def test_the_way_from_the_editions_to_a_report_as_a_file(
    width: int, history: World, history_app: str, open_page: Open
):
    page = open_page(f"{history_app}/reports", width)
    page.locator(".fl-cases a").filter(has_text="Daily totals, 30 Oct 2019").click()
    table = page.locator(".fl-table").filter(has_text="SHA-256")
    expect(table.locator("tbody tr").last).to_contain_text("all")
    of_day = [t for t in history.transactions if t["transaction_ts"].date() == date(2019, 10, 30)]
    expect(table.locator("tbody tr").last).to_contain_text(f"{len(of_day)}")
    assert "day=2019-10-30" in page.url
    for name, begins in (("CSV", b"channel,transactions"), ("PDF", b"%PDF")):
        with page.expect_download() as waited:
            page.get_by_test_id("stDownloadButton").get_by_text(name, exact=True).first.click()
        assert waited.value.suggested_filename == f"daily-totals-2019-10-30-1.{name.lower()}"
        assert Path(waited.value.path()).read_bytes().startswith(begins)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect_fits(page)
    screenshot(page, f"report-{width}")


def test_who_signs_in_stays_so_until_signing_out(
    tmp_path: Path, app: Start, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FINLAKE_DASHBOARD_ROLE", "login")
    address = app()
    page = open_page(f"{address}/pipeline", 390)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Components")).to_have_count(0)
    expect_fits(page)
    screenshot(page, "sign-in-390")
    page.get_by_role("textbox", name="Password").fill(
        secret(tmp_path, "dashboard_operator_password")
    )
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Components")).to_be_visible()
    page.wait_for_function("document.cookie.includes('finlake_session=operator.')")
    page.goto(f"{address}/quality")  # as every link within the pages does
    expect(page.get_by_role("heading", level=1)).to_have_text("Quality")
    page.get_by_role("button", name="Sign out (operator)").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.wait_for_function("!document.cookie.includes('finlake_session=operator.')")
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


# ── quality ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [1280, 390])
def test_the_way_from_the_dead_letters_to_one_record(width: int, history_app: str, open_page: Open):
    page = open_page(f"{history_app}/quality?table=gold.fraud_alerts", width)
    expect(page.get_by_text("rules are broken among the")).to_be_visible()
    counted = page.locator(".fl-table").filter(has_text="By table and reason")
    expect(counted.locator("tbody tr")).to_have_count(3)
    listed = page.locator(".fl-cases > li")
    expect(listed).to_have_count(4)
    listed.first.locator("a").click()
    record = page.locator(".fl-table").filter(has_text="are masked")
    expect(record).to_contain_text("after.mcc")
    expect(record).to_contain_text("5411")
    assert "12.30" not in page.inner_text("body")  # an amount says something of people
    assert "record=cdc.finance.transactions%3A0%3A40" in page.url
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect_fits(page)
    screenshot(page, f"quality-record-{width}")


# ── nothing there, and nothing readable ───────────────────────────────────────────────────────────


def test_an_empty_lake_says_what_to_do(app: Start, open_page: Open):
    address = app()
    for path, width in (
        ("", 1280),
        ("", 390),
        ("customers", 390),
        ("cards", 390),
        ("merchants", 390),
    ):
        page = open_page(f"{address}/{path}", width)
        expect(page.get_by_text("No transactions yet")).to_be_visible()
        for command in ("finlake up", "finlake generate", "finlake stream"):
            expect(page.locator(".fl-empty code").filter(has_text=command)).to_be_visible()
        expect_no_trouble(page)
        expect_fits(page)
        screenshot(page, f"empty-{path or 'live'}-{width}")
    page = open_page(f"{address}/alerts", 390)
    expect(page.locator(".fl-empty").get_by_text("No alerts yet")).to_be_visible()
    expect_no_trouble(page)
    expect_fits(page)
    screenshot(page, "empty-alerts-390")
    page = open_page(f"{address}/quality", 390)
    expect(page.locator(".fl-empty").get_by_text("No dead letters")).to_be_visible()
    expect_no_trouble(page)
    expect_fits(page)
    screenshot(page, "empty-quality-390")
    page = open_page(f"{address}/models", 390)
    for title in ("No model is known here", "No scores yet", "Nothing to compare yet"):
        expect(page.locator(".fl-empty").get_by_text(title)).to_be_visible()
    expect_no_trouble(page)
    expect_fits(page)
    screenshot(page, "empty-models-390")
    page = open_page(f"{address}/pipeline")
    expect(page.locator(".fl-empty").get_by_text("Nothing measured yet")).to_be_visible()
    expect_no_trouble(page)
    screenshot(page, "empty-pipeline-1280")


def test_an_empty_page_fills_by_itself(tmp_path: Path, app: Start, open_page: Open):
    page = open_page(app())
    expect(page.get_by_text("No transactions yet")).to_be_visible()
    world = build(tmp_path, datetime(2019, 10, 31, 12, tzinfo=UTC), number=60)
    expect_tiles(page, expected_in(world, "1 h"))
    expect(page.get_by_text("No transactions yet")).to_have_count(0)


def test_an_unreadable_lake_is_one_line_and_comes_back(tmp_path: Path, app: Start, open_page: Open):
    world = build(tmp_path, datetime(2019, 10, 31, 12, tzinfo=UTC), number=60)
    log = tmp_path / "lake" / "gold" / "agg_minute" / "_delta_log"
    commits = {path: path.read_bytes() for path in log.iterdir() if path.is_file()}
    for path in commits:
        path.write_bytes(b"{ not a log }")
    page = open_page(app(), 390)
    error = page.locator(".fl-error")
    expect(error).to_be_visible()
    expect(error).to_contain_text("The lake cannot be read")
    text = page.inner_text("body")
    assert "Traceback" not in text
    assert "0: " not in text  # nor an engine's own frames
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect_fits(page)
    screenshot(page, "broken-390")
    for path, content in commits.items():
        path.write_bytes(content)
        os.utime(path)
    expect_tiles(page, expected_in(world, "1 h"))
    expect(page.locator(".fl-error")).to_have_count(0)
