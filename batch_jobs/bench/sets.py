"""Whole sets as events, without source and lake: the Kaggle set's files, or a generated set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_jobs.generate.dataset import Dataset
from batch_jobs.generate.people import categories_table
from batch_jobs.generate.plan import Plan
from batch_jobs.load.files import FILES, LABELS, SourceFile, open_set
from batch_jobs.train.reading import midnight, reach
from batch_jobs.transforms.kaggle import COMPUTED
from finlake.errors import FinlakeError, UsageProblem
from lakehouse_schemas import Contract, contracts
from models.features import Events
from models.features.encode import Attributes, events_of
from stream_jobs.transforms.gold import dim_rows, fact_rows, wide

__all__ = ["generated", "kaggle"]

_SECRET = ("card_number", "cvv")  # never looked at, and not kept


def kaggle(folder: Path, since: date | None, said: Callable[[str], None]) -> Events:
    """Transactions of the Kaggle set's files, from what features of the day ``since`` look at on.

    Raises:
        UsageProblem: a file is missing, the labels' among them.
        FinlakeError: a file has a wrong header, is broken JSON, or has no such transaction.
    """
    files = open_set(folder)
    if LABELS not in {file.name for file in files}:
        raise UsageProblem(f"{folder} lacks {LABELS}: without labels there is nothing to learn")
    rows = {FILES[file.name]: _newest(_rows(file, since, said), file.contract) for file in files}
    if not rows["transactions"].num_rows:
        raise FinlakeError(
            f"{folder / 'transactions_data.csv'}: has no transaction from {since or 'any day'} on;"
            " choose an earlier --start"
        )
    return _events(rows)


def _rows(file: SourceFile, since: date | None, said: Callable[[str], None]) -> pa.Table:
    parts, rejected = [], 0
    for block in file.blocks(file.begin, file.first_line):
        parsed = file.parse(block)
        rejected += parsed.rejected_rows
        rows = parsed.rows.drop_columns([n for n in _SECRET if n in parsed.rows.column_names])
        if since and file.contract.name == "transactions":
            rows = rows.filter(pc.field("date") >= pa.scalar(midnight(since) - reach()))
        parts.append(rows)
    if rejected:
        said(
            f"{file.path}: {rejected} lines do not fit and are left out; `finlake load` names them"
        )
    if parts:
        return pa.concat_tables(parts)
    schema = file.contract.arrow_schema()
    return schema.empty_table().drop_columns([n for n in _SECRET if n in schema.names])


def _newest(rows: pa.Table, contract: Contract) -> pa.Table:
    """The last row of each key, as the source would have it in the end."""
    key = rows.column(contract.key[0]).to_numpy()
    _, last = np.unique(key[::-1], return_index=True)
    return rows if len(last) == len(key) else rows.take(pa.array(np.sort(len(key) - 1 - last)))


def generated(transactions: int, seed: int) -> Events:
    """A generated set of so many transactions, ten years long as the Kaggle set is.

    Raises:
        UsageProblem: the size makes no sense.
    """
    data = Dataset.make(Plan(transactions, seed))
    parts = [data.part(number) for number in range(data.parts)]
    return _events(
        {
            "transactions": pa.concat_tables([part.transactions for part in parts]),
            "fraud_labels": pa.concat_tables([part.labels for part in parts]),
            "users": data.people.users,
            "cards": data.people.cards,
            "mcc_codes": categories_table(),
        }
    )


def _events(rows: Mapping[str, pa.Table]) -> Events:
    """Rows of the source's tables as events."""
    silver = {table: _live(table, found) for table, found in rows.items()}
    attributes = Attributes.of(
        dim_rows("dim_card", silver["cards"]),
        dim_rows("dim_user", silver["users"]),
        dim_rows("dim_mcc", silver["mcc_codes"]),
    )
    return events_of(fact_rows(wide(silver["transactions"], silver["fraud_labels"])), attributes)


def _live(table: str, rows: pa.Table) -> pa.Table:
    """The rows with the columns that silver has besides, as far as events look at them."""
    contract = contracts.get(f"source.{table}")
    for name in COMPUTED:
        if name in contract.column_names and name not in rows.column_names:
            column = pa.nulls(rows.num_rows, contract.column(name).arrow_type)
            rows = rows.append_column(name, column)
    return rows.append_column("_is_deleted", pa.repeat(pa.scalar(False), rows.num_rows))
