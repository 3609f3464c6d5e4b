"""The benchmark of the Fraud Detection Handbook: its transactions, its protocol, our features.

The simulator, the protocol and the metrics are those of Le Borgne, Siblini, Lebichot, Bontempi,
"Reproducible Machine Learning for Credit Card Fraud Detection", chapters 3 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finlake.errors import FinlakeError, UsageProblem
from models.features import NAMES, Events
from models.features.events import Array
from models.features.view import DAY
from models.training.learners import Recipe, fit
from models.training.matrix import matrix
from models.training.metrics import Scored, intervals, judge
from models.training.split import Protocol, Split, split

__all__ = ["CHAMPION", "Week", "read", "weeks"]

CHAMPION = Recipe("lightgbm")

FEATURES = tuple(
    name
    for name in NAMES
    if (name.startswith(("merchant_", "band_", "card_unusual_", "card_ratio_", "card_usual_"))
    and not name.startswith(("merchant_sum_", "merchant_mean_", "merchant_ratio_")))
    or name in {
        "amount", "hour", "is_night", "is_weekend", "is_high", "is_unusual", "card_count_24h",
        "card_count_7d", "card_count_30d", "card_mean_7d", "card_mean_30d", "card_mean_90d",
        "card_score_30d", "card_score_90d", "card_deviation_90d", "card_fraud_7d",
        "card_fraud_30d", "card_quiet_fraud_30d", "card_days_since_fraud",
    }
)  # fmt: skip
"""What the benchmark's models look at: the set has no categories, places or attributes, and seven
days of training are few. Chosen on test weeks up to 31 July 2018."""

_COLUMNS = {
    # column of the file: what it is to the features
    "TRANSACTION_ID": "id",
    "CUSTOMER_ID": "card",  # a customer has one card
    "TERMINAL_ID": "merchant",
    "TX_FRAUD": "label",
}


@dataclass(frozen=True)
class Week:
    """How well the week was told; ``start`` is the first day of its training."""

    start: date
    first_test_day: date
    frauds: int
    transactions: int
    metrics: dict[str, float]
    spread: dict[str, tuple[float, float]]


def read(path: Path) -> Events:
    """The file's transactions in order of (time, number).

    Raises:
        UsageProblem: there is no such file, or it has other columns.
    """
    try:
        table = pq.read_table(path, columns=[*_COLUMNS, "TX_DATETIME", "TX_AMOUNT"])
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise UsageProblem(
            f"{path}: cannot be read as the handbook's transactions ({reason}); name its Parquet"
            " file"
        ) from None
    if missing := [name for name in table.column_names if table.column(name).null_count]:
        raise UsageProblem(f"{path}: {missing[0]} has empty values; name the handbook's own file")
    if not table.num_rows:
        raise UsageProblem(f"{path}: has no transaction; name the handbook's own file")
    try:
        columns = {
            ours: table.column(name).cast(pa.int64()).to_numpy() for name, ours in _COLUMNS.items()
        }
        moments = table.column("TX_DATETIME").cast(pa.timestamp("us"), safe=False)
        dollars = table.column("TX_AMOUNT").cast(pa.float64())
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise UsageProblem(
            f"{path}: a column does not hold what the handbook's does ({reason}); name its own file"
        ) from None
    if not set(np.unique(columns["label"]).tolist()) <= {0, 1}:
        raise UsageProblem(f"{path}: TX_FRAUD is not 0 or 1 everywhere; name the handbook's file")
    if not pc.all(pc.is_finite(dollars)).as_py():
        raise UsageProblem(f"{path}: TX_AMOUNT is no number everywhere; name the handbook's file")
    if len(np.unique(columns["id"])) < table.num_rows:  # such as of files that were joined
        columns["id"] = np.arange(table.num_rows)
    columns["customer"] = columns["card"]
    columns["ts"] = moments.cast(pa.int64()).to_numpy()
    columns["cents"] = pc.round(pc.multiply(dollars, 100.0)).to_numpy()
    return Events.of(columns).ordered()


def weeks(
    events: Events,
    start: date,
    *,
    count: int = 4,
    recipe: Recipe = CHAMPION,
    seed: int = 0,
    protocol: Protocol = Protocol(),  # noqa: B008
) -> Iterator[Week]:
    """The week whose training begins on ``start``, and others: ``count`` in all if there are.

    The others are the weeks before it, and where those are too few the weeks after it, as far as
    the file reaches. Each is learnt and judged on its own. A week other than the first that has no
    frauds to learn from or to judge by is passed over.

    Raises:
        UsageProblem: the file does not reach over the days of the first week.
        FinlakeError: the first week has no frauds to learn from or to judge by.
    """
    day = np.floor_divide(events["ts"], DAY)
    first, last = (date(1970, 1, 1) + timedelta(int(day[place])) for place in (0, -1))
    reach = timedelta(protocol.days - 1)
    if start < first or start + reach > last:
        fits = (
            f"START from {first} to {last - reach} fits" if first + reach <= last else "none fits"
        )
        raise UsageProblem(
            f"START={start}: needs the days {start} to {start + reach}, and the file has {first} to"
            f" {last}; {fits}"
        )
    splits = [split(events, start, protocol)]
    for begin in _others(start, first, last - reach):
        if len(splits) == count:
            break
        try:
            splits.append(split(events, begin, protocol))
        except FinlakeError:  # without frauds a week says nothing; only the one asked for must
            continue
    which = np.zeros(len(events), dtype=bool)
    for part in splits:
        which[part.train] = which[part.test] = True
    row = np.cumsum(which) - 1
    values = matrix(events, which, label_delay=protocol.delay_days * DAY, names=FEATURES)
    for part in splits:
        model = fit(recipe, values[row[part.train]], events["label"][part.train], seed)
        scores = model.score(values[row[part.test]])
        yield _judged(events, part, scores, seed)


def _others(start: date, first: date, last: date) -> Iterator[date]:
    """Starts so many weeks before ``start``, the nearest first, then those after it."""
    week = timedelta(7)
    begin = start - week
    while begin >= first:
        yield begin
        begin -= week
    begin = start + week
    while begin <= last:
        yield begin
        begin += week


def _judged(events: Events, part: Split, scores: Array, seed: int) -> Week:
    seen = events.take(part.test)
    day = np.floor_divide(seen["ts"], DAY)
    scored = Scored(day, seen["card"], seen["label"], scores)
    return Week(
        start=part.start,
        first_test_day=date(1970, 1, 1) + timedelta(int(day[0])),
        frauds=int((seen["label"] == 1).sum()),
        transactions=len(seen),
        metrics=judge(scored),
        spread=intervals(scored, seed=seed),
    )
