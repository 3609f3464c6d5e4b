"""``finlake bench api``: the API under load, one worker over a lake and models of the bench's own.

The service is a process of its own, asked by this one over loopback; both share the machine. The
mix is what an application would ask: mostly single predictions, beside questions about customers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from api.services.access_store import AccessStore
from api.services.memory import Memory
from batch_jobs.bench.figures import Figure, Figures, percentiles
from batch_jobs.bench.lake import at, make_lake
from batch_jobs.bench.load import Asked, Outcome, closed_loop, open_loop
from batch_jobs.bench.model import save_model
from batch_jobs.bench.sets import generated
from finlake.errors import FinlakeError
from infra.environment import environment
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings
from infra.stack.process import with_parent
from lakehouse_schemas import contracts
from models.artifact import Origin
from models.features import NAMES, compute
from models.registry import AMOUNT, CATEGORY, CHAMPION, FRAUD, Registry
from models.serving import look, noted
from models.spending.learning import learn_amount, learn_category
from models.spending.plan import Plan

__all__ = ["api", "asked_of", "rise"]

_USERS: Final = 100
_WARM_S: Final = 10.0
_STEP_S: Final = 10.0
_LEARNT: Final = 60_000  # transactions that models of category and amount learn from
_RATES: Final = (150, 200, 250, 300, 400, 500, 700, 1000)
_GOOD_MS: Final = 50.0
_ROWS: Final = 10_000
_PATIENCE_S: Final = 180.0
_MINUTE_S: Final = 60.0
_PAID: Final = 5  # payments of a commit
_DAYS: Final = "agg_customer_day"
_SINGLE: Final = ("anomaly", "category", "amount")


def api(
    settings: Settings,
    transactions: int,
    seconds: float,
    soak: float = 0.0,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Measure the service over a lake of that size.

    Args:
        settings: the home, below which lake and models are made, or taken when they are there.
        transactions: size of the lake.
        seconds: how long 100 users ask once a second each.
        soak: how long to go on with that, to see whether memory stays; nought for not at all.
        said: takes a line of progress.

    Raises:
        FinlakeError: the service did not come up, or a question was not answered.
    """
    home = settings.home / "bench" / f"api-{transactions}"
    own = at(settings, home / "lake").model_copy(update={"home": home})
    make_lake(own, transactions, silver=False, said=said)
    _models(own, said)
    figures = Figures("api", {"transactions": transactions, "seconds": seconds, "users": _USERS})
    facts, customers = _newest(own)
    yield from _features(own, figures, facts, said)
    store = AccessStore(home / "api" / "access.sqlite")
    keys = [store.create(f"bench {n}", "analyst")[1] for n in range(_USERS)]
    mix = _mix(facts, customers)
    with _service(own) as (place, process):
        yield figures.of("models_load", _gauge(place, "finlake_api_models_load_seconds"), "s")
        yield figures.of("started_rss", process.memory_info().rss / 2**20, "MiB")
        said(f"{_USERS} users, once a second each, {seconds:g} s after {_WARM_S:g} s to warm up")
        # Customers are read once each before: the lake stands still, so they stay read.
        closed_loop(place, keys[:1], [a for a in mix if a.name == "trends"], _WARM_S)
        open_loop(place, keys, mix, _USERS, _WARM_S)
        spent = _cpu(process)
        found = open_loop(place, keys, mix, _USERS, seconds)
        yield figures.of("load.cpu", (_cpu(process) - spent) / found.seconds, "cores")
        yield from _told(figures, found)
        yield from _batches(figures, place, keys[0], facts, said)
        yield from _cached(figures, place, keys[:8], customers, said)
        yield from _knee(figures, place, keys, mix, said)
        yield from _live(own, figures, place, keys, mix, seconds, said)
        if soak:
            yield from _soak(figures, place, keys, mix, process, soak, said)
        yield figures.of("peak_rss", _peak(process), "MiB")


def _models(settings: Settings, said: Callable[[str], None]) -> None:
    """Models of the size of real ones, in a registry of the bench's own."""
    if len([one for one in noted(settings.home).values() if one.version]) < len(_SINGLE):
        said(f"models are learnt from {_LEARNT:,} transactions")
        events = generated(_LEARNT, 1)
        plan = Plan.of(events, None, None, None)
        origin = Origin("bench", 1, plan.trained, plan.tested, {}, "", "", {})
        with tempfile.TemporaryDirectory(dir=settings.home) as place:
            made = Path(place)
            save_model(made / FRAUD, 1)
            learn_category(events, plan, 1)[0].save(made / CATEGORY, origin)
            learn_amount(events, plan, 1)[0].save(made / AMOUNT, origin)
            for name in (FRAUD, CATEGORY, AMOUNT):
                registry = Registry(settings, name)
                registry.appoint(registry.register(made / name), CHAMPION)
    look(settings)


def _newest(settings: Settings) -> tuple[list[dict[str, Any]], list[int]]:
    """The newest transactions as requests have them, and their customers."""
    with Query(settings) as query:
        rows = query.query(
            "SELECT * FROM gold.fact_transactions WHERE transaction_ts >="
            " (SELECT max(transaction_ts) - INTERVAL 6 DAY FROM gold.fact_transactions)"
            " ORDER BY transaction_id DESC LIMIT 12000"
        ).to_pylist()
    return [asked_of(row) for row in rows], sorted({row["user_id"] for row in rows})[:20]


def asked_of(fact: dict[str, Any]) -> dict[str, Any]:
    """A transaction of gold as a request has it."""
    online = fact["is_online"]
    return {
        "at": fact["transaction_ts"].isoformat(),
        "transaction_id": fact["transaction_id"],
        "user_id": fact["user_id"],
        "card_id": fact["card_id"],
        "merchant_id": fact["merchant_id"],
        "merchant_city": "" if online else fact["merchant_city"],
        "merchant_state": "" if online else fact["merchant_state"] or "",
        "zip": "" if online else fact["zip"] or "",
        "mcc": fact["mcc"],
        "amount": f"{fact['amount']:.2f}",
        "channel": fact["channel"],
        "errors": [one for one in (fact["errors"] or "").split(",") if one],
    }


def _less(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _mix(facts: Sequence[dict[str, Any]], customers: Sequence[int]) -> list[Asked]:
    """Twenty questions a round, over many rounds of other rows and customers."""
    found = []
    for turn in range(200):
        rows = [facts[(turn * 31 + n) % len(facts)] for n in range(12)]
        user = customers[turn % len(customers)]
        about = {"user_id": user}
        single = [Asked("anomaly", "/api/v1/predict/anomaly", row) for row in rows[:7]]
        single += [
            Asked("category", "/api/v1/predict/category", _less(row, "mcc")) for row in rows[7:9]
        ]
        single += [
            Asked("amount", "/api/v1/predict/amount", _less(row, "amount", "errors"))
            for row in rows[9:11]
        ]
        found += [
            *single,
            Asked(
                "validate", "/api/v1/predict/validate", {"what": "anomaly", "rows": rows[11:12]}
            ),
            Asked("score", "/api/v1/insights/health-score", about),
            Asked("trends", f"/api/v1/insights/trends/{user}"),
            Asked("budget", "/api/v1/budget/recommend", about),
            Asked("alerts", "/api/v1/budget/alerts", about),
            Asked("subscriptions", "/api/v1/recommendations/subscriptions", about),
            Asked("transactions", f"/api/v1/customers/{user}/transactions?limit=20"),
            Asked("cashflow", "/api/v1/forecast/cashflow", about | {"balance": "900.00"}),
            Asked("status", "/api/v1/models/status"),
            Asked(
                "goal", "/api/v1/goals/reverse-plan",
                {"target": "3000.00", "saved": "100.00", "start": "2019-09-01", "months": 12},
            ),
        ]  # fmt: skip
    return found


@contextmanager
def _service(settings: Settings) -> Iterator[tuple[tuple[str, int], psutil.Process]]:
    """One worker, ready, with limits that do not stand in the way."""
    log = settings.home / "api.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "finlake", "api", "serve", "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            preexec_fn=with_parent(),  # noqa: PLW1509 (see there)
            env=environment(
                FINLAKE_HOME=str(settings.home), FINLAKE_LAKE=settings.lake,
                FINLAKE_API_RATE_KEY="1000000/second", FINLAKE_API_RATE_ADDRESS="1000000/second",
            ),
        )  # fmt: skip
        try:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            address = process.stdout.readline().strip().rpartition("//")[2]
            host, _, port = address.rpartition(":")
            if not port.isdecimal():
                raise FinlakeError(f"the API did not start; see {log}")
            place = (host, int(port))
            _wait(place, process, log)
            yield place, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def _wait(place: tuple[str, int], process: subprocess.Popen[str], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if b'"ok"' in _get(place, "/health/ready"):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise FinlakeError(f"the API did not come up; see {log}")


def _get(place: tuple[str, int], path: str) -> bytes:
    url = f"http://{place[0]}:{place[1]}{path}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def _gauge(place: tuple[str, int], name: str) -> float:
    for line in _get(place, "/metrics").decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise FinlakeError(f"the API has no figure {name}")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak(process: psutil.Process) -> float:
    """Most memory that the process has held, MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return process.memory_info().rss / 2**20


def _features(
    settings: Settings,
    figures: Figures,
    facts: Sequence[dict[str, Any]],
    said: Callable[[str], None],
) -> Iterator[Figure]:
    """All features of one row, its history and its events among them."""
    from api.schemas.predictions import AskTransaction
    from api.services.rows import facts_of

    said("features of 500 rows, one by one")
    with Query(settings) as query:
        began = time.perf_counter()
        known = Memory(query).known()
        yield figures.of("past_load", time.perf_counter() - began, "s")
        yield figures.of("past_transactions", len(known), "transactions")
        asked = [AskTransaction.model_validate(row) for row in facts[:550]]
        took = []
        for row in asked:
            began = time.perf_counter()
            events = known.events(facts_of([row], known)[0])
            compute(known.history(events), events, names=NAMES)
            took.append((time.perf_counter() - began) * 1000)
    yield from figures.spread("features", took[50:], "ms")


def _told(figures: Figures, found: Outcome, title: str = "load") -> Iterator[Figure]:
    yield figures.of(f"{title}.rate", found.answered / found.seconds, "requests/s")
    yield figures.of(f"{title}.errors", found.failed, "requests")
    yield from figures.spread(f"{title}.single", found.of(lambda name: name in _SINGLE), "ms")
    yield from figures.spread(f"{title}.every", found.of(lambda _: True), "ms")
    if title != "load":
        return
    for name in sorted(found.took):
        yield from list(figures.spread(f"load.{name}", found.took[name], "ms"))[:3]


def _batches(
    figures: Figures,
    place: tuple[str, int],
    key: str,
    facts: Sequence[dict[str, Any]],
    said: Callable[[str], None],
) -> Iterator[Figure]:
    rows = [facts[n % len(facts)] for n in range(_ROWS)]
    for what, less in (
        ("anomaly", ()), ("category", ("mcc",)), ("amount", ("amount", "errors"))
    ):  # fmt: skip
        said(f"{_ROWS:,} rows at once: {what}")
        body = {"what": what, "rows": [_less(row, *less) for row in rows]}
        took = []
        for _ in range(3):
            found = closed_loop(place, [key], [Asked(what, "/api/v1/predict/batch", body)], 0.001)
            if found.failed:
                raise FinlakeError(f"a batch of {what} was not answered: {found.errors}")
            took += found.of(lambda _: True)
        yield figures.of(f"batch.{what}", sorted(took)[1] / 1000, "s")


def _cached(
    figures: Figures,
    place: tuple[str, int],
    keys: Sequence[str],
    customers: Sequence[int],
    said: Callable[[str], None],
) -> Iterator[Figure]:
    said("reads of answers that are kept")
    asked = [Asked("trends", f"/api/v1/insights/trends/{user}") for user in customers[:50]]
    closed_loop(place, keys, asked, 3.0)
    found = closed_loop(place, keys, asked, 10.0)
    yield figures.of("cached.rate", found.answered / found.seconds, "requests/s")
    yield figures.of("cached.errors", found.failed, "requests")
    yield from figures.spread("cached", found.of(lambda _: True), "ms")


def _knee(
    figures: Figures,
    place: tuple[str, int],
    keys: Sequence[str],
    mix: Sequence[Asked],
    said: Callable[[str], None],
) -> Iterator[Figure]:
    """More and more a second, until single predictions take too long."""
    knee = float(_USERS)
    for rate in _RATES:
        said(f"{rate} requests a second")
        found = open_loop(place, keys, mix, rate, _STEP_S)
        spread = list(figures.spread(f"at_{rate}", found.of(lambda n: n in _SINGLE), "ms"))
        yield from (one for one in spread if one.metric.endswith(("p50", "p99")))
        late = next((one.value for one in spread if one.metric.endswith("p99")), float("inf"))
        if found.failed or late > _GOOD_MS:
            break
        knee = float(rate)
    yield figures.of("knee", knee, "requests/s")


def _live(
    settings: Settings,
    figures: Figures,
    place: tuple[str, int],
    keys: Sequence[str],
    mix: Sequence[Asked],
    seconds: float,
    said: Callable[[str], None],
) -> Iterator[Figure]:
    """The 100 users, while a commit a second brings payments of a few customers."""
    said(f"the same users for {seconds:g} s, while payments come")
    with _paying(settings) as paid:
        found = open_loop(place, keys, mix, _USERS, seconds)
    yield from _told(figures, found, "live")
    yield figures.of("live.commits", paid[0], "commits")


@contextmanager
def _paying(settings: Settings) -> Iterator[list[int]]:
    """Payments like the newest ones, a few a second, into facts and customers' days; counted."""
    lake, done, paid = Lake(settings), threading.Event(), [0]
    with Query(settings) as query:
        rows = query.query(
            "SELECT * FROM gold.fact_transactions ORDER BY transaction_id DESC LIMIT 4000"
        )
    facts, days = (contracts.get(f"gold.{name}") for name in ("fact_transactions", _DAYS))

    def pay() -> None:
        last = pc.max(rows["transaction_id"]).as_py()
        while not done.wait(1.0):
            some = rows.slice(paid[0] * _PAID % (rows.num_rows - _PAID), _PAID)
            ids = pa.array(range(last + 1, last + 1 + _PAID), pa.int64())
            place = some.schema.get_field_index("transaction_id")
            new = some.set_column(place, "transaction_id", ids).cast(facts.lake_schema)
            write_deltalake(lake.ensure(facts), new, mode="append")
            of_day = new.group_by(["date_key", "user_id"]).aggregate([("amount", "sum")])
            write_deltalake(lake.ensure(days), _of_day(of_day, days.lake_schema), mode="append")
            last += _PAID
            paid[0] += 1

    thread = threading.Thread(target=pay)
    thread.start()
    try:
        yield paid
    finally:
        done.set()
        thread.join()


def _of_day(sums: pa.Table, schema: pa.Schema) -> pa.Table:
    rows = [
        {
            "date": datetime.strptime(str(row["date_key"]), "%Y%m%d").date(),  # noqa: DTZ007
            "user_id": row["user_id"],
            "transaction_count": 1,
            "amount_sum": row["amount_sum"],
        }
        for row in sums.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _soak(
    figures: Figures,
    place: tuple[str, int],
    keys: Sequence[str],
    mix: Sequence[Asked],
    process: psutil.Process,
    seconds: float,
    said: Callable[[str], None],
) -> Iterator[Figure]:
    """Memory and latency, minute by minute, under the load; and how memory goes on in the end."""
    said(f"{seconds:g} s of the same load")
    held, late = [], []
    for minute in range(1, max(1, round(seconds / _MINUTE_S)) + 1):
        found = open_loop(place, keys, mix, _USERS, min(_MINUTE_S, seconds))
        held.append(process.memory_info().rss / 2**20)
        yield figures.of(f"soak.rss_{minute}", held[-1], "MiB")
        single = percentiles(found.of(lambda name: name in _SINGLE))
        late.append(single.get("p99", float("inf")))
        for name in ("p50", "p99"):
            yield figures.of(f"soak.single_{minute}.{name}", single.get(name, float("inf")), "ms")
        yield figures.of(f"soak.errors_{minute}", found.failed, "requests")
    yield figures.of("soak.rss_rise", rise(held), "MiB/minute")
    yield figures.of("soak.single.p99_rise", rise(late), "ms/minute")


def rise(values: Sequence[float]) -> float:
    """How much the values rise with each step, by least squares over their latter half.

    The first half is left out: what is kept fills up in it. Nought for fewer than two values.
    """
    rest = np.asarray(values[len(values) // 2 :], dtype=float)
    if len(rest) < 2:
        return 0.0
    steps = np.arange(len(rest)) - (len(rest) - 1) / 2
    return float((steps * rest).sum() / (steps**2).sum())
