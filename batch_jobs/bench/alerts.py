"""From the source's commit to the moment at which a consumer of the topic has the alert.

Markers break a rule for sure: rows of the bench itself with an amount above the threshold, among
live traffic. Each is timed from the moment at which its COMMIT has returned. A second consumer, of
the changes' topic, says when Kafka had the change, so that each leg of the way has its figures.
The same markers are scored, where `finlake score` runs: those that the champion holds to be frauds
have an alert of the model, too, and its way is the scored path. The scoring's own histograms say
where the time goes. Models of the bench's own hold every marker to be a fraud.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from batch_jobs import traffic
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.markers import Markers
from batch_jobs.bench.model import own_models as models_of_its_own
from batch_jobs.bench.processes import Watch, stack_figures, stack_pids
from batch_jobs.bench.scrape import Served, quantiles, scrape
from connectors.config import table_topic
from connectors.topics import ALERTS_TOPIC
from infra.database.users import DATABASE
from infra.kafka import kafka_missing
from infra.security import kafka_options
from infra.settings import Settings
from infra.stack.control import status
from stream_jobs.scoring.verdict import RULE

__all__ = ["Arrivals", "alerts"]

_WARM_UP_S = 5.0  # traffic before the first marker that counts
_MARKERS_EVERY_S = 0.1
_HOLD_S = 3.0
_PATIENCE_S = 30.0  # for the last alerts after the traffic has stopped
_CHANGES = table_topic(DATABASE, "transactions")


@dataclass
class Arrivals:
    """When markers were where, seconds since 1970; of repeats the first."""

    committed: dict[int, float] = field(default_factory=dict)
    in_kafka: dict[int, float] = field(default_factory=dict)
    raised: dict[int, float] = field(default_factory=dict)
    received: dict[int, float] = field(default_factory=dict)
    score_raised: dict[int, float] = field(default_factory=dict)
    score_received: dict[int, float] = field(default_factory=dict)
    repeated: int = 0

    def change(self, key: bytes, kafka_s: float) -> None:
        """A change of a transaction is in Kafka."""
        number = json.loads(key)["id"]
        if number < 0:
            self.in_kafka.setdefault(number, kafka_s)

    def alert(self, body: bytes, now_s: float) -> None:
        """An alert was received."""
        row = json.loads(body)
        number = row["transaction_id"]
        if number >= 0 or row["rule"] not in ("amount_over", RULE):
            return
        by_model = row["rule"] == RULE
        received = self.score_received if by_model else self.received
        if number in received:
            self.repeated += 1
            return
        received[number] = now_s
        raised = self.score_raised if by_model else self.raised
        raised[number] = datetime.fromisoformat(row["raised_at"]).timestamp()

    def unseen(self) -> set[int]:
        """Markers whose alert has not come."""
        return self.committed.keys() - self.received.keys()

    def unscored(self) -> set[int]:
        """Markers of which the model's alert has not come."""
        return self.committed.keys() - self.score_received.keys()

    def legs(self, since: float) -> dict[str, list[float]]:
        """Milliseconds of the whole way and of its parts, of markers committed from then on."""
        stations = (
            *(self.committed, self.in_kafka, self.raised, self.received),
            *(self.score_raised, self.score_received),
        )
        ways = {
            "commit_to_alert": (0, 3),
            "leg.commit_to_kafka": (0, 1),
            "leg.kafka_to_raised": (1, 2),
            "leg.raised_to_received": (2, 3),
            "scored.commit_to_alert": (0, 5),
            "scored.leg.kafka_to_raised": (1, 4),
            "scored.leg.raised_to_received": (4, 5),
        }
        numbers = [number for number, at in self.committed.items() if at >= since]
        return {
            name: [
                (stations[end][n] - stations[start][n]) * 1000
                for n in numbers
                if n in stations[start] and n in stations[end]
            ]
            for name, (start, end) in ways.items()
        }


def alerts(
    settings: Settings,
    rate: float,
    seconds: float,
    seed: int = 1,
    said: Callable[[str], None] = lambda _: None,
    *,
    own_models: bool = False,
) -> Iterator[Figure]:
    """Measure at a rate of changes a second, for so long after a warm-up.

    With ``own_models`` a champion and a challenger of the bench's own score for so long.

    Raises:
        ComponentMissing: when the stack, the alerts or, with models of its own, the scoring do not
            run.
        UsageProblem: when the source is empty, or there are models already.
    """
    addresses = {one.component: one.address for one in status(settings) if one.pid is not None}
    if not own_models:
        yield from _measured(settings, rate, seconds, seed, said, addresses.get("score", ""))
        return
    stack_pids(settings, "score")
    with models_of_its_own(settings, addresses["score"], said):
        yield from _measured(settings, rate, seconds, seed, said, addresses["score"], sure=True)


def _measured(
    settings: Settings,
    rate: float,
    seconds: float,
    seed: int,
    said: Callable[[str], None],
    scoring: str,
    *,
    sure: bool = False,
) -> Iterator[Figure]:
    """``scoring`` is where the scoring has its figures; ``sure``: each marker has its alert."""
    pids = stack_pids(settings, "alerts")
    params: dict[str, float | str] = {
        "rate": rate,
        "seconds": seconds,
        "warm_up_s": _WARM_UP_S,
        "seed": seed,
    }
    figures = stack_figures(settings, "alerts", params)
    found = Arrivals()
    done = threading.Event()
    watching = [
        threading.Thread(target=watch, args=(consumer, found, done), daemon=True)
        for watch, consumer in (
            (_watch_alerts, _at_the_end(settings, ALERTS_TOPIC)),
            (_watch_changes, _at_the_end(settings, _CHANGES)),
        )
    ]

    def on_change(number: int, change: str, at: float) -> None:
        if change == "insert":
            found.committed[number] = at

    cents = {"insert": round(settings.rule_amount_over * 100) + 100}
    markers = Markers(settings, _MARKERS_EVERY_S, _HOLD_S, on_change, cents)
    said(f"{rate:g} changes/s for {seconds:g} s after {_WARM_UP_S:g} s of warm-up")
    for thread in watching:
        thread.start()
    # The traffic shares this process: it must not keep the others from looking at the clock.
    sys.setswitchinterval(0.001)
    since = time.time() + _WARM_UP_S
    before = scrape(scoring) if scoring else {}
    with Watch(pids) as watch:
        markers.start()
        try:
            summary = traffic.run(settings, rate=rate, seconds=seconds + _WARM_UP_S, seed=seed)
        finally:
            markers.stop()
        end = time.monotonic() + _PATIENCE_S
        while found.unseen() or (sure and found.unscored()):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
    done.set()
    for thread in watching:
        thread.join()
    yield figures.of("changes_per_second", summary.rate, "changes/s")
    for name, milliseconds in found.legs(since).items():
        yield from figures.spread(name, milliseconds, "ms")
    yield figures.of("never_seen", len(found.unseen()), "alerts")
    if scoring:
        yield from _hops(figures, before, scrape(scoring))
        yield figures.of("scored.never_seen", len(found.unscored()), "alerts")
    yield figures.of("repeated", found.repeated, "alerts")
    yield from watch.figures(figures)


def _hops(figures: Figures, before: Served, after: Served) -> Iterator[Figure]:
    """Milliseconds of the parts of the scored path, as the scoring process has counted them."""
    hops = {hop: {"hop": hop} for hop in ("read", "scored", "published", "committed")}
    names = {f"scored.hop.{hop}": ("finlake_score_hop_seconds", one) for hop, one in hops.items()}
    names["scored.kafka_to_alert"] = ("finlake_score_alert_seconds", {})
    names["scored.kafka_to_table"] = ("finlake_score_seconds", {})
    for name, (histogram, labels) in names.items():
        values = quantiles(before, after, histogram, labels, (0.5, 0.99))
        for share, value in zip(("p50", "p99"), values, strict=False):
            yield figures.of(f"{name}.{share}", value * 1000, "ms")


def _at_the_end(settings: Settings, topic: str) -> Consumer:
    """A consumer of what comes from now on."""
    consumer = Consumer(
        {
            **kafka_options(settings),
            "group.id": f"finlake-bench-{os.getpid()}",
            "enable.auto.commit": False,
            "log_level": 3,
        }
    )
    try:
        places = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = [
            TopicPartition(
                topic, p, consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
            )
            for p in places
        ]
    except KafkaException as error:
        raise kafka_missing(settings, error) from None
    consumer.assign(ends)
    return consumer


def _watch_alerts(consumer: Consumer, found: Arrivals, done: threading.Event) -> None:
    for message in _messages(consumer, done):
        now = time.time()
        found.alert(_bytes(message.value()), now)


def _watch_changes(consumer: Consumer, found: Arrivals, done: threading.Event) -> None:
    for message in _messages(consumer, done):
        found.change(_bytes(message.key()), message.timestamp()[1] / 1000)


def _messages(consumer: Consumer, done: threading.Event) -> Iterator[Message]:
    while not done.is_set():
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            yield message
    consumer.close()


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b"{}"
