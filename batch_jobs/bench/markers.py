"""Rows of our own in the source, whose every change has a known time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing

from batch_jobs.load.connection import Connection, connect
from finlake.errors import FinlakeError, UsageProblem
from infra.settings import Settings

__all__ = ["AMOUNTS", "Markers", "OnChange"]

AMOUNTS = {"insert": 1000, "update": 1100}
"""Cents of a marker after each change; enough to break no rule of small amounts."""

OnChange = Callable[[int, str, float], None]
"""Called after a COMMIT with the marker's number, what was done, and seconds since 1970."""

_INSERT = """
INSERT INTO transactions (id, date, client_id, card_id, amount, use_chip, merchant_id,
    merchant_city, mcc)
VALUES (%s, UTC_TIMESTAMP(6), %s, %s, %s, 'Online Transaction', 1, 'ONLINE', 5411)"""


class Markers:
    """Inserts a transaction with a negative number, updates it, deletes it; one after the other.

    Real transactions count upwards from one, so nothing else touches these; what an earlier run
    has left is deleted first.

    Args:
        settings: where the source is.
        every_s: pause between two markers.
        hold_s: how long a marker stays as it is between its changes.
        on_change: hears of each change.
        amounts: cents of a marker after its insert and its update; without one there is no update.
    """

    def __init__(
        self,
        settings: Settings,
        every_s: float,
        hold_s: float,
        on_change: OnChange,
        amounts: Mapping[str, int] = AMOUNTS,
    ) -> None:
        self._settings = settings
        self._every_s = every_s
        self._hold_s = hold_s
        self._on_change = on_change
        self._amounts = amounts
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="markers", daemon=True)
        self._error: FinlakeError | None = None

    def start(self) -> None:
        """Begin, in a thread of its own.

        Raises:
            UsageProblem: when the source has no card that a marker could belong to.
        """
        with closing(connect(self._settings)) as connection:
            self._owner = _owner(connection)
            _do(connection, "DELETE FROM transactions WHERE id < 0")
        self._thread.start()

    def stop(self) -> None:
        """End; every marker that was inserted is deleted first.

        Raises:
            FinlakeError: when the source did not take a marker.
        """
        self._stop.set()
        self._thread.join()
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            with closing(connect(self._settings)) as connection:
                self._work(connection)
        except FinlakeError as error:
            self._error = error

    def _work(self, connection: Connection) -> None:
        due: list[tuple[float, int, str]] = []
        number, next_insert = 0, time.monotonic()
        while due or not self._stop.is_set():
            now = time.monotonic()
            if not self._stop.is_set() and now >= next_insert:
                number -= 1
                self._change(connection, number, "insert")
                following = "update" if "update" in self._amounts else "delete"
                due.append((now + self._hold_s, number, following))
                next_insert = max(next_insert + self._every_s, now)
            elif due and now >= due[0][0]:
                _, one, change = due.pop(0)
                self._change(connection, one, change)
                if change == "update":
                    due.append((now + self._hold_s, one, "delete"))
                    due.sort()
            else:
                time.sleep(0.002)

    def _change(self, connection: Connection, number: int, change: str) -> None:
        money = self._amounts.get(change, 0) / 100
        if change == "insert":
            _do(connection, _INSERT, number, *self._owner, money)
        elif change == "update":
            _do(connection, "UPDATE transactions SET amount = %s WHERE id = %s", money, number)
        else:
            _do(connection, "DELETE FROM transactions WHERE id = %s", number)
        self._on_change(number, change, time.time())


def _owner(connection: Connection) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_id, id FROM cards ORDER BY id LIMIT 1")
        row = cursor.fetchone()
    if row is None:
        raise UsageProblem("the source has no cards; fill it with `finlake generate` first")
    return row[0], row[1]


def _do(connection: Connection, sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
    connection.commit()
