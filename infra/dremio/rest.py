"""Dremio's REST interface: the calls that setting it up needs.

Each method names the page of Dremio's documentation that it follows; ``DOCS`` is where they start.
Paths below ``/api/v3`` are the documented interface. Two calls are older: logging in, which the
documentation shows, and the first user, which stands in the source of the community edition alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.settings import Settings

__all__ = ["DOCS", "DremioRest", "Entity"]

DOCS: Final = "https://docs.dremio.com/current/reference"

Entity = dict[str, Any]
"""An object of Dremio's, as JSON has it."""

_TIMEOUT_S: Final = 60.0  # adding a source waits until Dremio has reached it
_POLL_S: Final = 0.2
_PAGE: Final = 500  # the most rows of an answer that one call gives
_NO_USER: Final = "No User Available"
_ENDED: Final = ("COMPLETED", "FAILED", "CANCELED")


class DremioRest:
    """A client of Dremio at ``FINLAKE_DREMIO_REST_URL``, as an administrator.

    Every method raises ``ComponentMissing`` when nobody answers, ``UsageProblem`` when the user is
    refused and ``FinlakeError`` when Dremio refuses the call, each with one line that says what to
    do.

    Raises:
        UsageProblem: when there is no address, or nobody to ask as.
    """

    def __init__(self, settings: Settings) -> None:
        url = settings.dremio_rest_url
        if not url:
            raise UsageProblem(
                "setting FINLAKE_DREMIO_REST_URL is empty; set it to Dremio's pages,"
                " http://host:9047"
            )
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise UsageProblem(
                "setting FINLAKE_DREMIO_REST_URL is no http[s]://host:port; correct it"
            )
        self._url = url.rstrip("/")
        self._user = settings.dremio_user
        self._password = settings.dremio_password
        self._token = settings.dremio_token
        if not self._token and not (self._user and self._password):
            raise UsageProblem(
                "nobody to ask Dremio as; set FINLAKE_DREMIO_USER and FINLAKE_DREMIO_PASSWORD, or"
                " FINLAKE_DREMIO_TOKEN"
            )
        self._session = requests.Session()
        if settings.dremio_ca:
            self._session.verify = str(settings.dremio_ca)
            self._session.trust_env = False  # see infra.lake.trino

    # ── Who asks ─────────────────────────────────────────────────────────────────────────────────

    def sign_in(self) -> bool:
        """Ask as the user of the settings from now on; false when Dremio has no user at all yet.

        A token needs no call: ``DOCS/api/#authentication``.
        """
        if self._token:
            self._session.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
            return True
        answer = self._send("POST", "/apiv2/login", json=self._named())
        if answer.status_code == 403 and _NO_USER in _said(answer):
            return False
        if answer.status_code in (401, 403):
            raise self._refused()
        self._session.headers["Authorization"] = f"_dremio{self._read(answer)['token']}"
        return True

    def make_first_user(self) -> None:
        """Make the user of the settings the first one, an administrator.

        Of the community edition's source (dremio-oss 25.2): ``BootstrapResource.createUser``.
        """
        body = {**self._named(), "firstName": "FinLake", "lastName": "Administrator"}
        body["email"] = f"{self._user}@finlake.invalid"
        self._call(
            "PUT",
            "/apiv2/bootstrap/firstuser",
            json=body,
            headers={"Authorization": "_dremionull"},
        )

    def _named(self) -> dict[str, str]:
        if not (self._user and self._password):
            raise UsageProblem(
                "Dremio has no user yet, and a token makes none; set FINLAKE_DREMIO_USER and"
                " FINLAKE_DREMIO_PASSWORD"
            )
        return {"userName": self._user, "password": self._password.get_secret_value()}

    # ── Catalogue: sources, spaces, tables and views ─────────────────────────────────────────────

    def find(self, path: Sequence[str]) -> Entity | None:
        """The object at that path, ``None`` where there is none: ``DOCS/api/catalog/``."""
        place = "/".join(quote(part, safe="") for part in path)
        found: Entity | None = self._call("GET", f"/api/v3/catalog/by-path/{place}", absent=None)
        return found

    def create(self, entity: Entity) -> None:
        """Make a source, a space or a view.

        ``DOCS/api/catalog/source``, ``DOCS/api/catalog/container-space``,
        ``DOCS/api/catalog/view``
        """
        self._call("POST", "/api/v3/catalog", json=entity)

    def change(self, entity: Entity) -> None:
        """Change a source or a view; it carries the id and the tag that it was found with.

        ``DOCS/api/catalog/source``, ``DOCS/api/catalog/view``
        """
        self._call("PUT", f"/api/v3/catalog/{quote(entity['id'], safe='')}", json=entity)

    def promote(self, folder: Entity, form: str) -> None:
        """Make a table of a folder of files of that form: ``DOCS/api/catalog/table``."""
        body = {
            "entityType": "dataset",
            "id": folder["id"],
            "type": "PHYSICAL_DATASET",
            "path": folder["path"],
            "format": {"type": form},
        }
        self._call("POST", f"/api/v3/catalog/{quote(folder['id'], safe='')}", json=body)

    def refresh_reflections(self, table: Entity) -> None:
        """Refresh all reflections that depend on a table: ``DOCS/api/catalog/table``."""
        self._call("POST", f"/api/v3/catalog/{quote(table['id'], safe='')}/refresh")

    # ── Reflections ──────────────────────────────────────────────────────────────────────────────

    def reflection(self, identity: str) -> Entity:
        """The reflection of that id: ``DOCS/api/reflections``."""
        found: Entity = self._call("GET", f"/api/v3/reflection/{identity}")
        return found

    def create_reflection(self, reflection: Entity) -> None:
        """Make a reflection: ``DOCS/api/reflections``."""
        self._call("POST", "/api/v3/reflection", json=reflection)

    def change_reflection(self, reflection: Entity) -> None:
        """Change a reflection; it carries the id and the tag: ``DOCS/api/reflections``."""
        self._call("PUT", f"/api/v3/reflection/{reflection['id']}", json=reflection)

    # ── SQL ──────────────────────────────────────────────────────────────────────────────────────

    def sql(self, statement: str, timeout_s: float = 600) -> list[Entity]:
        """Run a statement to its end and give its rows.

        ``DOCS/api/sql``, ``DOCS/api/job/``, ``DOCS/api/job/job-results``
        """
        job = self._call("POST", "/api/v3/sql", json={"sql": statement})["id"]
        end = time.monotonic() + timeout_s
        while (state := self._call("GET", f"/api/v3/job/{job}"))["jobState"] not in _ENDED:
            if time.monotonic() > end:
                raise FinlakeError(
                    f"Dremio: `{statement}` is still {state['jobState']} after {timeout_s:g} s;"
                    f" its page Jobs shows job {job}"
                )
            time.sleep(_POLL_S)
        if state["jobState"] != "COMPLETED":
            why = state.get("errorMessage") or state.get("cancellationReason") or "no reason given"
            raise FinlakeError(
                f"Dremio: `{statement}` {state['jobState']}: {' '.join(why.split())[:300]};"
                f" its page Jobs shows job {job}"
            )
        rows: list[Entity] = []
        while len(rows) < (state.get("rowCount") or 0):
            page = f"/api/v3/job/{job}/results?offset={len(rows)}&limit={_PAGE}"
            more = self._call("GET", page)["rows"]
            if not more:
                break
            rows.extend(more)
        return rows

    # ── Users, roles and privileges ──────────────────────────────────────────────────────────────

    def has_roles(self) -> bool:
        """Whether this Dremio has roles and privileges, which the community edition lacks.

        ``DOCS/api/roles`` is of the enterprise edition alone.
        """
        return self._call("GET", "/api/v3/role", absent=None) is not None

    def role(self, name: str) -> Entity | None:
        """The role of that name: ``DOCS/api/roles``."""
        place = f"/api/v3/role/by-name/{quote(name, safe='')}"
        found: Entity | None = self._call("GET", place, absent=None)
        return found

    def create_role(self, name: str, description: str) -> None:
        """Make a role: ``DOCS/api/roles``."""
        self._call("POST", "/api/v3/role", json={"name": name, "description": description})

    def add_member(self, role: Entity, user: Entity) -> None:
        """Give a user a role: ``DOCS/api/roles``."""
        body = [{"op": "add", "id": user["id"], "type": "user"}]
        self._call("PATCH", f"/api/v3/role/{role['id']}/member", json=body)

    def user(self, name: str) -> Entity | None:
        """The user of that name: ``DOCS/api/user/``."""
        place = f"/api/v3/user/by-name/{quote(name, safe='')}"
        found: Entity | None = self._call("GET", place, absent=None)
        return found

    def create_user(self, name: str, password: str) -> None:
        """Make a user: ``DOCS/api/user/``."""
        body = {
            "@type": "EnterpriseUser",
            "name": name,
            "firstName": "FinLake",
            "lastName": name,
            "email": f"{name}@finlake.invalid",
            "password": password,
        }
        self._call("POST", "/api/v3/user", json=body)

    def grants(self, entity: Entity) -> list[Entity]:
        """Who has which privileges on an object: ``DOCS/api/catalog/grants``."""
        found: list[Entity] = self._call("GET", f"/api/v3/catalog/{entity['id']}/grants")["grants"]
        return found

    def grant(self, entity: Entity, grants: Sequence[Entity]) -> None:
        """Give these privileges on an object, in place of those it has.

        ``DOCS/api/catalog/grants``
        """
        body = {
            "grants": [
                {key: one[key] for key in ("privileges", "granteeType", "id")} for one in grants
            ]
        }
        self._call("PUT", f"/api/v3/catalog/{entity['id']}/grants", json=body)

    # ── Calls ────────────────────────────────────────────────────────────────────────────────────

    def _call(self, method: str, path: str, *, absent: Any = ..., **sent: Any) -> Any:
        """What Dremio answers; ``absent``, where it is given, when there is no such object."""
        answer = self._send(method, path, **sent)
        if answer.status_code == 404 and absent is not ...:
            return absent
        return self._read(answer)

    def _send(self, method: str, path: str, **sent: Any) -> requests.Response:
        try:
            return self._session.request(method, self._url + path, timeout=_TIMEOUT_S, **sent)
        except requests.RequestException as error:
            reason = " ".join(str(error).split())[:200]
            raise ComponentMissing(
                f"Dremio at {self._url} does not answer ({reason}); start it or correct"
                " FINLAKE_DREMIO_REST_URL"
            ) from error

    def _read(self, answer: requests.Response) -> Any:
        if answer.status_code == 401:
            raise self._refused()
        if not answer.ok:
            call = f"{answer.request.method} {urlsplit(answer.request.url).path!s}"
            raise FinlakeError(f"Dremio: {call} gave {answer.status_code}: {_said(answer)}")
        if not answer.content:
            return {}
        try:
            return answer.json()
        except ValueError:
            raise FinlakeError(
                f"what answers at {self._url} is no Dremio; correct FINLAKE_DREMIO_REST_URL"
            ) from None

    def _refused(self) -> UsageProblem:
        return UsageProblem(
            f"Dremio at {self._url} refuses the user; correct FINLAKE_DREMIO_USER and"
            " FINLAKE_DREMIO_PASSWORD, or FINLAKE_DREMIO_TOKEN"
        )


def _said(answer: requests.Response) -> str:
    """Dremio's message: ``DOCS/api/#errors``."""
    try:
        body = answer.json()
    except ValueError:
        return " ".join(answer.text.split())[:300]
    parts = [body.get("errorMessage"), body.get("moreInfo")] if isinstance(body, dict) else []
    return " ".join(" ".join(part.split()) for part in parts if part)[:400] or "no reason given"
