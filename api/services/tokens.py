"""Access tokens: JWT of one algorithm, for one issuer and audience, short-lived."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import jwt

__all__ = ["ALGORITHM", "AUDIENCE", "ISSUER", "Claims", "Tokens"]

ALGORITHM: Final = "HS256"
ISSUER: Final = "finlake"
AUDIENCE: Final = "finlake-api"
_REQUIRED: Final = ["iss", "aud", "sub", "sid", "iat", "exp", "jti"]


class Claims(NamedTuple):
    """What a token says: the key it was given to, and the session."""

    key_id: str
    session: str


class Tokens:
    """Signs and reads access tokens. Role and scopes are not in them: the key's count, as of now.

    ``key`` is the secret of 32 bytes or more, ``minutes`` how long a token lives.
    """

    def __init__(self, key: bytes, minutes: float, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self.seconds = int(minutes * 60)
        self._clock = clock

    def sign(self, claims: Claims) -> str:
        """A token for the session."""
        now = int(self._clock())
        body = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.key_id,
            "sid": claims.session,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(body, self._key, algorithm=ALGORITHM)

    def read(self, token: str) -> Claims | None:
        """What a token says; None when it is not ours, is of another form, or has expired."""
        try:
            body = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            fresh = int(body["iat"]) - 60 <= self._clock() < int(body["exp"])
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None
        return Claims(str(body["sub"]), str(body["sid"])) if fresh else None
