"""API keys: who may ask the API, for administrators."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from api.access import SCOPES, Role
from api.client import Client, Refused
from api.schemas.session import AskKey, KeyShown, NewKey
from dashboard import access, markup, service
from dashboard.frame import heading, now
from finlake.errors import FinlakeError

__all__ = ["show"]

_SAID, _SHOWN = "keys_said", "keys_shown"
_MEANINGS: dict[Role, str] = {
    "viewer": "asks about rows it posts; sees no stored customer",
    "operator": "the same; sees and reloads models, starts trainings",
    "analyst": "sees every customer and the models",
    "admin": "everything, these keys too",
    "customer": "sees one customer, their own",
}


def show() -> None:
    """Draw the page."""
    heading("API keys")
    if not access.may("admin"):
        st.html(markup.empty_state("For administrators", "Keys are made and revoked by them."))
        return
    try:
        found = service.ask("admin", lambda api: list(api.every_key()))
    except FinlakeError as error:
        st.html(markup.warning("The API cannot be asked", str(error)))
        return
    _tell()
    _list(found)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _create()
    with right:
        _change([key for key in found if _state(key, now()) == "open"])


def _tell() -> None:
    """What the last action has done; a secret is shown this once."""
    if said := st.session_state.pop(_SAID, None):
        st.caption(said)
    if secret := st.session_state.pop(_SHOWN, None):
        st.html(
            markup.empty_state(
                "Copy it now", "This is the only time that the secret is shown; it is not kept."
            )
        )
        st.code(secret, language=None)


def _state(key: KeyShown, at: datetime) -> str:
    if key.revoked is not None:
        return "revoked"
    return "expired" if key.expires is not None and key.expires <= at else "open"


def _list(found: list[KeyShown]) -> None:
    every = st.toggle("Show keys that open nothing any more", key="dead")
    at = now()
    shown = [key for key in found if every or _state(key, at) == "open"]
    shown.sort(key=lambda key: key.created, reverse=True)
    st.html(
        markup.cells(
            [
                ("Name", False),
                ("Role", False),
                ("Scopes", False),
                ("Made", False),
                ("Until", False),
                ("State", False),
                ("Number", False),
            ],
            [
                (
                    key.name,
                    key.role if key.user_id is None else f"{key.role} {key.user_id}",
                    "all" if len(key.scopes) == len(SCOPES) else ", ".join(key.scopes),
                    f"{key.created:%d %b %Y}",
                    f"{key.expires:%d %b %Y %H:%M}" if key.expires else "–",
                    _state(key, at),
                    key.id,
                )
                for key in shown
            ],
            caption=f"{len(shown)} of {len(found)} keys; times are UTC",
            levels=["ok" if _state(key, at) == "open" else "warn" for key in shown],
        )
    )


def _create() -> None:
    st.subheader("A new key", anchor=False)
    roles: tuple[Role, ...] = get_args(Role)
    with st.form("create", border=True):
        st.text_input("Whose it is", key="new_name", max_chars=80)
        st.selectbox(
            "Role", roles, key="new_role", format_func=lambda role: f"{role}: {_MEANINGS[role]}"
        )
        st.text_input("Customer number, for the role customer", key="new_user")
        st.multiselect("Scopes", SCOPES, default=list(SCOPES), key="new_scopes")
        st.number_input("Days until it expires; 0 for never", 0, 3650, 90, key="new_days")
        st.form_submit_button("Make it", type="primary", on_click=_make)


def _change(alive: list[KeyShown]) -> None:
    st.subheader("Change a key", anchor=False)
    if not alive:
        st.html(markup.empty_state("No key is open", "Make one beside this."))
        return
    names = {key.id: f"{key.name} ({key.role}, {key.id})" for key in alive}
    with st.container(border=True):
        chosen = st.selectbox("Key", list(names), format_func=names.__getitem__, key="chosen")
        sure = st.checkbox("I know that who uses it is affected", key="sure")
        with st.container(horizontal=True):
            st.button("New secret", disabled=not sure, on_click=partial(_rotate, chosen))
            st.button("Revoke", disabled=not sure, on_click=partial(_revoke, chosen))
        st.caption("After a new secret the old one opens for another day; a revoked key never.")


def _make() -> None:
    state = st.session_state
    asked: dict[str, Any] = {
        "name": state["new_name"].strip(),
        "role": state["new_role"],
        "scopes": state["new_scopes"],
        "days": state["new_days"] or None,
    }
    if user := state["new_user"].strip():
        asked["user_id"] = user
    try:
        key = AskKey.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        state[_SAID] = f"{first['loc'][0]}: {first['msg']}"
        return
    _act(lambda api, once: api.create_key(key, once), "made")


def _rotate(key_id: str) -> None:
    _act(lambda api, once: api.rotate_key(key_id, once), "given a new secret")


def _revoke(key_id: str) -> None:
    _act(lambda api, _: api.revoke_key(key_id), "revoked")


def _act(what: Callable[[Client, str], NewKey | KeyShown], done: str) -> None:
    """Do it, once even where the request has to be repeated; for administrators alone."""
    if not access.may("admin"):
        return
    once = secrets.token_hex(8)
    try:
        found = service.ask("admin", lambda api: what(api, once))
    except Refused as error:
        st.session_state[_SAID] = error.problem.detail
        return
    except FinlakeError as error:
        st.session_state[_SAID] = str(error)
        return
    key = found.key if isinstance(found, NewKey) else found
    st.session_state[_SAID] = f"{key.name} ({key.id}) is {done}"
    if isinstance(found, NewKey):
        st.session_state[_SHOWN] = found.secret
    st.session_state["sure"] = False
