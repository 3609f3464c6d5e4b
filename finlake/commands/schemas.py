"""``finlake schemas``: the table contracts, what is rendered from them, and what they changed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lakehouse_schemas import Contract

__all__ = ["schemas"]


@click.group()
def schemas() -> None:
    """The table contracts and what is rendered from them.

    \b
    Example:
      finlake schemas show gold.agg_minute
    """


@schemas.command(short_help="Render everything that comes from the contracts.")
def generate() -> None:
    """Render DDL, models, views, checks and the data dictionary; names the files that changed.

    \b
    Example:
      finlake schemas generate
    """
    from lakehouse_schemas.generate import write

    changed = write()
    for name in changed:
        click.echo(name)
    click.echo(f"{len(changed)} file{'' if len(changed) == 1 else 's'} changed")


@schemas.command(short_help="Check the contracts and the rendered files.")
def check() -> None:
    """Check every contract, and that the rendered files are what they would be now.

    \b
    Example:
      finlake schemas check
    """
    from finlake.errors import FinlakeError
    from lakehouse_schemas import contracts
    from lakehouse_schemas.generate import differences

    found = differences()
    for line in found:
        click.echo(line)
    if found:
        raise FinlakeError(f"{len(found)} rendered files differ; run finlake schemas generate")
    click.echo(f"{len(contracts.all())} contracts are good and what is rendered agrees with them")


@schemas.command(short_help="Show the contract of a table.")
@click.argument("table")
@click.option("--ddl", is_flag=True, help="The CREATE TABLE instead: MySQL's for source, Delta's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one a column.")
def show(table: str, ddl: bool, as_json: bool) -> None:
    """Show the contract of TABLE, such as gold.agg_minute.

    \b
    Example:
      finlake schemas show silver.cards
      finlake schemas show source.cards --ddl
    """
    import msgspec

    from lakehouse_schemas.render import delta, mysql

    contract = _contract(table)
    if ddl:
        make = mysql if contract.layer == "source" else delta
        click.echo(f"{make.create_table_sql(contract)};")
    elif as_json:
        for column in contract.columns:
            facts = {"table": contract.full_name, **msgspec.structs.asdict(column)}
            click.echo(msgspec.json.encode({**facts, "type": column.type}))
    else:
        _print_contract(contract)


@schemas.command(short_help="Show what changed, and whether it breaks someone.")
@click.option("--against", required=True, metavar="GITREF", help="Commit, branch or tag before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def diff(against: str, as_json: bool) -> None:
    """Show what changed in the contracts since GITREF; ends with 1 where that breaks someone.

    A dropped, renamed, narrowed or newly required column breaks, unless the contract's major
    version has risen.

    \b
    Example:
      finlake schemas diff --against main
    """
    import msgspec

    from finlake.errors import FinlakeError
    from lakehouse_schemas import contracts
    from lakehouse_schemas.compat import compare

    found = compare(_contracts_at(against), contracts.all())
    for change in found:
        if as_json:
            click.echo(msgspec.json.encode(change._asdict()))
        else:
            mark = "ok" if not change.breaking else "new major" if change.allowed else "BREAKS"
            click.echo(f"{mark:9} {change.table}: {change.text}")
    refused = {change.table for change in found if not change.allowed}
    if refused:
        raise FinlakeError(
            f"{', '.join(sorted(refused))}: breaks what {against} promised;"
            " keep the old columns or raise the contract's major version"
        )
    if not as_json:
        click.echo(f"{len(found)} changes since {against}, none that breaks")


def _contract(table: str) -> Contract:
    from finlake.errors import UsageProblem
    from lakehouse_schemas import contracts

    try:
        return contracts.get(table)
    except KeyError:
        names = [c.full_name for c in contracts.all() if c.name == table.rpartition(".")[2]]
        hint = f"did you mean {' or '.join(names)}?" if names else "name it LAYER.TABLE"
        raise UsageProblem(f"no table {table}; {hint}") from None


def _print_contract(contract: Contract) -> None:
    click.echo(f"{contract.full_name} {contract.version}: {contract.description}")
    for text in (contract.purpose, contract.usage):
        if text:
            click.echo(f"  {text}")
    click.echo(
        f"  {contract.grain}; owner {contract.owner}; freshness {contract.freshness_s:g} s;"
        f" kept {contract.retention_days} days; erasure {contract.erasure};"
        f" readers {', '.join(contract.roles)}"
    )
    rows = [
        (
            column.name,
            column.physical_type,
            f"key {column.key_position}" if column.key_position else "",
            "" if column.required else "may be empty",
            column.pii if column.pii != "none" else "",
            column.mask if column.mask != "none" else "",
            column.description,
        )
        for column in contract.columns
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width)
        click.echo(f"  {'  '.join(cells)}".rstrip())


def _contracts_at(ref: str) -> list[Contract]:
    """The contracts as a commit holds them."""
    from finlake.errors import UsageProblem
    from lakehouse_schemas import ContractError
    from lakehouse_schemas.reading import parse_contract

    commit = _git(ref, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    commit = commit.strip()
    names = _git(ref, "ls-tree", "-r", "--name-only", commit, ".").splitlines()
    found = [name for name in names if name.endswith(".yaml")]
    if not found:
        raise UsageProblem(f"--against: {ref} has no table contracts; name a later commit")
    try:
        return [parse_contract(_git(ref, "show", f"{commit}:./{name}"), name) for name in found]
    except ContractError as error:
        fault = str(error).removesuffix("; correct the contract")
        raise UsageProblem(
            f"--against: {ref} holds contracts of another form ({fault}); name a later commit"
        ) from error


def _git(ref: str, *words: str) -> str:
    from finlake.errors import ComponentMissing, UsageProblem
    from lakehouse_schemas import contracts

    try:
        done = subprocess.run(
            ["git", *words], cwd=contracts.TABLES, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ComponentMissing("git is not installed; install it to compare versions") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no such commit, branch or tag"])[0]
        raise UsageProblem(f"--against: {ref} cannot be read from git ({said})")
    return done.stdout
