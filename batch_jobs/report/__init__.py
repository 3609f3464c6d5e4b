"""Regulatory reports of a day: made, kept edition by edition, and given again word for word."""

from batch_jobs.report.forms import REPORTS
from batch_jobs.report.job import Edition, make, stood

__all__ = ["REPORTS", "Edition", "make", "stood"]
