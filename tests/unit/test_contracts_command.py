"""``finlake schemas``: what it prints and how it ends."""

import json
import os
import shutil
import subprocess
from functools import partial

import pytest
from click.testing import CliRunner

from finlake.commands.schemas import schemas
from finlake.errors import FinlakeError, UsageProblem
from lakehouse_schemas import contracts, generate


def run(*words: str) -> str:
    done = CliRunner().invoke(schemas, words, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout


def fails(*words: str) -> tuple[int, str, str]:
    """Exit code, message and output of a call that ends with an error."""
    done = CliRunner().invoke(schemas, words, standalone_mode=False)
    assert isinstance(done.exception, FinlakeError), done
    assert "\n" not in str(done.exception)
    return done.exception.exit_code, str(done.exception), done.stdout


def test_show_prints_the_contract_with_a_line_per_column():
    lines = run("show", "source.cards").splitlines()
    assert lines[0] == "source.cards 1.0.0: Payment cards that the bank issued."
    columns = lines[-16:]
    assert [line.split()[0] for line in columns] == [*contracts.get("source.cards").column_names]
    assert columns[6].split()[:6] == ["cvv", "varchar(4)", "may", "be", "empty", "secret"]


def test_show_prints_ddl_of_the_layers_engine():
    assert run("show", "source.mcc_codes", "--ddl").startswith(
        "CREATE TABLE IF NOT EXISTS `mcc_codes` (\n"
    )
    assert "USING DELTA" in run("show", "gold.dim_mcc", "--ddl")


def test_show_prints_json_lines():
    found = [json.loads(line) for line in run("show", "gold.dim_user", "--json").splitlines()]
    assert [column["name"] for column in found] == [*contracts.get("gold.dim_user").column_names]
    assert found[0]["table"] == "gold.dim_user"
    assert found[0]["type"] == "int32"


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("cards", "did you mean source.cards or silver.cards?"),
        ("gold.cards", "did you mean source.cards or silver.cards?"),
        ("nothing", "name it LAYER.TABLE"),
    ],
)
def test_show_helps_with_a_name_that_is_none(table, hint):
    assert fails("show", table) == (2, f"no table {table}; {hint}", "")


def test_check_is_content_with_the_repository():
    assert run("check").startswith(f"{len(contracts.all())} contracts are good")


def test_check_and_generate_name_the_files(tmp_path, monkeypatch):
    write, differences = generate.write, generate.differences
    monkeypatch.setattr(generate, "write", partial(write, tmp_path))
    monkeypatch.setattr(generate, "differences", partial(differences, tmp_path))
    made = run("generate").splitlines()
    assert made[0] == "docs/data-dictionary.md"
    assert made[-1] == f"{len(made) - 1} files changed"
    assert run("generate") == "0 files changed\n"
    (tmp_path / "lakehouse_schemas/generated/models.py").write_text("")
    code, message, out = fails("check")
    assert out == "lakehouse_schemas/generated/models.py: differs from the contracts\n"
    assert (code, message) == (1, "1 rendered files differ; run finlake schemas generate")
    assert run("generate").endswith("\n1 file changed\n")


@pytest.fixture
def history(tmp_path, monkeypatch):
    """A repository whose contracts are those of this one, and its folder of gold contracts."""
    tables = tmp_path / "tables"
    shutil.copytree(contracts.TABLES, tables)
    for name in [n for n in os.environ if n.startswith("GIT_")]:  # a hook's own repository
        monkeypatch.delenv(name)

    def git(*words: str) -> None:
        user = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *user, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("commit", "--allow-empty", "-m", "Start")
    git("tag", "empty")
    git("add", ".")
    git("commit", "-m", "Add contracts")
    monkeypatch.setattr(contracts, "TABLES", tables)
    contracts._by_name.cache_clear()
    yield tables / "gold"
    contracts._by_name.cache_clear()


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    contracts._by_name.cache_clear()


def test_diff_sees_no_change_where_there_is_none(history):
    assert run("diff", "--against", "main") == "0 changes since main, none that breaks\n"


def test_diff_ends_with_1_for_what_breaks_and_with_0_for_a_new_major_version(history):
    dim_mcc = history / "dim_mcc.yaml"
    edit(dim_mcc, "physicalType: string", "physicalType: binary")
    edit(history / "agg_minute.yaml", "decimal(18,2)", "decimal(20,2)")
    code, message, out = fails("diff", "--against", "HEAD")
    assert code == 1
    assert message.startswith("gold.dim_mcc: breaks what HEAD promised; keep the old columns or")
    assert out.splitlines() == [
        "ok        gold.agg_minute: column amount_sum: widened from decimal(18,2) to decimal(20,2)",
        "BREAKS    gold.dim_mcc: column description: changed from string to binary",
    ]
    edit(dim_mcc, "version: 1.0.0", "version: 2.0.0")
    assert "new major gold.dim_mcc: " in run("diff", "--against", "main")
    found = [json.loads(line) for line in run("diff", "--against", "main", "--json").splitlines()]
    assert [(c["table"], c["breaking"], c["allowed"]) for c in found] == [
        ("gold.agg_minute", False, True),
        ("gold.dim_mcc", True, True),
    ]


def test_diff_sees_a_dropped_table(history):
    (history / "dim_mcc.yaml").unlink()
    contracts._by_name.cache_clear()
    code, _, out = fails("diff", "--against", "main")
    assert (code, out) == (1, "BREAKS    gold.dim_mcc: table dropped\n")


@pytest.mark.parametrize("ref", ["nowhere", "--version", "main..main", "main:tables"])
def test_diff_refuses_what_is_no_commit(history, ref):
    code, message, out = fails("diff", f"--against={ref}")
    assert (code, out) == (2, "")
    assert message.startswith(f"--against: {ref} cannot be read from git (")


def test_diff_says_when_a_commit_has_no_contracts_or_others(history, monkeypatch):
    with pytest.raises(UsageProblem, match="--against: empty has no table contracts"):
        run("diff", "--against", "empty")
    edit(history / "dim_mcc.yaml", "apiVersion: v3.1.0", "apiVersion: v3.0.2")
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-am", "Old"],
        cwd=history,
        check=True,
        capture_output=True,
    )
    edit(history / "dim_mcc.yaml", "apiVersion: v3.0.2", "apiVersion: v3.1.0")
    with pytest.raises(UsageProblem, match=r"main holds contracts of another form \(gold/dim_mcc"):
        run("diff", "--against", "main")


def test_diff_without_git_says_what_to_install(history, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert fails("diff", "--against", "main") == (
        3,
        "git is not installed; install it to compare versions",
        "",
    )
