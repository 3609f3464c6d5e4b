"""Train models of fraud from the lake, and keep what was done in MLflow."""

from batch_jobs.train.job import Asked, Outcome, train

__all__ = ["Asked", "Outcome", "train"]
