"""How long the dashboard's own statements take over a large lake.

The statements are those of :mod:`dashboard.queries` and :mod:`dashboard.model_queries`, at the
newest moment of the lake, asked through the same :class:`infra.lake.query.Query` in one process.
Each is asked first by a ``Query`` that knows nothing (cold: logs and footers are read, the files
are in the system's memory or not, as it happens), then again and again by one that has been asked
everything before (warm). At last something is committed to the tables before each question, as
happens on a live lake.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from batch_jobs.bench.figures import Figure, Figures, percentiles
from batch_jobs.bench.lake import at, make_lake
from batch_jobs.bench.processes import Watch
from batch_jobs.generate.plan import FIRST_ID
from dashboard import (
    alert_queries,
    category_queries,
    model_queries,
    quality_queries,
    queries,
    report_queries,
)
from dashboard.alert_queries import CaseFilters
from dashboard.period import MINUTE, Anchor, period
from dashboard.queries import Filters, Sql
from infra.lake.delta_log import DeltaLog
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["query", "statements"]

_MOST = 50
_LIVE = (
    "timeline.1h",
    "alert_feed.1h",
    "customers.30d",
    "customer_transactions",
    "models.scores.24h",
)

_CHANGED = ("fact_transactions", "agg_minute", "agg_customer_day", "fraud_alerts", "fraud_scores")


def query(
    settings: Settings,
    transactions: int,
    runs: int,
    folder: Path | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Measure every statement, cold once and warm ``runs`` times.

    Args:
        settings: the home, in which the lake is made when no folder is named.
        transactions: size of the lake; one of that size that is there is taken.
        runs: warm runs of each statement.
        folder: where the lake is.
        said: takes a line of progress.

    Raises:
        UsageProblem: when the folder holds something else.
    """
    there = at(settings, folder or settings.home / "bench" / f"query-{transactions}")
    made = make_lake(there, transactions, silver=False, said=said)
    params: dict[str, float | int | str] = {"transactions": transactions, "runs": runs}
    figures = Figures("query", params)
    yield figures.of("lake.made", made.seconds, "s")
    asked = statements(datetime.fromisoformat(made.newest))
    warm: dict[str, list[float]] = {}
    cold: dict[str, float] = {}
    with Watch({"query": os.getpid()}) as watch:
        for name, sql in asked.items():
            cold[name] = _ask(Query(there), sql)
        said(f"{len(asked)} statements, {runs} times each")
        lake = Query(there)
        for sql in asked.values():
            _ask(lake, sql)
        for name, sql in asked.items():
            warm[name] = [_ask(lake, sql) for _ in range(runs)]
            yield figures.of(f"{name}.cold", cold[name], "ms")
            yield from figures.spread(name, warm[name], "ms")
        every = [one for ages in warm.values() for one in ages]
        yield from figures.spread("every", every, "ms")
        worst = max(percentiles(ages)["p95"] for ages in warm.values())
        yield figures.of("worst.p95", worst, "ms")
        live = _Commits(there)
        for name in _LIVE:
            ages = []
            for _ in range(runs):
                live.commit()
                ages.append(_ask(lake, asked[name]))
            yield from figures.spread(f"after_commit.{name}", ages, "ms")
    yield from watch.figures(figures)
    live.sweep()


def statements(newest: datetime) -> dict[str, Sql]:
    """Every statement of every page, by name, at a lake whose last transaction is that old."""
    anchor = Anchor(newest + MINUTE, historical=True)
    oldest = datetime(2010, 1, 1, tzinfo=newest.tzinfo)
    hour, day, week, whole = (
        period(window, anchor, oldest, newest) for window in ("1 h", "24 h", "7 d", "All")
    )
    month = newest.date() - timedelta(days=30)
    first = date(2010, 1, 1)
    nothing, some = Filters(), Filters(channels=("Chip", "Swipe"), states=("CA", "NY"))
    customer, card, case = 17, 17, FIRST_ID
    every, year = CaseFilters(), (day.end - timedelta(days=365), day.end)
    return {
        "extent": queries.extent(),
        "timeline.1h": queries.timeline(hour, nothing),
        "timeline.24h": queries.timeline(day, nothing),
        "timeline.7d": queries.timeline(week, nothing),
        "timeline.all": queries.timeline(whole, nothing),
        "timeline.7d.filtered": queries.timeline(week, some),
        "timeline.all.filtered": queries.timeline(whole, some),
        "alert_timeline.24h": queries.alert_timeline(day, nothing),
        "alert_timeline.all": queries.alert_timeline(whole, nothing),
        "by_category.24h": queries.by_category(day, nothing, everything=False),
        "by_category.all": queries.by_category(whole, nothing, everything=True),
        "by_category.all.filtered": queries.by_category(whole, some, everything=True),
        "by_channel.24h": queries.by_channel(day, nothing, everything=False),
        "by_channel.all": queries.by_channel(whole, nothing, everything=True),
        "alert_feed.1h": queries.alert_feed(hour.start, hour.end, nothing, _MOST),
        "alert_feed.all": queries.alert_feed(whole.start, whole.end, nothing, _MOST),
        "category_months.all": category_queries.months(None),
        "category_months.one": category_queries.months(5411),
        "category_ahead": category_queries.ahead(category_queries.ALL),
        "categories_of_month": category_queries.ranked(
            newest.date().replace(day=1),
            (newest.date().replace(day=1) - timedelta(days=1)).replace(day=1),
            _MOST,
        ),
        "report_editions": report_queries.editions(_MOST),
        "states": queries.states(),
        "alert_rules": queries.alert_rules(),
        "newest_measurement": queries.newest_measurement(),
        "freshness_now": queries.freshness_now(newest - timedelta(minutes=1)),
        "freshness_timeline": queries.freshness_timeline(newest - timedelta(hours=1), MINUTE),
        "table_status": queries.table_status(),
        "batch_totals": queries.batch_totals(newest - timedelta(hours=1)),
        "customers.30d": queries.customers(month, _MOST),
        "customers.all": queries.customers(first, _MOST),
        "customer_days": queries.customer_days(customer, first),
        "customer_forecast": queries.customer_forecast(customer, "day"),
        "customer_forecast_categories": queries.customer_forecast_categories(customer, _MOST),
        "customer_cards": queries.customer_cards(customer),
        "customer_transactions": queries.customer_transactions(customer, _MOST),
        "cards.30d": queries.cards(month, _MOST),
        "cards.all": queries.cards(first, _MOST),
        "card_kinds.30d": queries.card_kinds(month),
        "card_kinds.all": queries.card_kinds(first),
        "merchants.30d": queries.merchants(month, _MOST),
        "merchants.all": queries.merchants(first, _MOST),
        "volume_by_state.30d": queries.volume_by_state(month),
        "volume_by_state.all": queries.volume_by_state(first),
        "models.roles": model_queries.roles(),
        "models.decisions": model_queries.decisions(_MOST),
        "models.last_score": model_queries.last_score(),
        "models.newest_scored": model_queries.newest_scored(),
        "models.newest_transaction": model_queries.newest_transaction(),
        "models.scores.24h": model_queries.scores(day.start, day.end),
        "models.scores.30d": model_queries.scores(day.end - timedelta(days=30), day.end),
        "models.alerts.30d": model_queries.model_alerts(
            day.end - timedelta(days=30), day.end, _MOST
        ),
        "models.comparison_pairs": model_queries.comparison_pairs(),
        "models.comparison_days": model_queries.comparison_days(1, 2),
        "models.drift": model_queries.drift(1),
        "models.drift_of_scores": model_queries.drift_of_scores(1),
        "models.decay": model_queries.decay(1),
        "alerts.newest_case": alert_queries.newest_case(),
        "alerts.cases.7d": alert_queries.cases(week.start, week.end, every, _MOST),
        "alerts.cases.1y": alert_queries.cases(*year, every, _MOST),
        "alerts.cases.1y.filtered": alert_queries.cases(
            *year, CaseFilters(("high",), ("amount_over",), ("medium", "low"), 0.01), _MOST
        ),
        "alerts.case_counts.1y": alert_queries.case_counts(*year, every),
        "alerts.case": alert_queries.case(case),
        "alerts.case_alerts": alert_queries.case_alerts(case),
        "quality.letter_counts": quality_queries.letter_counts(),
        "quality.letters": quality_queries.letters(None, _MOST),
        "quality.set_aside": quality_queries.set_aside(newest - timedelta(hours=1)),
        "quality.rules.facts": quality_queries.broken_rules(
            contracts.get("gold.fact_transactions")
        ),
        "alerts.card_around": alert_queries.card_around(card, day.start, 12, 6),
    }


def _ask(lake: Query, sql: Sql) -> float:
    began = time.perf_counter()
    lake.query(sql.text, sql.params)
    return (time.perf_counter() - began) * 1000


class _Commits:
    """Rewrites the newest small file of the tables that a stream changes all the time."""

    def __init__(self, settings: Settings) -> None:
        lake = Lake(settings)
        self._logs = [DeltaLog(lake, contracts.get(f"gold.{name}")) for name in _CHANGED]
        self._batch = 1_000_000

    def commit(self) -> None:
        self._batch += 1
        for log in self._logs:
            file = min(log.files.values(), key=lambda one: one.rows)
            log.commit("MERGE", [log.write(log.read(file))], [file], ("bench", self._batch))

    def sweep(self) -> None:
        """Delete what was replaced."""
        for log in self._logs:
            log.delete([path for _, path in log.removed])
