"""A lake in a folder, from which one component after the other is taken while traffic runs.

One stack serves all tests of this module, in their order; each ends with the whole proof.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pytest

from tests.chaos.disturbances import Disk, kill, own_disk, paused, skip_without
from tests.chaos.harness import TIMES, World
from tests.support.stack import running_stack, wait_for


class Place(NamedTuple):
    world: World
    disk: Disk | None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("folder")
    with own_disk(folder) as disk:
        env = {}
        if disk is not None:
            env["FINLAKE_LAKE"] = f"file:{disk.path}/lake"
            env["FINLAKE_STREAM_CHECKPOINT"] = f"{disk.path}/checkpoint"
        with running_stack(folder / "home", extras=("stream",), connector=True, **env) as settings:
            world = World(settings, "folder", env)
            world.run("generate", "--transactions", "1000", "--seed", "3")
            yield Place(world, disk)


def test_kill_9_of_each_component(place: Place) -> None:
    world = place.world
    names = ["stream", "connect", "kafka", "source"] * TIMES
    world.random.shuffle(names)
    with world.traffic():
        for name in names:
            world.disturb(f"kill -9 {name}", partial(kill, world, name))
    world.prove()


def test_a_broker_that_is_paused(place: Place) -> None:
    world = place.world

    def pause() -> None:
        with paused(world, "kafka"):
            time.sleep(world.random.uniform(5, 15))

    with world.traffic():
        for _ in range(TIMES):
            world.disturb("kafka paused", pause)
    world.prove()


def test_a_full_disk(place: Place) -> None:
    world, disk = place.world, skip_without(place.disk)

    def fill() -> None:
        disk.fill()
        stream = world.component("stream")
        try:
            wait_for(
                lambda: world.component("stream")["pid"] != stream["pid"],
                "the stream stops over the full disk",
            )
        finally:
            disk.free()

    with world.traffic():
        for _ in range(TIMES):
            world.disturb("disk full", fill)
    world.prove()
    log = (world.settings.home / "logs" / "stream.log").read_text(errors="replace")
    assert "No space left on device" in log
