"""The settings of TLS and passwords, in the form that each client wants."""

import json
import os
import ssl
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka.admin import AdminClient

import connectors
from connectors.config import connector_config
from connectors.epoch import Decision
from connectors.rest import ConnectorStatus, TaskStatus
from finlake.cli import main
from finlake.errors import UsageProblem
from infra import security
from infra.settings import load_settings
from infra.stack.certificates import authority, certificate, make_certificates
from lakehouse_schemas import contracts

LOGIN = {"kafka_user": "me", "kafka_password": 'a"b\\c'}
URL = "mysql://app:x@127.0.0.1:3306/finance"


@pytest.fixture
def ca(home):
    make_certificates(home)
    return authority(home)


@pytest.mark.parametrize(
    ("protocol", "names"),
    [
        ("PLAINTEXT", set()),
        ("SSL", {"security.protocol", "ssl.ca.location"}),
        (
            "SASL_PLAINTEXT",
            {"security.protocol", "sasl.mechanism", "sasl.username", "sasl.password"},
        ),
        (
            "SASL_SSL",
            {"security.protocol", "sasl.mechanism", "sasl.username", "sasl.password"}
            | {"ssl.ca.location"},
        ),
    ],
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_kafka_options_are_those_of_the_protocol_and_its_clients_take_them(
    ca, protocol, names, mechanism
):
    settings = load_settings(
        kafka_security_protocol=protocol, kafka_ca=ca, kafka_sasl_mechanism=mechanism, **LOGIN
    )
    options = security.kafka_options(settings)
    assert options.pop("bootstrap.servers") == settings.kafka_bootstrap
    assert set(options) == names
    AdminClient({**options, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    java = security.java_kafka_options(settings)
    assert ("sasl.jaas.config" in java) == ("sasl.password" in options)
    assert ("ssl.truststore.location" in java) == ("ssl.ca.location" in options)
    assert java.get("security.protocol") == options.get("security.protocol")
    spark = security.spark_kafka_options(settings)
    assert spark.pop("kafka.bootstrap.servers") == settings.kafka_bootstrap
    assert spark == {f"kafka.{name}": value for name, value in java.items()}


def test_a_java_login_is_quoted_and_of_its_mechanism(home):
    settings = load_settings(kafka_security_protocol="SASL_SSL", **LOGIN)
    line = security.java_kafka_options(settings)["sasl.jaas.config"]
    assert line == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required"
        r' username="me" password="a\"b\\c";'
    )
    plain = settings.model_copy(update={"kafka_sasl_mechanism": "PLAIN"})
    assert ".plain.PlainLoginModule " in security.java_kafka_options(plain)["sasl.jaas.config"]


@pytest.mark.parametrize("lacking", list(LOGIN))
def test_a_login_without_its_parts_names_the_setting(home, lacking):
    given = {name: value for name, value in LOGIN.items() if name != lacking}
    settings = load_settings(kafka_security_protocol="SASL_PLAINTEXT", **given)
    with pytest.raises(UsageProblem, match=f"FINLAKE_{lacking.upper()}: not set"):
        security.kafka_options(settings)


def shown(secret):
    return secret and secret.get_secret_value()


def test_a_secret_is_read_from_its_file_unless_it_is_set(home, monkeypatch):
    folder = home / "secrets"
    folder.mkdir(parents=True)
    (folder / "kafka_password").write_text("from-the-file\n")
    (folder / "lake").write_text("file:/not-a-secret")
    found = load_settings()
    assert shown(found.kafka_password) == "from-the-file"
    assert found.lake == f"file:{home / 'lake'}"
    assert "from-the-file" not in repr(found)
    monkeypatch.setenv("FINLAKE_KAFKA_PASSWORD", "set")
    assert shown(load_settings().kafka_password) == "set"


def test_settings_name_the_file_of_a_secret_and_do_not_show_it(home, capsys):
    (home / "secrets").mkdir(parents=True)
    (home / "secrets" / "kafka_password").write_text("from-the-file")
    assert main(["settings", "--json"]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if "FINLAKE_KAFKA_PASSWORD" in line]
    assert json.loads(line)["origin"] == str(home / "secrets")
    assert "from-the-file" not in out


def test_an_empty_authority_is_none_and_another_is_absolute(home, monkeypatch):
    monkeypatch.setenv("FINLAKE_KAFKA_CA", "")
    monkeypatch.setenv("FINLAKE_S3_CA", "own.pem")
    assert load_settings().kafka_ca is None
    assert load_settings().s3_ca == Path.cwd() / "own.pem"


# ── the source ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (URL, {"ssl_disabled": True}),
        (f"{URL}?tls=auto", {}),
        (URL.replace("127.0.0.1", "db.example"), {}),
        (URL.replace("127.0.0.1", "db.example") + "?tls=off", {"ssl_disabled": True}),
    ],
)
def test_without_a_demand_tls_is_off_here_and_as_offered_elsewhere(home, url, wanted):
    assert security.source_ssl(load_settings(source_url=url)) == wanted


def test_required_looks_at_no_certificate_and_verify_at_all_of_it(ca):
    required = security.source_ssl(load_settings(source_url=f"{URL}?tls=required"))["ssl"]
    assert (required.verify_mode, required.check_hostname) == (ssl.CERT_NONE, False)
    settings = load_settings(source_url=f"{URL}?tls=verify", source_ca=ca)
    verify = security.source_ssl(settings)["ssl"]
    assert (verify.verify_mode, verify.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(verify.get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_one_line_with_its_setting(home, tmp_path, content):
    place = tmp_path / "ca.pem"
    if content:
        place.write_text(content)
    settings = load_settings(source_url=f"{URL}?tls=verify", source_ca=place)
    with pytest.raises(UsageProblem, match=f"^setting FINLAKE_SOURCE_CA: {place} is no readable"):
        security.source_ssl(settings)
    with pytest.raises(UsageProblem, match=f"^setting FINLAKE_SOURCE_CA: {place} is no readable"):
        security.truststore(settings, "source_ca")


def test_javas_truststore_holds_the_authority_and_follows_it(ca, home):
    settings = load_settings(source_ca=ca)
    store = security.truststore(settings, "source_ca")
    assert store is not None
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", store, "-storepass", security.TRUSTSTORE_PASSWORD],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert listed.count("trustedCertEntry") == 1, listed
    before = store.read_bytes()
    assert security.truststore(settings, "source_ca") == store
    assert store.read_bytes() == before
    ca.write_bytes(ca.read_bytes() * 2)
    os.utime(ca, ns=(store.stat().st_mtime_ns + 1,) * 2)
    assert security.truststore(settings, "source_ca") == store
    assert store.read_bytes() != before
    assert security.truststore(load_settings(), "source_ca") is None


# ── the connector ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flavour", ["mariadb", "mysql", "postgresql"])
def test_no_secret_stands_in_the_connectors_configuration(ca, flavour):
    settings = load_settings(
        source_flavour=flavour,
        source_url=f"{URL.replace('app:x', 'app:the-app')}?tls=verify",
        source_ca=ca,
        source_cdc_password="the-source",
        kafka_security_protocol="SASL_SSL",
        kafka_ca=ca,
        kafka_user="me",
        kafka_password="the-kafka",
    )
    config = connector_config(settings, contracts.layer("source"), epoch=1)
    assert not [value for value in config.values() if "the-" in value]
    folder = settings.home / "secrets" / "connect"
    assert config["database.password"] == f"${{secrets:{folder}:source_cdc_password}}"
    prefixes = ["signal.consumer"]
    if flavour != "postgresql":
        prefixes += [f"schema.history.internal.{client}" for client in ("producer", "consumer")]
        assert config["database.ssl.truststore"] == str(settings.home / "tls" / "source_ca.p12")
    for prefix in prefixes:
        assert config[f"{prefix}.security.protocol"] == "SASL_SSL"
        assert config[f"{prefix}.sasl.jaas.config"] == f"${{secrets:{folder}:kafka_jaas}}"


def test_the_connectors_secrets_are_written_when_they_change_and_only_at_home(home):
    settings = load_settings(source_cdc_password="one")
    assert security.write_connect_secrets(settings)
    assert not security.write_connect_secrets(settings)
    assert security.write_connect_secrets(load_settings(source_cdc_password="two"))
    folder = home / "secrets" / "connect"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "source_cdc_password": "two"
    }
    elsewhere = load_settings(source_cdc_password="three", connect_secrets_folder="/run/secrets")
    assert not security.write_connect_secrets(elsewhere)
    assert security.secret_reference(elsewhere, "x") == "${secrets:/run/secrets:x}"


# ── the object store ─────────────────────────────────────────────────────────────────────────────


def test_the_object_stores_password_is_no_setting_of_sparks_process(ca, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    settings = load_settings(s3_endpoint="https://127.0.0.1:1", s3_secret_key="hidden", s3_ca=ca)
    options = security.s3a_options(settings)
    assert "hidden" not in " ".join(options.values())
    assert options["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "true"
    assert str(settings.home / "tls" / "s3_ca.p12") in options["spark.driver.defaultJavaOptions"]
    assert security.s3_storage_options(settings)["aws_allow_http"] == "false"
    assert os.environ["SSL_CERT_FILE"] == str(ca)


def test_plain_http_goes_on_as_it_was(home, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    settings = load_settings(s3_endpoint="http://127.0.0.1:1", s3_secret_key="hidden")
    options = security.s3a_options(settings)
    assert options["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"
    assert "spark.driver.defaultJavaOptions" not in options
    assert security.s3_storage_options(settings)["aws_allow_http"] == "true"
    assert "SSL_CERT_FILE" not in os.environ


# ── certificates ─────────────────────────────────────────────────────────────────────────────────


def test_certificates_are_made_once_are_the_owners_and_hold_for_loopback(ca, home):
    before = ca.read_bytes()
    make_certificates(home)
    assert ca.read_bytes() == before
    files = [path for path in (home / "tls").rglob("*") if path.is_file()]
    assert len(files) == 16
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    private = {path.read_bytes() for path in files if path.name == "private.key"}
    assert len(private) == 5
    for component in ("kafka", "source", "minio", "trino", "redis"):
        public = certificate(home, component) / "public.crt"
        checked = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-verify_ip", "127.0.0.1", "-CAfile", ca, public],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr


def test_certificates_of_a_making_that_was_cut_short_are_made_again(ca, home):
    ca.unlink()
    make_certificates(home)
    context = ssl.create_default_context(cafile=ca)
    assert len(context.get_ca_certs()) == 1
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = certificate(home, "kafka")
    server.load_cert_chain(own / "public.crt", own / "private.key")


@pytest.mark.parametrize(("new_password", "restarts"), [(True, [False]), (False, [])])
def test_a_new_password_starts_a_running_connector_anew(home, monkeypatch, new_password, restarts):
    """Its configuration stays the same, and the password is read when a task starts."""
    done = []
    running = ConnectorStatus("c", "RUNNING", "", (TaskStatus(0, "RUNNING", None),))
    connect = SimpleNamespace(
        status=lambda name: running,
        config=lambda name: None,
        put=lambda name, config: False,
        resume=lambda name: None,
        restart=lambda name, only_failed=True: done.append(only_failed),
        wait_running=lambda name, settle_s: None,
        offset=lambda name: None,
    )
    monkeypatch.setattr("connectors.topics.create", lambda *_: [])
    home.mkdir()
    connectors._start(
        load_settings(source_url=URL),
        connect,  # type: ignore[arg-type]
        None,
        "mariadb:1:uuid",
        Decision(1, None),
        lambda line: None,
        anew=new_password,
    )
    assert done == restarts
