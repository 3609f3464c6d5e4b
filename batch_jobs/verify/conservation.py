"""Every event in bronze is applied, superseded by a later one, or set aside with a reason."""

from __future__ import annotations

from batch_jobs.verify.engine import Engine
from batch_jobs.verify.report import Conservation

__all__ = ["conservation"]

_COUNTS = """
SELECT name, coalesce(events, 0), coalesce(applied, 0), coalesce(superseded, 0),
    coalesce(quarantined, 0), coalesce(bronze, 0), coalesce(dead, 0)
FROM (SELECT source_table AS name, count(*) AS bronze FROM bronze_changes GROUP BY 1)
FULL JOIN (SELECT source_table AS name, count(*) AS dead FROM bronze_dead_letters GROUP BY 1)
    USING (name)
FULL JOIN (SELECT table_name AS name, sum(events) AS events, sum(applied) AS applied,
        sum(superseded) AS superseded, sum(quarantined) AS quarantined
    FROM gold_pipeline_batches GROUP BY 1) USING (name)
ORDER BY name"""

_TWICE = """
SELECT any_value(topic), "partition", "offset", count(*) AS times FROM {table}
GROUP BY hash(topic), "partition", "offset" HAVING count(*) > 1
ORDER BY 1, 2, 3 LIMIT 1"""


def conservation(engine: Engine) -> Conservation:
    """Add the batches' counts up against what bronze and the dead letters hold."""
    problems: list[str] = []
    sums = [0, 0, 0, 0]
    for name, *counts in engine.rows(_COUNTS):
        events, applied, superseded, quarantined, bronze, dead = map(int, counts)
        sums = [
            a + b for a, b in zip(sums, (bronze, applied, superseded, quarantined), strict=True)
        ]
        accounted = applied + superseded + quarantined
        if accounted != bronze or events != bronze:
            problems.append(
                f"{name}: bronze has {bronze:,} events, the batches saw {events:,} and account "
                f"for {accounted:,}"
            )
        if quarantined != dead:
            problems.append(
                f"{name}: the batches set {quarantined:,} events aside, the dead letters hold "
                f"{dead:,}"
            )
    for table in ("bronze_changes", "bronze_dead_letters"):
        for topic, partition, offset, times in engine.rows(_TWICE.format(table=table)):
            problems.append(
                f"{table.replace('_', '.', 1)}: {topic}[{partition}]@{offset} is there "
                f"{times} times"
            )
    bronze, applied, superseded, quarantined = sums
    return Conservation(bronze, applied, superseded, quarantined, tuple(problems))
