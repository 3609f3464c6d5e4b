"""The Spark session of the streaming application."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from infra.security import s3a_options, set_s3a_password
from infra.settings import Settings
from infra.stack.jars import jar_paths

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["start_session"]


def start_session(settings: Settings) -> SparkSession:
    """Start Spark with Delta, the Kafka source and, for an object store, its file system.

    Its pages are on ``settings.port_spark_ui`` or the next free port.

    Raises:
        ComponentMissing: when a jar cannot be had.
    """
    from pyspark.sql import SparkSession

    jars = list(jar_paths("spark"))
    s3 = settings.lake.startswith("s3a:")
    if s3:
        jars += jar_paths("spark-s3")
    home = settings.home / "spark"
    home.mkdir(parents=True, exist_ok=True)
    options = {
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.host": settings.advertised_host,
        "spark.driver.bindAddress": settings.listen_host,
        "spark.ui.port": str(settings.port_spark_ui),
        "spark.local.dir": str(home / "tmp"),
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.streaming.minBatchesToRetain": "20",
        # The default forks a process for each file's permissions, which takes longer than the
        # file; and what the log's checksums guard against, the batch ids in the tables do.
        "spark.sql.streaming.checkpointFileManagerClass": (
            "org.apache.spark.sql.execution.streaming.checkpointing"
            ".FileSystemBasedCheckpointFileManager"
        ),
        "spark.sql.streaming.checkpoint.fileChecksum.enabled": "false",
        # The same holds for its default of local files, which adds Hadoop's own checksums: without
        # them no process is forked at all.
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        # One scan of a few hundred records: planning it anew at each stage costs more than it does.
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # A batch is one read and one collect: what pages and listeners keep of it is memory only.
        "spark.ui.retainedJobs": "200",
        "spark.ui.retainedStages": "200",
        "spark.ui.retainedTasks": "2000",
        "spark.sql.ui.retainedExecutions": "50",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=4",
    }
    if s3:
        options |= s3a_options(settings)
    if settings.on_cluster:
        options |= _for_executors(settings)
    if settings.listen_host == "127.0.0.1":
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # else Spark's pages listen on all interfaces
    os.environ["PYSPARK_PYTHON"] = sys.executable  # of the executors, at the same place there
    builder = SparkSession.builder.appName("finlake").master(settings.spark_master)
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    if s3:
        set_s3a_password(session, settings)
    # Each batch that takes longer than the trigger is a warning: normal under load, and measured.
    session.sparkContext.setLogLevel("ERROR")
    return session


def _for_executors(settings: Settings) -> dict[str, str]:
    """What executors need besides: these modules, at the same place there."""
    options = {
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[2]),
        # Any free core, at once: what a task reads comes from Kafka, which is near to none.
        "spark.locality.wait": "0s",
    }
    if settings.listen_host == "127.0.0.1":
        options["spark.executorEnv.SPARK_LOCAL_IP"] = "127.0.0.1"
    return options
