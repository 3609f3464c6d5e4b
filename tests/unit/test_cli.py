"""The command line: help, wrong use, exit codes, and the two commands that only read."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finlake.cli import COMMANDS, Entry, main, root
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem


def walk(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], bool]]:
    yield path, isinstance(command, click.Group)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from walk((*path, name), child)


def commands() -> list[tuple[tuple[str, ...], bool]]:
    """Every command and sub-command, and whether it only groups others."""
    found: list[tuple[tuple[str, ...], bool]] = []
    for name in COMMANDS:
        try:
            command = root.get_command(click.Context(root), name)
        except (ImportError, AttributeError):  # one broken command fails its own tests alone
            found.append(((name,), False))
        else:
            assert command is not None
            found.extend(walk((name,), command))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" in metafunc.fixturenames:
        found = commands()
        metafunc.parametrize("path", [p for p, _ in found], ids=[" ".join(p) for p, _ in found])


def test_help_shows_an_example_of_the_command(path, capsys):
    assert main([*path, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0].startswith(f"Usage: finlake {' '.join(path)} ")
    after = lines[lines.index("Example:") + 1 :]
    assert any(f"finlake {' '.join(path)}" in line for line in after if line)


def test_unknown_option_is_wrong_use_in_one_line(path, capsys):
    assert main([*path, "--zzz"]) == 2
    out, err = capsys.readouterr()
    name = f"finlake {' '.join(path)}"
    assert out == ""
    assert err == f"{name}: no such option '--zzz'; try {name} --help\n"


def test_every_group_without_a_command_is_wrong_use_in_one_line(capsys):
    groups = [path for path, groups_others in commands() if groups_others]
    assert groups
    for path in groups:
        name = f"finlake {' '.join(path)}"
        assert main(path) == 2
        assert capsys.readouterr() == ("", f"{name}: a command is missing; try {name} --help\n")


def test_help_of_all_shows_each_command_once(capsys):
    assert main([]) == 0
    bare = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == bare
    for name, entry in COMMANDS.items():
        assert bare.count(entry.summary) == 1, name


def test_help_imports_no_command_and_nothing_heavy():
    heavy = ["pyarrow", "pydantic", "rich", "infra", "finlake.commands", "importlib.metadata"]
    code = f"""
import sys
from finlake.cli import main
assert main(["--help"]) == 0
print(sorted(set({heavy!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_unknown_command_is_wrong_use_in_one_line(capsys):
    assert main(["nope"]) == 2
    assert capsys.readouterr().err == "finlake: no such command 'nope'; try finlake --help\n"


def test_module_and_version():
    done = subprocess.run(
        [sys.executable, "-m", "finlake", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("finlake ")


@pytest.fixture
def boom(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], int]:
    """Runs a command that raises the exception it is given, or returns the value."""

    def run(outcome: object) -> int:
        @click.command()
        def boom_command() -> object:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        module = ModuleType("finlake.commands.boom")
        module.__dict__["boom"] = boom_command
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(COMMANDS, "boom", Entry("Test", "boom", "Fails as it is told."))
        return main(["boom"])

    return run


@pytest.mark.parametrize(
    ("outcome", "code", "line"),
    [
        (FinlakeError("gold.x differs"), 1, "finlake boom: gold.x differs"),
        (UsageProblem("no folder"), 2, "finlake boom: no folder"),
        (ComponentMissing("Kafka is down"), 3, "finlake boom: Kafka is down"),
        (FinlakeError("two\nlines"), 1, "finlake boom: two lines"),
        (KeyboardInterrupt(), 130, "finlake boom: stopped"),
        (click.ClickException("Not so."), 1, "finlake boom: Not so."),
        (click.UsageError("Not so."), 2, "finlake boom: not so; try finlake boom --help"),
        (
            KeyError("k"),
            1,
            "finlake boom: unexpected KeyError: 'k'; FINLAKE_DEBUG=1 shows the trace",
        ),
        (
            ValueError("first\nsecond"),
            1,
            "finlake boom: unexpected ValueError: first; FINLAKE_DEBUG=1 shows the trace",
        ),
        (
            RuntimeError(),
            1,
            "finlake boom: unexpected RuntimeError; FINLAKE_DEBUG=1 shows the trace",
        ),
        (
            ModuleNotFoundError("no", name="no_such_package.inner"),
            3,
            "finlake boom: the Python package no_such_package is not installed; run make setup",
        ),
        (
            ModuleNotFoundError("No module", name="infra.gone"),
            1,
            "finlake boom: unexpected ModuleNotFoundError: No module; "
            "FINLAKE_DEBUG=1 shows the trace",
        ),
    ],
    ids=str,
)
def test_how_a_command_ends_badly(boom, capsys, outcome, code, line):
    assert boom(outcome) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip() == line  # click ends the line of a ^C before ours


@pytest.mark.parametrize(("outcome", "code"), [(None, 0), (0, 0), (1, 1), (3, 3), (True, 0)])
def test_a_command_may_return_its_exit_code(boom, capsys, outcome, code):
    assert boom(outcome) == code
    assert capsys.readouterr() == ("", "")


def test_debug_shows_the_trace_before_the_line(boom, capsys, monkeypatch):
    monkeypatch.setenv("FINLAKE_DEBUG", "1")
    assert boom(KeyError("k")) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("finlake boom: unexpected KeyError")


SQL = """
SELECT 7 AS n, 12.30::DECIMAL(12, 2) AS amount, 'a "b", c' AS text, NULL AS nothing,
       TIMESTAMPTZ '2026-01-02 03:04:05.000006+00' AS at
"""


def test_query_prints_a_table(home, capsys):
    assert main(["query", SQL]) == 0
    head, rule, row, count = capsys.readouterr().out.splitlines()
    assert head.split() == ["n", "amount", "text", "nothing", "at"]
    assert set(rule) == {"-", " "}
    assert row.split()[:2] == ["7", "12.30"]
    assert row.index("12.30") + len("12.30") == head.index("amount") + len("amount")
    assert count == "(1 row)"


def test_query_prints_csv(home, capsys):
    assert main(["query", SQL, "--format", "csv"]) == 0
    head, row = csv.reader(io.StringIO(capsys.readouterr().out))
    assert head == ["n", "amount", "text", "nothing", "at"]
    assert row == ["7", "12.30", 'a "b", c', "", "2026-01-02 03:04:05.000006+00:00"]


def test_query_prints_json_with_exact_decimals(home, capsys):
    assert main(["query", SQL, "--format", "json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line, parse_float=str) == {
        "n": 7,
        "amount": "12.30",
        "text": 'a "b", c',
        "nothing": None,
        "at": "2026-01-02T03:04:05.000006Z",
    }


def test_query_of_an_empty_table_prints_its_columns(home, capsys):
    assert main(["query", "SELECT mcc, description FROM gold.dim_mcc"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["mcc", "description"]
    assert out[-1] == "(0 rows)"


def test_query_that_is_no_sql_fails_in_one_line(home, capsys):
    assert main(["query", "SELEC"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("finlake query: ")
    assert err.count("\n") == 1


def test_settings_say_where_a_value_comes_from(home, capsys, monkeypatch):
    home.mkdir()
    (home / "stack.env").write_text("FINLAKE_KAFKA_BOOTSTRAP=127.0.0.1:19\nFINLAKE_PORT_KAFKA=19\n")
    (home.parent / ".env").write_text("FINLAKE_PORT_KAFKA=20\nFINLAKE_PORT_CONNECT=20\n")
    monkeypatch.setenv("FINLAKE_PORT_CONNECT", "21")
    assert main(["settings", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {line["setting"]: (line["value"], line["origin"]) for line in lines}
    assert found["FINLAKE_PORT_CONNECT"] == (21, "environment")
    assert found["FINLAKE_PORT_KAFKA"] == (20, ".env")
    assert found["FINLAKE_KAFKA_BOOTSTRAP"] == ("127.0.0.1:19", str(home / "stack.env"))
    assert found["FINLAKE_SOURCE_EPOCH"] == (1, "default")
    assert found["FINLAKE_HOME"] == (str(home), "environment")


def test_a_misspelt_setting_in_dotenv_ends_with_2(home, capsys):
    (home.parent / ".env").write_text("FINLAKE_LAEK=x\n")
    assert main(["settings"]) == 2
    assert "did you mean FINLAKE_LAKE" in capsys.readouterr().err


def test_a_misspelt_setting_in_the_environment_ends_with_2(home, capsys, monkeypatch):
    monkeypatch.setenv("FINLAKE_LAEK", "x")
    assert main(["settings"]) == 2
    out, err = capsys.readouterr()
    assert "FINLAKE_LAKE=" in out
    assert "FINLAKE_LAEK" in err
    assert err.count("\n") == 1


def test_a_wrong_setting_is_shown_and_ends_with_2(home, capsys, monkeypatch):
    monkeypatch.setenv("FINLAKE_PORT_KAFKA", "many")
    assert main(["settings"]) == 2
    out, err = capsys.readouterr()
    assert "FINLAKE_PORT_KAFKA=many\n" in out
    assert "FINLAKE_PORT_KAFKA" in err
    assert err.count("\n") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secret=st.text("abcxyz0189:/?#@%!$&'*+,;=[]~._-", min_size=6).map(lambda text: f"s3{text}"),
    form=st.sampled_from(["mysql://me:{}@db:3306/finance", "mysql://{}", "{}", "me:{}"]),
)
def test_settings_never_show_a_secret(home, monkeypatch, capsys, secret, form):
    monkeypatch.setenv("FINLAKE_SOURCE_URL", form.format(secret))
    monkeypatch.setenv("FINLAKE_S3_SECRET_KEY", secret)
    for arguments in ["settings"], ["settings", "--json"]:
        main(arguments)
        out, err = capsys.readouterr()
        assert secret not in out + err
