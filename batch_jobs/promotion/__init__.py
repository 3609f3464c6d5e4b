"""Who serves: the gate on real data, promotion and rollback, and a card about each model."""

from batch_jobs.promotion.contest import contest
from batch_jobs.promotion.job import Outcome, promote, roll_back
from batch_jobs.promotion.told import describe

__all__ = ["Outcome", "contest", "describe", "promote", "roll_back"]
