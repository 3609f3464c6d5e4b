"""Read what was spent, forecast it by customer and category, and replace ``gold.forecasts``."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_jobs.forecast.rows import Run, to_table
from batch_jobs.replacing import replace
from batch_jobs.verify.engine import Engine, open_engine, pinned
from finlake.errors import ComponentMissing, UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import contracts
from models.forecasting import (
    METHODS,
    PERIODS,
    Forecasts,
    Panel,
    Period,
    Spending,
    forecast,
    prepare,
)
from models.forecasting.choice import Each, Method
from models.forecasting.series import Array

__all__ = ["Summary", "make"]

_WORTH_PROCESSES = 200  # series from which on starting processes pays
_MOST = {"day": 120, "month": 24}

Watch = Callable[[str, int, int], None]
"""Called with what is being forecast, how many series are done, and how many there are."""


@dataclass(frozen=True)
class Summary:
    """What a run made of one period.

    ``methods`` counts series by the method of their forecast. ``mase``, ``naive_mase`` and
    ``coverage`` are means over the series with a held-out window, of what was said before it began;
    ``by_method`` has them (with the number of series) by the method chosen then. NaN without any.
    ``wall_s`` and ``cpu_s`` count reading, forecasting and the processes beside this one.
    """

    period: str
    horizon: int
    history_until: date
    customers: int
    series: int
    rows: int
    methods: dict[str, int]
    tested: int
    mase: float
    naive_mase: float
    coverage: float
    by_method: dict[str, tuple[int, float, float, float]]
    wall_s: float
    cpu_s: float


def make(
    settings: Settings,
    *,
    periods: Sequence[str] = tuple(PERIODS),
    horizon: int | None = None,
    customers: int | None = None,
    method: Method = "auto",
    processes: int | None = None,
    now: datetime | None = None,
    watch: Watch = lambda _what, _done, _of: None,
) -> list[Summary]:
    """Forecast, and write everything in one commit; a run that is cut short wrote nothing.

    A run replaces the forecasts of its periods and customers, so doing it again over the same data
    gives the same rows but for ``made_at``. The day under way is left out.

    Args:
        settings: the lake, and the home for what does not fit into memory.
        periods: ``day``, ``month`` or both.
        horizon: steps ahead; 30 days and 3 months when not given.
        customers: only so many, those of the lowest numbers; all when not given.
        method: for every series, instead of choosing.
        processes: how many beside this one; as many as there are cores when not given, 0 for none.
        now: the time of the run.
        watch: takes progress.

    Raises:
        UsageProblem: the horizon is too far.
        ComponentMissing: the lake or its facts are not there.
        FinlakeError: another run wrote at the same time.
    """
    for name in periods:
        if horizon is not None and not 1 <= horizon <= _MOST[name]:
            raise UsageProblem(
                f"--horizon {horizon}: of {name}s 1 to {_MOST[name]} can be forecast"
            )
    if method not in METHODS:
        raise UsageProblem(f"--method {method}: there are {', '.join(METHODS)}")
    moment = now or datetime.now(UTC)
    lake = Lake(settings)
    with _reader(settings, lake, moment, customers) as reader, _Spread(processes) as spread:
        made, tables = [], []
        for name in periods:
            clock, cpu = time.monotonic(), _cpu()
            panel = reader.panel(PERIODS[name], horizon or PERIODS[name].horizon)
            found = forecast(
                panel,
                horizon or panel.period.horizon,
                method,
                each=spread.over(panel),
                watch=lambda done, of, what=f"{name}s": watch(what, done, of),  # type: ignore[misc]
            )
            tables.append(to_table(found, reader.run))
            spread.close()
            made.append(_summary(found, tables[-1], time.monotonic() - clock, _cpu() - cpu))
    _replace(lake, pa.concat_tables(tables), None if customers is None else reader.customers)
    return made


class _Reader:
    """What was spent, as it stands at one version of the lake's tables."""

    def __init__(self, engine: Engine, run: Run, customers: int | None) -> None:
        self._engine = engine
        self.run = run
        known = engine.table(
            "SELECT user_id, min(CAST(transaction_ts AS DATE)) AS day FROM facts GROUP BY 1"
            " UNION ALL SELECT user_id, NULL FROM users ORDER BY 1"
        )
        firsts: dict[int, date | None] = {}
        for number, day in zip(known["user_id"].to_pylist(), known["day"].to_pylist(), strict=True):
            firsts[number] = firsts.get(number) or day
        numbers = sorted(firsts)[:customers]
        self.customers = np.array(numbers, dtype=np.int64)
        self._first_days = [firsts[number] for number in numbers]

    def panel(self, period: Period, horizon: int) -> Panel:
        """The series of one period, up to its last whole step."""
        last = period.last_whole(self.run.until)
        stride = period.stride or horizon
        memory = max(period.memory, period.memory // 2 + horizon + period.windows * stride)
        never = last + 1
        first = [never if day is None else period.first_whole(day) for day in self._first_days]
        step = (
            "CAST(transaction_ts AS DATE) - DATE '1970-01-01'"
            if period.name == "day"
            else "(year(transaction_ts) - 1970) * 12 + month(transaction_ts) - 1"
        )
        rows = self._engine.table(
            f"SELECT user_id, mcc, {step} AS step, sum(CAST(amount * 100 AS BIGINT)) AS cents"
            " FROM facts WHERE NOT is_declined"
            f" AND CAST(transaction_ts AS DATE) >= DATE '{period.first_day(last - memory + 1)}'"
            f" AND user_id <= {self.customers[-1] if len(self.customers) else 0} GROUP BY ALL"
        )
        spending = Spending(*(rows[name].cast(pa.int64()).to_numpy() for name in rows.column_names))
        return prepare(
            period, spending, self.customers, np.array(first, dtype=np.int64), last, memory
        )


@contextmanager
def _reader(
    settings: Settings, lake: Lake, moment: datetime, customers: int | None
) -> Iterator[_Reader]:
    facts = lake.open(contracts.get("gold.fact_transactions"))
    if facts is None:
        raise ComponentMissing(
            f"the lake {lake.spark_root} has no gold.fact_transactions yet; fill it with"
            " `finlake stream --once`"
        )
    users = lake.open(contracts.get("gold.dim_user"))
    nobody = contracts.get("gold.dim_user").arrow_schema().empty_table()
    shown = {"facts": pinned(facts), "users": pinned(users) if users else nobody}
    with open_engine(settings.home, shown) as engine:
        (newest,) = engine.row("SELECT max(CAST(transaction_ts AS DATE)) FROM facts")
        yesterday = moment.date() - timedelta(days=1)
        run = Run(
            made_at=moment,
            until=min(newest or yesterday, yesterday),
            transactions_version=facts.version(),
            users_version=users.version() if users else -1,
        )
        yield _Reader(engine, run, customers)


class _Spread:
    """Processes for the fitting, started when there is something to fit.

    They are started afresh, not forked: the engine's threads may hold locks.
    """

    def __init__(self, processes: int | None) -> None:
        self._processes = os.cpu_count() or 1 if processes is None else processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> _Spread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def over(self, panel: Panel) -> Each:
        """A map over these processes, or in this one where that is quicker."""
        if self._processes < 1 or len(panel) < _WORTH_PROCESSES:
            return map
        self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"))
        return self._pool.map

    def close(self) -> None:
        """End the processes, so that what they used is counted."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _replace(lake: Lake, rows: pa.Table, only: Array | None) -> None:
    """One commit: the new rows come, those of the same periods and customers go."""
    periods = pc.unique(rows["period"])

    def gone(old: pa.Table) -> pa.Array:
        same = pc.is_in(old["period"], value_set=periods)
        if only is None:
            return same
        users = pc.is_in(old["user_id"], value_set=pa.array(only, old["user_id"].type))
        return pc.and_(same, users)

    replace(lake, contracts.get("gold.forecasts"), rows, gone, "forecast")


def _summary(found: Forecasts, table: pa.Table, wall: float, cpu: float) -> Summary:
    panel, held = found.panel, found.held
    names, counts = np.unique(found.method.astype(str), return_counts=True)
    tested = np.isfinite(held["mase"]) & np.isfinite(held["naive_mase"])
    by_method = {}
    for name in np.unique(held["method"][tested].astype(str)).tolist():
        rows = tested & (held["method"] == name)
        by_method[name] = (int(rows.sum()), *_means(found, rows))
    mase, naive, coverage = _means(found, tested)
    return Summary(
        period=panel.period.name,
        horizon=found.value.shape[1],
        history_until=panel.period.first_day(panel.last + 1) - timedelta(days=1),
        customers=int((panel.category == 0).sum()),
        series=len(panel),
        rows=table.num_rows,
        methods=dict(zip(names.tolist(), counts.tolist(), strict=True)),
        tested=int(tested.sum()),
        mase=mase,
        naive_mase=naive,
        coverage=coverage,
        by_method=by_method,
        wall_s=wall,
        cpu_s=cpu,
    )


def _means(found: Forecasts, rows: Array) -> tuple[float, float, float]:
    columns: Iterable[Array] = (found.held["mase"], found.held["naive_mase"], found.coverage)
    mase, naive, coverage = (float(c[rows].mean()) if rows.any() else float("nan") for c in columns)
    return mase, naive, coverage


def _cpu() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
