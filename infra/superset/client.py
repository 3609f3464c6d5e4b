"""Superset's REST interface: the few calls that dashboards as code need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import requests

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.settings import Settings

__all__ = ["Client"]

_TIMEOUT_S: Final = 900.0  # an import asks the engine for every table
_PAGE: Final = 100  # most rows that Superset gives at once


class Client:
    """Superset at ``FINLAKE_SUPERSET_URL``, as ``FINLAKE_SUPERSET_USER``.

    Every method raises ``ComponentMissing`` when nobody answers, and ``FinlakeError`` when Superset
    refuses, each with one line that says why.

    Raises:
        UsageProblem: there is no address or password, or Superset does not know the user.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.superset_url:
            raise UsageProblem(
                "setting FINLAKE_SUPERSET_URL is empty; start Superset with"
                " `finlake up --with superset` or set it to a server"
            )
        password = settings.superset_password
        if password is None:
            raise UsageProblem(
                "setting FINLAKE_SUPERSET_PASSWORD is empty; set it to the password of"
                f" {settings.superset_user} in Superset"
            )
        self.url = settings.superset_url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Referer"] = self.url  # which the check for forged requests wants
        self._log_in(settings.superset_user, password.get_secret_value())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def _log_in(self, user: str, password: str) -> None:
        body = {"username": user, "password": password, "provider": "db", "refresh": False}
        answer = self._send("POST", "/api/v1/security/login", json=body)
        if answer.status_code == requests.codes.unauthorized:
            raise UsageProblem(
                f"Superset does not know {user} by that password; correct FINLAKE_SUPERSET_USER"
                " and FINLAKE_SUPERSET_PASSWORD"
            )
        token = _read("POST /api/v1/security/login", answer)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        forged = self.get("/security/csrf_token/")
        self._session.headers["X-CSRFToken"] = forged["result"]

    def get(self, path: str, **query: object) -> Any:
        """What stands at that path of the API; ``query`` is its ``q``, as Superset writes it."""
        return self._call("GET", path + _asked(query))

    def put(self, path: str, body: Mapping[str, object]) -> Any:
        """Change what stands at that path."""
        return self._call("PUT", path, json=body)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Make something below that path."""
        return self._call("POST", path, json=body)

    def rows(self, path: str, columns: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page; with these columns, if any are named."""
        page = 0
        while True:
            query: dict[str, object] = {"page": page, "page_size": _PAGE}
            if columns:
                query["columns"] = list(columns)
            found = self.get(path, **query)["result"]
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def upload(self, path: str, bundle: bytes, passwords: Mapping[str, str]) -> None:
        """Send a bundle of YAML files; ``passwords`` has one for each database's file."""
        self._call(
            "POST",
            path,
            files={"bundle": ("finlake.zip", bundle, "application/zip")},
            data={"passwords": json.dumps(dict(passwords))},
        )

    def download(self, path: str, ids: Iterable[int]) -> bytes:
        """The bundle of YAML files of these things."""
        answer = self._send("GET", f"/api/v1{path}?q=!({','.join(map(str, ids))})")
        if not answer.ok:
            _read(f"GET {path}", answer)
        return answer.content

    def _call(self, method: str, path: str, **words: Any) -> Any:
        return _read(f"{method} {path}", self._send(method, f"/api/v1{path}", **words))

    def _send(self, method: str, path: str, **words: Any) -> requests.Response:
        try:
            return self._session.request(method, self.url + path, timeout=_TIMEOUT_S, **words)
        except requests.RequestException as error:
            raise ComponentMissing(
                f"Superset does not answer at {self.url} ({type(error).__name__}); start it with"
                " `finlake up --with superset` or correct FINLAKE_SUPERSET_URL"
            ) from None


def _asked(query: Mapping[str, object]) -> str:
    """The query as Rison, of which this API takes part: maps, lists, whole numbers and words."""
    if not query:
        return ""

    def told(value: object) -> str:
        if isinstance(value, list):
            return f"!({','.join(map(told, value))})"
        return str(value)

    return "?q=" + quote(f"({','.join(f'{k}:{told(v)}' for k, v in query.items())})", safe="(),:!")


def _read(what: str, answer: requests.Response) -> Any:
    if answer.ok:
        return answer.json() if answer.content else None
    raise FinlakeError(f"Superset, {what}: {_reason(answer)}; `finlake logs superset` may say more")


def _reason(answer: requests.Response) -> str:
    """The message of an error, and what is wrong with which file of a bundle."""
    try:
        told = answer.json()
    except ValueError:
        return f"status {answer.status_code}"
    errors = told.get("errors") or []
    extra = [
        f"{name}: {why}"
        for error in errors
        for name, why in (error.get("extra") or {}).items()
        if name not in ("issue_codes",)
    ]
    messages = [str(error.get("message", "")) for error in errors] or [str(told.get("message"))]
    return " ".join("; ".join([*messages, *extra]).split())[:600]
