"""The lake's Delta tables, one per contract, on a folder or an S3 bucket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError
from obstore.store import LocalStore, S3Store

from finlake.errors import ComponentMissing
from infra.security import s3_storage_options
from infra.settings import Settings
from lakehouse_schemas import Contract
from lakehouse_schemas.render.delta import TABLE_PROPERTIES

__all__ = ["LAKE_LAYERS", "Lake"]

LAKE_LAYERS = ("bronze", "silver", "gold")


class Lake:
    """Opens and makes the Delta tables of one lake.

    The location comes from ``settings.lake``. Writers must be one process per table; readers may
    be many.
    """

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.lake)
        self._s3 = parts.scheme == "s3a"
        self._root = f"s3://{parts.netloc}{parts.path}" if self._s3 else parts.path
        self.spark_root = settings.lake if self._s3 else f"file:{parts.path}"
        self.storage_options: dict[str, str] | None = None
        if self._s3:
            self.storage_options = s3_storage_options(settings)

    def store(self, contract: Contract) -> LocalStore | S3Store:
        """The table's folder, to read and put files in."""
        uri = self.uri(contract)
        if not self._s3:
            return LocalStore(prefix=uri, mkdir=True)
        options = self.storage_options or {}
        return S3Store.from_url(
            uri,
            endpoint=options["aws_endpoint"],
            access_key_id=options["aws_access_key_id"],
            secret_access_key=options["aws_secret_access_key"],
            region=options["aws_region"],
            conditional_put="etag",
            client_options={"allow_http": options["aws_allow_http"] == "true"},
        )

    def uri(self, contract: Contract) -> str:
        """Address of the table for delta-rs."""
        return f"{self._root}/{contract.layer}/{contract.name}"

    def spark_uri(self, contract: Contract) -> str:
        """Address of the table for Spark."""
        return f"{self.spark_root}/{contract.layer}/{contract.name}"

    def has(self, contract: Contract) -> bool:
        """Whether the table is there; cheaper than opening it.

        Raises:
            ComponentMissing: when the lake cannot be reached.
        """
        try:
            return bool(DeltaTable.is_deltatable(self.uri(contract), self.storage_options))
        except OSError as error:
            raise self._unreachable(error) from error

    def open(self, contract: Contract) -> DeltaTable | None:
        """The table as it is now, or ``None`` while nothing has made it.

        Raises:
            ComponentMissing: when the lake cannot be reached.
        """
        try:
            return DeltaTable(self.uri(contract), storage_options=self.storage_options)
        except TableNotFoundError:
            return None
        except OSError as error:
            raise self._unreachable(error) from error

    def ensure(self, contract: Contract) -> DeltaTable:
        """The table as its contract has it: made when it is not there, else brought in line.

        Comments on table and columns come from the contract. Reader version stays at 1, so that
        every engine can read it. Only the process that writes the table may call this.

        Raises:
            ComponentMissing: when the lake cannot be reached or written.
        """
        found = self.open(contract)
        if found is not None:
            return self._in_line(found, contract)
        if not self._s3:
            Path(self.uri(contract)).mkdir(parents=True, exist_ok=True)
        try:
            return DeltaTable.create(
                self.uri(contract),
                Schema(_fields(contract)),
                mode="ignore",
                name=contract.full_name,
                description=contract.description,
                configuration=dict(TABLE_PROPERTIES),
                storage_options=self.storage_options,
            )
        except OSError as error:
            raise self._unreachable(error) from error

    def _in_line(self, table: DeltaTable, contract: Contract) -> DeltaTable:
        """The table with the contract's columns and words.

        New columns are added, those of another type rewritten. One that the contract no longer has
        is left as it is, empty in new rows.
        """
        have = {field.name: field.type for field in table.schema().fields}
        want = _fields(contract)
        new = [field for field in want if field.name not in have]
        if new:
            table.alter.add_columns(new)
        if any(field.name in have and have[field.name] != field.type for field in want):
            schema = contract.lake_schema
            rows = table.to_pyarrow_dataset().scanner(columns=schema.names).to_reader()
            batches = (batch.cast(schema) for batch in rows)
            write_deltalake(
                table,
                pa.RecordBatchReader.from_batches(schema, batches),
                mode="overwrite",
                schema_mode="overwrite",
            )
        return _described(table, contract)

    def _unreachable(self, error: OSError) -> ComponentMissing:
        reason = " ".join(str(error).split())[:200]
        return ComponentMissing(
            f"the lake {self.spark_root} cannot be reached ({reason}); "
            "start it with `finlake up` or correct FINLAKE_LAKE"
        )


def _described(table: DeltaTable, contract: Contract) -> DeltaTable:
    """The table with the contract's words on it and its columns; a commit for each that differs."""
    if table.metadata().description != contract.description:
        table.alter.set_table_description(contract.description)
    said = {field.name: field.metadata.get("comment") for field in table.schema().fields}
    for column in contract.columns:
        if said[column.name] != column.description:
            table.alter.set_column_metadata(column.name, {"comment": column.description})
    return table


def _fields(contract: Contract) -> list[Field]:
    arrow = Schema.from_arrow(contract.arrow_schema())
    return [
        Field(field.name, field.type, nullable=True, metadata={"comment": column.description})
        for field, column in zip(arrow.fields, contract.columns, strict=True)
    ]
