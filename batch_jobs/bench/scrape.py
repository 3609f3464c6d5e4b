"""Figures that a process serves for Prometheus, read by a measurement."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from finlake.errors import ComponentMissing

__all__ = ["Served", "quantiles", "read", "scrape"]

Served = Mapping[str, float]
"""Values by name with labels, as they are served."""


def scrape(address: str) -> Served:
    """What is served there.

    Raises:
        ComponentMissing: nobody answers.
    """
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 (the stack's own)
            text = answer.read().decode()
    except OSError as error:
        raise ComponentMissing(
            f"{address} does not answer ({error}); see `finlake status`"
        ) from None
    return read(text)


def read(text: str) -> Served:
    """Values by name with labels, of Prometheus' text."""
    return {
        _name(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def quantiles(
    before: Served, after: Served, name: str, labels: Mapping[str, str], wanted: tuple[float, ...]
) -> list[float]:
    """Quantiles of what a histogram has counted between two looks; empty when that is nothing.

    Within a bucket values count as spread evenly, as in Prometheus' ``histogram_quantile``; beyond
    the last bound they count as that.
    """
    bounds, counts = [0.0], [0.0]
    for key, value in after.items():
        bound = _bound(key, name, labels)
        if bound is not None:
            bounds.append(bound)
            counts.append(value - before.get(key, 0.0))
    total = counts[-1]
    if not total:
        return []
    found = []
    for share in wanted:
        place = next(i for i, count in enumerate(counts) if count >= share * total and i)
        low, high = bounds[place - 1], bounds[place]
        if high == float("inf"):
            found.append(low)
            continue
        inside = counts[place] - counts[place - 1]
        part = (share * total - counts[place - 1]) / inside if inside else 1.0
        found.append(low + (high - low) * part)
    return found


def _name(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def _bound(key: str, name: str, labels: Mapping[str, str]) -> float | None:
    """The upper bound of the bucket that a sample is, if it is one of this histogram's."""
    head, _, rest = key.partition("{")
    if head != f"{name}_bucket":
        return None
    had = dict(part.split("=", 1) for part in rest.rstrip("}").replace('"', "").split(","))
    bound = had.pop("le")
    return float(bound) if had == dict(labels) else None
