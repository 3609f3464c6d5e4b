"""The rules of the house that no tool of others checks."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from finlake.cli import COMMANDS, root
from infra.settings import Settings

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    if name and (ROOT / name).is_file()
]
PACKAGES = sorted(
    path.parent.name for path in TRACKED if path.name == "__init__.py" and path.parents[1] == ROOT
)
ELSEWHERE = {ROOT / "infra" / "images", ROOT / "lakehouse_schemas" / "generated" / "airflow"}
CODE = [  # what runs in environments of its own is none of it
    path
    for path in TRACKED
    if path.suffix == ".py"
    and path.relative_to(ROOT).parts[0] in PACKAGES
    and not ELSEWHERE.intersection(path.parents)
]
LOCKS = [
    path
    for path in TRACKED
    if path.parent == ROOT / "requirements" and path.suffix == ".txt" and path.name != "debian.txt"
]
IMAGE_LOCKS = [path for path in TRACKED if path.match("infra/images/*/requirements*.txt")]


def text_of(path: Path) -> str:
    """The text of a file, nothing of a binary one."""
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode()


def shown(path: Path, text: str, place: int) -> str:
    line = text.count("\n", 0, place) + 1
    return f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[line - 1].strip()[:100]}"


def find(pattern: str, paths: list[Path]) -> list[str]:
    """Every place where the pattern stands, as file, line and text."""
    return [
        shown(path, text, match.start())
        for path in paths
        for text in [text_of(path)]
        for match in re.finditer(pattern, text)
    ]


# ── Nothing of one machine ───────────────────────────────────────────────────────────────────────


def test_no_file_names_a_package_index():
    words = [
        "index" + "-url",
        "find" + "-links",
        "/simp" + r"le/?[\"' \n]",
        "/mav" + "en2",
        "GOPR" + "OXY=",
        r"<(repository|mirror|pluginRepos" + "itory)>",
        "registry" + r" *= *[\"']https?:",
        "resolved" + r"\" *: *[\"']https?:",
    ]
    assert find("|".join(words), TRACKED) == []


def test_no_file_names_a_path_of_this_machine():
    places = {f"{ROOT}/", f"{Path.home()}/"}
    assert find("|".join(map(re.escape, places)), TRACKED) == []


def test_no_tracked_file_is_over_one_megabyte():
    assert [str(path) for path in TRACKED if path.stat().st_size > 1_000_000] == []


def test_nothing_is_left_for_later():
    assert find(r"\b(TO" + "DO|FIX" + r"ME|XX" + r"X)\b", TRACKED) == []


# ── Requirements ─────────────────────────────────────────────────────────────────────────────────


def pins(path: Path) -> dict[str, str]:
    """Name and exact version of each requirement; fails on one without a hash."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", "\n" + path.read_text()):
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\\n]+)", block.strip()):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), f"{path.name}: {match[0]}"
            found[canonicalize_name(match[1])] = match[2]
        else:
            assert not re.search(r"^[^#\s]", block, re.MULTILINE), f"{path.name}: {block[:80]}"
    return found


def declared(*extras: str) -> list[Requirement]:
    lines = list(PYPROJECT["project"]["dependencies"])
    for extra in extras:
        lines += PYPROJECT["project"]["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("path", LOCKS + IMAGE_LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_with_hashes(path):
    assert pins(path)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("dev", tuple(PYPROJECT["project"]["optional-dependencies"])),
        ("runtime", ("stream",)),
        ("dashboard", ("dashboard",)),
    ],
)
def test_pins_fulfil_what_the_package_declares(name, extras):
    pinned = pins(ROOT / "requirements" / f"{name}.txt")
    for need in declared(*extras):
        version = pinned.get(canonicalize_name(need.name))
        assert version, f"{need.name} is not in {name}.txt; run make lock"
        assert need.specifier.contains(version), f"{need} against {version}; run make lock"


def test_bootstrap_pins_what_its_source_names():
    folder = ROOT / "requirements"
    needs = [
        Requirement(line)
        for line in (folder / "bootstrap.in").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    pinned = pins(folder / "bootstrap.txt")
    assert {canonicalize_name(need.name) for need in needs} == set(pinned)
    for need in needs:
        assert need.specifier.contains(pinned[canonicalize_name(need.name)])


def test_environments_agree_about_versions():
    everything = pins(ROOT / "requirements" / "dev.txt")
    for path in LOCKS:
        if path.name in ("runtime.txt", "dashboard.txt"):
            assert pins(path).items() <= everything.items(), path.name


def imported(paths: list[Path]) -> set[str]:
    """Top-level names that the files import, wherever in the file."""
    names: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.partition(".")[0])
    return names


def test_what_the_code_imports_is_declared_and_the_reverse():
    distributions = packages_distributions()
    foreign = imported(CODE) - set(sys.stdlib_module_names) - set(PACKAGES)
    used = {
        canonicalize_name(distribution)
        for name in foreign
        for distribution in distributions.get(name, [f"unknown package {name}"])
    }
    extras = set(PYPROJECT["project"]["optional-dependencies"]) - {"dev"}
    needed = {canonicalize_name(need.name) for need in declared(*sorted(extras))}
    by_others = {"cryptography", "delta-spark", "hypothesis", "py4j", "python-dotenv", "urllib3"}
    by_others |= {"alembic", "sqlparse"}  # MLflow's, for its store without a server
    by_others |= {"httptools", "uvloop", "websockets"}  # uvicorn takes them by name
    # one name for many packages: the exporter and the SDK bring the others
    by_others |= {name for name in used if name.startswith("opentelemetry-")} - needed
    # delta-spark is for people's own Spark sessions over the lake, cryptography serves PyMySQL, and
    # the strategies that contracts render serve tests alone; the others come with pyspark,
    # pydantic-settings and requests.
    assert used - needed - by_others == set(), "imported, but not declared"
    assert needed - used - by_others == set(), "declared, but not imported"


# ── Rooms and what may be in them ────────────────────────────────────────────────────────────────


def test_every_room_is_known_to_every_tool():
    tool = PYPROJECT["tool"]
    assert {name.rstrip("*") for name in tool["setuptools"]["packages"]["find"]["include"]} >= set(
        PACKAGES
    )
    assert sorted(tool["coverage"]["run"]["source_pkgs"]) == PACKAGES
    assert sorted(tool["importlinter"]["root_packages"]) == PACKAGES
    assert set(tool["ruff"]["lint"]["isort"]["known-first-party"]) >= set(PACKAGES)
    top = next(
        contract for contract in tool["importlinter"]["contracts"] if "the top" in contract["name"]
    )
    assert sorted([*top["source_modules"], "finlake"]) == PACKAGES


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in CODE}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()] == []


IMPURE_MODULES = {
    "asyncio", "getpass", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "time",
    "urllib", "http",
}  # fmt: skip
IMPURE_NAMES = {"SparkSession", "SparkContext", "open", "print", "input", "getActiveSession"}
CLOCKS = {"now", "utcnow", "today", "current_timestamp", "current_date", "uuid4", "rand", "randn"}


@pytest.mark.parametrize(
    "path",
    [path for path in CODE if "transforms" in path.relative_to(ROOT).parts],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_pure_transform_sees_no_session_clock_environment_or_path(path):
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                seen = {alias.name.partition(".")[0] for alias in names} & IMPURE_MODULES
            case ast.ImportFrom(module=module, names=names):
                seen = {(module or "").partition(".")[0]} & IMPURE_MODULES
                seen |= {alias.name for alias in names} & (IMPURE_NAMES | CLOCKS)
            case ast.Name(id=name):
                seen = {name} & IMPURE_NAMES
            case ast.Attribute(attr=name):
                seen = {name} & (CLOCKS | IMPURE_NAMES - {"open", "print", "input"})
            case _:
                seen = set()
        wrong += [f"{path.relative_to(ROOT)}:{node.lineno}: {name}" for name in seen]  # type: ignore[attr-defined]
    assert wrong == []


# ── What is written about the house is so ────────────────────────────────────────────────────────

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md"]


def test_every_make_target_is_documented():
    documented = set(re.findall(r"^([a-z][a-z-]*):.*## \S", MAKEFILE, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE))
    assert TARGETS == documented == phony
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  make ([a-z-]+)", listed, re.MULTILINE)) == TARGETS


def test_hooks_and_continuous_integration_call_what_is_there():
    stages = re.search(r"\.ci/stages (.+)", MAKEFILE)
    assert stages
    hooks = re.findall(r"make ([a-z-]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks
    assert {*stages[1].split(), *hooks} <= TARGETS


def test_documents_name_make_targets_that_exist():
    named = {
        word
        for path in DOCUMENTS
        for word in re.findall(r"(?:^ *|`|=\S+ )make ([a-z-]+)", text_of(path), re.MULTILINE)
    }
    assert {"demo", "test"} <= named
    assert named - TARGETS == set()


def calls_of_finlake(text: str) -> list[list[str]]:
    """The words after `finlake` wherever a document or a help text shows a call of it."""
    found = re.findall(r"(?:^ *|`|&& |\| |=\S+ |bin/)finlake ([a-z][^`\n|&#]*)", text, re.MULTILINE)
    return [call.split() for call in found]


def wrong_in(call: list[str]) -> str | None:
    """Why a call cannot be right: a command or an option that is not there."""
    group: click.Command = root
    context = click.Context(root)
    words = list(call)
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        name = re.sub(r"\W+$", "", words.pop(0))
        if name.isupper():
            break
        found = group.get_command(context, name)
        if found is None:
            return f"no command {name}"
        group = found
    options = {option for param in group.params for option in (*param.opts, *param.secondary_opts)}
    options |= {"--help", "-h"}
    for word in words:
        if re.match(r"\[?--", word):
            option = re.sub(r"^\[|[\]=.,;:)].*$", "", word)
            if option not in options:
                return f"no option {option}"
    return None


def test_documents_show_commands_and_options_that_exist():
    calls = [(path.name, call) for path in DOCUMENTS for call in calls_of_finlake(text_of(path))]
    assert calls
    wrong = [
        f"{name}: finlake {' '.join(call)}: {why}"
        for name, call in calls
        if (why := wrong_in(call))
    ]
    assert wrong == []


def test_documents_link_to_files_that_exist():
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text_of(path))
        if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_setting_that_is_named_exists():
    known = {f"FINLAKE_{name.upper()}" for name in Settings.model_fields}
    known |= {"FINLAKE_DEBUG", "FINLAKE_NAME"}  # of the command line; of a text about all of them
    named: dict[str, str] = {}
    for path in TRACKED:
        if path.relative_to(ROOT).parts[0] != "tests":
            for match in re.finditer(r"\bFINLAKE_[A-Z0-9_]*[A-Z0-9]\b(?![*_])", text_of(path)):
                named.setdefault(match[0], str(path.relative_to(ROOT)))
    assert {name: path for name, path in named.items() if name not in known} == {}


def test_readme_shows_every_command():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`finlake {name}" not in readme] == []
