"""What a new version of a contract does to those who rely on the old one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lakehouse_schemas.model import Column, Contract, Expectation

__all__ = ["Change", "changes", "compare"]

_INTEGERS = ("int32", "int64")


class Change(NamedTuple):
    """One difference between two versions of a table's contract.

    ``breaking``: a writer or reader of the old version may fail or misread. ``allowed``: it does
    not break, or the contract's major version has risen to say so.
    """

    table: str
    text: str
    breaking: bool
    allowed: bool


def compare(old: Iterable[Contract], new: Iterable[Contract]) -> list[Change]:
    """The changes of every table; a table that is gone is never allowed."""
    before = {contract.full_name: contract for contract in old}
    after = {contract.full_name: contract for contract in new}
    found = [
        Change(name, "table dropped", breaking=True, allowed=False)
        for name in before
        if name not in after
    ]
    for name, contract in after.items():
        if name in before:
            found += changes(before[name], contract)
        else:
            found.append(Change(name, "table added", breaking=False, allowed=True))
    return found


def changes(old: Contract, new: Contract) -> list[Change]:
    """The changes from one version of a table's contract to another."""
    found = list(_differences(old, new))
    rises = _version(new)[0] > _version(old)[0]
    if _version(new) < _version(old):
        found.append((f"version {old.version} became the lower {new.version}", True))
    return [
        Change(new.full_name, text, breaking, allowed=rises or not breaking)
        for text, breaking in found
    ]


def _version(contract: Contract) -> tuple[int, ...]:
    return tuple(int(part) for part in contract.version.split("."))


def _differences(old: Contract, new: Contract) -> Iterator[tuple[str, bool]]:
    """Texts of the differences, and whether they break."""
    if old.key != new.key:
        yield f"key ({', '.join(old.key)}) became ({', '.join(new.key)})", True
    if old.kind != new.kind:
        yield f"kind {old.kind} became {new.kind}", True
    before = {column.name: column for column in old.columns}
    added = {column.name: column for column in new.columns if column.name not in before}
    for column in old.columns:
        if column.name in new.column_names:
            for text, breaking in _column_differences(column, new.column(column.name)):
                yield f"column {column.name}: {text}", breaking
            continue
        renamed = next((name for name, c in added.items() if _same_but_name(column, c)), None)
        if renamed:
            del added[renamed]
        yield f"column {column.name}: {f'renamed to {renamed}' if renamed else 'dropped'}", True
    for column in added.values():
        needed = "required" if column.required else "optional"
        yield f"column {column.name}: added, {needed}", column.required


def _same_but_name(old: Column, new: Column) -> bool:
    return (old.physical_type, old.description) == (new.physical_type, new.description)


def _column_differences(old: Column, new: Column) -> Iterator[tuple[str, bool]]:
    if old.physical_type != new.physical_type:
        wider = _holds(new, old)
        verb = "widened" if wider else "narrowed" if _holds(old, new) else "changed"
        yield f"{verb} from {old.physical_type} to {new.physical_type}", not wider
    if old.required != new.required:
        yield ("became required", True) if new.required else ("became optional", False)
    if (old.pii, old.mask, old.mask_step) != (new.pii, new.mask, new.mask_step):
        yield f"{old.pii} with mask {old.mask} became {new.pii} with mask {new.mask}", False
    if old.expectations != new.expectations:
        # a new or stricter rule sets aside what was accepted before
        yield "rules changed", not _quarantining(new) <= _quarantining(old)


def _quarantining(column: Column) -> set[Expectation]:
    return {rule for rule in column.expectations if rule.severity == "quarantine"}


def _holds(wide: Column, narrow: Column) -> bool:
    """Whether every value of the narrow column fits the wide one and reads the same."""
    if wide.decimal and narrow.decimal:
        (precision, scale), (old_precision, old_scale) = wide.decimal, narrow.decimal
        return scale >= old_scale and precision - scale >= old_precision - old_scale
    if wide.length is not None and narrow.length is not None:
        return wide.length >= narrow.length
    if wide.type in _INTEGERS and narrow.type in _INTEGERS:
        return _INTEGERS.index(wide.type) >= _INTEGERS.index(narrow.type)
    return False
