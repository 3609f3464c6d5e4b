"""Superset: its component, the bundle of dashboards, and its REST client."""

from __future__ import annotations

import io
import json
import runpy
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.settings import load_settings, secret
from infra.stack import plan
from infra.stack.superset import superset_password
from infra.superset.bundle import FOLDER, make_bundle, own_files, write_back
from infra.superset.client import Client
from lakehouse_schemas import Contract, contracts
from lakehouse_schemas.generate import PROJECT, SUPERSET_DATASETS
from lakehouse_schemas.render.superset import ROLES, database_uuid, role_of
from lakehouse_schemas.wide import VIEWS, Wide

DATASETS = {
    found["uuid"]: found
    for found in (yaml.safe_load(path.read_text()) for path in SUPERSET_DATASETS.glob("*.yaml"))
}
OWN = {name: yaml.safe_load(path.read_text()) for name, path in own_files().items()}
CHARTS = {chart["uuid"]: chart for name, chart in OWN.items() if name.startswith("charts/")}
DASHBOARDS = [one for name, one in OWN.items() if name.startswith("dashboards/")]
TITLES = ["Customers and segments", "Executive overview", "Fraud operations", "Pipeline health"]


def charts_of(dashboard):
    places = dashboard["position"].values()
    return [p["meta"] for p in places if isinstance(p, dict) and p["type"] == "CHART"]


def files_of(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        return {name: yaml.safe_load(bundle.read(name)) for name in bundle.namelist()}


@pytest.fixture
def settings(home, monkeypatch):
    monkeypatch.setenv("FINLAKE_TRINO_URL", "https://trino.example:8443")
    monkeypatch.setenv("FINLAKE_TRINO_PASSWORD", "much-too-secret")
    monkeypatch.setenv("FINLAKE_DREMIO_URL", "grpc+tls://dremio.example:32010")
    monkeypatch.setenv("FINLAKE_DREMIO_USER", "some one")
    monkeypatch.setenv("FINLAKE_DREMIO_PASSWORD", "much-too-secret")
    return load_settings()


# ── the component ────────────────────────────────────────────────────────────────────────────────


def test_superset_listens_on_loopback_and_keeps_no_password_in_sight(home):
    settings = load_settings()
    found = plan.build(settings, ["superset"], {"superset": 8088})["superset"]
    found.prepare()
    words, env = found.command(), found.env()
    assert words[words.index("--bind") + 1] == "127.0.0.1:8088"
    secrets = {
        superset_password(settings.home, "admin"),
        secret(settings.home, "superset_secret_key"),
    }
    assert len(secrets) == 2
    assert not [one for one in secrets if one in " ".join([*words, *env.values()])]
    assert found.exports()["FINLAKE_SUPERSET_PASSWORD"] in secrets
    database = Path(env["SUPERSET_DATABASE_URI_FILE"])
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert database.read_text().startswith("sqlite:////")
    assert found.version == "Superset 6.1.0"
    unused = plan.build(settings, ["superset"], {"superset": 1})["superset"]
    assert not unused.is_healthy()


def test_superset_brings_trino_unless_that_is_elsewhere(home, monkeypatch):
    assert plan.wanted(load_settings(), ["superset"])[-3:] == ["trino", "catalogue", "superset"]
    monkeypatch.setenv("FINLAKE_TRINO_URL", "https://elsewhere:8443")
    assert plan.wanted(load_settings(), ["superset"])[3:] == ["superset"]
    monkeypatch.setenv("FINLAKE_SUPERSET_URL", "https://elsewhere:8088")
    assert plan.wanted(load_settings(), ["superset"])[3:] == []


@pytest.mark.parametrize("redis", [True, False])
def test_its_settings_take_secrets_from_files_and_the_environment(tmp_path, monkeypatch, redis):
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("SUPERSET_SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SUPERSET_DATABASE_URI", "sqlite:///x")
    monkeypatch.setenv("SUPERSET_HOME", str(tmp_path))
    if redis:
        monkeypatch.setenv("REDIS_PASSWORD", "word")
    said = runpy.run_path(str(PROJECT / "infra" / "images" / "superset" / "superset_config.py"))
    assert said["SECRET_KEY"] == "from-a-file"
    assert said["SQLALCHEMY_DATABASE_URI"] == "sqlite:///x"
    data = said["DATA_CACHE_CONFIG"]
    assert data["CACHE_TYPE"] == ("RedisCache" if redis else "FileSystemCache")
    assert data.get("CACHE_DIR", str(tmp_path / "cache" / "data")).startswith(str(tmp_path))
    assert ("RATELIMIT_STORAGE_URI" in said) is redis


# ── the bundle ───────────────────────────────────────────────────────────────────────────────────


def test_there_are_four_dashboards_of_eight_charts_or_more():
    assert sorted(one["dashboard_title"] for one in DASHBOARDS) == TITLES
    for dashboard in DASHBOARDS:
        charts = charts_of(dashboard)
        assert len(charts) >= 8
        assert {one["uuid"] for one in charts} <= set(CHARTS)
        assert sorted(one["chartId"] for one in charts) == list(range(1, len(charts) + 1))
        assert dashboard["published"]
        assert dashboard["metadata"]["refresh_frequency"] == 30
    assert sum(len(charts_of(one)) for one in DASHBOARDS) == len(CHARTS)


def test_a_table_is_a_dataset_once_as_superset_on_sqlite_demands():
    wanted = {c.name for c in contracts.layer("gold")} | {view.name for view in VIEWS}
    assert sorted(found["table_name"] for found in DATASETS.values()) == sorted(wanted)
    by_name = {found["table_name"]: found for found in DATASETS.values()}
    tables: list[Contract | Wide] = [*contracts.layer("gold"), *VIEWS]
    for table in tables:
        assert by_name[table.name]["database_uuid"] == database_uuid(role_of(table))
        assert by_name[table.name]["extra"]["certification"]


def words_of(value):
    """The names of columns and metrics that a chart's settings hold, as far as they are plain."""
    for key in ("x_axis", "metric", "metrics", "groupby", "all_columns", "timeseries_limit_metric"):
        found = value.get(key) or []
        yield from (one for one in (found if isinstance(found, list) else [found]))


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda c: c["slice_name"])
def test_a_chart_asks_for_what_its_dataset_has(chart):
    dataset = DATASETS[chart["dataset_uuid"]]
    columns = {one["column_name"] for one in dataset["columns"]}
    known = columns | {one["metric_name"] for one in dataset["metrics"]}
    asked = list(words_of(chart["params"]))
    assert asked
    for one in asked:
        if isinstance(one, dict):
            named = one["sqlExpression"].split('"')[1::2]
            assert named or "COUNT" in one["sqlExpression"]
            assert set(named) <= columns
        else:
            assert one in known
    assert chart["description"].endswith(".")


def test_only_connections_and_the_datasets_schema_differ_between_engines(settings):
    trino = files_of(make_bundle(settings, "trino").archive)
    dremio = files_of(make_bundle(settings, "dremio").archive)
    assert set(trino) == set(dremio)
    for name, document in trino.items():
        kind = name.split("/")[1]
        if kind == "databases":
            assert document["uuid"] == dremio[name]["uuid"]
            assert document["sqlalchemy_uri"] != dremio[name]["sqlalchemy_uri"]
        elif kind == "datasets":
            role = next(r for r in ROLES if database_uuid(r) == document["database_uuid"])
            assert dremio[name] == {**document, "schema": f"gold_{role}", "sql": None}
        else:
            assert document == dremio[name]


def test_connections_carry_no_password_and_check_the_certificate(settings, monkeypatch):
    bundle = make_bundle(settings, "trino")
    files = files_of(bundle.archive)
    assert set(bundle.passwords) == {"databases/viewer.yaml", "databases/operator.yaml"}
    assert set(bundle.passwords.values()) == {"much-too-secret"}
    assert "much-too-secret" not in json.dumps(files)
    viewer = files["finlake/databases/viewer.yaml"]
    assert viewer["sqlalchemy_uri"] == "trino://viewer:XXXXXXXXXX@trino.example:8443/lake/gold"
    connect = viewer["extra"]["engine_params"]["connect_args"]
    assert connect == {"http_scheme": "https", "verify": True, "source": "superset"}
    monkeypatch.setenv("FINLAKE_TRINO_CA", "/a folder/ca.crt")
    for role in ROLES:  # as the embedded Trino makes them
        secret(settings.home, f"trino_{role}_password")
    own = make_bundle(load_settings(), "trino")
    asked = files_of(own.archive)["finlake/databases/operator.yaml"]
    assert asked["sqlalchemy_uri"].startswith("trino://operator:XXXXXXXXXX@")
    assert asked["extra"]["engine_params"]["connect_args"]["verify"] == "/a folder/ca.crt"
    assert own.passwords["databases/operator.yaml"] == secret(
        settings.home, "trino_operator_password"
    )
    dremio = files_of(make_bundle(settings, "dremio").archive)["finlake/databases/viewer.yaml"]
    assert dremio["sqlalchemy_uri"] == (
        "dremio+flight://some%20one:XXXXXXXXXX@dremio.example:32010/?UseEncryption=true"
    )


@pytest.mark.parametrize("engine", ["trino", "dremio"])
def test_an_engine_without_an_address_is_told_with_its_setting(home, engine):
    with pytest.raises(UsageProblem, match=f"FINLAKE_{engine.upper()}_URL is empty"):
        make_bundle(load_settings(), engine)


def exported(chart_ids):
    """An archive as Superset exports it, with numbers of its own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, document in OWN.items():
            copied = json.loads(json.dumps(document))
            if name.startswith("charts/"):
                copied["params"]["datasource"] = "77__table"
                copied["query_context"] = None
            for meta in charts_of(copied) if name.startswith("dashboards/") else ():
                meta["chartId"] += chart_ids
            archive.writestr(f"export/{name.replace('.yaml', '_9.yaml')}", yaml.safe_dump(copied))
        archive.writestr("export/datasets/x/y.yaml", "uuid: z\n")
    return buffer.getvalue()


def test_an_export_of_what_was_imported_changes_no_file(tmp_path):
    for name, path in own_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(path.read_text())
    assert write_back(exported(1000), tmp_path) == []
    changed = next(iter(sorted(OWN)))
    (tmp_path / changed).unlink()
    assert write_back(exported(7), tmp_path) == [changed]
    assert (tmp_path / changed).read_text() == (FOLDER / changed).read_text()


# ── the client ───────────────────────────────────────────────────────────────────────────────────


class Answers(BaseHTTPRequestHandler):
    """A stand-in for Superset that answers as its documentation says, and refuses one bundle."""

    def do_GET(self):
        self._say(200, {"result": "a-token"} if "csrf" in self.path else {"result": [self.path]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/login"):
            known = json.loads(body)["password"] == "right"
            self._say(200 if known else 401, {"access_token": "one"} if known else {})
        else:
            error = {"message": "Error importing", "extra": {"charts/a.yaml": "no uuid"}}
            self._say(422, {"errors": [error]})

    def _say(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def answering(home, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("FINLAKE_SUPERSET_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FINLAKE_SUPERSET_PASSWORD", "right")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_refused_bundle_is_told_with_its_file(answering):
    with Client(load_settings()) as client:
        with pytest.raises(FinlakeError, match=r"assets/import/: .*charts/a.yaml: no uuid"):
            client.upload("/assets/import/", b"", {})
        assert client.get("/x/", page=0, columns=["a", "b"])["result"] == [
            "/api/v1/x/?q=(page:0,columns:!(a,b))"
        ]


def test_a_wrong_password_and_a_missing_server_are_told(answering, monkeypatch):
    monkeypatch.setenv("FINLAKE_SUPERSET_PASSWORD", "wrong")
    with pytest.raises(UsageProblem, match="does not know admin by that password"):
        Client(load_settings())
    monkeypatch.setenv("FINLAKE_SUPERSET_URL", "http://127.0.0.1:1")
    with pytest.raises(ComponentMissing, match=r"does not answer at http://127\.0\.0\.1:1 "):
        Client(load_settings())
    monkeypatch.setenv("FINLAKE_SUPERSET_PASSWORD", "")
    monkeypatch.setenv("FINLAKE_SUPERSET_URL", "")
    with pytest.raises(UsageProblem, match="FINLAKE_SUPERSET_URL is empty"):
        Client(load_settings())
