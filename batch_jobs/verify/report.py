"""What a verification found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Conservation", "Difference", "GoldCheck", "Report", "SourceCheck"]


@dataclass(frozen=True)
class Difference:
    """One key that differs: its value, and how in words that hold no value of the row."""

    key: str | int
    how: str


@dataclass(frozen=True)
class SourceCheck:
    """A source table against the live rows of silver; ``first`` holds the lowest differing keys."""

    table: str
    source_rows: int
    silver_rows: int
    different: int
    first: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class GoldCheck:
    """A gold table against its recomputation from silver, counted in keys."""

    table: str
    recomputed_rows: int
    different: int
    first: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Conservation:
    """Events in bronze and what became of them; ``problems`` says where they do not add up."""

    bronze_events: int
    applied: int
    superseded: int
    quarantined: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All that was checked."""

    tables: tuple[SourceCheck, ...]
    gold: tuple[GoldCheck, ...]
    conservation: Conservation

    @property
    def equal(self) -> bool:
        """Whether nothing differs and every event is accounted for."""
        return next(self.faults(), None) is None

    def faults(self) -> Iterator[str]:
        """Each fault in one phrase, with the first differing keys."""
        for source in self.tables:
            if source.different:
                rows = max(source.source_rows, source.silver_rows)
                yield (
                    f"{source.table}: {source.different:,} of {rows:,} rows differ"
                    f"{_first(source.first)}"
                )
        for gold in self.gold:
            if gold.different:
                yield f"{gold.table}: {gold.different:,} keys differ{_first(gold.first)}"
        yield from self.conservation.problems


def _first(first: tuple[Difference, ...]) -> str:
    return f" (first {first[0].key}: {first[0].how})" if first else ""
