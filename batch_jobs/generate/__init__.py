"""``finlake generate``: a synthetic set of the same five tables, of any size, from a seed."""

from batch_jobs.generate.job import fill_source, write_files
from batch_jobs.generate.plan import Plan

__all__ = ["Plan", "fill_source", "write_files"]
