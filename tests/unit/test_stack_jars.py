"""Jars: only what the lock file says gets into the cache, and every failure names its jar."""

import hashlib
import os
import stat
import sys
from collections import Counter
from contextlib import contextmanager

import pytest

from finlake.errors import ComponentMissing, FinlakeError
from infra.stack import jars
from infra.stack.jars import fetch_jars, jar_paths, missing_jars, read_lock

# Stands in for Maven: copies the jars it is asked for out of $REPOSITORY, and says what it cannot.
MAVEN = """#!{python}
import os, pathlib, re, shutil, sys
pom = pathlib.Path(sys.argv[sys.argv.index("-f") + 1])
repository = pathlib.Path(os.environ["REPOSITORY"])
asked = repository / "asked"
bad = 0
for part in sorted(pom.parent.glob("part*/pom.xml")):
    text = part.read_text()
    target = pathlib.Path(re.search("<outputDirectory>(.*?)</outputDirectory>", text)[1])
    for group, artifact, version in re.findall(
        "<artifactItem><groupId>(.*?)</groupId><artifactId>(.*?)</artifactId><version>(.*?)<", text
    ):
        name = f"{{artifact}}-{{version}}.jar"
        with asked.open("a") as file:
            file.write(name + "\\n")
        if (repository / name).exists():
            print(f"Downloaded from here: file:///x/{{name}} (1 B at 1 B/s)", flush=True)
            shutil.copy(repository / name, target / name)
        else:
            bad = 1
            print(f"[ERROR] Failed to execute goal: Unable to resolve artifact: Could not find"
                  f" artifact {{group}}:{{artifact}}:jar:{{version}} in here", flush=True)
sys.exit(bad)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty cache, a lock file with three jars in two groups, and a Maven that has them."""
    folder = tmp_path / "repository"
    folder.mkdir()
    lines = ["# comment", ""]
    for groups, artifact, content in (
        ("one,two", "shared", b"for both"),
        ("one", "first", b"for one"),
        ("two", "second", b"for two"),
    ):
        (folder / f"{artifact}-1.0.jar").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        lines.append(f"{groups}  org.example:{artifact}:1.0  {len(content)}  {digest}")
    lock = tmp_path / "jars.lock"
    lock.write_text("\n".join(lines))
    mvn = tmp_path / "bin" / "mvn"
    mvn.parent.mkdir()
    mvn.write_text(MAVEN.format(python=sys.executable))
    mvn.chmod(mvn.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{mvn.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("REPOSITORY", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(jars, "LOCK_FILE", lock)
    return folder


def asked(repository):
    try:
        return (repository / "asked").read_text().split()
    except FileNotFoundError:
        return []


def test_only_the_groups_that_are_needed_are_fetched(repository):
    paths = jar_paths("one")
    assert [path.name for path in paths] == ["shared-1.0.jar", "first-1.0.jar"]
    assert [path.read_bytes() for path in paths] == [b"for both", b"for one"]
    assert sorted(asked(repository)) == ["first-1.0.jar", "shared-1.0.jar"]
    assert [jar.artifact for jar in missing_jars(["one", "two"])] == ["second"]


def test_what_is_in_the_cache_is_not_fetched_again(repository):
    jar_paths("one")
    (repository / "asked").unlink()
    jar_paths("one")
    assert asked(repository) == []
    jar_paths("two")
    assert asked(repository) == ["second-1.0.jar"]


def test_a_spoilt_jar_in_the_cache_is_replaced(repository):
    first = jar_paths("one")[1]
    first.write_bytes(b"for 0ne")  # the same size
    assert jar_paths("one")[1].read_bytes() == b"for one"


def test_the_progress_reaches_the_sum_of_the_sizes(repository):
    titles: list[tuple[str, int]] = []
    sizes: list[int] = []

    @contextmanager
    def progress(title, total):
        titles.append((title, total))
        yield sizes.append

    fetch_jars(["one"], progress)
    assert titles == [("fetching 2 jars", 15)]
    assert sum(sizes) == 15


def test_a_wrong_checksum_names_the_jar_both_sums_and_the_way_out(repository):
    (repository / "first-1.0.jar").write_bytes(b"another")
    with pytest.raises(ComponentMissing) as error:
        jar_paths("one")
    text = str(error.value)
    assert text.startswith("jar org.example:first:1.0: SHA-256 is ")
    assert hashlib.sha256(b"another").hexdigest() in text
    assert hashlib.sha256(b"for one").hexdigest() in text
    assert "org/example/first/1.0" in text
    assert "\n" not in text
    assert [jar.artifact for jar in missing_jars(["one"])] == ["first"]


def test_a_jar_that_cannot_be_had_is_named_in_one_line(repository):
    (repository / "second-1.0.jar").unlink()
    with pytest.raises(ComponentMissing, match=r"^jar org.example:second:1.0 cannot be had: ") as e:
        jar_paths("two")
    assert "Could not find artifact" in str(e.value)
    assert "\n" not in str(e.value)


def test_without_maven_the_message_says_how_to_get_it(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(ComponentMissing, match=r"^mvn is missing.*org.example:.*install maven"):
        jar_paths("one")


def test_with_all_jars_in_the_cache_maven_is_not_needed(repository, monkeypatch):
    jar_paths("one")
    monkeypatch.setenv("PATH", str(repository))
    assert len(jar_paths("one")) == 2


def test_an_unknown_group_is_refused(repository):
    with pytest.raises(FinlakeError, match="lists no jars for three"):
        jar_paths("three")


@pytest.mark.parametrize("line", ["one a:b:1 5", "one a:b 5 abc", "one a:b:1 five abc"])
def test_a_line_that_cannot_be_read_is_named(tmp_path, line):
    lock = tmp_path / "jars.lock"
    lock.write_text(f"# comment\n{line}\n")
    with pytest.raises(FinlakeError, match=r"jars.lock:2: is not `groups"):
        read_lock(lock)


def test_the_lock_file_names_each_jar_once_with_a_checksum():
    found = read_lock()
    assert {group for jar in found for group in jar.groups} == {
        *("kafka", "connect", "mariadb", "spark", "spark-s3", "trino")
    }
    assert all(len(jar.sha256) == 64 and int(jar.sha256, 16) and jar.size > 0 for jar in found)
    # one folder holds them all
    assert not [name for name, n in Counter(jar.file_name for jar in found).items() if n > 1]
    # a class path must not hold two versions of one library
    for group in ("kafka", "connect", "spark", "spark-s3"):
        names = Counter((jar.group, jar.artifact) for jar in found if group in jar.groups)
        assert not [name for name, n in names.items() if n > 1]
