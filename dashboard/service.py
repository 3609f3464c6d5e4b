"""The API as the pages ask it: where it is, and by which key.

The key is ``FINLAKE_API_KEY``. Without one, on the machine of the API itself, the dashboard makes
keys of its own in the home that both have, each for a day and for what a page needs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

import streamlit as st

from api.access import Role, Scope
from api.client import Client, Refused
from dashboard.base import settings
from finlake.errors import UsageProblem
from infra.settings import Settings, load_settings

__all__ = ["ask"]

T = TypeVar("T")
_NAME: Final = "dashboard"
_DAYS: Final = 1
_PATIENCE_S: Final = 20.0


def ask(role: Role, question: Callable[[Client], T]) -> T:
    """What the API answers to somebody of that role.

    Raises:
        Refused: it says no.
        ComponentMissing: it does not answer.
        UsageProblem: there is no key.
    """
    # Read anew: the stack may have started the API, and chosen its port, after the dashboard.
    having = load_settings(home=settings().home)
    try:
        return _asked(having, role, question)
    except Refused as error:
        if error.problem.status != 401 or having.api_key is not None:
            raise
        _key.clear()  # it has expired, or somebody has revoked it
        return _asked(having, role, question)


def _asked(having: Settings, role: Role, question: Callable[[Client], T]) -> T:
    given = having.api_key
    key = given.get_secret_value() if given else _key(role)
    with Client(having.api_address, key, _PATIENCE_S) as client:
        return question(client)


@st.cache_resource(ttl=timedelta(hours=12), show_spinner=False)
def _key(role: Role) -> str:
    from api.services.access_store import AccessStore

    place = settings().home / "api" / "access.sqlite"
    if not place.exists():
        raise UsageProblem(
            "no API has run in this home: start it with `finlake up --with api`, or set"
            " FINLAKE_API_URL and FINLAKE_API_KEY to one elsewhere"
        )
    scopes: tuple[Scope, ...] = ("keys",) if role == "admin" else ("insights", "predictions")
    return AccessStore(place).create(_NAME, role, scopes, days=_DAYS)[1]
