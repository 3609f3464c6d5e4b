"""Who may do what: roles, scopes, and whose data somebody may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from api.problems import Problem

__all__ = [
    "ADMINS",
    "ANYBODY",
    "CUSTOMER_DATA",
    "OPERATORS",
    "PREFIX",
    "ROLES",
    "SCOPES",
    "STAFF",
    "Principal",
    "Role",
    "Route",
    "Scope",
]

PREFIX: Final = "/api/v1"
"""What stands before the path of every route that is not public; it may be left out."""

Role = Literal["viewer", "analyst", "operator", "admin", "customer"]
Scope = Literal["alerts", "insights", "keys", "models", "predictions", "session"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

ANYBODY: Final[frozenset[Role]] = frozenset(ROLES)
"""Everybody who has shown who they are."""
CUSTOMER_DATA: Final[frozenset[Role]] = frozenset({"analyst", "admin", "customer"})
"""Those who may see a customer by number; customers themselves alone."""
STAFF: Final[frozenset[Role]] = ANYBODY - {"customer"}
"""Those who work on the platform."""
OPERATORS: Final[frozenset[Role]] = frozenset({"operator", "admin"})
ADMINS: Final[frozenset[Role]] = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: the key they came with, its role and scopes, and whose data is their own."""

    key_id: str
    role: Role
    scopes: frozenset[Scope]
    user_id: int | None = None

    def check_customer(self, user_id: int) -> None:
        """Refuse a customer's data to others; said before anybody looks whether the customer is.

        Raises:
            Problem: 403.
        """
        if self.role == "customer" and self.user_id == user_id:
            return
        if self.role == "customer" or self.role not in CUSTOMER_DATA:
            raise Problem(403, "forbidden", "these are not your data")


@dataclass(frozen=True, slots=True)
class Route:
    """One route: ``roles`` of None is open to everybody, without a key.

    ``path`` stands below the version's prefix, or is absolute for a public one.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    answer: Callable[..., Any]
    roles: frozenset[Role] | None
    scope: Scope | None
    status: int = 200
