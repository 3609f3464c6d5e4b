"""Traffic at a steady rate for a long time: what grows, and by how much in an hour.

``make soak`` runs ``python -m tests.chaos.soak --minutes 30 --rate 1000``: a stack of its own, a
line a minute, and at the end the proof and one line of JSON. Exit code 1 when source, silver and
gold do not agree, or when a component ended meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from batch_jobs.bench.figures import commit, machine
from batch_jobs.bench.processes import stack_pids
from finlake.errors import FinlakeError
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings
from infra.stack.control import status
from lakehouse_schemas import contracts
from tests.support.stack import finlake, run, running_stack, start

__all__ = ["main", "slopes"]

_EVERY_S = 5.0  # memory
# What is kept for a time is kept for a few minutes, and nothing is corrected after more, so that
# after the first fifth of the run as much goes as comes, and a slope is a leak.
_REACH = "15000"
_SHORT = {
    "FINLAKE_RULE_TESTING_MINUTES": "3",
    "FINLAKE_RULE_DECLINED_MINUTES": "3",
    "FINLAKE_LAKE_HISTORY_MINUTES": "5",
}
_MIB = 2**20
_FRESHNESS = """
SELECT p50_ms AS p50, max_ms AS most FROM gold.pipeline_freshness
WHERE table_name = 'finlake_heartbeat' AND hop = 'gold' AND epoch(measured_at) >= {since}"""

Sample = dict[str, float]


def slopes(samples: list[tuple[float, Sample]]) -> Sample:
    """How much each figure grows in an hour, by least squares.

    Args:
        samples: seconds since the start, and figures by name. The first fifth of the time is left
            out, in which heaps and caches fill. A figure that is missing in a sample is passed
            over; one that is left with fewer than two has no slope.
    """
    if not samples:
        return {}
    warm = samples[0][0] + (samples[-1][0] - samples[0][0]) / 5
    found: Sample = {}
    for name in dict.fromkeys(name for _, figures in samples for name in figures):
        points = [(at / 3600, f[name]) for at, f in samples if at >= warm and name in f]
        if len(points) > 1:
            hours, values = np.array(points).T
            found[name] = round(float(np.polyfit(hours, values, 1)[0]), 3)
    return found


class _Watch:
    """Looks at one stack."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lake = Lake(settings)
        self._query = Query(settings)
        self._pids = stack_pids(settings)

    def memory(self) -> Sample:
        """Resident memory of each component with its children, MiB."""
        used = {}
        for name, pid in stack_pids(self._settings).items():
            with suppress(psutil.Error):
                root = psutil.Process(pid)
                family = [root, *root.children(recursive=True)]
                used[f"rss_mib.{name}"] = sum(p.memory_info().rss for p in family) / _MIB
        return used

    def freshness(self, since: float) -> list[tuple[float, float]]:
        """Median and maximum per batch, ms from commit to gold, of the beat that the source's own
        clock stamps each second."""
        rows = self._query.query(_FRESHNESS.format(since=since)).to_pylist()
        return [(row["p50"], row["most"]) for row in rows]

    def sizes(self) -> Sample:
        """Files that each table consists of, and MiB that lie in each folder of the home."""
        found: Sample = {}
        for contract in contracts.all():
            table = None if contract.layer == "source" else self._lake.open(contract)
            if table is not None:
                found[f"files.{contract.full_name}"] = len(table.file_uris())
        for folder in sorted(self._settings.home.iterdir()):
            if folder.is_dir():
                found[f"disk_mib.{folder.name}"] = sum(_sizes(folder)) / _MIB
        return found

    def states(self) -> dict[str, str]:
        """Components that are not as they were at the start, and how they are."""
        now = {report.component: report for report in status(self._settings)}
        return {
            name: f"{now[name].state}, ended {now[name].starts - 1} times"
            for name, pid in self._pids.items()
            if now[name].state != "healthy" or now[name].pid != pid
        }


def _sizes(folder: Path) -> Iterator[int]:
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it went away while it was looked at
                yield (Path(root) / name).lstat().st_blocks * 512  # sparse files take less


def main(arguments: list[str] | None = None) -> int:
    """Run it; gives the exit code."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="soak", dir=options.folder) as folder:
        home = Path(folder) / "home"
        with running_stack(home, extras=("stream",), connector=True, **_SHORT) as settings:
            found = _soak(settings, options.minutes, options.rate, options.seed)
    _say(json.dumps({"soak": found}))
    return 0 if found["equal"] and not found["ended"] else 1


def _soak(settings: Settings, minutes: float, rate: float, seed: int) -> dict[str, Any]:
    home = settings.home
    # Each card is used every two minutes or so: with fewer, a card would have more uses in a rule's
    # minutes than anybody can make.
    run(home, "generate", "--transactions", "50000", "--users", "20000", "--seed", str(seed))
    watch = _Watch(settings)
    samples: list[tuple[float, Sample]] = []
    beats: list[tuple[float, float]] = []
    ended: dict[str, str] = {}
    words = ["--rate", f"{rate:g}", "--seconds", f"{minutes * 60:g}", "--seed", str(seed), "--json"]
    words += ["--reach", _REACH]
    with (home.parent / "traffic.log").open("w+b") as log:
        began = time.time()
        traffic = start(home, "traffic", *words, stdout=log, stderr=subprocess.DEVNULL)
        try:
            minute, told = 0, began
            while traffic.poll() is None:
                time.sleep(_EVERY_S)
                figures = watch.memory()
                if time.time() >= began + 60 * (minute + 1):
                    minute += 1
                    ended |= watch.states()
                    fresh = _try(lambda since=told: watch.freshness(since)) or []
                    told = time.time()
                    if minute > 1:  # in the first the generated rows are worked off
                        beats += fresh
                    figures |= _spread(fresh) | watch.sizes()
                    _tell(minute, figures, ended)
                samples.append((time.time() - began, figures))
        finally:
            traffic.kill()
            traffic.wait()
        ended |= watch.states()
        changed = json.loads(Path(log.name).read_text(encoding="utf-8").splitlines()[-1])
    verified = finlake(home, "verify", "--json", "--wait", "300", **_SHORT)
    return {
        "minutes": minutes,
        "rate": rate,
        "seed": seed,
        "commit": commit(),
        "machine": machine(),
        "settings": {**_SHORT, "reach": int(_REACH)},
        "changes": changed["changes"],
        "rate_reached": changed["rate"],
        "equal": verified.returncode == 0,
        "verify": (verified.stdout.splitlines() or [verified.stderr])[-1],
        "fault": " ".join(verified.stderr.split())[-500:] if verified.returncode else "",
        "ended": ended,
        **_spread(beats),
        "first": _middle(samples[: len(samples) // 5 + 1]),
        "last": _middle(samples[-len(samples) // 5 :]),
        "slopes_per_hour": slopes(samples),
    }


def _try(what: Any) -> Any:
    try:
        return what()
    except FinlakeError as error:  # a table that is just being replaced is read the next time
        sys.stderr.write(f"soak: {error}\n")
        return None


def _spread(beats: list[tuple[float, float]]) -> Sample:
    if not beats:
        return {}
    worst = [most for _, most in beats]
    return {
        "gold_p50_ms": round(statistics.median(p50 for p50, _ in beats), 1),
        "gold_p99_ms": round(float(np.percentile(worst, 99)), 1),
        "gold_max_ms": round(max(worst), 1),
    }


def _middle(samples: list[tuple[float, Sample]]) -> Sample:
    """The median of each figure."""
    names = dict.fromkeys(name for _, figures in samples for name in figures)
    return {
        name: round(statistics.median(f[name] for _, f in samples if name in f), 1)
        for name in names
    }


def _tell(minute: int, figures: Sample, ended: Mapping[str, str]) -> None:
    memory = ", ".join(_parts(figures, "rss_mib."))
    files = {n.removeprefix("files."): v for n, v in figures.items() if n.startswith("files.")}
    most = max(files, key=lambda name: files[name], default="")
    fresh = f"{figures.get('gold_p50_ms', -1):.0f}/{figures.get('gold_p99_ms', -1):.0f} ms"
    _say(
        f"minute {minute}: commit to gold p50/p99 {fresh}; MiB: {memory}; "
        f"{sum(files.values()):.0f} files, most in {most} ({files.get(most, 0):.0f}); "
        f"disk MiB: {', '.join(_parts(figures, 'disk_mib.'))}"
        + "".join(f"; {name}: {how}" for name, how in ended.items())
    )


def _parts(figures: Sample, start: str) -> Iterator[str]:
    for name, value in figures.items():
        if name.startswith(start) and round(value):
            yield f"{name.removeprefix(start)} {value:.0f}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1000, help="changes a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="where its home is put; else the system's folder for such")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
