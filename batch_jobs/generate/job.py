"""Write a generated set as files of the Kaggle set's form, or into the source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pymysql

from batch_jobs.ahead import ahead
from batch_jobs.generate.dataset import Dataset
from batch_jobs.generate.people import categories_table
from batch_jobs.generate.plan import Plan
from batch_jobs.generate.reference import categories
from batch_jobs.load.connection import Connection, connect, is_lost, one_writer, said
from batch_jobs.load.files import FILES
from batch_jobs.load.progress import Progress, ProgressTable
from batch_jobs.load.writer import Writer
from batch_jobs.tokens import add_card_tokens
from batch_jobs.transforms.kaggle import file_columns, render_lines
from batch_jobs.transforms.labels import render_entries
from batch_jobs.transforms.text import joined
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.database.schema import apply_schema
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["fill_source", "write_files"]

Watch = Callable[[str, int, int], None]
"""Called with what is being done, how many transactions are done, and how many there are."""

_FILE = {table: name for name, table in FILES.items()}
_CRLF = ("cards", "transactions")  # line ends differ in the Kaggle set too


def write_files(
    plan: Plan, folder: Path, *, watch: Watch = lambda _what, _done, _of: None
) -> dict[str, int]:
    """Write the five files; rows by table. Files take their names when all are complete.

    Raises:
        UsageProblem: the folder holds such files already.
    """
    present = [name for name in FILES if (folder / name).exists()]
    if present:
        raise UsageProblem(f"{folder} holds {present[0]} already; name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    data = Dataset.make(plan)
    rows = {"mcc_codes": len(categories().mcc)}
    with ExitStack() as stack:

        def begin(table: str) -> BinaryIO:
            return stack.enter_context((folder / f"{_FILE[table]}.part").open("wb"))

        begin("mcc_codes").write(_categories_json())
        for table, content in (("users", data.people.users), ("cards", data.people.cards)):
            _write_csv(begin(table), table, content, header=True)
            rows[table] = content.num_rows
        transactions, labels = begin("transactions"), begin("fraud_labels")
        labels.write(b'{"target": {')
        rows |= {"transactions": 0, "fraud_labels": 0}
        for number, part in ahead(data.part, range(data.parts), workers=2):
            _write_csv(transactions, "transactions", part.transactions, header=number == 0)
            if part.labels.num_rows:
                labels.write(b", " if rows["fraud_labels"] else b"")
                labels.write(render_entries(part.labels))
            rows["transactions"] += part.transactions.num_rows
            rows["fraud_labels"] += part.labels.num_rows
            watch("generating", rows["transactions"], plan.transactions)
        labels.write(b"}}")
    for name in FILES:
        (folder / f"{name}.part").rename(folder / name)
    return rows


def _categories_json() -> bytes:
    codes = zip(categories().mcc.tolist(), categories().description, strict=True)
    return json.dumps({str(mcc): text for mcc, text in codes}, indent=2).encode()


def _write_csv(file: BinaryIO, table: str, rows: pa.Table, *, header: bool) -> None:
    contract = contracts.get(f"source.{table}")
    end = "\r\n" if table in _CRLF else "\n"
    if header:
        file.write((",".join(file_columns(contract)) + end).encode())
    file.write(joined(render_lines(contract, rows, end)))


def fill_source(
    settings: Settings, plan: Plan, *, watch: Watch = lambda _what, _done, _of: None
) -> dict[str, int]:
    """Write the set into the source; rows by table. A set that is partly in is continued.

    Raises:
        UsageProblem: the source holds other transactions.
        FinlakeError: the source refused; the message says what is in.
        ComponentMissing: the source is not there, or went away.
    """
    with closing(connect(settings)) as connection, one_writer(connection, "finlake load"):
        apply_schema(settings)
        table = ProgressTable(connection)
        fingerprint = hashlib.sha256(plan.name.encode()).hexdigest()
        done = {
            name: table.find(fingerprint, name) or Progress(fingerprint, name, 0, 1)
            for name in ("transactions", "fraud_labels")
        }
        if not done["transactions"].position:
            _refuse_others(connection, plan)
        data = Dataset.make(plan)
        try:
            for state in _fill(settings, connection, data, done):
                for progress in state.values():
                    table.save(progress)
                connection.commit()
                done = state
                watch("generating", done["transactions"].rows, plan.transactions)
        except (pymysql.MySQLError, OSError) as error:
            kind = ComponentMissing if is_lost(error) else FinlakeError
            raise kind(f"{_standing(done)} ({said(error)}); {_CONTINUE}") from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{_standing(done)}; {_CONTINUE}") from None
    return {
        "mcc_codes": len(categories().mcc),
        "users": data.people.users.num_rows,
        "cards": data.people.cards.num_rows,
        **{name: progress.rows for name, progress in done.items()},
    }


_CONTINUE = "the same command continues there"


def _standing(done: dict[str, Progress]) -> str:
    return f"stopped with {done['transactions'].rows:,} transactions in"


def _refuse_others(connection: Connection, plan: Plan) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM transactions LIMIT 1")
        if cursor.fetchone():
            raise UsageProblem(
                f"the source holds other transactions than this set ({plan.name});"
                " use an empty source, or write files with --out"
            )
    connection.commit()


def _fill(
    settings: Settings, connection: Connection, data: Dataset, done: dict[str, Progress]
) -> Iterator[dict[str, Progress]]:
    """Write part after part into the open transaction, and say what then will be in."""
    writer = Writer(connection)
    start = done["transactions"].position
    if not start:
        people = data.people
        writer.write(contracts.get("source.mcc_codes"), categories_table())
        writer.write(contracts.get("source.users"), people.users)
        cards = add_card_tokens(people.cards, settings.token_key_bytes, settings.token_key_id)
        writer.write(contracts.get("source.cards"), cards)
    for number, part in ahead(data.part, range(start, data.parts), workers=1):
        for name, rows in (("transactions", part.transactions), ("fraud_labels", part.labels)):
            writer.write(contracts.get(f"source.{name}"), rows)
            done = done | {
                name: done[name].moved(
                    number + 1, 1, rows.num_rows, finished=number + 1 == data.parts
                )
            }
        yield done
