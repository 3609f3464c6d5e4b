"""A Spark standalone cluster on loopback: a master and workers, one process each.

For one machine: it shows how the stream behaves on a cluster. See
https://spark.apache.org/docs/4.2.0/spark-standalone.html for the programs and their options.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlake.errors import ComponentMissing
from infra.stack.component import HOST
from infra.stack.ports import Wish, choose_ports
from infra.stack.process import Identity, spawn, stop_group

__all__ = ["Cluster", "cluster"]

_PATIENCE_S = 120.0
_STOP_S = 10.0


@dataclass(frozen=True)
class Cluster:
    """A running cluster; ``pids`` are those of ``spark-master``, ``spark-worker-1``, and so on."""

    pids: dict[str, int]
    port: int
    page: int

    @property
    def master(self) -> str:
        """What FINLAKE_SPARK_MASTER has to be."""
        return f"spark://{HOST}:{self.port}"

    def state(self) -> dict[str, Any]:
        """What the master says of its workers and applications; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.page}/json/", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return {}
        return found


@contextmanager
def cluster(folder: Path, workers: int, cores: int = 1) -> Iterator[Cluster]:
    """A master and so many workers, each with so many cores, until the end of the block.

    Args:
        folder: where they keep their files and logs.
        workers: how many.
        cores: of each worker, as Spark counts them: tasks at a time.

    Raises:
        ComponentMissing: pyspark or a free port is missing, or the cluster does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = choose_ports([Wish("master"), Wish("page")], folder / "ports.json")
    found = Cluster({}, ports["master"], ports["page"])
    with ExitStack() as stack:

        def start(name: str, main: str, *words: str) -> None:
            home = _spark_home()
            env = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST, **_OPTIONS}
            command = [
                str(home / "bin" / "spark-class"),
                f"org.apache.spark.deploy.{main}",
                "--host",
                HOST,
                *words,
            ]
            process = spawn(command, env, folder, folder / f"{name}.log")
            found.pids[name] = process.pid
            identity = Identity.of(process.pid)
            stack.callback(process.wait)
            if identity is not None:
                stack.callback(stop_group, identity, _STOP_S)

        places = ("--port", str(found.port), "--webui-port", str(found.page))
        start("spark-master", "master.Master", *places)
        size = ("--webui-port", "0", "--cores", str(cores), "--memory", "2g")
        for number in range(1, workers + 1):
            name = f"spark-worker-{number}"
            start(name, "worker.Worker", *size, "--work-dir", str(folder / name), found.master)
        deadline = time.monotonic() + _PATIENCE_S
        while found.state().get("aliveworkers", 0) < workers:
            if time.monotonic() > deadline:
                raise ComponentMissing(
                    f"the Spark cluster does not come up; see {folder}/spark-master.log"
                )
            time.sleep(0.2)
        yield found


_OPTIONS = {
    "SPARK_DAEMON_MEMORY": "256m",
    # It would also take jobs by REST, on a port of its own.
    "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false -XX:+UseSerialGC",
    "SPARK_WORKER_OPTS": "-XX:+UseSerialGC",
}


def _spark_home() -> Path:
    try:
        import pyspark
    except ImportError:
        raise ComponentMissing("pyspark is missing; `make setup` installs it") from None
    return Path(pyspark.__file__).parent
