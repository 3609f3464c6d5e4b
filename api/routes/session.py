"""Keys and sessions: for administrators, and for whoever trades a key for a token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query, Request

from api.problems import Problem
from api.routes.given import OnlyOnce, ServicesOf, Who
from api.schemas.base import Page
from api.schemas.session import AskKey, AskRefresh, KeyShown, Me, NewKey, Session
from api.services.access_store import Key
from api.services.all import Services
from api.services.tokens import Claims
from finlake.errors import UsageProblem

__all__ = [
    "create_key",
    "end_session",
    "keys",
    "me",
    "open_session",
    "refresh_session",
    "revoke_key",
    "rotate_key",
]

KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]


def me(who: Who) -> Me:
    """Say who is calling, and what they may do."""
    return Me(key_id=who.key_id, role=who.role, scopes=sorted(who.scopes), user_id=who.user_id)


def open_session(who: Who, services: ServicesOf) -> Session:
    """Trade a key for a short-lived token, and one to refresh it with."""
    session, refresh = services.store.open_session(who.key_id, services.settings.api_refresh_days)
    return _session(services, who.key_id, session, refresh)


def refresh_session(asked: AskRefresh, services: ServicesOf) -> Session:
    """Trade a refresh token for a new token. It works once; used again, it ends the session."""
    found = services.store.refresh(asked.refresh_token)
    if found is None:
        raise Problem(401, "unauthorized", "the refresh token is not valid (any more)")
    key, session, refresh = found
    return _session(services, key.id, session, refresh)


def end_session(request: Request, services: ServicesOf) -> None:
    """End the session of the token that the request came with."""
    session = getattr(request.state, "session", None)
    if session is None:
        raise Problem(422, "invalid", "come with the token whose session is to end, not with a key")
    services.store.end_session(session)


def keys(
    services: ServicesOf,
    after: Annotated[str, Query(pattern=r"^[0-9a-f]{0,12}$")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Page[KeyShown]:
    """List keys, page by page; their secrets are not known."""
    found = services.store.listed(after, limit + 1)
    items = [_shown(key) for key in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


def create_key(asked: AskKey, once: OnlyOnce, services: ServicesOf) -> NewKey:
    """Make a key; its secret is shown this once."""

    def make() -> NewKey:
        key, secret = services.store.create(
            asked.name, asked.role, asked.scopes, asked.user_id, asked.days
        )
        return NewKey(key=_shown(key), secret=secret)

    return once.run(NewKey, make)


def rotate_key(key_id: KeyId, once: OnlyOnce, services: ServicesOf) -> NewKey:
    """Give a key a new secret; the old one opens for another day."""

    def make() -> NewKey:
        _known(services, key_id)
        key, secret = services.store.rotate(key_id)
        return NewKey(key=_shown(key), secret=secret)

    return once.run(NewKey, make)


def revoke_key(key_id: KeyId, services: ServicesOf) -> KeyShown:
    """End a key and its sessions, at once and for good. Again changes nothing."""
    _known(services, key_id)
    return _shown(services.store.revoke(key_id))


def _known(services: Services, key_id: str) -> None:
    try:
        services.store.key(key_id)
    except UsageProblem:
        raise Problem(404, "not-found", "there is no such key") from None


def _session(services: Services, key_id: str, session: str, refresh: str) -> Session:
    return Session(
        access_token=services.tokens.sign(Claims(key_id, session)),
        expires_in=services.tokens.seconds,
        refresh_token=refresh,
    )


def _shown(key: Key) -> KeyShown:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    return KeyShown(
        id=key.id,
        name=key.name,
        role=key.role,
        user_id=key.user_id,
        scopes=list(key.scopes),
        created=datetime.fromtimestamp(key.created, UTC),
        expires=at(key.expires),
        revoked=at(key.revoked),
    )
