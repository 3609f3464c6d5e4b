"""Setting Dremio up: against a stand-in that keeps to the pages of Dremio's documentation."""

import inspect
import re
from copy import deepcopy
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from batch_jobs.bench.bi_queries import bi_queries
from finlake.cli import main
from finlake.commands import following
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.dremio import bootstrap as module
from infra.dremio import wanted
from infra.dremio.bootstrap import COMMUNITY, Bootstrap, dremio_mark
from infra.dremio.rest import DremioRest
from infra.lake.tables import Lake
from infra.settings import load_settings
from lakehouse_schemas import contracts
from lakehouse_schemas.generate import PROJECT
from lakehouse_schemas.wide import VIEWS
from tests.support.dremio import DremioRestStandIn, dremio_rest

USER, PASSWORD = DremioRestStandIn.ADMIN
KNOWN = [c for c in contracts.lake_tables() if c.layer in wanted.LAYERS]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A folder with every silver and gold table, all empty."""
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake(load_settings(lake=f"file:{folder}"))
    for contract in KNOWN:
        lake.ensure(contract)
    return folder


@pytest.fixture
def dremio(home, tables, monkeypatch):
    with dremio_rest(tables) as server:
        yield from prepared(server, tables, monkeypatch)


@pytest.fixture
def enterprise(home, tables, monkeypatch):
    with dremio_rest(tables, enterprise=True) as server:
        yield from prepared(server, tables, monkeypatch)


def prepared(server, folder, monkeypatch):
    """Settings in the environment; the folder stands for the bucket."""
    given = {
        "DREMIO_REST_URL": server.url,
        "DREMIO_USER": USER,
        "DREMIO_PASSWORD": PASSWORD,
        "LAKE": "s3a://warehouse",
        "S3_ENDPOINT": "http://minio:9900",
        "S3_ACCESS_KEY": "finlake",
        "S3_SECRET_KEY": "a-secret-of-the-store",
        "MASK_KEY": "a-key-of-hashes",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"FINLAKE_{name}", value)
    local = load_settings(lake=f"file:{folder}")
    monkeypatch.setattr(module, "Lake", lambda _: Lake(local))
    monkeypatch.setattr("infra.dremio.rest._POLL_S", 0.0)
    yield server


STATE = ("users", "objects", "reflections")


@pytest.fixture(scope="module")
def settled_state():
    """What Dremio holds after the first bootstrap; filled by whoever needs it first."""
    return {}


@pytest.fixture
def settled(dremio, settled_state):
    """Dremio as the bootstrap leaves it."""
    if not settled_state:
        Bootstrap(load_settings()).apply()
        settled_state.update({name: deepcopy(getattr(dremio, name)) for name in STATE})
    for name in STATE:
        setattr(dremio, name, deepcopy(settled_state[name]))
    dremio.calls.clear()
    dremio.statements.clear()
    return dremio


def changes(server):
    return [call for call in server.calls if not call.startswith("GET") and "/sql" not in call]


# ── Bootstrap ────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_dremio_gets_all_and_a_second_run_changes_nothing(dremio):
    said: list[str] = []
    count = Bootstrap(load_settings(), said.append).apply()
    assert len(said) == count
    assert USER in dremio.users

    for contract in KNOWN:
        found = dremio.objects["lake", contract.layer, contract.name]
        assert (found["type"], found["format"]) == ("PHYSICAL_DATASET", {"type": "Delta"})
    views = {path for path, one in dremio.objects.items() if one.get("type") == "VIRTUAL_DATASET"}
    assert {path[0] for path in views} == {
        f"gold_{r}" for r in ("viewer", "analyst", "operator", "admin")
    }
    assert {("gold_viewer", v.name) for v in VIEWS} <= views
    names = {one["name"] for one in dremio.reflections.values()}
    assert names == {one.name for one in wanted.reflections()}

    dremio.calls.clear()
    assert Bootstrap(load_settings(), said.append).apply() == 0
    assert changes(dremio) == ["POST /apiv2/login"]
    assert len(said) == count


def test_the_source_is_the_bucket_in_path_style(settled):
    config = settled.objects["lake",]["config"]
    assert config["rootPath"] == "/warehouse"
    assert (config["secure"], config["compatibilityMode"]) == (False, True)
    assert {one["name"]: one["value"] for one in config["propertyList"]} == {
        "fs.s3a.path.style.access": "true",
        "fs.s3a.endpoint": "minio:9900",
    }
    assert config["accessSecret"] == "a-secret-of-the-store"


def test_a_source_by_tls_below_a_prefix(home):
    settings = load_settings(
        lake="s3a://warehouse/bank",
        s3_endpoint="https://store",
        s3_access_key="a",
        s3_secret_key="b",
    )
    config = wanted.source(settings)["config"]
    assert (config["secure"], config["rootPath"]) == (True, "/warehouse/bank")
    assert config["whitelistedBuckets"] == ["warehouse"]


def test_what_somebody_changed_is_found_and_mended(settled):
    view = settled.objects["gold_viewer", "dim_card"]
    view["sql"] = "SELECT * FROM lake.gold.dim_card"
    settled.objects["lake",]["config"]["rootPath"] = "/elsewhere"
    del settled.objects["lake", "gold", "dim_mcc"]
    del settled.objects["gold_admin", "wide_customers"]
    some = next(one for one in settled.reflections.values() if "dimensionFields" in one)
    some["dimensionFields"] = some["dimensionFields"][:1]
    gone = next(key for key, one in settled.reflections.items() if one["type"] == "RAW")
    lost = settled.reflections.pop(gone)["name"]

    found = Bootstrap(load_settings()).check()
    assert found == [
        "source lake differs in rootPath",
        "table gold.dim_mcc is not known",
        "view gold_viewer.dim_card differs from the contracts",
        "view gold_admin.wide_customers is missing",
        *sorted(
            [
                f"reflection {lost} is missing",
                f"reflection {some['name']} differs in dimensionFields",
            ],
            key=lambda line: [r.name in line for r in wanted.reflections()].index(True),
        ),
    ]
    # with the table its reflection was lost as well, which shows when the table is back
    assert Bootstrap(load_settings()).apply() == 7
    assert Bootstrap(load_settings()).check() == []
    assert "card_on_dark_web" in settled.objects["gold_viewer", "dim_card"]["sql"]


def test_checking_changes_nothing(settled):
    del settled.objects["gold_admin", "wide_customers"]
    assert len(Bootstrap(load_settings()).check()) == 1
    assert changes(settled) == ["POST /apiv2/login"]


def test_a_source_that_cannot_reach_the_lake_is_given_its_secret_anew(dremio):
    dremio.reachable = False
    Bootstrap(load_settings()).apply()
    assert Bootstrap(load_settings()).check() == ["source lake cannot reach the lake"]
    dremio.reachable = True
    Bootstrap(load_settings(s3_secret_key="the-new-secret")).apply()
    assert dremio.objects["lake",]["config"]["accessSecret"] == "the-new-secret"


def test_the_order_of_what_dremio_gives_back_means_nothing(settled):
    settled.objects["lake",]["config"]["propertyList"].reverse()
    for one in settled.reflections.values():
        for name in ("dimensionFields", "measureFields"):
            one.get(name, []).reverse()
        for measure in one.get("measureFields", []):
            measure["measureTypeList"].reverse()
        for field in one.get("dimensionFields", []):
            if field["granularity"] == "DATE":
                del field["granularity"]  # which Dremio leaves out where it is the default
    assert Bootstrap(load_settings()).check() == []


def test_a_change_that_somebody_else_made_meanwhile_is_not_written_over(settled, monkeypatch):
    view = settled.objects["gold_viewer", "dim_card"]
    view["sql"] = "SELECT 1"
    monkeypatch.setattr(
        module, "_version", lambda found: {"id": found["id"], "tag": "an older one"}
    )
    with pytest.raises(FinlakeError, match=r"PUT /api/v3/catalog/.* gave 409: the tag is not"):
        Bootstrap(load_settings()).apply()


def test_tables_that_are_not_there_yet_are_waited_for(dremio, tmp_path, monkeypatch):
    folder = tmp_path / "lake"
    lake = Lake(load_settings(lake=f"file:{folder}"))
    lake.ensure(contracts.get("gold.agg_minute"))
    dremio.lake = folder
    monkeypatch.setattr(module, "Lake", lambda _: lake)
    made = Bootstrap(load_settings())
    made.apply()
    assert ("gold_viewer", "agg_minute") in dremio.objects
    assert ("gold_viewer", "wide_alerts") not in dremio.objects
    assert any(
        note.startswith("view gold_viewer.wide_alerts waits for gold.customer_analytics")
        for note in made.notes
    )
    assert "reflection finlake rows of dim_mcc waits for lake.gold.dim_mcc" in made.notes
    lake.ensure(contracts.get("gold.dim_mcc"))
    assert "table gold.dim_mcc is not known" in made.check()
    made.apply()
    assert ("gold_viewer", "dim_mcc") in dremio.objects


def test_a_folder_that_dremio_does_not_see_and_a_table_of_another_format_are_told(dremio, tmp_path):
    dremio.lake = tmp_path
    with pytest.raises(FinlakeError, match=r"does not see the folder of silver.cards; compare the"):
        Bootstrap(load_settings()).apply()
    dremio.objects["lake", "silver", "cards"] = {
        "entityType": "dataset",
        "type": "PHYSICAL_DATASET",
        "id": "1",
        "format": {"type": "Parquet"},
    }
    with pytest.raises(FinlakeError, match=r"silver.cards is a table of another format than Delta"):
        Bootstrap(load_settings()).apply()


# ── Views and reflections ────────────────────────────────────────────────────────────────────────


def test_views_carry_the_key_of_their_hashes_and_never_its_place(settled):
    sql = {path: one["sql"] for path, one in settled.objects.items() if "sql" in one}
    assert not [path for path, text in sql.items() if "mask_key" in text]
    assert "a-key-of-hashes" in sql["gold_viewer", "fact_transactions"]
    assert not [path for path, text in sql.items() if path[0] == "gold_operator" and "SHA" in text]


def test_the_key_of_hashes_stays_over_runs_and_cannot_break_out_of_its_text(home):
    assert load_settings().mask_key_text == load_settings().mask_key_text
    assert (home / "secrets" / "mask_key").read_text() == load_settings().mask_key_text
    with pytest.raises(UsageProblem, match=r"FINLAKE_MASK_KEY has a character"):
        list(wanted.wanted_views("a' OR 'b"))


def test_every_table_that_dashboards_ask_has_a_reflection():
    covered = {".".join(one.path[1:]) for one in wanted.reflections()}
    asked = {
        table
        for query in bi_queries(datetime(2020, 1, 1, tzinfo=UTC))
        for table in re.findall(r"gold\.\w+", query.sql)
    }
    assert len(asked) > 5
    assert asked - covered == set()


def test_every_reflection_names_columns_that_are_there():
    columns: dict[tuple[str, ...], set[str]] = {
        **{("lake", "gold", c.name): set(c.column_names) for c in contracts.layer("gold")},
        **{("gold_admin", v.name): {one.name for one in v.columns()} for v in VIEWS},
    }
    kinds = set()
    for one in wanted.reflections():
        kinds.add(one.body["type"])
        fields = [
            field["name"]
            for key in ("displayFields", "sortFields", "dimensionFields", "measureFields")
            for field in one.body.get(key, ())
        ]
        assert set(fields) <= columns[one.path], one.name
    assert kinds == {"RAW", "AGGREGATION"}


def test_an_aggregate_keeps_every_moment_and_sums_each_measure():
    (one,) = [r for r in wanted.reflections() if r.path[-1] == "agg_minute"]
    assert one.body["dimensionFields"] == [{"name": "minute", "granularity": "NORMAL"}]
    assert {"name": "amount_sum", "measureTypeList": ["SUM", "COUNT"]} in one.body["measureFields"]


# ── Refresh ──────────────────────────────────────────────────────────────────────────────────────


def test_a_table_is_refreshed_after_a_new_version_and_only_then(settled):
    made = Bootstrap(load_settings())
    assert made.refresh() == []
    assert settled.statements == []
    settled.objects["lake", "gold", "dim_mcc"]["lastMetadataRefreshAt"] = "2020-01-01T00:00:00.000Z"
    del settled.objects["lake", "gold", "dim_date"]["lastMetadataRefreshAt"]  # before Dremio 25
    assert made.refresh() == ["gold.dim_date", "gold.dim_mcc"]
    assert settled.statements == [
        'ALTER TABLE "lake"."gold"."dim_date" REFRESH METADATA',
        'ALTER TABLE "lake"."gold"."dim_mcc" REFRESH METADATA',
    ]
    assert settled.refreshed == ["lake.gold.dim_date", "lake.gold.dim_mcc"]
    assert made.refresh() == []
    assert len(made.refresh(everything=True)) == len(KNOWN)


def test_a_refresh_that_fails_names_the_statement_and_the_reason(settled):
    made = Bootstrap(load_settings())
    settled.failing_job = "the object store\n is gone"
    with pytest.raises(
        FinlakeError, match=r"`ALTER TABLE .* FAILED: the object store is gone; its page Jobs"
    ):
        made.refresh(everything=True)


def test_without_a_user_there_is_nothing_to_refresh(dremio):
    with pytest.raises(FinlakeError, match="no user yet; run `finlake dremio bootstrap`"):
        Bootstrap(load_settings()).refresh()


# ── Users and privileges ─────────────────────────────────────────────────────────────────────────


def test_the_community_edition_has_no_privileges_and_gets_no_users(settled):
    made = Bootstrap(load_settings())
    made.apply()
    assert COMMUNITY in made.notes
    assert [*settled.users] == [USER]


def test_each_role_may_read_its_own_space_alone(enterprise, home):
    said: list[str] = []
    made = Bootstrap(load_settings(), said.append)
    made.apply()
    assert made.notes == []
    for role in ("viewer", "analyst", "operator"):
        name = f"finlake_{role}"
        user = enterprise.users[name]
        assert [one["name"] for one in user["roles"]] == [name]
        assert user["password"] == (home / "secrets" / f"dremio_{role}_password").read_text()
        identity = enterprise.objects[f"gold_{role}",]["id"]
        assert [(one["id"], one["privileges"]) for one in enterprise.granted[identity]] == [
            (enterprise.roles[name]["id"], ["SELECT"])
        ]
    assert len(enterprise.granted) == 3
    assert made.check() == []
    assert not [line for line in said if PASSWORD in line or user["password"] in line]


def test_privileges_of_others_stay_and_those_taken_away_come_back(enterprise):
    made = Bootstrap(load_settings())
    made.apply()
    identity = enterprise.objects["gold_viewer",]["id"]
    other = {"granteeType": "USER", "id": "somebody", "privileges": ["SELECT", "ALTER"]}
    enterprise.granted[identity] = [{"name": "jo", **other}]
    enterprise.users["finlake_analyst"]["roles"].clear()
    assert made.check() == [
        "role finlake_viewer may not read gold_viewer",
        "user finlake_analyst lacks the role",
    ]
    made.apply()
    left = [(one["id"], one["privileges"]) for one in enterprise.granted[identity]]
    assert left == [
        ("somebody", ["SELECT", "ALTER"]),
        (enterprise.roles["finlake_viewer"]["id"], ["SELECT"]),
    ]
    assert made.check() == []


# ── Whom it asks ─────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_password_is_a_setting_to_correct(settled):
    with pytest.raises(UsageProblem, match="refuses the user; correct FINLAKE_DREMIO_USER"):
        Bootstrap(load_settings(dremio_password="other")).apply()


def test_a_token_is_taken_in_place_of_a_password(dremio):
    dremio.users["jo"] = {"password": "x"}
    settings = load_settings(dremio_token="pat", dremio_password=None)
    assert Bootstrap(settings).apply() > 100
    assert "POST /apiv2/login" not in dremio.calls
    with pytest.raises(UsageProblem, match="refuses the user"):
        Bootstrap(load_settings(dremio_token="wrong")).check()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dremio_rest_url": None}, "FINLAKE_DREMIO_REST_URL is empty"),
        (
            {"dremio_rest_url": "dremio:9047"},
            r"FINLAKE_DREMIO_REST_URL is no http\[s\]://host:port",
        ),
        ({"dremio_password": None}, "set FINLAKE_DREMIO_USER and FINLAKE_DREMIO_PASSWORD"),
        (
            {"lake": "file:/tmp/lake"},
            "Dremio reads an object store, and the lake is file:/tmp/lake",
        ),
        ({"s3_endpoint": None}, "set FINLAKE_S3_ENDPOINT"),
    ],
)
def test_a_missing_setting_is_named(dremio, given, words):
    with pytest.raises(UsageProblem, match=words):
        Bootstrap(load_settings(**given))


def test_nobody_at_the_address_is_a_missing_component(dremio):
    settings = load_settings(dremio_rest_url="http://127.0.0.1:9")
    with pytest.raises(ComponentMissing, match=r"Dremio at http://127.0.0.1:9 does not answer"):
        Bootstrap(settings).check()


def test_no_message_holds_a_secret(dremio):
    settings = load_settings()
    dremio.users["other"] = {"password": "x"}
    with pytest.raises(FinlakeError) as caught:
        Bootstrap(settings).apply()
    assert isinstance(settings.dremio_password, SecretStr)
    assert PASSWORD not in str(caught.value)


def test_every_call_names_the_page_that_it_follows():
    pages = {}
    for name, method in inspect.getmembers(DremioRest, inspect.isfunction):
        if not name.startswith("_"):
            pages[name] = re.findall(r"``DOCS/api[\w/#-]*``", method.__doc__ or "")
    assert [name for name, found in pages.items() if not found] == ["make_first_user"]
    assert "dremio-oss 25.2" in (DremioRest.make_first_user.__doc__ or "")


# ── Commands and documents ───────────────────────────────────────────────────────────────────────


def test_the_commands_say_what_they_did(dremio, capsys):
    assert main(["dremio", "check"]) == 1
    assert capsys.readouterr().out == "Dremio has no user yet\n1 difference\n"
    assert main(["dremio", "bootstrap"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "the first user was missing: mended"
    assert out[-2:] == [COMMUNITY, f"{len(out) - 2} changes"]
    assert main(["dremio", "bootstrap"]) == 0
    assert capsys.readouterr().out == f"{COMMUNITY}\nDremio is as it should be\n"
    assert main(["dremio", "check"]) == 0
    assert main(["dremio", "refresh"]) == 0
    assert capsys.readouterr().out.endswith("Dremio knows the newest versions\n")
    del dremio.objects["lake", "gold", "dim_mcc"]["lastMetadataRefreshAt"]
    assert main(["dremio", "refresh"]) == 0
    assert capsys.readouterr().out == "gold.dim_mcc is refreshed\n1 table\n"


def test_documents_say_that_it_was_not_run_against_dremio():
    for name in ("README.md", "docs/bi.md"):
        text = " ".join((PROJECT / name).read_text(encoding="utf-8").split())
        assert "was not run against Dremio" in text, name


def test_following_takes_in_new_tables_and_leaves_a_mark_for_the_health_check(
    dremio, home, capsys, monkeypatch
):
    looks: list[float] = []

    class Once:
        def is_set(self):
            return bool(looks)

        def wait(self, seconds):
            looks.append(seconds)

    monkeypatch.setattr(following, "threading", SimpleNamespace(Event=Once))
    assert main(["dremio", "refresh", "--follow", "--every", "7"]) == 0
    assert looks == [7]
    assert ("gold_viewer", "dim_mcc") in dremio.objects
    mark = dremio_mark(load_settings())
    assert mark.is_file()
    compose = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"find /var/lib/finlake/{mark.relative_to(home)} -mmin" in compose


def test_following_says_a_failure_once_and_goes_on(dremio, capsys, monkeypatch):
    looks: list[float] = []

    class Thrice:
        def is_set(self):
            return len(looks) == 3

        def wait(self, seconds):
            looks.append(seconds)

    monkeypatch.setattr(following, "threading", SimpleNamespace(Event=Thrice))
    monkeypatch.setenv("FINLAKE_DREMIO_REST_URL", "http://127.0.0.1:9")
    assert main(["dremio", "refresh", "--follow"]) == 0
    assert capsys.readouterr().err.count("does not answer") == 1
    assert len(looks) == 3
    assert not dremio_mark(load_settings()).exists()
