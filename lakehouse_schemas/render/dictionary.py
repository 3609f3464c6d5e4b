"""The data dictionary: every table and column for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse_schemas.model import LAYERS, ROLES, Column, Contract, Expectation
from lakehouse_schemas.render.views import SHOWN
from lakehouse_schemas.wide import Wide, WideColumn

__all__ = ["dictionary_md"]

_LAYERS = {
    "source": "Tables of the source database `finance`.",
    "bronze": "What came, as it came.",
    "silver": "The state of the source now.",
    "gold": "What dashboards, alerts and people read.",
}
_PII = [
    ("none", "says nothing about a person"),
    ("personal", "identifies a person or belongs to one"),
    ("financial", "money of a person or of the bank"),
    ("secret", "never leaves the source database"),
]
_WIDE = """Gold joined beforehand, so that a chart needs one of them (`lakehouse_schemas/wide.py`);
for Trino and Dremio, by role as `gold_<role>.<view>`, masked like the tables."""
_HEAD = """# Data dictionary

Rendered from the table contracts (`lakehouse_schemas/tables`) by `make generate`; do not edit.

## How to read it

Times are UTC, to the microsecond. A column marked • may be empty. *Key* is the column's position
in the primary key.

A *rule* that ends in ! sets a record aside in the dead letters when it is broken, because without
a right value the row means nothing; what breaks another rule is counted.

*Erasure* `customer`: the rows of a customer go on request. *Freshness* is the time from the commit
at the source to the moment a reader sees the change.

| class of personal data | meaning |
|---|---|
"""


def dictionary_md(contracts: Iterable[Contract], wide: Iterable[Wide] = ()) -> str:
    """The whole document: a section per layer, a table of columns per contract, the wide views."""
    found = [*contracts]
    lines = [_HEAD + "\n".join(f"| {name} | {meaning} |" for name, meaning in _PII), ""]
    lines += [
        "What a role sees of a column by its mask: `hash` is keyed, `partial` is the lower end of",
        "a band of the given width.",
        "",
        "| mask | " + " | ".join(ROLES) + " |",
        "|---" * (len(ROLES) + 1) + "|",
    ]
    for mask in SHOWN["viewer"]:
        seen = ("–" if SHOWN[r][mask] == "drop" else SHOWN[r][mask] for r in ROLES)
        lines.append(f"| {mask} | {' | '.join(seen)} |")
    for layer in LAYERS:
        lines += ["", f"## {layer.capitalize()}", "", _LAYERS[layer]]
        for contract in found:
            if contract.layer == layer:
                lines += ["", *_table(contract)]
    views = [*wide]
    if views:
        lines += ["", "## Wide views", "", _WIDE]
    for view in views:
        lines += ["", *_view(view)]
    return "\n".join(lines) + "\n"


def _view(view: Wide) -> list[str]:
    """Columns of the first table are told there; here are those that the view adds."""
    own = view.contract
    return [
        f"### {view.name}",
        "",
        f"{view.description} {own.grain}. Readers {', '.join(view.roles())}.",
        "",
        f"Columns of `{own.full_name}`" + (", summed up," if own.kind == "additive" else "")
        + " and:",
        "",
        "| column | from | personal data | mask | meaning |",
        "|---|---|---|---|---|",
        *(_added(one) for one in view.columns() if one.table is not own),
    ]  # fmt: skip


def _added(one: WideColumn) -> str:
    column = one.column
    mask = column.mask if column.mask != "none" else ""
    cells = [
        f"`{one.name}`",
        f"`{one.table.name}.{column.name}`" if one.name != column.name else f"`{one.table.name}`",
        column.pii if column.pii != "none" else "",
        f"{mask} {column.mask_step}" if column.mask_step else mask,
        column.description,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(contract: Contract) -> list[str]:
    facts = [
        f"{contract.grain}",
        f"kind {contract.kind}",
        f"owner {contract.owner}",
        f"freshness {contract.freshness_s:g} s",
        f"kept {contract.retention_days} days",
        f"erasure {contract.erasure}",
        f"readers {', '.join(contract.roles)}",
        f"version {contract.version}",
    ]
    return [
        f"### {contract.full_name}",
        "",
        " ".join(filter(None, [contract.description, contract.purpose, contract.usage])),
        "",
        " · ".join(facts),
        "",
        "| column | type | key | personal data | mask | rules | meaning |",
        "|---|---|---|---|---|---|---|",
        *(_column(column) for column in contract.columns),
    ]


def _column(column: Column) -> str:
    mask = column.mask if column.mask != "none" else ""
    cells = [
        f"`{column.name}`" + ("" if column.required else " •"),
        column.physical_type,
        str(column.key_position or ""),
        column.pii if column.pii != "none" else "",
        f"{mask} {column.mask_step}" if column.mask_step else mask,
        "; ".join(map(_rule, column.expectations)),
        column.description,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rule(rule: Expectation) -> str:
    end = " !" if rule.severity == "quarantine" else ""
    if rule.rule == "one_of":
        return ", ".join(map(str, rule.values)) + end
    if rule.rule == "pattern":
        return f"`{rule.pattern}`{end}"
    if rule.high is None:
        return f"≥ {rule.low}{end}"
    return (f"≤ {rule.high}" if rule.low is None else f"{rule.low} to {rule.high}") + end
