"""How long the questions of BI tools take over a large lake, through one of the engines.

The questions are those of :mod:`batch_jobs.bench.bi_queries`, at the newest moment of the lake.
Trino is started for the measurement, over that lake and with nothing else beside it. Times are
those of whoever asks: from the statement until its last row is there. Processor time is that of the
engine, so that figures of a busy machine can be compared too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from batch_jobs.bench.bi_queries import bi_queries
from batch_jobs.bench.figures import Figure, Figures, percentiles
from batch_jobs.bench.lake import at, make_lake
from batch_jobs.bench.processes import Watch
from infra.lake.catalogue import Catalogue
from infra.lake.engine import Engine
from infra.lake.query import Query
from infra.lake.trino import Trino
from infra.settings import Settings
from infra.stack.alone import running
from infra.stack.trino import trino_password
from lakehouse_schemas.render.access import CATALOGUE_USER

__all__ = ["bi"]


def bi(
    settings: Settings,
    engine: str,
    transactions: int,
    runs: int,
    folder: Path | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Measure every question, cold once and warm ``runs`` times.

    Args:
        settings: the home, in which the lake is made when no folder is named.
        engine: ``duckdb`` or ``trino``.
        transactions: size of the lake; one of that size that is there is taken.
        runs: warm runs of each question.
        folder: where the lake is.
        said: takes a line of progress.

    Raises:
        UsageProblem: when the folder holds something else.
        ComponentMissing: when Trino cannot be had or does not come up.
    """
    there = at(settings, folder or settings.home / "bench" / f"query-{transactions}")
    made = make_lake(there, transactions, silver=False, said=said)
    params: dict[str, float | int | str] = {
        "engine": engine,
        "transactions": transactions,
        "runs": runs,
    }
    asked = bi_queries(datetime.fromisoformat(made.newest))
    with _opened(there, engine, said) as (one, pid, components):
        figures = Figures("query", params, components)
        process = psutil.Process(pid)
        with Watch({engine: pid}) as watch:
            cold = {query.name: _ask(one, query.sql, query.params) for query in asked}
            said(f"{len(asked)} questions, {runs} times each")
            for query in asked:  # so that the engine has compiled what it will
                _ask(one, query.sql, query.params)
            warm = {}
            for query in asked:
                before = _seconds(process)
                ages = [_ask(one, query.sql, query.params) for _ in range(runs)]
                spent = (_seconds(process) - before) / runs * 1000
                warm[query.name] = ages
                yield figures.of(f"{query.name}.cold", cold[query.name], "ms")
                yield from figures.spread(query.name, ages, "ms")
                yield figures.of(f"{query.name}.cpu", spent, "ms")
            yield from figures.spread("every", [a for ages in warm.values() for a in ages], "ms")
            worst = max(percentiles(ages)["p95"] for ages in warm.values())
            yield figures.of("worst.p95", worst, "ms")
        yield from watch.figures(figures)


@contextmanager
def _opened(
    settings: Settings, engine: str, said: Callable[[str], None]
) -> Iterator[tuple[Engine, int, dict[str, str]]]:
    """The engine over that lake, its process, and its version where that is not a package's."""
    if engine == "duckdb":
        with Query(settings) as query:
            yield query, os.getpid(), {}
        return
    home = settings.home / "bench" / "trino"
    alone = settings.model_copy(update={"home": home})
    said("starting Trino")
    with running(alone, "trino") as (component, pid):
        found = component.exports()
        url, authority = found["FINLAKE_TRINO_URL"], Path(found["FINLAKE_TRINO_CA"])
        alone = alone.model_copy(update={"trino_url": url, "trino_ca": authority})
        with Trino(alone, CATALOGUE_USER, trino_password(home, CATALOGUE_USER)) as registering:
            Catalogue(alone, registering).update()
        with Trino(alone, "admin", trino_password(home, "admin")) as trino:
            yield trino, pid, {"trino": component.version}


def _ask(engine: Engine, sql: str, params: tuple[object, ...]) -> float:
    began = time.perf_counter()
    engine.query(sql, params)
    return (time.perf_counter() - began) * 1000


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
