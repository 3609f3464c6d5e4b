"""What the continuous proof costs while traffic runs: its share of a core, and the source's."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

from batch_jobs import traffic
from batch_jobs.bench.figures import Figure, Figures
from batch_jobs.bench.processes import Watch, stack_pids, stack_versions, start
from batch_jobs.traffic.simulation import Mix
from finlake.errors import FinlakeError
from infra.settings import Settings

__all__ = ["watching"]


def watching(
    settings: Settings,
    rate: float,
    seconds: float,
    every: float,
    seed: int = 1,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[Figure]:
    """Run traffic and ``finlake verify --watch`` side by side.

    The first round reads every file once, so it stands apart; shares are of the rounds after it.

    Raises:
        ComponentMissing: when the stack or the stream does not run.
        FinlakeError: when the proof ends by itself.
    """
    pids = stack_pids(settings, "stream")
    params: dict[str, float | int | str] = {
        "rate": rate,
        "seconds": seconds,
        "every": every,
        "seed": seed,
        "source": settings.source_flavour,
    }
    figures = Figures("verify", params, stack_versions(settings))
    words = ["verify", "--watch", "--every", str(every), "--json", "--port", "0"]
    process = start(settings, "finlake", *words)
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reading.start()
    said(f"{rate:g} changes/s for {seconds:g} s, a round every {every:g} s")
    with Watch({**pids, "verify": process.pid}) as watch:
        mix = Mix(75, 20, 5)
        summary = traffic.run(settings, rate=rate, seconds=seconds, seed=seed, mix=mix)
        if process.poll() is None:
            process.terminate()  # an interrupt would be ignored in a background job
        process.wait()
    reading.join()
    rounds = [json.loads(line) for line in lines]
    if len(rounds) < 3:
        words = (process.stderr.read() if process.stderr else "").strip().splitlines()
        raise FinlakeError(f"too few rounds: {words[-1:] or 'make the run longer'}")
    first, *rest = rounds
    length = rest[-1]["at"] - first["at"]
    yield figures.of("changes_per_second", summary.rate, "changes/s")
    yield figures.of("first_round.cpu", first["cpu_seconds"], "s")
    yield figures.of("rounds", len(rest), "rounds")
    own = sum(one["cpu_seconds"] for one in rest) / length
    source = sum(one["source_seconds"] for one in rest) / length
    yield figures.of("share_of_core", 100 * own, "%")
    yield figures.of("source_answering", 100 * source, "% of the time")
    yield from figures.spread("lag", [one["lag_seconds"] or 0.0 for one in rest], "s")
    yield figures.of("changed_keys", sum(one["changed_keys"] for one in rest), "keys")
    yield figures.of("unequal_rounds", sum(not one["equal"] for one in rest), "rounds")
    yield from watch.figures(figures)
