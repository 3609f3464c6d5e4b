"""The models that are served, as a file in the home that says which they are.

The registry's client takes seconds to import and is not quick to answer. So one process asks it
(:func:`look`) and notes version and digest of each model in ``models/served.json``; those that
serve read the file, and load from folders named by digests.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import Settings
from models.artifact import Model, load
from models.spending.amount import Amount
from models.spending.category import Category
from models.terms import ROLES, Role

__all__ = ["Noted", "Served", "load_served", "look", "noted", "path_of"]

_WHERE: Final[dict[Role, tuple[str, str]]] = {
    "fraud": ("finlake-fraud", "champion"),
    "challenger": ("finlake-fraud", "challenger"),
    "category": ("finlake-category", "champion"),
    "amount": ("finlake-amount", "champion"),
}
"""Name and alias in the registry."""


@dataclass(frozen=True)
class Noted:
    """What the file says of a role: its model, or why there is none.

    It says both when one could not be fetched and the one before stays.
    """

    name: str
    alias: str
    version: int = 0
    sha256: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Served:
    """Models that have been loaded, and what is wrong, by role; exchanged as a whole."""

    fraud: Model | None = None
    challenger: Model | None = None
    category: Category | None = None
    amount: Amount | None = None
    problems: Mapping[Role, str] = field(default_factory=dict)
    loaded: Mapping[Role, datetime] = field(default_factory=dict)
    digests: Mapping[Role, str] = field(default_factory=dict)

    def of(self, role: Role) -> Model | Category | Amount | None:
        """The model of a role."""
        found: Model | Category | Amount | None = getattr(self, role)
        return found


def path_of(home: Path) -> Path:
    """Where the file is."""
    return home / "models" / "served.json"


def look(settings: Settings) -> dict[Role, Noted]:
    """Ask the registry who serves, fetch what is not on this machine, and note it in the file.

    A model that cannot be fetched leaves the one before in its place.

    Raises:
        ComponentMissing: the registry cannot be reached; the file stays as it is.
    """
    from models.registry import Registry

    before = noted(settings.home)
    found: dict[Role, Noted] = {}
    for role, (name, alias) in _WHERE.items():
        registry = Registry(settings, name)
        version = registry.version(alias)
        if version is None:
            found[role] = Noted(name, alias, problem=f"no version has the alias {alias}")
            continue
        try:
            sha256 = registry.fetch(version).folder.name
            found[role] = Noted(name, alias, version, sha256)
        except ComponentMissing:
            raise
        except FinlakeError as error:
            old = before.get(role, Noted(name, alias))
            found[role] = Noted(name, alias, old.version, old.sha256, str(error))
    _write(path_of(settings.home), {role: vars(one) for role, one in found.items()})
    return found


def noted(home: Path) -> dict[Role, Noted]:
    """What the file says; nothing while it is not there or cannot be read."""
    try:
        found = json.loads(path_of(home).read_bytes())
        return {role: Noted(**found[role]) for role in ROLES if role in found}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def load_served(home: Path, before: Served | None = None) -> Served:
    """The models that the file names; those of ``before`` that are the same are taken over.

    A model that does not load, or gives nonsense, leaves the one before in its place; the problem
    says why.
    """
    before = before or Served()
    models: dict[str, Any] = {}
    problems: dict[Role, str] = {}
    loaded: dict[Role, datetime] = {}
    digests: dict[Role, str] = {}
    for role, one in noted(home).items():
        old = before.of(role)
        if one.problem:
            problems[role] = one.problem
        if not one.version:
            continue
        if old is not None and (old.version, before.digests[role]) == (one.version, one.sha256):
            models[role] = old
        else:
            try:
                models[role] = _tried(role, home / "models" / one.sha256, one)
                loaded[role], digests[role] = datetime.now(UTC), one.sha256
                continue
            except FinlakeError as error:
                problems[role], models[role] = str(error), old
        if old is not None:
            loaded[role], digests[role] = before.loaded[role], before.digests[role]
    for role in ROLES:
        if models.get(role) is None:
            problems.setdefault(role, "nobody has asked the registry yet")
    return Served(**models, problems=problems, loaded=loaded, digests=digests)


def _tried(role: Role, folder: Path, one: Noted) -> Model | Category | Amount:
    """The model, after it has been used once: what its library does then, no request waits for."""
    if not folder.is_dir():
        raise FinlakeError(f"model {one.name} {one.version}: its folder is gone; fetch it again")
    model: Model | Category | Amount
    if role == "category":
        return Category.load(folder, one.sha256).named(one.name, one.version)
    if role == "amount":
        model = Amount.load(folder, one.sha256).named(one.name, one.version)
        found = np.stack(model.ranges(np.zeros((1, len(model.features)))))
        sound = bool(np.isfinite(found).all())
    else:
        model = load(folder, one.sha256).named(one.name, one.version)
        values = np.zeros((2, len(model.features)))
        values[1] = np.nan
        found = model.probability(values)
        model.reasons(values)
        sound = found.shape == (2,) and bool(((found >= 0) & (found <= 1)).all())
    if not sound:
        raise FinlakeError(f"model {one.name} {one.version}: gives no numbers that can be used")
    return model


def _write(path: Path, found: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1, sort_keys=True)
    Path(name).replace(path)
