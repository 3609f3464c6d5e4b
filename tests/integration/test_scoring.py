"""Scores of what is committed in the source, through a kill and a new champion."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from confluent_kafka import Consumer, TopicPartition

from batch_jobs.load.connection import connect
from connectors.topics import ALERTS_TOPIC
from infra.lake.tables import Lake
from infra.security import kafka_options
from infra.settings import Settings
from infra.stack.control import tail
from infra.stack.home import Home
from lakehouse_schemas import contracts
from models.artifact import Model, save
from models.features import FEATURES
from models.features.batch import chunks
from models.features.encode import Attributes, events_of
from models.registry import CHAMPION, Registry
from models.training.learners import Recipe, fit
from models.training.threshold import calibrate
from stream_jobs.scoring.verdict import RULE
from stream_jobs.transforms import gold
from tests.support.stack import running_stack, start, status_of, wait_for
from tests.unit.model_world import ORIGIN

# A score keeps the labels that were known when it was made; the batch knows all of them.
NAMES = [feature.name for feature in FEATURES if feature.family != "fraud rate"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    home = tmp_path_factory.mktemp("scores") / "home"
    with running_stack(home, extras=["score"], FINLAKE_SCORE_RELOAD_SECONDS="0.5") as settings:
        yield settings


def champion(settings: Settings, folder: Path, seed: int, names: Sequence[str] = NAMES) -> Model:
    """Learn something, and have it score."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(1500, len(names))).astype(np.float32) * 50
    label = (values[:, seed] > 60).astype(np.int64)
    learnt = fit(Recipe("lightgbm", {"n_estimators": 20}), values, label, seed)
    save(folder, learnt, names, calibrate(learnt.score(values), label), 0.2, ORIGIN)
    registry = Registry(settings)
    registry.promote(registry.register(folder))
    return registry.load(CHAMPION)


def source(settings: Settings, name: str) -> pa.Table:
    """A table of the source as silver should have it."""
    contract = contracts.get(f"silver.{name}")
    columns = [c for c in contract.columns if not c.name.startswith("_")]
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(c.name for c in columns)} FROM {name}")
        rows = cursor.fetchall()
    arrays = [pa.array([r[i] for r in rows], c.arrow_type) for i, c in enumerate(columns)]
    found = pa.Table.from_arrays(arrays, names=[c.name for c in columns])
    return found.append_column("_is_deleted", pa.array([False] * len(rows)))


def by_batch(settings: Settings, model: Model) -> dict[int, float]:
    dims = (gold.dim_rows(d, source(settings, s)) for d, s in
            (("dim_card", "cards"), ("dim_user", "users"), ("dim_mcc", "mcc_codes")))  # fmt: skip
    wide = gold.wide(source(settings, "transactions"), source(settings, "fraud_labels"))
    history = events_of(gold.fact_rows(wide), Attributes.of(*dims))
    found: dict[int, float] = {}
    for places, features in chunks(history, names=model.features):
        values = np.column_stack([features[name] for name in model.features]).astype(float)
        numbers = history["id"][places].tolist()
        found |= dict(zip(numbers, model.probability(values).tolist(), strict=True))
    return found


def scores(settings: Settings) -> dict[int, tuple[float | None, int | None]]:
    table = Lake(settings).open(contracts.get("gold.fraud_scores"))
    if table is None:
        return {}
    columns = ("transaction_id", "score", "model_version")
    rows = table.to_pyarrow_dataset().to_table(columns=list(columns))
    numbers, found, versions = (rows.column(name).to_pylist() for name in columns)
    assert len(set(numbers)) == len(numbers)
    return dict(zip(numbers, zip(found, versions, strict=True), strict=True))


def test_scores_are_those_of_the_batch_through_a_kill_and_a_new_champion(stack, tmp_path):
    wait_for(lambda: status_of(stack.home)["score"]["state"] == "healthy", "the scoring")
    first = champion(stack, tmp_path / "first", 1)
    wait_for(
        lambda: f"champion: {first.name} {first.version}" in logs(stack), "the first champion", 600
    )
    words = ("--seed", "3", "--start", "2019-03-01", "--end", "2019-05-31")
    pid = status_of(stack.home)["score"]["pid"]
    filling = start(stack.home, "generate", "--transactions", "20000", *words)
    wait_for(lambda: scores(stack), "some scores")
    os.kill(pid, signal.SIGKILL)
    before = len(scores(stack))
    assert filling.wait() == 0
    wait_for(lambda: len(scores(stack)) >= 20_000, "all scores", 600)
    assert before < 20_000

    expected = by_batch(stack, first)
    wait_for(lambda: told(scores(stack)) == expected, "the scores that the batch has", 600)
    assert {version for _, version in scores(stack).values()} == {first.version}

    second = champion(stack, tmp_path / "second", 2)
    wait_for(lambda: f"champion: {second.name} {second.version}" in logs(stack), "the second", 600)
    with closing(connect(stack)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT max(id) + 1 FROM transactions")
        ((number,),) = cursor.fetchall()
        cursor.execute(
            """INSERT INTO transactions (id, date, client_id, card_id, amount, use_chip,
                merchant_id, mcc) SELECT %s, '2019-06-01', client_id, id, 12.5,
                'Online Transaction', 1, 5411 FROM cards ORDER BY id LIMIT 1""",
            (number,),
        )
        connection.commit()
    wait_for(lambda: number in scores(stack), "the score of what came last", 600)
    assert scores(stack)[number] == (by_batch(stack, second)[number], second.version)
    assert "Traceback" not in logs(stack)


def test_scores_are_there_once_through_kills_and_a_broker_that_starts_again(stack, tmp_path):
    # A score keeps the card and customer of its moment, and traffic changes them.
    own = ("time", "amount", "velocity", "last use", "novelty")
    without = ("amount_to_limit", "amount_to_income")
    names = [f.name for f in FEATURES if f.family in own and f.name not in without]
    model = champion(stack, tmp_path / "third", 3, names)
    wait_for(lambda: f"champion: {model.name} {model.version}" in logs(stack), "the third", 600)
    traffic = start(stack.home, "traffic", "--rate", "150", "--seconds", "40", "--seed", "5")
    random = Random(5)
    for name in ("score", "score", "kafka", "score"):
        time.sleep(random.uniform(1, 6))
        os.kill(status_of(stack.home)[name]["pid"], signal.SIGKILL)
        wait_for(partial(is_healthy, stack, name), name, 600)
    assert traffic.wait() == 0

    def by_it() -> dict[int, float | None]:
        found = scores(stack)
        return {n: score for n, (score, version) in found.items() if version == model.version}

    def all_there() -> bool:
        every = set(source(stack, "transactions")["id"].to_pylist())
        return every == set(scores(stack))

    wait_for(all_there, "a score of each transaction, and of no other", 600)
    assert len(by_it()) > 500
    expected = by_batch(stack, model)
    wait_for(
        lambda: by_it() == {n: expected[n] for n in by_it()}, "the scores that the batch has", 600
    )
    table = Lake(stack).open(contracts.get("gold.fraud_scores"))
    assert table is not None
    alarms = table.to_pyarrow_dataset().to_table(filter=pc.field("is_alert"))
    assert set(alarms["transaction_id"].to_pylist()) <= told_on_the_topic(stack)


def is_healthy(settings: Settings, name: str) -> bool:
    return bool(status_of(settings.home)[name]["state"] == "healthy")


def told_on_the_topic(settings: Settings) -> set[int]:
    """Transactions of which there is an alert of a model."""
    consumer = Consumer(
        {**kafka_options(settings), "group.id": "test", "enable.partition.eof": True}
    )
    with closing(consumer):
        places = list(
            consumer.list_topics(ALERTS_TOPIC, timeout=10).topics[ALERTS_TOPIC].partitions
        )
        consumer.assign([TopicPartition(ALERTS_TOPIC, p, 0) for p in places])
        ended: set[int | None] = set()
        found: set[int] = set()
        while len(ended) < len(places):
            for message in consumer.consume(1000, 1):
                if message.error():
                    ended.add(message.partition())
                    continue
                alert = json.loads(message.value() or b"{}")
                if alert["rule"] == RULE:
                    found.add(alert["transaction_id"])
        return found


def told(found: dict[int, tuple[float | None, int | None]]) -> dict[int, float | None]:
    return {number: score for number, (score, _) in found.items()}


def logs(settings: Settings) -> str:
    return "\n".join(tail(Home(settings.home).log("score"), 500))
