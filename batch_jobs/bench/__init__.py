"""Measurements: each is a command, and prints figures with what they were measured on."""

from batch_jobs.bench.alerts import alerts
from batch_jobs.bench.figures import Figure
from batch_jobs.bench.freshness import freshness
from batch_jobs.bench.throughput import throughput

__all__ = ["Figure", "alerts", "freshness", "throughput"]
