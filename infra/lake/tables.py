"""The lake's Delta tables, one per contract, on a folder or an S3 bucket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import TableNotFoundError

from finlake.errors import ComponentMissing
from infra.settings import Settings
from lakehouse_schemas import Contract

__all__ = ["LAKE_LAYERS", "Lake"]

LAKE_LAYERS = ("bronze", "silver", "gold")

# Table properties: a checkpoint is worth its cost every hundred commits; old log entries go after
# a day since a table gets a commit or two a second.
_PROPERTIES = {
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 days",
}


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
            secret = settings.s3_secret_key
            self.storage_options = {
                "aws_endpoint": settings.s3_endpoint or "",
                "aws_access_key_id": settings.s3_access_key or "",
                "aws_secret_access_key": secret.get_secret_value() if secret else "",
                "aws_region": "us-east-1",
                "aws_allow_http": "true",
                # A commit is a put that fails when the version is there already.
                "aws_conditional_put": "etag",
            }

    def uri(self, contract: Contract) -> str:
        """Address of the table for delta-rs."""
        return f"{self._root}/{contract.layer}/{contract.name}"

    def spark_uri(self, contract: Contract) -> str:
        """Address of the table for Spark."""
        return f"{self.spark_root}/{contract.layer}/{contract.name}"

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
        """The table, made empty from its contract when it is not there.

        Comments on table and columns come from the contract. Reader version stays at 1, so that
        every engine can read it.

        Raises:
            ComponentMissing: when the lake cannot be reached or written.
        """
        found = self.open(contract)
        if found is not None:
            return found
        if not self._s3:
            Path(self.uri(contract)).mkdir(parents=True, exist_ok=True)
        arrow = Schema.from_arrow(contract.arrow_schema())
        fields = [
            Field(field.name, field.type, nullable=True, metadata={"comment": column.description})
            for field, column in zip(arrow.fields, contract.columns, strict=True)
        ]
        try:
            return DeltaTable.create(
                self.uri(contract),
                Schema(fields),
                mode="ignore",
                name=contract.full_name,
                description=contract.description,
                configuration=_PROPERTIES,
                storage_options=self.storage_options,
            )
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> ComponentMissing:
        reason = " ".join(str(error).split())[:200]
        return ComponentMissing(
            f"the lake {self.spark_root} cannot be reached ({reason}); "
            "start it with `finlake up` or correct FINLAKE_LAKE"
        )
