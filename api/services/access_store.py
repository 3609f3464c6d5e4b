"""API keys and sessions in a small SQLite file in the home, shared by all workers.

Of a key or refresh token only the SHA-256 is kept. Both are 32 random bytes, so that nobody can
guess them from it and a slow hash would add nothing but work to every request.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.access import ROLES, SCOPES, Principal, Role, Scope
from finlake.errors import ComponentMissing, UsageProblem

__all__ = ["AccessStore", "Key"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, user_id INTEGER,
  scopes TEXT NOT NULL, hash BLOB NOT NULL, old_hash BLOB, old_until REAL,
  created REAL NOT NULL, expires REAL, revoked REAL);
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY, key_id TEXT NOT NULL, hash BLOB NOT NULL, expires REAL NOT NULL,
  revoked REAL);
CREATE TABLE IF NOT EXISTS answers (
  key_id TEXT NOT NULL, name TEXT NOT NULL, asked BLOB NOT NULL, body BLOB, made REAL NOT NULL,
  PRIMARY KEY (key_id, name));
"""
_GRACE_S: Final = 86_400.0
_WAIT_S: Final = 5.0
_COLUMNS = "id, name, role, user_id, scopes, created, expires, revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret; times are seconds since 1970."""

    id: str
    name: str
    role: Role
    user_id: int | None
    scopes: tuple[Scope, ...]
    created: float
    expires: float | None
    revoked: float | None

    def alive(self, now: float) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    @property
    def principal(self) -> Principal:
        """Who comes with it."""
        return Principal(self.id, self.role, frozenset(self.scopes), self.user_id)


class AccessStore:
    """Makes, lists, rotates and revokes keys; opens and ends sessions. Safe between threads."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ComponentMissing(
                f"{path}: cannot be opened ({error}); correct its rights"
            ) from None

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    def create(
        self,
        name: str,
        role: Role,
        scopes: Iterable[Scope] = SCOPES,
        user_id: int | None = None,
        days: float | None = None,
    ) -> tuple[Key, str]:
        """A new key and the text that opens; the text is not kept.

        Raises:
            UsageProblem: the role is unknown, or a customer's key names no customer, or another's
                does.
        """
        scopes = tuple(dict.fromkeys(scopes))
        if role not in ROLES or not set(scopes) <= set(SCOPES):
            raise UsageProblem(f"role {role} or scopes {', '.join(scopes)}: there is no such")
        if (role == "customer") != (user_id is not None):
            raise UsageProblem("a key of role customer names its customer, and no other key does")
        now = self._clock()
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        expires = None if days is None else now + days * 86_400
        key = Key(key_id, name, role, user_id, scopes, now, expires, None)
        self._run(
            "INSERT INTO keys (id, name, role, user_id, scopes, hash, created, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            key_id, name, role, user_id, " ".join(scopes), _hash(secret), now, expires,
        )  # fmt: skip
        return key, f"fl_{key_id}_{secret}"

    def listed(self, after: str = "", most: int = 1000) -> list[Key]:
        """Keys in order of their ids, dead ones among them."""
        rows = self._run(
            f"SELECT {_COLUMNS} FROM keys WHERE id > ? ORDER BY id LIMIT ?", after, most
        )
        return [_key(row) for row in rows]

    def key(self, key_id: str) -> Key:
        """The key of that id.

        Raises:
            UsageProblem: there is none.
        """
        rows = self._run(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", key_id)
        if not rows:
            raise UsageProblem(f"there is no key {key_id[:40]}; `finlake api keys list` shows all")
        return _key(rows[0])

    def rotate(self, key_id: str, grace_s: float = _GRACE_S) -> tuple[Key, str]:
        """A new secret for a key; the old one opens for as long as ``grace_s``.

        Raises:
            UsageProblem: there is no such key, or it is dead.
        """
        key = self.key(key_id)
        now = self._clock()
        if not key.alive(now):
            raise UsageProblem(f"key {key_id} is revoked or has expired; create another")
        secret = secrets.token_urlsafe(32)
        self._run(
            "UPDATE keys SET old_hash = hash, old_until = ?, hash = ? WHERE id = ?",
            now + grace_s, _hash(secret), key_id,
        )  # fmt: skip
        return key, f"fl_{key_id}_{secret}"

    def revoke(self, key_id: str) -> Key:
        """End a key and all its sessions, at once and for good.

        Raises:
            UsageProblem: there is no such key.
        """
        self.key(key_id)
        now = self._clock()
        self._run("UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?", now, key_id)
        self._run(
            "UPDATE sessions SET revoked = coalesce(revoked, ?) WHERE key_id = ?", now, key_id
        )
        return self.key(key_id)

    def opened_by(self, text: str) -> Key | None:
        """The key that a text opens, None when it opens none."""
        key_id, secret = _parts("fl", text)
        rows = self._run(
            f"SELECT {_COLUMNS}, hash, old_hash, old_until FROM keys WHERE id = ?", key_id
        )
        now, given = self._clock(), _hash(secret)
        if not rows or not (key := _key(rows[0][:8])).alive(now):
            return None
        new, old, until = rows[0][8:]
        if hmac.compare_digest(new, given):
            return key
        if old is not None and now < until and hmac.compare_digest(old, given):
            return key
        return None

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────

    def open_session(self, key_id: str, days: float) -> tuple[str, str]:
        """A new session of a key: its id, and the token that refreshes it."""
        session, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        self._run(
            "INSERT INTO sessions (id, key_id, hash, expires) VALUES (?, ?, ?, ?)",
            session, key_id, _hash(secret), self._clock() + days * 86_400,
        )  # fmt: skip
        return session, f"fr_{session}_{secret}"

    def refresh(self, token: str) -> tuple[Key, str, str] | None:
        """Key, session and the next token; None when the token is not good.

        A token works once. One that comes again was stolen from somebody, so it ends the session.
        """
        session, secret = _parts("fr", token)
        following = secrets.token_urlsafe(32)
        now = self._clock()
        changed = self._run(
            "UPDATE sessions SET hash = ? WHERE id = ? AND hash = ? AND revoked IS NULL"
            " AND expires > ? RETURNING key_id",
            _hash(following), session, _hash(secret), now,
        )  # fmt: skip
        if not changed:
            self.end_session(session)
            return None
        key = self.key(changed[0][0])
        return (key, session, f"fr_{session}_{following}") if key.alive(now) else None

    def end_session(self, session: str) -> None:
        """End a session: neither its refresh token nor its access tokens open anything."""
        now = self._clock()
        self._run("UPDATE sessions SET revoked = coalesce(revoked, ?) WHERE id = ?", now, session)

    def in_session(self, session: str, key_id: str) -> Key | None:
        """The key of a session that is still open; None otherwise."""
        columns = ", ".join(f"keys.{name}" for name in _COLUMNS.split(", "))
        rows = self._run(
            f"SELECT {columns} FROM sessions JOIN keys ON keys.id = sessions.key_id"
            " WHERE sessions.id = ? AND sessions.key_id = ? AND sessions.revoked IS NULL",
            session, key_id,
        )  # fmt: skip
        if not rows or not (key := _key(rows[0])).alive(self._clock()):
            return None
        return key

    # ── Answers to writes ────────────────────────────────────────────────────────────────────

    def claim(
        self, key_id: str, name: str, asked: bytes, keep_s: float
    ) -> tuple[bytes, bytes | None] | None:
        """Take an idempotency key; None when it is new, else what was asked and answered with it.

        The answer is None while the first request is still under way.
        """
        now = self._clock()
        self._run("DELETE FROM answers WHERE made < ?", now - keep_s)
        taken = self._run(
            "INSERT INTO answers (key_id, name, asked, made) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            key_id, name, asked, now,
        )  # fmt: skip
        if taken:
            return None
        rows = self._run(
            "SELECT asked, body FROM answers WHERE key_id = ? AND name = ?", key_id, name
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def settle(self, key_id: str, name: str, body: bytes | None) -> None:
        """Keep the answer of a claimed idempotency key; None gives the key back."""
        if body is None:
            self._run("DELETE FROM answers WHERE key_id = ? AND name = ?", key_id, name)
        else:
            self._run(
                "UPDATE answers SET body = ? WHERE key_id = ? AND name = ?", body, key_id, name
            )

    def _run(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            return self._db.execute(sql, values).fetchall()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _parts(kind: str, text: str) -> tuple[str, str]:
    """Id and secret of a text; empty ones, which open nothing, of one that has no such form."""
    words = text.split("_", 2)
    return (words[1], words[2]) if len(words) == 3 and words[0] == kind else ("", "")


def _key(row: tuple) -> Key:  # type: ignore[type-arg]
    key_id, name, role, user_id, scopes, created, expires, revoked = row
    known = tuple(scope for scope in SCOPES if scope in scopes.split())
    return Key(key_id, name, role, user_id, known, created, expires, revoked)
