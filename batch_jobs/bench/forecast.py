"""``finlake bench forecast``: how long the forecasts of a whole lake take, and how good they are.

The lake is that of ``finlake bench query``: 13.3 million transactions are 1,988 customers over ten
years, as in the Kaggle set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.lake import at, make_lake
from batch_jobs.forecast import Summary, make
from infra.settings import Settings
from models.forecasting.choice import Method

__all__ = ["forecast"]


def forecast(
    settings: Settings,
    transactions: int,
    method: Method = "auto",
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Forecast every customer of a generated lake, days and months.

    Args:
        settings: the home, in which the lake is made; one of that size that is there is taken.
        transactions: size of the lake.
        method: instead of choosing.
        said: takes a line of progress.

    Raises:
        UsageProblem: when the lake's folder holds something else.
    """
    there = at(settings, settings.home / "bench" / f"query-{transactions}")
    make_lake(there, transactions, silver=False, said=said)
    said("forecasting")
    for one in make(there, method=method):
        yield from _figures(one, transactions, method)


def _figures(one: Summary, transactions: int, method: str) -> Iterator[Figure]:
    params: dict[str, float | int | str] = {
        "transactions": transactions, "customers": one.customers, "period": one.period,
        "horizon": one.horizon, "method": method,
    }  # fmt: skip
    made = Figures("forecast", params, {"statsforecast": version("statsforecast")})
    yield made.of("series", one.series, "series")
    yield made.of("wall", one.wall_s, "s")
    yield made.of("cpu", one.cpu_s, "s")
    yield made.of("rate", one.series / max(one.wall_s, 1e-3), "series/s")
    for name, count in one.methods.items():
        yield made.of(f"made by {name}", count, "series")
    if one.tested:
        every = (one.tested, one.mase, one.naive_mase, one.coverage)
        for name, found in {"held out": every, **one.by_method}.items():
            series, mase, naive, coverage = found
            yield made.of(f"{name}.series", series, "series")
            yield made.of(f"{name}.mase", mase, "of the seasonal naive in the history")
            yield made.of(f"{name}.naive_mase", naive, "of the seasonal naive in the history")
            yield made.of(f"{name}.coverage", 100 * coverage, "%")
