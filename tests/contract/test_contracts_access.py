"""Trino's rules: who may read what follows from the contracts, and nobody may write."""

import json
import re

import pytest

from lakehouse_schemas import contracts
from lakehouse_schemas.generate import TRINO_RULES
from lakehouse_schemas.model import ROLES
from lakehouse_schemas.render.access import CATALOGUE_USER, VIEW_OWNER, trino_rules
from lakehouse_schemas.render.views import shown
from lakehouse_schemas.wide import VIEWS

RULES = trino_rules(contracts.layer("silver") + contracts.layer("gold"), VIEWS)
USERS = (*ROLES, CATALOGUE_USER, VIEW_OWNER, "somebody")


def rule_for(kind, user, **place):
    """The first rule that holds, as Trino looks for it; patterns match the whole name."""
    for rule in RULES[kind]:
        keys = {"user": user, **place}
        if all(re.fullmatch(rule.get(key, ".*"), value) for key, value in keys.items()):
            return rule
    return None


def table_rule(user, layer, name, catalog="lake"):
    return rule_for("tables", user, catalog=catalog, schema=layer, table=name)


def test_the_rules_that_are_rendered_are_those_that_trino_is_given():
    assert json.loads(TRINO_RULES.read_text()) == RULES


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_write_and_a_table_without_a_rule_is_closed(user):
    for contract in contracts.lake_tables():
        may = {"SELECT", "GRANT_SELECT"} if user == VIEW_OWNER else {"SELECT"}
        assert set(table_rule(user, contract.layer, contract.name)["privileges"]) <= may
    assert table_rule(user, "gold", "mine")["privileges"] == []
    found = rule_for("catalogs", user, catalog="lake")
    assert found is None or found["allow"] == ("all" if user == VIEW_OWNER else "read-only")
    assert rule_for("schemas", user, catalog="lake", schema="gold")["owner"] is False


@pytest.mark.parametrize("user", USERS)
def test_one_user_alone_registers_tables_and_can_read_none(user):
    alone, owner = user == CATALOGUE_USER, user == VIEW_OWNER
    assert (rule_for("catalogs", user, catalog="registry") is not None) == (alone or owner)
    assert (rule_for("catalogs", user, catalog="lake") is not None) == (user in ROLES or owner)
    for contract in contracts.lake_tables():
        rule = table_rule(user, contract.layer, contract.name, "registry")
        registered = alone and contract.layer != "bronze"
        assert rule["privileges"] == (["OWNERSHIP"] if registered else [])


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_gold_as_the_contracts_say(role):
    for contract in contracts.lake_tables():
        rule = table_rule(role, contract.layer, contract.name)
        reads = bool(rule["privileges"])
        if contract.layer == "gold":
            assert reads == (role in contract.roles)
        else:
            assert reads == (contract.layer == "silver" and role == "admin")
        columns = {column["name"]: column for column in rule.get("columns", [])}
        if not reads:
            assert columns == {}
            continue
        for column in contract.columns:
            way, found = shown(column, role), columns.pop(column.name, {})
            assert (found.get("allow", True) is False) == (way in ("drop", "hash"))
            assert ("mask" in found) == (way in ("last4", "partial"))
        assert columns == {}


def test_a_viewer_sees_nothing_that_is_personal_as_it_is():
    for contract in contracts.layer("gold"):
        columns = {
            c["name"] for c in table_rule("viewer", "gold", contract.name).get("columns", [])
        }
        assert {c.name for c in contract.columns if c.pii == "personal"} <= columns


def test_somebody_who_is_none_of_the_users_is_let_in_nowhere():
    assert rule_for("catalogs", "somebody", catalog="lake") is None
    assert rule_for("catalogs", "somebody", catalog="system") is None


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_of_a_view_what_it_sees_of_the_views_tables(role):
    for view in VIEWS:
        rule = table_rule(role, "gold", view.name)
        assert bool(rule["privileges"]) == (role in view.roles())
        columns = {column["name"]: column for column in rule.get("columns", [])}
        for one in view.columns() if rule["privileges"] else ():
            way, found = shown(one.column, role), columns.pop(one.name, {})
            assert (found.get("allow", True) is False) == (way in ("drop", "hash"))
            assert ("mask" in found) == (way in ("last4", "partial"))
            assert (
                f'"{one.column.name}"' not in found.get("mask", "") or one.name == one.column.name
            )
        assert columns == {}


def test_the_owner_of_the_views_reads_their_tables_and_makes_no_others():
    read = {table.name for view in VIEWS for table in view.tables}
    for contract in contracts.layer("gold"):
        asked = table_rule(VIEW_OWNER, "gold", contract.name)["privileges"]
        assert bool(asked) == (contract.name in read)
        assert table_rule(VIEW_OWNER, "gold", contract.name, "registry")["privileges"] == []
    for contract in contracts.layer("silver"):
        assert table_rule(VIEW_OWNER, "silver", contract.name)["privileges"] == []
    for view in VIEWS:
        assert table_rule(VIEW_OWNER, "gold", view.name, "registry")["privileges"] == ["OWNERSHIP"]
