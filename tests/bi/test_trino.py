"""Trino over the lake: who may do what, new tables, and how it is started and stopped."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
import trino.dbapi
from deltalake import DeltaTable, write_deltalake

from finlake.errors import FinlakeError, UsageProblem
from infra.lake.catalogue import Catalogue
from infra.lake.engine import QueryError
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.lake.trino import Trino
from infra.stack.home import Home
from infra.stack.trino import TRINO_USERS, trino_password
from lakehouse_schemas import contracts
from lakehouse_schemas.model import ROLES, Role
from lakehouse_schemas.render.access import CATALOGUE_USER, VIEW_OWNER
from lakehouse_schemas.render.views import shown
from lakehouse_schemas.wide import VIEWS, Wide
from tests.bi.conftest import World, as_trino_reads
from tests.support.rows import rows_of
from tests.support.stack import finlake, status_of, wait_for

AskedAs = Callable[[str], Trino]
CARD = contracts.get("gold.dim_card")


# ── who may read what ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_the_columns_that_the_contracts_show_it(role: Role, asked: AskedAs) -> None:
    told = asked(role).query(
        "SELECT table_name, column_name FROM lake.information_schema.columns"
        " WHERE table_schema = 'gold' ORDER BY table_name, ordinal_position"
    )
    seen: dict[str, list[str]] = {}
    for row in told.to_pylist():
        seen.setdefault(row["table_name"], []).append(row["column_name"])
    visible = {
        c.name: [one.name for one in c.columns if shown(one, role) not in ("drop", "hash")]
        for c in contracts.layer("gold")
        if role in c.roles
    } | {
        view.name: [
            one.name for one in view.columns() if shown(one.column, role) not in ("drop", "hash")
        ]
        for view in VIEWS
        if role in view.roles()
    }
    assert seen == visible
    for name, columns in visible.items():
        assert asked(role).query(f"SELECT * FROM gold.{name} LIMIT 1").column_names == columns


@pytest.mark.parametrize("role", ["viewer", "analyst", "operator"])
def test_what_is_hidden_cannot_be_asked_for_in_any_place(role: Role, asked: AskedAs) -> None:
    hidden = [
        (contract.full_name, column.name)
        for contract in contracts.layer("gold")
        for column in contract.columns
        if role not in contract.roles or shown(column, role) in ("drop", "hash")
    ]
    assert hidden
    for table, column in hidden:
        with pytest.raises(QueryError, match=r"Access Denied|cannot be resolved"):
            asked(role).query(f"SELECT count({column}) FROM {table}")
    table, column = hidden[0]
    for sql in (
        f"SELECT {column} FROM {table}",
        f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL",
        f"SELECT 1 FROM {table} ORDER BY {column}",
        f"SELECT count(*) FROM {table} GROUP BY {column}",
        f"SELECT 1 FROM (SELECT {column} AS a FROM {table}) WHERE a IS NULL",
        f"SELECT count(*) FROM {table} a JOIN {table} b ON a.{column} = b.{column}",
    ):
        with pytest.raises(QueryError, match=r"Access Denied|cannot be resolved"):
            asked(role).query(sql)


def test_bands_and_last_digits_stand_in_place_of_the_value(asked: AskedAs) -> None:
    whole = asked("admin").query("SELECT * FROM gold.dim_card ORDER BY card_token, expires")
    step = CARD.column("credit_limit").mask_step
    bands = sorted(
        int(limit // step) * step
        for limit in whole["credit_limit"].to_pylist()
        if limit is not None
    )
    seen = asked("analyst").query("SELECT credit_limit FROM gold.dim_card WHERE credit_limit >= 0")
    assert sorted(map(int, seen["credit_limit"].to_pylist())) == bands
    assert seen.schema.field("credit_limit").type == pa.decimal128(12, 2)
    # what is filtered by is what is shown, so that nobody can find a value out by asking for it
    exact = next(limit for limit in whole["credit_limit"].to_pylist() if limit % step)
    none = asked("analyst").query(f"SELECT 1 FROM gold.dim_card WHERE credit_limit = {exact}")
    assert none.num_rows == 0


@pytest.mark.parametrize("role", ["viewer", "analyst", "operator"])
def test_people_of_bi_read_gold_alone(role: str, asked: AskedAs) -> None:
    for contract in contracts.layer("silver"):
        with pytest.raises(QueryError, match=r"Access Denied|not allowed|does not exist"):
            asked(role).query(f"SELECT count(*) FROM {contract.full_name}")
    with pytest.raises(QueryError, match="Access Denied: Cannot show tables"):
        asked(role).query("SHOW TABLES FROM lake.silver")


def test_statistics_tell_nothing_of_hidden_columns(asked: AskedAs) -> None:
    try:
        told = asked("viewer").query("SHOW STATS FOR gold.dim_user")
    except QueryError as error:
        assert "Access Denied" in str(error)  # noqa: PT017 (either is well)
    else:
        named = {name for name in told["column_name"].to_pylist() if name}
        columns = contracts.get("gold.dim_user").columns
        visible = {c.name for c in columns if shown(c, "viewer") == "clear"}
        assert named <= visible


WRITES = [
    "DELETE FROM gold.dim_card",
    "UPDATE gold.dim_card SET card_brand = 'x'",
    "INSERT INTO gold.dim_mcc VALUES (1, 'x')",
    "MERGE INTO gold.dim_mcc t USING (VALUES 1) s(a) ON t.mcc = s.a WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE gold.dim_mcc",
    "CREATE TABLE gold.mine (a integer)",
    "CREATE TABLE gold.mine AS SELECT * FROM gold.dim_mcc",
    "CREATE VIEW gold.mine AS SELECT 1 AS a",
    "CREATE SCHEMA lake.mine",
    "ALTER TABLE gold.dim_mcc ADD COLUMN more integer",
    "ALTER TABLE gold.dim_mcc EXECUTE optimize",
    "COMMENT ON TABLE gold.dim_mcc IS 'mine'",
    "CALL lake.system.vacuum('gold', 'dim_mcc', '7d')",
    "SELECT * FROM TABLE(lake.system.table_changes('gold', 'dim_card'))",
    "ALTER TABLE gold.dim_mcc EXECUTE vacuum(retention_threshold => '7d')",
]
REGISTERS = [
    "DROP TABLE gold.dim_mcc",
    "DROP SCHEMA lake.gold CASCADE",
    "CALL lake.system.unregister_table('gold', 'dim_mcc')",
    "CALL lake.system.register_table('gold', 'mine', 'local:///etc')",
]


@pytest.mark.parametrize("user", TRINO_USERS)
def test_nobody_can_write(user: str, asked: AskedAs, world: World) -> None:
    gold = [c.full_name for c in contracts.layer("gold")]
    versions = {name: Query(world.settings).version(name) for name in gold}
    for sql in WRITES + REGISTERS:
        with pytest.raises(QueryError, match="Access Denied"):
            asked(user).run(sql)
    assert versions == {name: Query(world.settings).version(name) for name in versions}


def test_who_registers_tables_can_read_and_change_no_rows(asked: AskedAs) -> None:
    for sql in (
        "SELECT * FROM gold.dim_card",
        "SELECT * FROM registry.gold.dim_card",
        "INSERT INTO registry.gold.dim_mcc VALUES (1, 'x')",
        "DELETE FROM registry.gold.dim_mcc",
        "CALL registry.system.vacuum('gold', 'dim_mcc', '7d')",
    ):
        with pytest.raises(QueryError, match=r"Access Denied|not allowed"):
            asked(CATALOGUE_USER).run(sql)


def test_without_the_right_password_nothing_is_answered(world: World) -> None:
    admins = trino_password(world.home, "admin")
    for user, password in (("admin", "wrong"), ("root", admins), ("viewer", admins)):
        refused = f"refuses the user {user}; correct FINLAKE_TRINO_USER"
        with Trino(world.settings, user, password) as asked, pytest.raises(UsageProblem) as found:
            asked.query("SELECT 1")
        assert refused in str(found.value)


def test_nobody_asks_as_another_with_a_password_of_their_own(world: World) -> None:
    with world.as_user("viewer") as viewer:
        viewer._options["user"] = "admin"
        with pytest.raises(FinlakeError, match=r"viewer cannot impersonate user admin|401|403"):
            viewer.query("SELECT count(*) FROM silver.cards")
    with world.as_user("viewer") as viewer, pytest.raises(QueryError, match="impersonate"):
        viewer.query("SET SESSION AUTHORIZATION admin")


def test_the_plain_port_answers_nobody(world: World) -> None:
    port = json.loads(Home(world.home).ports_file.read_text())["trino_internal"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/statement", data=b"SELECT 1", headers={"X-Trino-User": "admin"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)  # noqa: S310 (loopback)
    assert refused.value.code in (401, 403)


def test_it_listens_on_loopback_alone_and_keeps_secrets_to_itself(world: World) -> None:
    (row,) = [row for name, row in status_of(world.home).items() if name == "trino"]
    process = psutil.Process(row["pid"])
    listening = {c.laddr.ip for c in process.net_connections("tcp") if c.status == "LISTEN"}
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    for path in (world.home / "trino" / "etc").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
    said = " ".join([*process.cmdline(), *process.environ().values()])
    for user in TRINO_USERS:
        assert trino_password(world.home, user) not in said


# ── tables come and go ───────────────────────────────────────────────────────────────────────────


def test_every_table_of_the_lake_is_known(world: World, asked: AskedAs) -> None:
    for layer in ("silver", "gold"):
        known = asked("admin").query(f"SHOW TABLES FROM lake.{layer}")["Table"].to_pylist()
        there = [c.name for c in contracts.layer(layer) if Lake(world.settings).has(c)]
        assert there
        views = [view.name for view in VIEWS if layer == "gold"]
        assert known == sorted(there + views)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_wide_view_has_the_same_rows_as_in_duckdb(
    view: Wide, world: World, asked: AskedAs
) -> None:
    ours = as_trino_reads(Query(world.settings).query(f"SELECT * FROM {view.full_name}"))
    theirs = asked("admin").query(f"SELECT * FROM {view.full_name}").cast(ours.schema)
    assert ours.num_rows
    order = [(name, "ascending") for name in ours.column_names]
    assert theirs.sort_by(order).equals(ours.sort_by(order))


def test_of_a_wide_view_a_role_is_shown_bands_and_refused_the_rest(asked: AskedAs) -> None:
    view = next(view for view in VIEWS if view.name == "wide_transactions")
    (income,) = (one for one in view.columns() if one.name == "yearly_income")
    exact, bands = (
        {row["yearly_income"] for row in asked(role).query(
            "SELECT DISTINCT yearly_income FROM gold.wide_transactions"
            " WHERE yearly_income IS NOT NULL"
        ).to_pylist()}
        for role in ("admin", "analyst")
    )  # fmt: skip
    step = income.column.mask_step
    assert bands == {value // step * step for value in exact}
    with pytest.raises(QueryError, match=r"Access Denied|cannot be resolved"):
        asked("viewer").query("SELECT user_id FROM gold.wide_transactions")
    one = "SELECT * FROM lake.gold.wide_transactions LIMIT 1"
    assert asked("admin").query(one).num_rows == 1
    with pytest.raises(QueryError, match=r"Access Denied|not allowed"):
        asked(CATALOGUE_USER).query(one)


def test_a_new_commit_is_seen_at_once(world: World, asked: AskedAs) -> None:
    contract = contracts.get("gold.model_drift")
    sql = f"SELECT count(*) AS n FROM {contract.full_name}"
    for number in range(3):
        before = asked("admin").query(sql)["n"][0].as_py()
        table = Lake(world.settings).open(contract)
        assert table is not None
        write_deltalake(table, rows_of(contract, [90_000 + number]), mode="append")
        assert asked("admin").query(sql)["n"][0].as_py() == before + 1


def test_a_table_is_taken_in_when_it_comes_and_forgotten_when_it_goes(
    world: World, asked: AskedAs
) -> None:
    """By the running stack itself, within some looks of `finlake catalogue --follow`."""
    contract = contracts.get("gold.model_decisions")
    place = Path(Lake(world.settings).uri(contract))
    aside = place.with_name("aside")

    def is_known() -> bool:
        known = asked("admin").query("SHOW TABLES FROM lake.gold")["Table"].to_pylist()
        return contract.name in known

    assert is_known()
    place.rename(aside)
    try:
        wait_for(lambda: not is_known(), "a table that is gone is forgotten")
    finally:
        aside.rename(place)
    wait_for(is_known, "a table that came is known")
    assert asked("admin").query(f"SELECT * FROM {contract.full_name}").num_rows > 0


def test_registering_again_changes_nothing(world: World, asked: AskedAs) -> None:
    said: list[str] = []
    users = asked(CATALOGUE_USER), said.append, asked(VIEW_OWNER)
    first = Catalogue(world.settings, *users)
    known = first.update()
    assert first.update() == known
    assert Catalogue(world.settings, *users).update() == known
    assert said == []
    done = finlake(world.home, "catalogue")
    assert (done.returncode, done.stdout) == (0, f"{len(known)} tables are known to Trino\n")


def test_a_lake_that_moved_is_registered_at_its_new_place(
    world: World, asked: AskedAs, tmp_path: Path
) -> None:
    elsewhere = world.settings.model_copy(update={"lake": f"file:{tmp_path}/other lake"})
    contract = contracts.get("gold.pipeline_status")
    write_deltalake(Lake(elsewhere).ensure(contract), rows_of(contract, [1]), mode="append")
    try:
        moved = Catalogue(elsewhere, asked(CATALOGUE_USER), owner=asked(VIEW_OWNER)).update()
        assert moved == [contract.full_name]
        shown_now = asked("admin").query("SHOW TABLES FROM lake.gold")["Table"].to_pylist()
        assert shown_now == [contract.name], "views of tables that are gone are gone too"
        found = asked("admin").query(f"SELECT count(*) AS n FROM {contract.full_name}")
        assert found["n"].to_pylist() == [1]
    finally:
        back = Catalogue(world.settings, asked(CATALOGUE_USER), owner=asked(VIEW_OWNER)).update()
    assert contract.full_name in back
    assert len(back) > 1


# ── start, health, stop ──────────────────────────────────────────────────────────────────────────


def test_status_and_doctor_know_it(world: World) -> None:
    rows = status_of(world.home)
    assert {rows[name]["state"] for name in ("trino", "catalogue")} == {"healthy"}
    assert rows["trino"]["address"] == world.settings.trino_url
    assert rows["trino"]["version"] == "Trino 476"
    told = finlake(world.home, "doctor").stdout.splitlines()
    found = [line for line in told if " trino " in line]
    assert len(found) == 1
    assert found[0].startswith("ok ")


def test_its_certificate_is_that_of_this_stack(world: World) -> None:
    assert world.settings.trino_url is not None
    port = int(world.settings.trino_url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=world.settings.trino_ca)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as link,
        context.wrap_socket(link, server_hostname="localhost") as safe,
    ):
        assert safe.version() == "TLSv1.3"


def test_a_plain_client_of_the_documentation_connects(world: World) -> None:
    """By the driver alone, as docs/bi.md says it for programs of others."""
    assert world.settings.trino_url is not None
    import requests

    session = requests.Session()
    session.verify = str(world.settings.trino_ca)
    session.trust_env = False
    with trino.dbapi.connect(
        host=world.settings.trino_url,
        user="viewer",
        auth=trino.auth.BasicAuthentication("viewer", trino_password(world.home, "viewer")),
        catalog="lake",
        schema="gold",
        http_session=session,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM dim_mcc")
        ((count,),) = cursor.fetchall()
    table = DeltaTable(Lake(world.settings).uri(contracts.get("gold.dim_mcc")))
    assert count == table.to_pyarrow_table().num_rows
