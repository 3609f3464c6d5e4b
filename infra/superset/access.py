"""Roles, users and row filters of Superset, as ``dashboard/superset/access.yaml`` has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from infra.settings import secret
from infra.superset.bundle import FOLDER, NAMES
from infra.superset.client import Client
from lakehouse_schemas.render.superset import uuid_of

__all__ = ["apply_access"]

_FILE: Final = FOLDER / "access.yaml"
_BASE: Final = "Gamma"  # Superset's own role of people who look and build charts


def apply_access(client: Client, home: Path) -> list[str]:
    """Make roles, users and row filters that are missing; gives the names of what was made.

    Datasets have to be imported before. A user that is made gets the password of the file
    ``superset_<user>_password`` among the home's secrets.
    """
    wanted = yaml.safe_load(_FILE.read_text("utf-8"))
    made: list[str] = []
    roles = _ids(client, "/security/roles/", "name")
    opens = _connections(client)
    for role in wanted["roles"]:
        name = role["name"]
        if name not in roles:
            roles[name] = client.post("/security/roles/", {"name": name})["id"]
            made.append(f"role {name}")
        client.post(
            f"/security/roles/{roles[name]}/permissions",
            {"permission_view_menu_ids": [opens[NAMES[one]] for one in role["connections"]]},
        )
    users = _ids(client, "/security/users/", "username")
    for user in wanted["users"]:
        name = user["name"]
        if name not in users:
            client.post("/security/users/", _user(home, name, [roles[_BASE], roles[user["role"]]]))
            made.append(f"user {name}")
    return made + _filters(client, wanted["row_filters"], roles)


def _user(home: Path, name: str, roles: list[int]) -> dict[str, Any]:
    return {
        "username": name,
        "first_name": name.capitalize(),
        "last_name": "FinLake",
        "email": f"{name}@finlake.invalid",
        "active": True,
        "roles": roles,
        "password": secret(home, f"superset_{name}_password"),
    }


def _filters(client: Client, wanted: list[dict[str, Any]], roles: dict[str, int]) -> list[str]:
    datasets = {row["uuid"]: row["id"] for row in client.rows("/dataset/", ["id", "uuid"])}
    there = _ids(client, "/rowlevelsecurity/", "name")
    made = []
    for rule in wanted:
        body = {
            "name": rule["name"],
            "description": rule["description"],
            "filter_type": "Regular",
            "tables": [datasets[uuid_of("dataset", f"gold.{one}")] for one in rule["datasets"]],
            "roles": [roles[rule["role"]]],
            "clause": rule["clause"],
            "group_key": "",
        }
        if rule["name"] in there:
            client.put(f"/rowlevelsecurity/{there[rule['name']]}", body)
        else:
            client.post("/rowlevelsecurity/", body)
            made.append(f"row filter {rule['name']}")
    return made


def _connections(client: Client) -> dict[str, int]:
    """Number of the permission that opens a connection with all its tables, by its name."""
    found = {}
    for row in client.rows("/security/permissions-resources/"):
        if row["permission"]["name"] == "database_access":
            name = row["view_menu"]["name"].removeprefix("[").rpartition("].(id:")[0]
            found[name] = row["id"]
    return found


def _ids(client: Client, path: str, name: str) -> dict[str, int]:
    return {row[name]: row["id"] for row in client.rows(path)}
