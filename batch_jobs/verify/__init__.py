"""Proof that source, silver and gold agree, and that every event is accounted for."""

from batch_jobs.verify.job import verify
from batch_jobs.verify.report import (
    Conservation,
    Difference,
    GoldCheck,
    Report,
    SourceCheck,
)
from batch_jobs.verify.watch import Found, Round, Watcher

__all__ = [
    "Conservation",
    "Difference",
    "Found",
    "GoldCheck",
    "Report",
    "Round",
    "SourceCheck",
    "Watcher",
    "verify",
]
