"""Alerts on the topic, from a commit in the source, without the Spark application."""

import asyncio
import json
import os
import signal
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from api.services.alerts import Alerts, Listener
from api.services.alerts import Topic as FromKafka
from batch_jobs.load.connection import connect
from connectors.topics import ALERTS_TOPIC
from infra.security import kafka_options
from infra.settings import Settings
from tests.support.stack import finlake, run, running_stack, runs_anew, status_of, wait_for

_INSERT = """
INSERT INTO transactions (id, date, client_id, card_id, amount, use_chip, merchant_id, mcc)
VALUES (%s, UTC_TIMESTAMP(6), 1, 1, %s, 'Online Transaction', 1, 5411)"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    home = tmp_path_factory.mktemp("alerts") / "home"
    with running_stack(home, extras=["alerts"]) as settings:
        yield settings


class Topic:
    """Everything on the alerts' topic so far."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer({**kafka_options(settings), "group.id": "test"})
        self._consumer.assign([TopicPartition(ALERTS_TOPIC, 0, 0)])
        self.alerts: list[dict[str, Any]] = []

    def look(self) -> set[int]:
        while (message := self._consumer.poll(0.5)) is not None:
            if not message.error():
                self.alerts.append(json.loads(message.value() or b"{}"))
        return {alert["transaction_id"] for alert in self.alerts}

    def close(self) -> None:
        self._consumer.close()


def test_alerts_come_on_their_own_and_survive_a_kill(stack):
    with closing(connect(stack)) as source, closing(Topic(stack)) as topic:

        def book(number: int, amount: str) -> None:
            with source.cursor() as cursor:
                cursor.execute(_INSERT, (number, amount))
            source.commit()

        book(1, "3000.00")
        book(2, "3000.01")
        wait_for(lambda: 2 in topic.look(), "the alert of transaction 2")

        pid = status_of(stack.home)["alerts"]["pid"]
        os.kill(pid, signal.SIGKILL)
        book(3, "5000.00")
        wait_for(lambda: 3 in topic.look(), "the alert of what came while nobody looked")
        wait_for(lambda: runs_anew(stack.home, "alerts", pid), "a new start")

        # Four small amounts: two before another end, two after it.
        for number in (4, 5):
            book(number, "1.00")
        pid = status_of(stack.home)["alerts"]["pid"]
        os.kill(pid, signal.SIGTERM)
        for number in (6, 7):
            book(number, "1.00")
        wait_for(lambda: 7 in topic.look(), "the alert that needs uses from before the restart")

    rules = {alert["transaction_id"]: alert["rule"] for alert in topic.alerts}
    assert rules == {2: "amount_over", 3: "amount_over", 7: "card_testing"}
    log = finlake(stack.home, "logs", "alerts", "--lines", "200").stdout
    assert "SIGTERM: stopping" in log
    assert "Traceback" not in log


def test_the_bench_prints_every_leg(stack):
    run(stack.home, "traffic", "--rate", "50", "--seconds", "1")
    printed = run(stack.home, "bench", "alerts", "--rate", "50", "--seconds", "5", "--json")
    found = {one["metric"]: one["value"] for one in map(json.loads, printed.splitlines())}
    assert found["never_seen"] == 0
    for leg in ("commit_to_alert", "leg.commit_to_kafka", "leg.kafka_to_raised"):
        assert found[f"{leg}.count"] > 10
    assert found["peak_rss.alerts"] > 0


def test_the_api_hears_them_from_any_place_on(stack):
    number = 2_000_000  # beyond those of the traffic

    async def listen() -> None:
        alerts = Alerts(lambda: FromKafka(stack))
        loop = asyncio.get_running_loop()

        async def heard(listener: Listener) -> int:
            alert = await asyncio.wait_for(listener.queue.get(), 120)
            assert alert is not None
            number: int = json.loads(alert.body)["transaction_id"]
            return number

        try:
            live = await asyncio.to_thread(alerts.listen, lambda _: True, "", loop)
            whole = await asyncio.to_thread(alerts.listen, lambda _: True, "0:0", loop)
            with closing(Topic(stack)) as topic:
                before = sorted(topic.look())
            told = sorted({json.loads(one.body)["transaction_id"] for one in whole.before})
            assert told == before
            assert not whole.missed
            with closing(connect(stack)) as source, source.cursor() as cursor:
                cursor.execute(_INSERT, (number, "4000.00"))
                source.commit()
            assert [await heard(live), await heard(whole)] == [number, number]
            last = await asyncio.to_thread(
                alerts.listen, lambda _: True, whole.before[-1].id if whole.before else "0:0", loop
            )
            assert [json.loads(one.body)["transaction_id"] for one in last.before] == [number]
        finally:
            alerts.stop()

    asyncio.run(listen())
