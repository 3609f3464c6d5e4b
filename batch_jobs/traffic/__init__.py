"""``finlake traffic``: live changes in the source at a set rate."""

from batch_jobs.traffic.job import Summary, run
from batch_jobs.traffic.simulation import TRANSFER_MERCHANT, Mix

__all__ = ["TRANSFER_MERCHANT", "Mix", "Summary", "run"]
