"""One warm Spark session for all tests of this folder."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from infra.settings import load_settings
from stream_jobs.io.session import start_session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of the streaming job itself, with its pages on any free port."""
    settings = load_settings(home=tmp_path_factory.mktemp("spark"), port_spark_ui=0)
    session = start_session(settings)
    yield session
    session.stop()
