"""Keys and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.access import SCOPES, Role, Scope
from api.schemas.base import Asked, Said
from api.schemas.money import UserId

__all__ = ["AskKey", "AskRefresh", "KeyShown", "Me", "NewKey", "Session"]


class AskKey(Asked):
    """What a new key may do. ``user_id`` is a customer's own number, for their role alone."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .:@-]+$")]
    role: Role
    scopes: list[Scope] = Field(default=list(SCOPES), max_length=len(SCOPES))
    user_id: UserId | None = None
    days: int | None = Field(None, ge=1, le=3650, description="Until it expires; null for never.")


class KeyShown(Said):
    """A key without its secret."""

    id: str
    name: str
    role: Role
    user_id: int | None
    scopes: list[Scope]
    created: datetime
    expires: datetime | None
    revoked: datetime | None


class NewKey(Said):
    """A key with its secret, which is shown this once."""

    key: KeyShown
    secret: str


class AskRefresh(Asked):
    """The refresh token of a session."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class Session(Said):
    """Tokens of a session. ``expires_in`` is in seconds."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 (the type's name)
    expires_in: int
    refresh_token: str


class Me(Said):
    """Who is calling."""

    key_id: str
    role: Role
    scopes: list[Scope]
    user_id: int | None
