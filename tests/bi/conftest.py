"""One lake, one Trino and one Spark for all tests of this folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from batch_jobs import analytics
from batch_jobs.bench.lake import make_lake
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.lake.trino import Trino
from infra.settings import Settings, load_settings
from infra.stack.trino import trino_password
from lakehouse_schemas import contracts
from stream_jobs.io.session import start_session
from stream_jobs.io.writer import LakeWriter, Tables
from stream_jobs.shapes import Patch
from tests.support.rows import rows_of
from tests.support.stack import running_stack

TRANSACTIONS = 3_000


@dataclass(frozen=True)
class World:
    """A home with a lake, whose stack runs with Trino."""

    home: Path
    settings: Settings

    def as_user(self, user: str) -> Trino:
        """Trino as that user knows it."""
        return Trino(self.settings, user, trino_password(self.home, user))


def fill(settings: Settings) -> None:
    """Every gold and silver table with rows, as the writers of stream and batches leave them.

    What a source of that size leaves empty gets rows of every type, empty values among them; then
    one more commit replaces files in each table that has a key.
    """
    make_lake(settings, TRANSACTIONS)
    analytics.make(settings)
    writer = LakeWriter(Tables(Lake(settings), 1 << 20), "tests")
    for contract in [*contracts.layer("silver"), *contracts.layer("gold")]:
        name = contract.full_name
        count = Query(settings).query(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
        if not count:
            writer.append(contract, rows_of(contract, list(range(1, 40))), 0)
        elif contract.name in ("transactions", "dim_merchant", "fraud_alerts"):
            new = rows_of(contract, [40_000_000, 40_000_001, 40_000_002])
            none = new.slice(0, 0)
            writer.merge(contract, Patch(new, none, none.select([contract.key[0]])), 1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """`finlake up --with trino`, over a lake that was there before."""
    home = tmp_path_factory.mktemp("bi") / "my home"
    fill(load_settings(home=home))
    with running_stack(home, extras=["trino"], connector=False) as settings:
        yield World(home, settings)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of the streaming job itself, with its pages on any free port."""
    session = start_session(load_settings(home=tmp_path_factory.mktemp("spark"), port_spark_ui=0))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def asked(world: World) -> Iterator[Callable[[str], Trino]]:
    """Trino as one of its users."""
    open_ones: dict[str, Trino] = {}

    def as_user(user: str) -> Trino:
        return open_ones.setdefault(user, world.as_user(user))

    yield as_user
    for one in open_ones.values():
        one.close()


def as_trino_reads(rows: pa.Table) -> pa.Table:
    """The rows with times to the millisecond: Trino rounds Delta's to TIMESTAMP(3)."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rounded = pc.round_temporal(rows.column(place), unit="millisecond")
            rows = rows.set_column(place, field, rounded)
    return rows
