"""A lake in an object store that is killed, busy, slow, and loses answers, while traffic runs.

The stream reaches the store through a proxy of the tests; whoever checks goes there directly. One
stack serves all tests of this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import NamedTuple

import pytest

from tests.chaos.disturbances import kill
from tests.chaos.faulty_store import Faults, FaultyStore
from tests.chaos.harness import LONG, SEED, TIMES, World
from tests.support.stack import running_stack, wait_for

_FAULTY_S = 60.0 if LONG else 20.0


class Place(NamedTuple):
    world: World
    store: FaultyStore


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("object")
    env = {"FINLAKE_LAKE": "s3a://warehouse"}
    with running_stack(folder / "home", extras=(), connector=True, **env) as settings:
        assert settings.s3_endpoint
        with FaultyStore(settings.s3_endpoint, Random(f"{SEED} store")).running() as store:
            # What is started from here on reads it in its working directory.
            (folder / ".env").write_text(f"FINLAKE_S3_ENDPOINT={store.address}\n")
            direct = {**env, "FINLAKE_S3_ENDPOINT": settings.s3_endpoint}
            world = World(settings, "object", direct)
            world.run("generate", "--transactions", "1000", "--seed", "3")
            World(settings, "object", env).run("up", "--with", "stream")
            yield Place(world, store)


def test_kill_9_of_the_object_store(place: Place) -> None:
    world = place.world
    with world.traffic():
        for _ in range(TIMES):
            world.disturb("kill -9 minio", partial(kill, world, "minio"))
    world.prove()


@pytest.mark.parametrize(
    ("what", "faults"),
    [
        ("busy", Faults(busy=0.3)),
        ("slow", Faults(slow=0.3, longest_s=3.0)),
        ("lost", Faults(lost=0.05)),
        ("all", Faults(busy=0.2, slow=0.1, lost=0.05, longest_s=3.0)),
    ][0 if LONG else -1 :],
)
def test_a_faulty_object_store(place: Place, what: str, faults: Faults) -> None:
    world, store = place.world, place.store
    kinds = [kind for kind in ("busy", "slow", "lost") if getattr(faults, kind)]
    before = store.done.copy()

    def sicken() -> None:
        start = store.done.copy()
        store.faults = faults
        try:
            time.sleep(world.random.uniform(0.5, 1.0) * _FAULTY_S)
            wait_for(lambda: (store.done - start).keys() >= {*kinds}, f"requests hit by {kinds}")
        finally:
            store.faults = Faults()

    with world.traffic():
        for _ in range(TIMES):
            world.disturb(f"store {what}", sicken)
    world.note(f"requests while the store was {what}", **(store.done - before))
    world.prove()
