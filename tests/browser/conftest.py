"""Chromium, and the dashboard as a process of its own over a lake of the test's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from batch_jobs import report
from batch_jobs.forecast import make
from tests.browser.gold import World, build
from tests.browser.models import add_models
from tests.support.browser import SCREENSHOTS, running_chromium

ROOT = Path(__file__).parents[2]
HISTORY_ENDS = datetime(2019, 10, 31, 23, 58, 30, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@contextmanager
def serve(home: Path) -> Iterator[str]:
    """The dashboard of that home, started as a user starts it; yields its address."""
    log = home / "dashboard.log"
    environment = {**os.environ, "FINLAKE_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "finlake", "dashboard", "--port", "0"],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait()
    written = log.read_text(encoding="utf-8")
    assert "Traceback" not in written, written


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        found = re.search(r"dashboard: (http://\S+)", log.read_text(encoding="utf-8"))
        if found:
            try:
                with urllib.request.urlopen(f"{found[1]}/_stcore/health"):  # noqa: S310
                    return found[1]
            except OSError:
                pass
        time.sleep(0.1)
    pytest.fail(f"the dashboard ended: {log.read_text(encoding='utf-8')}", pytrace=False)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake whose transactions end in 2019, so that no clock decides what is shown."""
    world = build(tmp_path_factory.mktemp("history"), HISTORY_ENDS)
    world.log_batches(datetime.now(UTC))
    world.set_status({}, HISTORY_ENDS)
    make(world.settings, periods=["day"], processes=0)
    report.make(world.settings, "daily-totals", HISTORY_ENDS.date() - timedelta(days=1))
    add_models(world)
    world.set_letters_aside(HISTORY_ENDS)
    return world


@pytest.fixture(scope="session")
def history_app(history: World) -> Iterator[str]:
    with serve(history.settings.home) as address:
        yield address


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Starts the dashboard of the test's own home, ``tmp_path``."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(serve(tmp_path))


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address at a width; fails the test on errors and on calls to other hosts."""
    troubles: list[str] = []
    with ExitStack() as stack:

        def opened(url: str, width: int = 1280, theme: str = "light", zone: str = "UTC") -> Page:
            stack.close()  # one page at a time: each of them asks every two seconds
            context = chromium.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if theme == "dark" else "light",
                timezone_id=zone,
            )
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(60_000)
            own = url.split("/")[2]
            page.on(
                "request",
                lambda request: (
                    troubles.append(f"asked another host: {request.url}")
                    if request.url.split(":")[0] in ("http", "https", "ws", "wss")
                    and request.url.split("/")[2] != own
                    else None
                ),
            )
            page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
            page.goto(url)
            return page

        yield opened
    assert not troubles, troubles


def screenshot(page: Page, name: str) -> None:
    """The whole page as a picture under build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"] if page.viewport_size else 1280
    page.wait_for_function(  # every chart is drawn
        """() => !document.querySelector('[data-testid=stSkeleton]')
            && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
                .every(chart => chart.querySelector('canvas, svg'))"""
    )
    measure = "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
    height = 0
    while height != page.evaluate(measure):  # and the page has stopped growing
        height = int(page.evaluate(measure))
        page.set_viewport_size({"width": width, "height": min(height + 60, 6000)})
        page.wait_for_timeout(700)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
    page.set_viewport_size({"width": width, "height": 900})


def minute_after(moment: datetime) -> datetime:
    """The end of that moment's minute."""
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
