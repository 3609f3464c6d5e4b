"""``finlake load``: the Kaggle files into the source database."""

from batch_jobs.load.job import FileReport, load

__all__ = ["FileReport", "load"]
