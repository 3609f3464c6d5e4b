"""Trino over a lake in MinIO, by TLS that the stack's own authority has signed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import write_deltalake

from finlake.errors import ComponentMissing
from infra.lake.catalogue import Catalogue
from infra.lake.tables import Lake
from infra.lake.trino import Trino
from infra.settings import Settings, load_settings
from infra.stack.alone import running
from infra.stack.certificates import make_certificates
from infra.stack.component import Component
from infra.stack.minio import make_bucket
from infra.stack.trino import trino_password
from lakehouse_schemas import contracts
from lakehouse_schemas.render.access import CATALOGUE_USER
from tests.bi.conftest import as_trino_reads
from tests.support.rows import rows_of

pytestmark = [pytest.mark.minio, pytest.mark.slow]

NAMES = ("gold.dim_card", "gold.agg_minute", "silver.cards")


def told(settings: Settings, component: Component) -> Settings:
    """The settings with what the component exports, as the stack hands them on."""
    found = {k.removeprefix("FINLAKE_").lower(): v for k, v in component.exports().items()}
    return load_settings(**{**settings.model_dump(exclude_unset=True), **found})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("object lake")
    found = load_settings(home=home, lake="s3a://warehouse", stack_tls=True)
    make_certificates(home)
    try:
        with running(found, "minio") as (minio, _):
            found = told(found, minio)
            make_bucket(found)
            with running(found, "trino") as (trino, _):
                yield told(found, trino)
    except ComponentMissing as error:
        if "minio" not in str(error).lower():
            raise
        warnings.warn(f"TRINO OVER MINIO IS NOT TESTED: {error}", stacklevel=1)
        pytest.skip(str(error))


def test_tables_of_a_bucket_are_known_read_and_fresh(settings: Settings) -> None:
    lake = Lake(settings)
    by_name = {name: contracts.get(name) for name in NAMES}
    for contract in by_name.values():
        table = lake.ensure(contract)
        write_deltalake(table, rows_of(contract, [1, 2, 3]), mode="append")
    password = trino_password(Path(settings.home), CATALOGUE_USER)
    with Trino(settings, CATALOGUE_USER, password) as registering:
        assert Catalogue(settings, registering).update() == sorted(NAMES)
        assert Catalogue(settings, registering).update() == sorted(NAMES)
    with Trino(settings) as trino:
        for name, contract in by_name.items():
            found = trino.query(f"SELECT * FROM {name}")
            expected = as_trino_reads(rows_of(contract, [1, 2, 3]))
            assert {f.name: f.type for f in found.schema} == {
                f.name: f.type for f in expected.schema
            }
            assert sorted(map(str, found.to_pylist())) == sorted(map(str, expected.to_pylist()))
            table = lake.ensure(contract)
            write_deltalake(table, rows_of(contract, [4]), mode="append")
            assert trino.query(f"SELECT count(*) AS n FROM {name}")["n"].to_pylist() == [4]
