"""Segments, cohorts, lifetime value and credit risk of every customer, into gold."""

from batch_jobs.analytics.job import Summary, make

__all__ = ["Summary", "make"]
