"""The bulk road: the source's tables read straight into the lake, past Debezium and Kafka."""

from batch_jobs.snapshot.job import snapshot

__all__ = ["snapshot"]
