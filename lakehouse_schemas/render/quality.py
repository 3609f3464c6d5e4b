"""Quality: every expectation as a condition in SQL."""

from __future__ import annotations

from typing import NamedTuple

from lakehouse_schemas.model import Column, Contract, Expectation, Severity
from lakehouse_schemas.render.sql import Engine, identifier, literal

__all__ = ["Check", "checks", "count_sql"]


class Check(NamedTuple):
    """One rule of a column; ``broken`` is the SQL condition that is true for rows that break it."""

    column: str
    rule: str
    severity: Severity
    broken: str


def checks(contract: Contract, engine: Engine) -> tuple[Check, ...]:
    """The rules of a contract's columns, what is required among them.

    An empty value breaks ``required`` and no other rule: their conditions are then unknown, which
    a ``WHERE`` takes for false.
    """
    found = []
    for column in contract.columns:
        name = identifier(column.name, engine)
        if column.required:
            found.append(Check(column.name, "required", "quarantine", f"{name} IS NULL"))
        found += [
            Check(column.name, rule.rule, rule.severity, _broken(column, rule, engine))
            for rule in column.expectations
        ]
    return tuple(found)


def count_sql(contract: Contract, engine: Engine) -> str:
    """One ``SELECT`` with one row: how many rows there are, and how many break each rule.

    Its columns are ``rows``, ``repeated_keys`` where a key has one row, and one per check named
    ``<column> <rule>``.
    """
    counts = [f"  count(*) AS {identifier('rows', engine)}"]
    if contract.key and contract.kind != "additive":
        names = ", ".join(identifier(k, engine) for k in contract.key)
        one = engine == "spark" or len(contract.key) == 1  # Spark counts several columns as one
        distinct = names if one else f"ROW({names})"
        counts.append(
            f"  count(*) - count(DISTINCT {distinct}) AS {identifier('repeated_keys', engine)}"
        )
    counts += [
        f"  count(CASE WHEN {check.broken} THEN 1 END)"
        f" AS {identifier(f'{check.column} {check.rule}', engine)}"
        for check in checks(contract, engine)
    ]
    return "SELECT\n" + ",\n".join(counts) + f"\nFROM {contract.full_name}"


def _broken(column: Column, rule: Expectation, engine: Engine) -> str:
    name = identifier(column.name, engine)
    if rule.rule == "one_of":
        return f"{name} NOT IN ({', '.join(literal(v, engine) for v in rule.values)})"
    if rule.rule == "pattern":
        return f"NOT {_matches(name, rule.pattern, engine)}"
    bounds = [("low", ">=", rule.low), ("high", "<=", rule.high)]
    kept = [f"{name} {sign} {literal(b, engine)}" for _, sign, b in bounds if b is not None]
    return f"NOT ({' AND '.join(kept)})"


def _matches(name: str, pattern: str, engine: Engine) -> str:
    if engine == "duckdb":
        return f"regexp_full_match({name}, {literal(pattern, engine)})"
    # \z and not $, which lets a line feed at the end pass
    whole = literal(rf"\A(?:{pattern})\z", engine)
    return f"{name} RLIKE {whole}" if engine == "spark" else f"regexp_like({name}, {whole})"
