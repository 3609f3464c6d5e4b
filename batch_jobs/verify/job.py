"""Compare source, silver and gold, and wait for a stream that is still catching up."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import closing

from batch_jobs.verify.alerts import expected_alerts
from batch_jobs.verify.conservation import conservation
from batch_jobs.verify.engine import dataset, open_engine
from batch_jobs.verify.gold import ADDITIVE, KEYED, VIEWS, compare_additive, compare_keyed
from batch_jobs.verify.history import HISTORIES, tell
from batch_jobs.verify.report import GoldCheck, Report, SourceCheck
from batch_jobs.verify.silver import compare
from batch_jobs.verify.source import MySQLSource, Source
from finlake.errors import ComponentMissing, UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from stream_jobs.transforms.rules import Rules

__all__ = ["check", "verify"]

_POLL_S = 0.5
_GOLD = (*KEYED, *ADDITIVE)
_SHOWN = (
    "bronze.changes",
    "bronze.dead_letters",
    "gold.pipeline_batches",
    *(f"silver.{c.name}" for c in contracts.source_tables()),
    *(f"gold.{name}" for name in _GOLD),
)


def verify(
    settings: Settings,
    tables: Collection[str] = (),
    wait: float = 30,
    said: Callable[[str], None] | None = None,
) -> Report:
    """Check the promises of convergence and conservation.

    While the two sides differ, the check is repeated, so that a stream that is still catching up
    can; the first equal answer, or the last after ``wait``, is the answer.

    Args:
        settings: where source and lake are.
        tables: names of source or gold tables (``cards``, ``gold.dim_card``); all when empty.
        wait: seconds to wait for them to become equal.
        said: takes a line about the waiting.

    Raises:
        UsageProblem: when there is no such table, or the source is no MySQL or MariaDB.
        ComponentMissing: when the source or the lake is not there.
    """
    wanted = _wanted(tables)
    lake = Lake(settings)
    end = time.monotonic() + wait
    while True:
        mark, start = _mark(lake), time.monotonic()
        with closing(MySQLSource(settings)) as source:
            report = check(settings, lake, source, wanted)
        now = time.monotonic()
        if report.equal or now >= end:
            return report
        if said:
            said(f"{next(report.faults())}; waiting up to {end - now:.0f} s for the stream")
        # Leave the stream at least half of the time: it may be on the same machine.
        rest = min(end, now + max(_POLL_S, now - start))
        while time.monotonic() < rest or (_mark(lake) == mark and time.monotonic() < end):
            time.sleep(_POLL_S)


def check(settings: Settings, lake: Lake, source: Source, wanted: Collection[str]) -> Report:
    """Compare once, each table at its newest version.

    Args:
        settings: thresholds of the rules, and the home for what does not fit into memory.
        lake: the lake.
        source: the source.
        wanted: full names of tables to compare, ``source.cards``, ``gold.dim_card``.
    """
    shown = {name.replace(".", "_"): dataset(lake, name) for name in _SHOWN}
    with open_engine(settings.home, shown) as engine:
        engine.run(VIEWS)
        found = [
            compare(table, source, engine, f"silver_{table.name}")
            for table in contracts.source_tables()
            if table.full_name in wanted
        ]
        if any(f"gold.{name}" in wanted for name in HISTORIES):
            tell(engine, lake)
        gold: list[GoldCheck] = []
        for name in _GOLD:
            if f"gold.{name}" not in wanted:
                continue
            if name == "fraud_alerts":
                engine.show("expected_alerts", expected_alerts(engine, Rules.of(settings)))
            judge = compare_additive if name in ADDITIVE else compare_keyed
            gold.append(judge(engine, name))
        return Report(tuple[SourceCheck, ...](found), tuple(gold), conservation(engine))


def _wanted(tables: Collection[str]) -> set[str]:
    """Full names of the tables that are meant."""
    known = {c.name: c.full_name for c in contracts.source_tables()}
    known |= {name: f"gold.{name}" for name in _GOLD}
    names = {name.rsplit(".", 1)[-1] for name in tables}
    unknown = sorted(names - known.keys())
    if unknown:
        raise UsageProblem(
            f"--table {unknown[0]}: there is no such table to verify; there are {', '.join(known)}"
        )
    return {full for name, full in known.items() if not names or name in names}


def _mark(lake: Lake) -> int:
    """What changes when the stream finishes a batch.

    Raises:
        ComponentMissing: when the stream has never written to this lake.
    """
    table = lake.open(contracts.get("gold.pipeline_batches"))
    if table is None:
        raise ComponentMissing(
            f"the lake {lake.spark_root} has no tables yet; fill it with `finlake stream --once`"
        )
    return table.version()
