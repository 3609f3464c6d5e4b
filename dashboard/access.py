"""Who looks at the pages, and what they may do and see there.

On a machine of one's own everybody has the role of ``FINLAKE_DASHBOARD_ROLE``, an operator's at
first. Where that setting is ``login``, each role has a user of its name with a generated password
in the home's ``secrets``; who has shown it keeps a signed cookie for some hours.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any, Final, get_args

import streamlit as st

from dashboard.base import now, settings
from infra.settings import Settings, secret
from lakehouse_schemas import contracts
from lakehouse_schemas.masking import HIDDEN, masked_value
from lakehouse_schemas.model import Role

__all__ = [
    "LOGINS",
    "actor",
    "allowed",
    "ask",
    "is_password",
    "keep",
    "make_token",
    "may",
    "read_token",
    "role",
    "seen",
    "sign_out",
    "signed_in",
]

LOGINS: Final[tuple[Role, ...]] = ("analyst", "operator", "admin")
"""The roles that may look at the pages, each may do what the one before it may."""

_COOKIE: Final = "finlake_session"
_HOURS: Final = 12
_WAIT_S: Final = 1.0
_KEPT: Final = "session"


def role() -> Role | None:
    """The reader's role; None for somebody who has yet to sign in."""
    always = settings().dashboard_role
    if always != "login":
        return always
    said = st.session_state.get(_KEPT)
    token = st.context.cookies.get(_COOKIE, "") if said is None else said
    return read_token(settings(), str(token), now().timestamp())


def may(wanted: Role) -> bool:
    """Whether the reader may do what that role may."""
    found = role()
    return found is not None and allowed(found, wanted)


def allowed(given: Role, wanted: Role) -> bool:
    """Whether somebody of the first role may do what the second may."""
    return LOGINS.index(given) >= LOGINS.index(wanted)


def actor() -> str:
    """The reader, for logs and notes: roles are the users here."""
    return str(role() or "nobody")


def seen(table: str, column: str, value: Any) -> Any:
    """A value of a table's column as the reader's role may see it, by the contract's mask."""
    found = masked_value(contracts.get(table).column(column), role() or "viewer", value)
    return "hidden" if found == HIDDEN else found


# ── Signing in ───────────────────────────────────────────────────────────────────────────────────


def signed_in() -> bool:
    """Whether there is anything to sign out of."""
    return settings().dashboard_role == "login" and role() is not None


def ask() -> None:
    """Draw the page that asks for user and password."""
    _forget_or_keep()
    with st.container(key="login", width=420):
        st.html('<h1 class="fl-title">FinLake</h1>')
        with st.form("sign in", border=True):
            user = st.selectbox("User", LOGINS, index=LOGINS.index("operator"))
            password = st.text_input("Password", type="password", autocomplete="current-password")
            if st.form_submit_button("Sign in", type="primary"):
                if is_password(settings(), user, password):
                    until = int(now().timestamp()) + _HOURS * 3600
                    st.session_state[_KEPT] = make_token(settings(), user, until)
                    st.rerun()
                time.sleep(_WAIT_S)  # guessing shall be slow
                st.error("The password is not this user's.")
        st.caption(
            "The passwords stand in the home's folder `secrets`:"
            " `dashboard_analyst_password` and its like."
        )


def sign_out() -> None:
    """Forget who the reader is."""
    st.session_state[_KEPT] = ""


def keep() -> None:
    """Let the browser keep what a new session is to know; to be drawn on each page."""
    if settings().dashboard_role == "login":
        _forget_or_keep()


def _forget_or_keep() -> None:
    token = st.session_state.get(_KEPT)
    if token is None or token == st.context.cookies.get(_COOKIE):
        return
    age = _HOURS * 3600 if token else 0
    cookie = f"{_COOKIE}={token}; path=/; max-age={age}; SameSite=Strict"
    st.html(f"<script>document.cookie = '{cookie}'</script>", unsafe_allow_javascript=True)


def is_password(having: Settings, user: str, password: str) -> bool:
    """Whether it is the user's; the passwords are made at the first asking."""
    whose: dict[str, str] = {
        name: secret(having.home, f"dashboard_{name}_password", 9) for name in LOGINS
    }
    return hmac.compare_digest(whose.get(user, "").encode(), password.encode()) and user in whose


def make_token(having: Settings, user: str, until: int) -> str:
    """A cookie that says who somebody is until then, in seconds since 1970."""
    text = f"{user}.{until}"
    return f"{text}.{_signature(having, text)}"


def read_token(having: Settings, token: str, at: float) -> Role | None:
    """The role of a cookie that is ours and still good."""
    text, _, signature = token.rpartition(".")
    user, _, until = text.partition(".")
    if not hmac.compare_digest(_signature(having, text).encode(), signature.encode()):
        return None
    return next((one for one in get_args(Role) if one == user and at < int(until)), None)


def _signature(having: Settings, text: str) -> str:
    # Who has no password any more has no session any more: the passwords are a part of the key.
    key = secret(having.home, "dashboard_session_key")
    words = [secret(having.home, f"dashboard_{name}_password", 9) for name in LOGINS]
    return hmac.new("".join([key, *words]).encode(), text.encode(), hashlib.sha256).hexdigest()
