"""Trino's archive, the Java that it runs on, and what it is given to start with."""

import io
import os
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from finlake.errors import ComponentMissing, UsageProblem
from infra.settings import load_settings
from infra.stack import plan, trino_server
from infra.stack.certificates import certificate, make_certificates
from infra.stack.own_environment import OwnEnvironment
from infra.stack.progress import quiet
from infra.stack.trino import TRINO_USERS, trino_password

PORTS = {"trino": 8443, "trino_internal": 8444}


@pytest.fixture
def settings(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return load_settings()


def archive(folder, *members):
    """A server's archive: names with a text, or with the name that they are a link to."""
    path = folder / "trino-server-476.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text, link in members:
            entry = tarfile.TarInfo(f"trino-server-476/{name}")
            if link:
                entry.type, entry.linkname = tarfile.LNKTYPE, f"trino-server-476/{link}"
            else:
                entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return path


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Makes a ``java`` of that version the machine's."""

    def of(version):
        path = tmp_path / "jdk" / "bin" / "java"
        path.parent.mkdir(parents=True, exist_ok=True)
        said = f'openjdk version "{version}"'
        path.write_text(f"#!{sys.executable}\nimport sys; sys.stderr.write('{said}')")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
        return str(path)

    return of


def test_what_a_delta_lake_wants_is_unpacked_links_to_other_plugins_too(
    settings, tmp_path, monkeypatch, java
):
    java("25.0.1")
    path = archive(
        tmp_path,
        ("bin/launcher", b"no", ""),
        ("lib/core.jar", b"core", ""),
        ("plugin/bigquery/shared.jar", b"shared", ""),
        ("plugin/bigquery/own.jar", b"own", ""),
        ("plugin/delta-lake/shared.jar", b"", "plugin/bigquery/shared.jar"),
        ("plugin/delta-lake/delta.jar", b"delta", ""),
        ("plugin/password-authenticators/delta.jar", b"", "plugin/delta-lake/delta.jar"),
    )
    discarded: list[str] = []
    monkeypatch.setattr(trino_server, "fetch_jars", lambda *_: [path])
    monkeypatch.setattr(trino_server, "discard_jars", discarded.extend)
    trino_server.fetch_trino(quiet)
    base = trino_server.trino_base()
    found = {str(p.relative_to(base)): p.read_bytes() for p in base.rglob("*") if p.is_file()}
    assert found == {
        "lib/core.jar": b"core",
        "plugin/delta-lake/shared.jar": b"shared",
        "plugin/delta-lake/delta.jar": b"delta",
        "plugin/password-authenticators/delta.jar": b"delta",
    }
    assert discarded == ["trino"]
    monkeypatch.setattr(trino_server, "fetch_jars", lambda *_: pytest.fail("fetched again"))
    trino_server.fetch_trino(quiet)
    assert str(base) in (trino_server.check_trino() or "")


def test_an_archive_that_is_cut_short_leaves_nothing_that_looks_whole(
    settings, tmp_path, monkeypatch, java
):
    java("25.0.1")
    path = archive(tmp_path, ("lib/core.jar", b"", "plugin/none/core.jar"))
    monkeypatch.setattr(trino_server, "fetch_jars", lambda *_: [path])
    with pytest.raises(ComponentMissing, match=r"is no Trino server: .*none/core.jar is missing"):
        trino_server.fetch_trino(quiet)
    assert not trino_server.trino_base().exists()
    assert trino_server.check_trino() is None


def test_a_java_that_is_new_enough_is_taken_and_an_old_one_is_not(settings, java):
    mine = java("24.0.2")
    assert trino_server._machines_java() == mine
    java("17.0.15")
    assert trino_server._machines_java() is None
    java("1.8.0")
    assert trino_server._machines_java() is None


def test_a_java_that_cannot_be_fetched_says_what_else_would_do(settings, monkeypatch, java):
    java("17.0.15")
    wrong = settings.home / "jre.txt"
    settings.home.mkdir()
    wrong.write_text("no-such-package-at-all==1 --hash=sha256:0\n")
    trino_server.trino_base().mkdir(parents=True)
    monkeypatch.setattr(trino_server, "_JRE", OwnEnvironment("jre", wrong, "a Java for Trino"))
    with pytest.raises(ComponentMissing, match=r"cannot be installed: .*install Java 24 or later"):
        trino_server.fetch_trino(quiet)
    assert trino_server.check_trino() is None


def test_tables_are_registered_wherever_trino_runs(settings, monkeypatch):
    assert plan.wanted(settings, ["trino"])[-2:] == ["trino", "catalogue"]
    monkeypatch.setenv("FINLAKE_TRINO_URL", "https://elsewhere:8443")
    assert not {"trino", "catalogue"} & set(plan.wanted(load_settings(), ["trino"]))


@pytest.mark.parametrize("lake", ["file:/data/my lake", "s3a://warehouse"])
def test_no_secret_is_seen_and_everything_is_on_loopback(settings, monkeypatch, java, lake):
    java("25.0.1")
    monkeypatch.setenv("FINLAKE_LAKE", lake)
    monkeypatch.setenv("FINLAKE_S3_ENDPOINT", "http://127.0.0.1:9000")
    monkeypatch.setenv("FINLAKE_S3_ACCESS_KEY", "finlake")
    monkeypatch.setenv("FINLAKE_S3_SECRET_KEY", "much-too-secret")
    monkeypatch.setattr(trino_server, "trino_base", lambda: Path("/opt/trino"))
    found = plan.build(load_settings(), ["trino"], PORTS)["trino"]
    found.prepare()
    found.prepare()  # a second start finds it all there
    etc = settings.home / "trino" / "etc"
    files = {p.relative_to(etc).as_posix(): p for p in etc.rglob("*") if p.is_file()}
    assert {p.stat().st_mode & 0o077 for p in files.values()} == {0}
    config = dict(
        line.split("=", 1)
        for line in files["config.properties"].read_text().splitlines()
        if "=" in line
    )
    assert config["node.bind-ip"] == config["node.internal-address"] == "127.0.0.1"
    assert config["http-server.authentication.type"] == "PASSWORD"
    catalogue = files["catalog/lake.properties"].read_text()
    assert ("s3.aws-secret-key=much-too-secret" in catalogue) == (lake.startswith("s3a:"))
    assert "delta.security=read_only" in catalogue
    assert "register-table" not in catalogue
    stored = files["password.db"].read_text()
    seen = " ".join([*found.command(), *found.env().values(), stored])
    for user in TRINO_USERS:
        assert trino_password(settings.home, user) not in seen
        assert f"\n{user}:" in f"\n{stored}"
    assert "much-too-secret" not in seen
    assert "-Xmx1g" in found.command()
    assert found.exports()["FINLAKE_TRINO_URL"] == "https://127.0.0.1:8443"
    assert not found.is_healthy()


def test_certificates_of_an_older_home_are_told_with_the_way_out(settings, monkeypatch):
    monkeypatch.setattr("infra.stack.trino.fetch_trino", lambda _: None)
    make_certificates(settings.home)
    own = certificate(settings.home, "trino")
    for path in own.iterdir():
        path.unlink()
    own.rmdir()
    found = plan.build(settings, ["trino"], PORTS)["trino"]
    with pytest.raises(UsageProblem, match=r"older version .* `finlake down`, remove that folder"):
        found.fetch(quiet)


def test_the_catalogue_is_healthy_for_as_long_as_it_looks(settings):
    found = plan.build(settings, ["catalogue"], PORTS)["catalogue"]
    mark = settings.home / "trino" / "known"
    found.prepare()
    assert not found.is_healthy()
    mark.touch()
    assert found.is_healthy()
    os.utime(mark, (0, 0))
    assert not found.is_healthy()
    found.prepare()
    assert not mark.exists()
