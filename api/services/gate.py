"""Who is calling, and whether they may: asked once for every request that is not public."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import HTTPConnection

from api.access import Principal, Route
from api.problems import Problem
from api.services.access_store import AccessStore
from api.services.limits import Limits
from api.services.tokens import Tokens

__all__ = ["Gate"]

_WHO = {"WWW-Authenticate": 'Bearer realm="finlake"'}


class Gate:
    """Reads the key or token of a request, counts it, and compares with the route's rule."""

    def __init__(self, store: AccessStore, tokens: Tokens, limits: Limits) -> None:
        self._store = store
        self._tokens = tokens
        self._limits = limits

    async def enter(self, request: Request, route: Route) -> Principal:
        """The caller, who may use the route.

        Raises:
            Problem: 401 without a good key or token, 403 when the route is for others, 429 when
                there were too many requests or too many bad keys.
        """
        key = request.headers.get("x-api-key")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        return await self.admit(request, route, key, bearer)

    async def admit(
        self, request: HTTPConnection, route: Route, text: str | None, token: str
    ) -> Principal:
        """The same for a key or token that came otherwise than in a header; a key comes first."""
        address = request.client.host if request.client else ""
        await self._limits.check("failures", address)
        who = self._principal(request, text, token)
        if who is None:
            await self._limits.take("failures", address)
            raise Problem(
                401, "unauthorized", "send a valid key as X-API-Key, or a token as bearer", _WHO
            )
        await self._limits.take("key", who.key_id)
        if route.roles is None or who.role not in route.roles:
            raise Problem(403, "forbidden", f"the role {who.role} may not do this")
        if route.scope is not None and route.scope not in who.scopes:
            raise Problem(403, "forbidden", f"the key lacks the scope {route.scope}")
        return who

    def _principal(self, request: HTTPConnection, text: str | None, token: str) -> Principal | None:
        if text is not None:
            key = self._store.opened_by(text)
            return key.principal if key else None
        claims = self._tokens.read(token) if token else None
        if claims is None:
            return None
        key = self._store.in_session(claims.session, claims.key_id)
        if key is not None:
            request.state.session = claims.session
        return key.principal if key else None
