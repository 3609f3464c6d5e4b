"""Bring Dremio to what it should hold, say where it differs, and keep it fresh.

Every step looks first and changes only what differs, so it may be done again at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from finlake.errors import FinlakeError
from infra.dremio.rest import DremioRest, Entity
from infra.dremio.wanted import (
    LAYERS,
    SOURCE,
    View,
    reflections,
    source,
    space,
    wanted_views,
)
from infra.lake.tables import Lake
from infra.settings import Settings, secret
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.model import ROLES, Role
from lakehouse_schemas.render.sql import identifier

__all__ = ["COMMUNITY", "Bootstrap", "dremio_mark", "dremio_user"]

COMMUNITY: Final = (
    "this Dremio has no roles: it is the community edition, where every user sees every table"
    " whole; no users for roles were made, and nobody but administrators should be let in"
)

_GRANTED: Final = ("viewer", "analyst", "operator")  # the admin is the first user


class Difference(NamedTuple):
    """Something that is not as it should be, as the end of a sentence, and what mends it."""

    said: str
    mend: Callable[[], None]


def dremio_user(role: Role) -> str:
    """The user of a role, and the role's own name: ``admin`` is one of Dremio's own."""
    return f"finlake_{role}"


def dremio_mark(settings: Settings) -> Path:
    """Touched whenever Dremio is as it should be and knows the newest versions."""
    return settings.home / "run" / "dremio"


class Bootstrap:
    """Dremio's sources, tables, views, reflections, users and privileges.

    Args:
        settings: the lake, and where Dremio is.
        said: takes a line for each thing that is done.

    Raises:
        UsageProblem: when a setting is missing, or the lake is a folder.
    """

    def __init__(self, settings: Settings, said: Callable[[str], None] = lambda _: None) -> None:
        self._settings = settings
        self._said = said
        self._source = source(settings)
        self._lake = Lake(settings)
        self._dremio = DremioRest(settings)
        self.notes: list[str] = []
        """What the last run could not do, and why; no fault."""

    def apply(self) -> int:
        """Mend every difference; the number of those that there were.

        Raises:
            ComponentMissing: when Dremio or the lake cannot be reached.
            UsageProblem: when Dremio refuses the user.
            FinlakeError: when Dremio refuses a change.
        """
        count = 0
        if not self._dremio.sign_in():
            self._dremio.make_first_user()
            self._said("the first user was missing: mended")
            count = 1
            if not self._dremio.sign_in():
                raise FinlakeError("Dremio made a first user and says it has none; try again")
        for difference in self._differences():
            difference.mend()
            self._said(f"{difference.said}: mended")
            count += 1
        return count

    def check(self) -> list[str]:
        """What differs, one line each; changes nothing and raises as :meth:`apply` does."""
        if not self._dremio.sign_in():
            return ["Dremio has no user yet"]
        return [difference.said for difference in self._differences()]

    def refresh(self, *, everything: bool = False) -> list[str]:
        """Let Dremio see the tables' newest versions; returns the names of those it did not know.

        A table's metadata is refreshed when its last commit is younger than what Dremio knows, and
        so are the reflections that depend on it.

        Args:
            everything: refresh every table, whether it changed or not.

        Raises:
            ComponentMissing: when Dremio or the lake cannot be reached.
            UsageProblem: when Dremio refuses the user.
            FinlakeError: when a refresh fails.
        """
        if not self._dremio.sign_in():
            raise FinlakeError("Dremio has no user yet; run `finlake dremio bootstrap`")
        done = []
        for contract in self._tables():
            found = self._dremio.find(_path(contract))
            if found is None or found["entityType"] != "dataset":
                continue
            if everything or self._is_newer(contract, found):
                table = ".".join(identifier(part, "dremio") for part in _path(contract))
                self._dremio.sql(f"ALTER TABLE {table} REFRESH METADATA")
                self._dremio.refresh_reflections(found)
                self._said(f"{contract.full_name} is refreshed")
                done.append(contract.full_name)
        return done

    def _is_newer(self, contract: Contract, found: Entity) -> bool:
        """Whether the table has a commit that Dremio's metadata is older than."""
        known = found.get("lastMetadataRefreshAt")
        table = self._lake.open(contract)
        if table is None or known is None:
            return table is not None
        committed = datetime.fromtimestamp(table.history(1)[0]["timestamp"] / 1000, UTC)
        return committed > datetime.fromisoformat(known)

    # ── What differs, in the order in which it can be mended ─────────────────────────────────────

    def _differences(self) -> Iterator[Difference]:
        self.notes = []
        yield from self._of_source()
        there = self._tables()
        for contract in there:
            yield from self._of_table(contract)
        for role in ROLES:
            if self._dremio.find((space(role),)) is None:
                made = {"entityType": "space", "name": space(role)}
                create = partial(self._dremio.create, made)
                yield Difference(f"space {space(role)} is missing", create)
        yield from self._of_views({contract.full_name for contract in there})
        yield from self._of_reflections()
        if not self._dremio.has_roles():
            self.notes.append(COMMUNITY)
            return
        for role in _GRANTED:
            yield from self._of_role(role)

    def _tables(self) -> list[Contract]:
        """The contracts of the tables that exist in the lake."""
        known = [c for c in contracts.lake_tables() if c.layer in LAYERS]
        return [contract for contract in known if self._lake.has(contract)]

    def _of_source(self) -> Iterator[Difference]:
        found = self._dremio.find((SOURCE,))
        if found is None:
            create = partial(self._dremio.create, self._source)
            yield Difference(f"source {SOURCE} is missing", create)
            return
        change = partial(self._dremio.change, {**self._source, **_version(found)})
        other = sorted(_different(self._source, found))
        if other:
            yield Difference(f"source {SOURCE} differs in {', '.join(other)}", change)
        elif found.get("state", {}).get("status") == "bad":  # a secret is never shown
            yield Difference(f"source {SOURCE} cannot reach the lake", change)

    def _of_table(self, contract: Contract) -> Iterator[Difference]:
        found = self._dremio.find(_path(contract))
        if found is not None and found["entityType"] == "dataset":
            if found.get("format", {}).get("type") == "Delta":
                return
            raise FinlakeError(
                f"Dremio: {contract.full_name} is a table of another format than Delta; remove its"
                " format in Dremio and run `finlake dremio bootstrap`"
            )

        yield Difference(
            f"table {contract.full_name} is not known", partial(self._promote, contract)
        )

    def _promote(self, contract: Contract) -> None:
        folder = self._dremio.find(_path(contract))
        if folder is None:
            raise FinlakeError(
                f"Dremio does not see the folder of {contract.full_name}; compare the lake"
                f" {self._settings.lake} with the source {SOURCE} in Dremio"
            )
        self._dremio.promote({"path": list(_path(contract)), **folder}, "Delta")

    def _of_views(self, there: set[str]) -> Iterator[Difference]:
        for view in wanted_views(self._settings.mask_key_text):
            name = ".".join(view.path)
            missing = sorted(view.tables - there)
            if missing:
                self.notes.append(f"view {name} waits for {', '.join(missing)}")
                continue
            found = self._dremio.find(view.path)
            if found is None:
                create = partial(self._dremio.create, _dataset(view))
                yield Difference(f"view {name} is missing", create)
            elif found.get("sql") != view.sql:
                change = partial(self._dremio.change, {**_dataset(view), **_version(found)})
                yield Difference(f"view {name} differs from the contracts", change)

    def _of_reflections(self) -> Iterator[Difference]:
        rows = self._dremio.sql(
            "SELECT reflection_id, reflection_name, dataset_id FROM sys.reflections"
        )
        known = {(row["reflection_name"], row["dataset_id"]): row["reflection_id"] for row in rows}
        for wanted in reflections():
            dataset = self._dremio.find(wanted.path)
            if dataset is None or dataset["entityType"] != "dataset":
                self.notes.append(f"reflection {wanted.name} waits for {'.'.join(wanted.path)}")
                continue
            body = {**wanted.body, "name": wanted.name, "datasetId": dataset["id"]}
            identity = known.get((wanted.name, dataset["id"]))
            if identity is None:
                create = partial(self._dremio.create_reflection, body)
                yield Difference(f"reflection {wanted.name} is missing", create)
                continue
            found = self._dremio.reflection(identity)
            other = sorted(_different(_plain(body), _plain(found)))
            if other:
                change = partial(self._dremio.change_reflection, {**body, **_version(found)})
                yield Difference(f"reflection {wanted.name} differs in {', '.join(other)}", change)

    def _of_role(self, role: Role) -> Iterator[Difference]:
        name = dremio_user(role)
        if self._dremio.role(name) is None:
            create = partial(self._dremio.create_role, name, f"May read {space(role)}.")
            yield Difference(f"role {name} is missing", create)
        user = self._dremio.user(name)
        if user is None:
            password = secret(self._settings.home, f"dremio_{role}_password")
            create = partial(self._dremio.create_user, name, password)
            yield Difference(f"user {name} is missing", create)
        if user is None or name not in {one["name"] for one in user.get("roles", ())}:
            yield Difference(f"user {name} lacks the role", partial(self._join, name))
        if not self._may_read(role):
            grant = partial(self._grant, role)
            yield Difference(f"role {name} may not read {space(role)}", grant)

    def _join(self, name: str) -> None:
        role, user = self._dremio.role(name), self._dremio.user(name)
        if role is None or user is None:
            raise FinlakeError(f"Dremio made {name} and does not show it; try again")
        self._dremio.add_member(role, user)

    def _may_read(self, role: Role) -> bool:
        place, found = self._dremio.find((space(role),)), self._dremio.role(dremio_user(role))
        if place is None or found is None:
            return False
        grants = self._dremio.grants(place)
        return any(one["id"] == found["id"] and "SELECT" in one["privileges"] for one in grants)

    def _grant(self, role: Role) -> None:
        place, found = self._dremio.find((space(role),)), self._dremio.role(dremio_user(role))
        if place is None or found is None:
            raise FinlakeError(f"Dremio made {space(role)} and does not show it; try again")
        others = [one for one in self._dremio.grants(place) if one["id"] != found["id"]]
        mine = {"granteeType": "ROLE", "id": found["id"], "privileges": ["SELECT"]}
        self._dremio.grant(place, [*others, mine])


def _path(contract: Contract) -> tuple[str, ...]:
    return SOURCE, contract.layer, contract.name


def _dataset(view: View) -> Entity:
    return {
        "entityType": "dataset",
        "type": "VIRTUAL_DATASET",
        "path": list(view.path),
        "sql": view.sql,
    }


def _version(found: Entity) -> Entity:
    """What a change carries, so that Dremio refuses it when somebody was faster."""
    return {"id": found["id"], "tag": found["tag"]}


def _plain(reflection: Entity) -> Entity:
    """A reflection without what Dremio fills in, and with lists whose order means nothing."""
    return {
        **reflection,
        "dimensionFields": sorted(
            (one["name"], one.get("granularity") or "DATE")
            for one in reflection.get("dimensionFields") or ()
        ),
        "measureFields": sorted(
            (one["name"], sorted(one["measureTypeList"]))
            for one in reflection.get("measureFields") or ()
        ),
    }


def _different(wanted: Entity, found: Entity) -> Iterator[str]:
    """The names of what is wanted and found otherwise; what Dremio has besides does not count."""
    for name, value in wanted.items():
        have = found.get(name)
        if name == "accessSecret":
            continue
        if isinstance(value, dict) and isinstance(have, dict):
            yield from _different(value, have)
        elif name == "propertyList":
            if _named(value) != _named(have or ()):
                yield name
        elif value != have:
            yield name


def _named(properties: Iterable[Entity]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in properties}
