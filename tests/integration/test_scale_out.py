"""The stream on a Spark cluster, behind two Connect workers, while one of each is lost."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from connectors.config import connector_name
from infra.settings import Settings
from infra.stack.cluster import Cluster, cluster
from infra.stack.kafka import Connect
from infra.stack.ports import Wish, choose_ports
from infra.stack.process import Identity, spawn, stop_group
from tests.chaos.harness import World
from tests.security.looking import open_to_others
from tests.support.stack import running_stack, wait_for


class SecondConnect(Connect):
    """A worker of the same group, with files of its own."""

    name = "connect-2"
    folder = "connect-2"


@contextmanager
def second_connect(settings: Settings) -> Iterator[tuple[SecondConnect, int]]:
    """Another Connect worker, and its process."""
    ports = choose_ports([Wish("connect")], settings.home / "ports-of-connect-2.json")
    worker = SecondConnect(settings, ports)
    worker.prepare()
    process = spawn(worker.command(), {}, worker.data, worker.data / "log")
    leader = Identity.of(process.pid)
    assert leader is not None
    try:
        wait_for(worker.is_healthy, "the second Connect worker has joined")
        yield worker, process.pid
    finally:
        stop_group(leader, 10)
        process.wait()


def task_at(url: str, settings: Settings) -> str:
    """Which worker runs the connector's task, by its address; empty while none does."""
    place = f"{url}/connectors/{connector_name(settings.source_flavour)}/status"
    answer = requests.get(place, timeout=30)
    tasks = answer.json()["tasks"] if answer.ok else []  # 409 while they agree on who does what
    return "".join(task["worker_id"] for task in tasks if task["state"] == "RUNNING")


def held_port(port: int) -> socket.socket | None:
    """Take a port, so that nobody else can be started there; None while it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def words(process: psutil.Process) -> str:
    """What it was started with; empty when it has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def decodes(pid: int) -> bool:
    """Whether a Spark worker's executor has Python processes."""
    return any("pyspark.daemon" in words(one) for one in family(pid))


def test_nothing_is_lost_with_a_spark_worker_and_a_connect_worker(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", 2) as spark:
        env = {"FINLAKE_TOPIC_PARTITIONS": "3", "FINLAKE_SPARK_MASTER": spark.master}
        with (
            running_stack(tmp_path / "home", extras=("stream",), connector=True, **env) as settings,
            second_connect(settings) as (other, other_pid),
        ):
            world = World(settings, "scale out", env)
            world.run("generate", "--transactions", "1000", "--seed", "3")
            first, second = spark.pids["spark-worker-1"], spark.pids["spark-worker-2"]
            with world.traffic():
                wait_for(lambda: decodes(first) and decodes(second), "both workers decode")
                everybody = [one for pid in spark.pids.values() for one in family(pid)]
                everybody += [*family(world.component("stream")["pid"]), *family(other_pid)]
                assert open_to_others(everybody) == set()
                world.disturb("a Spark worker is lost", lambda: lose(first))
                world.disturb("a Connect worker is lost", lambda: lose_connect(world, other))
            world.prove()
            assert alive(spark) == 1
            read = world.query(
                "SELECT count(DISTINCT partition) AS n FROM bronze.changes "
                "WHERE source_table = 'transactions'"
            )
            assert read == [{"n": 3}]


def lose(pid: int) -> None:
    """Kill a process and all that it has started, as when their machine is gone."""
    os.killpg(pid, signal.SIGKILL)


def lose_connect(world: World, other: Connect) -> None:
    """Kill the worker that runs the task, and keep the stack from starting it before the other
    has taken over."""
    address, settings = str(world.settings.connect_url).removeprefix("http://"), world.settings
    wait_for(lambda: task_at(other.address, settings) == address, f"the task runs at {address}")
    lose(world.component("connect")["pid"])
    port = wait_for(lambda: held_port(int(address.rpartition(":")[2])), "its port is free")
    with port:
        taken = other.address.removeprefix("http://")
        wait_for(lambda: task_at(other.address, settings) == taken, "the other takes over")


def alive(spark: Cluster) -> int:
    """Workers that the master counts as alive, once it has noticed the loss."""
    state = wait_for(
        lambda: (now := spark.state()) and now["aliveworkers"] < 2 and now, "the loss is noticed"
    )
    return int(state["aliveworkers"])
