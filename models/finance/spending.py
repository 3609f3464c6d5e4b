"""Needs, wants and saving by merchant category: the one table behind every insight.

The table is ``spending.tsv`` beside this module: a code or a range of codes, its kind, the group
that people know it by, and whether merchants of the category bill by subscription. Needs are what a
household cannot put off: home, utilities, groceries, getting to work, health, insurance (Warren and
Tyagi, "All Your Worth", 2005, chapter 2). A category is a need as a whole or not at all: a luxury
from the grocer counts as a need. Codes that are not in the table are wants, so that nobody's needs
are overstated.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

from finlake.errors import FinlakeError
from models.finance.ledger import Transaction, month_of

__all__ = ["KINDS", "OTHER", "Kind", "SpendingKind", "by_group", "kind_of", "kinds"]

Kind = Literal["need", "want", "saving"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class SpendingKind:
    """What a merchant category is to a budget; ``bills`` is whether it bills by subscription."""

    kind: Kind
    group: str
    bills: bool


OTHER: Final = SpendingKind("want", "other", bills=False)
"""Of categories that the table does not have."""


def kind_of(mcc: int) -> SpendingKind:
    """The kind and group of a merchant category; :data:`OTHER` for an unknown one."""
    starts, table = _table()
    place = bisect_right(starts, mcc) - 1
    if place < 0 or mcc > table[place][1]:
        return OTHER
    return table[place][2]


def kinds() -> dict[str, Kind]:
    """The kind of each group, by the group's name."""
    return {OTHER.group: OTHER.kind} | {row[2].group: row[2].kind for row in _table()[1]}


@cache
def _table() -> tuple[tuple[int, ...], tuple[tuple[int, int, SpendingKind], ...]]:
    text = files("models.finance").joinpath("spending.tsv").read_text(encoding="utf-8")
    found = []
    for line, row in enumerate(csv.DictReader(text.splitlines(), delimiter="\t"), 2):
        first, _, last = row["mcc"].partition("-")
        kind = next((kind for kind in KINDS if kind == row["kind"]), None)
        if kind is None:
            raise FinlakeError(
                f"spending.tsv:{line}: {row['kind']!r} is none of {', '.join(KINDS)}; correct it"
            )
        entry = SpendingKind(kind, row["group"], row["bills"] == "1")
        found.append((int(first), int(last or first), entry))
    found.sort(key=lambda row: row[0])
    return tuple(row[0] for row in found), tuple(found)


def by_group(
    transactions: Iterable[Transaction], months: Iterable[date]
) -> dict[str, tuple[int, ...]]:
    """Net spending by group in each of the months (first days), cents; groups in order of name.

    What lies in other months is left out; a month without the group is a zero.
    """
    place = {month: number for number, month in enumerate(months)}
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * len(place))
    for row in transactions:
        number = place.get(month_of(row.day))
        if number is not None:
            sums[kind_of(row.mcc).group][number] += row.cents
    return {group: tuple(sums[group]) for group in sorted(sums)}
