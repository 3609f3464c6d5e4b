"""Seed and commit at the start, what was done and how long recovery took at the end."""

from __future__ import annotations

import json

import pytest

from tests.chaos.harness import COMMIT, LONG, REPORT, SEED


def pytest_report_header() -> str:
    form = "long" if LONG else "short"
    return f"chaos: {form} form, commit {COMMIT}; CHAOS_SEED={SEED} repeats it"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORT:
        terminalreporter.section(f"chaos, CHAOS_SEED={SEED}, commit {COMMIT}")
        for line in REPORT:
            terminalreporter.write_line(json.dumps(line))
