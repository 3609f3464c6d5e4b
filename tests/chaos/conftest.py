"""Seed and commit at the start, what was done and how long recovery took at the end."""

from __future__ import annotations

import json

import pytest

from tests.chaos.harness import COMMIT, LONG, REPORT, SEED


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: only part of `make chaos`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [] if LONG else [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_report_header() -> str:
    form = "long" if LONG else "short"
    return f"chaos: {form} form, commit {COMMIT}; CHAOS_SEED={SEED} repeats it"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORT:
        terminalreporter.section(f"chaos, CHAOS_SEED={SEED}, commit {COMMIT}")
        for line in REPORT:
            terminalreporter.write_line(json.dumps(line))
