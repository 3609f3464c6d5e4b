"""The jars of ``infra/jars.lock``: in the cache, else fetched by ``mvn``, checked by SHA-256.

A line may name another kind of file: ``group:artifact:kind:version``.

Where Maven downloads from is decided by Maven's own settings.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from finlake.errors import ComponentMissing, FinlakeError
from infra.stack.cache import cache_dir, cache_lock
from infra.stack.progress import Progress, quiet

__all__ = [
    "LOCK_FILE",
    "Jar",
    "discard_jars",
    "fetch_jars",
    "jar_paths",
    "missing_jars",
    "read_lock",
]

LOCK_FILE = Path(__file__).parent.parent / "jars.lock"
_DOWNLOADED = re.compile(r"Downloaded from [^ ]+ \S*/([^/ ]+\.(?:jar|tar\.gz)) ")
_COORDINATES = re.compile(r"([\w.-]+):([\w.-]+):(?:jar|tar\.gz):([\w.-]+)")
_WORKERS = 4  # Maven projects at once: one project fetches its jars one after another


@dataclass(frozen=True)
class Jar:
    """One line of the lock file; ``size`` is in bytes."""

    groups: tuple[str, ...]
    group: str
    artifact: str
    version: str
    size: int
    sha256: str
    kind: str = "jar"

    @property
    def file_name(self) -> str:
        """Its name in the cache, and in Maven's repositories."""
        return f"{self.artifact}-{self.version}.{self.kind}"

    @property
    def coordinates(self) -> str:
        """``group:artifact:version``."""
        return f"{self.group}:{self.artifact}:{self.version}"


def read_lock(path: Path | None = None) -> tuple[Jar, ...]:
    """All jars of the lock file.

    Raises:
        FinlakeError: naming the file and line that cannot be read.
    """
    path = path or LOCK_FILE
    jars = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            groups, coordinates, size, sha256 = line.split()
            group, artifact, *kind, version = coordinates.split(":")
            if len(kind) > 1:
                raise ValueError(coordinates)
            jars.append(
                Jar(tuple(groups.split(",")), group, artifact, version, int(size), sha256, *kind)
            )
        except ValueError:
            raise FinlakeError(
                f"{path}:{number}: is not `groups group:artifact[:kind]:version size sha256`;"
                " correct it"
            ) from None
    return tuple(jars)


def jar_paths(group: str, progress: Progress = quiet) -> list[Path]:
    """Paths of a group's jars, checked and in a fixed order; fetched first where they are missing.

    Groups: kafka, connect, mariadb, spark, spark-s3, trino.

    Raises:
        ComponentMissing: naming the jar that cannot be had, or ``mvn`` when that is missing.
    """
    return fetch_jars([group], progress)


def fetch_jars(groups: Iterable[str], progress: Progress = quiet) -> list[Path]:
    """See that the jars of these groups are in the cache with the right checksum; their paths.

    Raises:
        ComponentMissing: naming the jar that cannot be had, or ``mvn`` when that is missing.
    """
    jars = _of(groups)
    folder = _folder()
    if _missing(jars, folder):
        with cache_lock("jars"):  # another process may have fetched them while this one waited
            missing = _missing(jars, folder)
            if missing:
                _fetch(missing, folder, progress)
    return [folder / jar.file_name for jar in jars]


def discard_jars(groups: Iterable[str]) -> None:
    """Delete the jars of these groups from the cache, where they were made into something else."""
    for jar in _of(groups):
        (_folder() / jar.file_name).unlink(missing_ok=True)


def missing_jars(groups: Iterable[str]) -> list[Jar]:
    """The jars of these groups that would have to be fetched."""
    return _missing(_of(groups), _folder())


def _of(groups: Iterable[str]) -> list[Jar]:
    wanted = set(groups)
    jars = [jar for jar in read_lock() if wanted.intersection(jar.groups)]
    unknown = wanted.difference(*(jar.groups for jar in jars))
    if unknown:
        raise FinlakeError(f"{LOCK_FILE}: lists no jars for {', '.join(sorted(unknown))}")
    return jars


def _folder() -> Path:
    folder = cache_dir() / "jars"
    folder.mkdir(exist_ok=True)
    return folder


def _missing(jars: Iterable[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not _is_good(folder / jar.file_name, jar)]


def _is_good(path: Path, jar: Jar) -> bool:
    try:
        return path.stat().st_size == jar.size and _sha256(path) == jar.sha256
    except FileNotFoundError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(jars: Sequence[Jar], folder: Path, progress: Progress) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise ComponentMissing(
            f"mvn is missing, and {len(jars)} jars are not in the cache yet (first:"
            f" {jars[0].coordinates}); install Maven (apt-get install maven) and try again"
        )
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch,
        progress(f"fetching {len(jars)} jars", sum(jar.size for jar in jars)) as advance,
    ):
        target = Path(scratch) / "jars"
        target.mkdir()
        said = _run_maven(mvn, jars, Path(scratch), target, advance)
        for jar in jars:
            _accept(jar, target / jar.file_name, folder / jar.file_name, said)


def _run_maven(
    mvn: str, jars: Sequence[Jar], scratch: Path, target: Path, advance: Callable[[int], None]
) -> list[str]:
    """Let Maven copy the jars to ``target``; returns what it printed."""
    # The largest first, dealt in turn: the projects then end at about the same time.
    dealt = sorted(jars, key=lambda jar: -jar.size)
    parts = [dealt[n::_WORKERS] for n in range(min(_WORKERS, len(dealt)))]
    modules = "".join(f"<module>part{n}</module>" for n in range(len(parts)))
    (scratch / "pom.xml").write_text(_pom("all", f"<modules>{modules}</modules>"), encoding="utf-8")
    for n, part in enumerate(parts):
        items = "".join(
            f"<artifactItem><groupId>{escape(jar.group)}</groupId>"
            f"<artifactId>{escape(jar.artifact)}</artifactId>"
            f"<version>{escape(jar.version)}</version><type>{jar.kind}</type></artifactItem>"
            for jar in part
        )
        module = scratch / f"part{n}"
        module.mkdir()
        build = (
            "<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId>"
            "<artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>"
            "<executions><execution><phase>validate</phase><goals><goal>copy</goal></goals>"
            f"<configuration><outputDirectory>{escape(str(target))}</outputDirectory>"
            f"<artifactItems>{items}</artifactItems></configuration>"
            "</execution></executions></plugin></plugins></build>"
        )
        (module / "pom.xml").write_text(_pom(f"part{n}", build), encoding="utf-8")
    command = [mvn, "-B", "-T", str(_WORKERS), "--fail-at-end", "-f", str(scratch / "pom.xml")]
    sizes = {jar.file_name: jar.size for jar in jars}
    lines = []
    with subprocess.Popen(
        [*command, "validate"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        for line in process.stdout:
            lines.append(line.strip())
            done = _DOWNLOADED.search(line)
            advance(sizes.pop(done[1], 0) if done else 0)
    advance(sum(sizes.values()))
    return lines


def _pom(name: str, body: str) -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>finlake</groupId><artifactId>{name}</artifactId><version>1</version>"
        f"<packaging>pom</packaging>{body}</project>"
    )


def _accept(jar: Jar, found: Path, place: Path, said: Sequence[str]) -> None:
    """Move a fetched jar to its place when it is what the lock file says."""
    if not found.exists():
        raise _not_to_be_had(jar, said)
    digest = _sha256(found)
    if digest != jar.sha256:
        folder = "/".join([*jar.group.split("."), jar.artifact, jar.version])
        raise ComponentMissing(
            f"jar {jar.coordinates}: SHA-256 is {digest} ({found.stat().st_size} bytes) but"
            f" infra/jars.lock says {jar.sha256} ({jar.size} bytes); remove {folder} from Maven's"
            " local repository (~/.m2/repository) and try again"
        )
    found.replace(place)


def _not_to_be_had(jar: Jar, said: Sequence[str]) -> ComponentMissing:
    """One failed jar keeps its neighbours from being copied: name the one that Maven names."""
    errors = [line.removeprefix("[ERROR]").strip() for line in said if line.startswith("[ERROR]")]
    for line in errors:
        named = _COORDINATES.search(line)
        if named and ":".join(named.groups()) in {known.coordinates for known in read_lock()}:
            reason = re.sub(r"^.*?Unable to resolve artifact: ", "", line)[:300]
            return ComponentMissing(
                f"jar {':'.join(named.groups())} cannot be had: {reason}; check the network and"
                " Maven's settings, then try again"
            )
    reason = (errors or ["mvn gave no reason"])[0][:300]
    return ComponentMissing(
        f"jar {jar.coordinates} cannot be had: {reason}; check the network and Maven's settings,"
        " then try again"
    )
