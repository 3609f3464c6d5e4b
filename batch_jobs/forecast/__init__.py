"""Forecasts of every customer's spending, from the lake's facts into ``gold.forecasts``."""

from batch_jobs.forecast.job import Summary, make

__all__ = ["Summary", "make"]
