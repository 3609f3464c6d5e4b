"""Writes that may be repeated: the header ``Idempotency-Key`` makes the second one the first."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from cryptography.fernet import Fernet
from pydantic import BaseModel

from api.access import Principal
from api.problems import Problem
from api.services.access_store import AccessStore

__all__ = ["Once", "Repeats"]

_KEPT_S: Final = 86_400.0
Body = TypeVar("Body", bound=BaseModel)


class Repeats:
    """Answers of writes, kept for a day; encrypted, for a new key's secret may be among them."""

    def __init__(self, store: AccessStore, secret: bytes) -> None:
        self._store = store
        key = hashlib.sha256(b"answers" + secret).digest()
        self._box = Fernet(base64.urlsafe_b64encode(key))

    def once(self, who: Principal, name: str | None, asked: bytes) -> Once:
        """This request as one that is done once; ``name`` is its Idempotency-Key, if it has one."""
        return Once(self._store, self._box, who.key_id, name, hashlib.sha256(asked).digest())


class Once:
    """A write under an Idempotency-Key, or without one."""

    def __init__(
        self, store: AccessStore, box: Fernet, key_id: str, name: str | None, asked: bytes
    ) -> None:
        self._store = store
        self._box = box
        self._key_id = key_id
        self._name = name
        self._asked = asked

    def run(self, kind: type[Body], make: Callable[[], Body]) -> Body:
        """The answer of ``make``, or the one that was given before.

        Raises:
            Problem: 409 while the first is under way, 422 when something else was asked then.
        """
        if self._name is None:
            return make()
        before = self._store.claim(self._key_id, self._name, self._asked, _KEPT_S)
        if before is None:
            return self._first(self._name, make)
        asked, answer = before
        if asked != self._asked:
            raise Problem(422, "invalid", "this Idempotency-Key was used for something else")
        if answer is None:
            raise Problem(409, "conflict", "the first request with this key is under way")
        return kind.model_validate_json(self._box.decrypt(answer))

    def _first(self, name: str, make: Callable[[], Body]) -> Body:
        try:
            body = make()
        except BaseException:
            self._store.settle(self._key_id, name, None)
            raise
        packed = self._box.encrypt(body.model_dump_json().encode())
        self._store.settle(self._key_id, name, packed)
        return body
