"""The source as traffic sees it: what is there to begin with, and how a batch is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from batch_jobs.generate.merchants import Merchants
from batch_jobs.generate.people import People, categories_table
from batch_jobs.generate.plan import Plan
from batch_jobs.generate.reference import categories
from batch_jobs.load.connection import Connection, said
from batch_jobs.load.writer import Writer
from batch_jobs.tokens import add_card_tokens
from batch_jobs.traffic.batch import Batch, Place, Transaction
from batch_jobs.traffic.simulation import TRANSFER_MERCHANT, Known, World
from finlake.errors import FinlakeError
from infra.settings import Settings
from lakehouse_schemas import contracts

__all__ = ["commit", "read_world"]

_FIRST_USERS = 50  # of an empty source
_FEWEST_SHOPS = 20
_SAMPLE = 5_000


def read_world(settings: Settings, connection: Connection, seed: int) -> World:
    """What is in the source; an empty one gets some users, cards and categories first."""
    if len(_cards(connection)) < 2:  # a transfer needs two
        _first_people(settings, connection, seed)
    rows = _rows(
        connection,
        "SELECT id, client_id, amount, merchant_id, merchant_city, merchant_state, zip, mcc"
        " FROM transactions WHERE merchant_id <> %s ORDER BY id DESC LIMIT %s",
        TRANSFER_MERCHANT,
        _SAMPLE,
    )
    shops = [(row[3], row[7]) for row in rows if row[6]]
    online = [(row[3], row[7]) for row in rows if row[4] == "ONLINE"]
    if min(len(shops), len(online)) < _FEWEST_SHOPS:
        shops, online = _reference_shops(seed)
    oldest = _rows(
        connection,
        "SELECT id, amount FROM transactions WHERE merchant_id <> %s ORDER BY id LIMIT %s",
        TRANSFER_MERCHANT,
        _SAMPLE,
    )
    older = {row[0]: row[1] for row in oldest} | {row[0]: row[2] for row in reversed(rows)}
    world = World(
        cards=_cards(connection),
        homes={row[1]: (row[4], row[5], row[6]) for row in rows if row[6]},
        shops=shops,
        online_shops=online,
        next_id=_rows(connection, "SELECT COALESCE(MAX(id), 0) + 1 FROM transactions")[0][0],
        older=[Known((identity,), amount) for identity, amount in older.items()],
    )
    connection.commit()
    return world


def _rows(connection: Connection, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _cards(connection: Connection) -> list[tuple[int, int]]:
    return list(_rows(connection, "SELECT id, client_id FROM cards ORDER BY id LIMIT 100000"))


def _first_people(settings: Settings, connection: Connection, seed: int) -> None:
    people = People.make(Plan(1_000, seed, users=_FIRST_USERS))
    cards = add_card_tokens(people.cards, settings.token_key_bytes, settings.token_key_id)
    writer = Writer(connection)
    writer.write(contracts.get("source.mcc_codes"), categories_table())
    writer.write(contracts.get("source.users"), people.users)
    writer.write(contracts.get("source.cards"), cards)
    connection.commit()


def _reference_shops(seed: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Tills and online shops of generated merchants, as often as they are popular."""
    plan = Plan(1_000, seed)
    merchants, kind = Merchants.make(plan), categories()
    random = plan.random("traffic shops")

    def draw(weights: Any, start: Any) -> list[tuple[int, int]]:
        chosen = random.choice(len(weights), 500, p=weights / weights.sum())
        identity = merchants.identity[start[chosen]]
        return list(zip(identity.tolist(), kind.mcc[chosen].tolist(), strict=True))

    physical = np.where(merchants.chain_size > 0, kind.physical, 0)
    return draw(physical, merchants.chain_start), draw(kind.online, merchants.online_start)


# ── Commit ───────────────────────────────────────────────────────────────────────────────────────

_INSERT = (
    f"INSERT INTO transactions ({', '.join(f'`{name}`' for name in Transaction._fields)})"
    f" VALUES ({', '.join(['%s'] * len(Transaction._fields))})"
)


def commit(connection: Connection, batch: Batch, *, again: bool) -> dict[str, int]:
    """Make the batch's changes in one transaction; how many rows of each kind changed.

    ``again`` says that the line broke while the batch was sent: it may be in already, and then
    changes nothing.

    Raises:
        FinlakeError: another program writes transactions with the same numbers.
        pymysql.MySQLError: the connection broke, or the server refused.
    """
    changed: dict[str, int] = {}
    with connection.cursor() as cursor:
        try:
            changed["inserted"] = _insert(cursor, batch.inserted, again=again)
        except pymysql.IntegrityError as error:
            if error.args[0] != ER.DUP_ENTRY:
                raise
            connection.rollback()
            raise FinlakeError(
                f"table transactions: another program inserts the same numbers ({said(error)});"
                " let one at a time write"
            ) from None
        changed["updated"] = (
            _update(cursor, "transactions", ("amount",), _singles(batch.amounts))
            + _update(cursor, "transactions", ("errors",), _singles(batch.errors))
            + _update(cursor, "transactions", Place._fields, batch.places)
        )
        for kind in ("users", "cards"):
            changed[kind] = sum(
                _update(cursor, table, (column,), _singles(values))
                for (table, column), values in batch.people.items()
                if table == kind
            )
        changed["labels"] = 0
        if batch.labels:
            changed["labels"] = (
                cursor.executemany(
                    "INSERT INTO fraud_labels (transaction_id, label) VALUES (%s, %s)"
                    " ON DUPLICATE KEY UPDATE label = VALUES(label)",
                    list(batch.labels.items()),
                )
                or 0
            )
        changed["deleted"] = 0
        if batch.deleted:
            changed["labels"] += cursor.execute(
                "DELETE FROM fraud_labels WHERE transaction_id IN %s", (batch.deleted,)
            )
            changed["deleted"] = cursor.execute(
                "DELETE FROM transactions WHERE id IN %s", (batch.deleted,)
            )
    connection.commit()
    return changed


def _insert(cursor: Cursor, rows: list[Transaction], *, again: bool) -> int:
    if not rows:
        return 0
    statement = _INSERT + (" ON DUPLICATE KEY UPDATE id = VALUES(id)" if again else "")
    return cursor.executemany(statement, rows) or 0


def _singles(values: dict[int, Any]) -> dict[int, tuple[Any]]:
    return {key: (value,) for key, value in values.items()}


def _update(
    cursor: Cursor, table: str, columns: Iterable[str], rows: Mapping[int, tuple[Any, ...]]
) -> int:
    """Set columns of many rows by one statement: a round trip for each is what takes time."""
    if not rows:
        return 0
    columns = tuple(columns)
    first = "SELECT %s AS id, " + ", ".join(f"%s AS `{column}`" for column in columns)
    other = " UNION ALL SELECT %s" + ", %s" * len(columns)
    changes = ", ".join(f"t.`{column}` = v.`{column}`" for column in columns)
    values = [cell for key, row in rows.items() for cell in (key, *row)]
    return cursor.execute(
        f"UPDATE `{table}` AS t JOIN ({first}{other * (len(rows) - 1)}) AS v ON t.id = v.id"
        f" SET {changes}",
        values,
    )
