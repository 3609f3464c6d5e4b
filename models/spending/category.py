"""Which category a transaction is of, when its own is missing or unknown.

A multinomial logit (McFadden, 1974) over pieces of evidence. For each category, each piece says by
how much it speaks for it: a logarithm of how much likelier what was seen is in this category than
otherwise, or of how much commoner the category is with this merchant, customer or card than in
general. A category's score is the weighted sum of the pieces, and probabilities are the scores'
softmax. So every guess can be explained, and a piece that is not there says nothing.

There are weights of their own for three situations: the merchant has been seen in the last 90
days, it is new, or none is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from models.artifact import Origin, reading, write
from models.features import Events
from models.features.events import Array
from models.spending.evidence import ASKED, PLAIN, Seen, look

__all__ = ["EVIDENCE", "SITUATIONS", "Category", "Guesses", "Knowledge", "Reason", "situations"]

_KIND = "category by evidence"
_TABLES = ("amount", "ending of the amount", "hour", "channel")
EVIDENCE = ("how common", *_TABLES, "merchant", "customer", "card")
"""Pieces of evidence, in the order of their weights."""

SITUATIONS = ("known merchant", "new merchant", "no merchant")

_PRIOR = (1.0, 8.0, 8.0)  # merchant, customer, card: as if seen so often, as everyone's are
_SMOOTHED = 20.0  # as if each category had so many more, like all others together
_DIGITS = 6  # of what is learnt: the last bits of a sum depend on the machine


class Guesses(NamedTuple):
    """Categories (int64[n, most]), the likeliest first, and their probabilities (float64)."""

    category: Array
    probability: Array


class Reason(NamedTuple):
    """What a piece of evidence adds to the log odds of the first guess against the second."""

    evidence: str
    log_odds: float


@dataclass(frozen=True)
class Knowledge:
    """What has been counted: ``share`` of each category, tables [cells, categories] of evidence.

    ``edges`` (US dollars, rising) part amounts into cells.
    """

    classes: Array
    share: Array
    edges: Array
    tables: tuple[Array, ...]

    @classmethod
    def of(cls, plain: Array, mcc: Array) -> Self:
        """Count in rows of the features ``PLAIN`` and their categories."""
        classes, place, count = np.unique(mcc, return_inverse=True, return_counts=True)
        share = (count + 1.0) / (count.sum() + len(count))
        size = np.abs(plain[:, PLAIN.index("amount")])
        edges = np.unique(np.quantile(size, np.linspace(0, 1, 41)[1:-1]).round(2))
        cells = zip(_cells(plain, edges), _sizes(edges), strict=True)
        tables = tuple(_table(cell, cells, place, len(classes)) for cell, cells in cells)
        return cls(classes, share.round(9), edges, tables)

    def evidence(self, seen: Seen) -> Array:
        """What each piece says for each category: float64[len(EVIDENCE), n, categories]."""
        common = np.log(self.share)
        found = [np.broadcast_to(common, (len(seen), len(common)))]
        for table, cell in zip(self.tables, _cells(seen.plain, self.edges), strict=True):
            found.append(table[cell])
        for count, prior in zip(seen.counts, _PRIOR, strict=True):
            total = count.sum(axis=1, keepdims=True, dtype=np.float64)
            found.append(np.log((count + prior * self.share) / (total + prior)) - common)
        return np.stack(found)


def _sizes(edges: Array) -> tuple[int, ...]:
    return (len(edges) + 7, 5, 48, 8)


def _cells(plain: Array, edges: Array) -> tuple[Array, ...]:
    """In which cell of each table every row is."""
    own = dict(zip(PLAIN, plain.T, strict=True))
    refund = own["amount"] < 0
    cell = np.searchsorted(edges, np.abs(own["amount"]), "right")
    amount = np.where(refund, len(edges) + 1 + np.minimum(cell // 8, 5), cell)
    ending = np.select(
        [refund, own["amount_cents"] == 0, np.isin(own["amount_cents"], (49, 95, 99))],
        [3, 1 + own["is_round"], 4],
    )
    hour = own["hour"] * 2 + own["is_weekend"]
    channel = (own["channel"] + 1) * 2 + own["is_abroad"]
    return tuple(cells.astype(np.int64) for cells in (amount, ending, hour, channel))


def _table(cell: Array, cells: int, place: Array, classes: int) -> Array:
    """Log of how much likelier a cell is in a category than in general."""
    count = np.zeros((cells, classes))
    np.add.at(count, (cell, place), 1.0)
    general = (count.sum(axis=1) + 1.0) / (count.sum() + cells)
    within = (count + _SMOOTHED * general[:, None]) / (count.sum(axis=0) + _SMOOTHED)
    found: Array = (np.log(within) - np.log(general)[:, None]).round(_DIGITS)
    return found


def situations(rows: Events, seen: Seen) -> Array:
    """Of each row its place in ``SITUATIONS``."""
    known = seen.counts[ASKED.index("merchant_mcc_seen")].sum(axis=1) > 0
    return np.where(rows["merchant"] < 0, 2, np.where(known, 0, 1))


@dataclass(frozen=True)
class Category:
    """A model of categories; safe to use from several threads.

    ``weights`` are float64[len(SITUATIONS), len(EVIDENCE)]; ``facts`` is all of ``model.json``;
    ``name`` and ``version`` are the registry's.
    """

    knowledge: Knowledge
    weights: Array
    facts: dict[str, Any]
    name: str = ""
    version: int = 0

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features it looks at."""
        return (*PLAIN, *ASKED)

    @property
    def classes(self) -> Array:
        """The categories it knows, rising: int64."""
        return self.knowledge.classes

    def named(self, name: str, version: int) -> Self:
        """The same model as the registry calls it."""
        return replace(self, name=name, version=version)

    def predict(self, history: Events, rows: Events, most: int = 3) -> Guesses:
        """The likeliest categories of the rows; their own is not looked at.

        ``history`` are marked events in order of (time, number), and must hold those of the rows'
        cards, customers and merchants of 90 days (:func:`models.features.single.history_of`). A
        row may have no merchant, customer or card (-1), or ones that nobody knows.
        """
        seen = look(history, rows, self.classes)
        return self.best(self.probabilities(seen, situations(rows, seen)), most)

    def probabilities(self, seen: Seen, situation: Array) -> Array:
        """The probability of each category: float64[n, len(classes)]."""
        score = self._scores(seen, situation)
        power = np.exp(score - score.max(axis=1, keepdims=True, initial=-np.inf))
        found: Array = power / power.sum(axis=1, keepdims=True)
        return found

    def answers(self, values: Array) -> Array:
        """The same probabilities, of one table: situations, and then ``Seen.packed``."""
        return self.probabilities(Seen.unpacked(values[:, 1:]), values[:, 0].astype(np.int64))

    def best(self, probability: Array, most: int) -> Guesses:
        """The ``most`` likeliest of each row; of the same probability the lower code is first."""
        order = np.argsort(-probability, axis=1, kind="stable")[:, :most]
        return Guesses(self.classes[order], np.take_along_axis(probability, order, axis=1))

    def explain(self, history: Events, rows: Events) -> list[tuple[Reason, ...]]:
        """Why the first guess and not the second: evidence of each row, the strongest first.

        They add up to the logarithm of how much likelier the first is.
        """
        seen = look(history, rows, self.classes)
        situation = situations(rows, seen)
        evidence = self.knowledge.evidence(seen) * self.weights[situation].T[:, :, None]
        order = np.argsort(-evidence.sum(axis=0), axis=1, kind="stable")
        found = []
        for row, (first, second) in enumerate(order[:, :2]):
            added = evidence[:, row, first] - evidence[:, row, second]
            best = np.argsort(-np.abs(added), kind="stable")
            found.append(tuple(Reason(EVIDENCE[n], float(added[n])) for n in best if added[n]))
        return found

    def _scores(self, seen: Seen, situation: Array) -> Array:
        evidence = self.knowledge.evidence(seen)
        found: Array = np.einsum("nk,knc->nc", self.weights[situation], evidence)
        return found

    def save(self, folder: Path, origin: Origin) -> str:
        """Write it into a folder that is not there yet, or is empty; returns its digest."""
        known = self.knowledge
        own = {
            "classes": known.classes.tolist(),
            "share": known.share.tolist(),
            "edges": known.edges.tolist(),
            "tables": {n: t.tolist() for n, t in zip(_TABLES, known.tables, strict=True)},
            "weights": dict(zip(SITUATIONS, self.weights.tolist(), strict=True)),
            "evidence": list(EVIDENCE),
        }
        return write(folder, _KIND, self.features, {}, origin, own)

    @classmethod
    def load(cls, folder: Path, sha256: str | None = None) -> Self:
        """The model in a folder; with ``sha256`` only when that is the folder's digest.

        Raises:
            FinlakeError: the digest is another, or the folder holds no such model.
        """
        with reading(folder, (_KIND,), sha256) as facts:
            if tuple(facts["evidence"]) != EVIDENCE:
                raise ValueError(f"its evidence is {', '.join(facts['evidence'])}")
            edges = np.array(facts["edges"], np.float64)
            classes = np.array(facts["classes"], np.int64)
            known = Knowledge(
                classes=classes,
                share=_shaped(facts["share"], (len(classes),)),
                edges=edges,
                tables=tuple(
                    _shaped(facts["tables"][name], (cells, len(classes)))
                    for name, cells in zip(_TABLES, _sizes(edges), strict=True)
                ),
            )
            rows = [facts["weights"][name] for name in SITUATIONS]
            weights = _shaped(rows, (len(SITUATIONS), len(EVIDENCE)))
            if len(classes) < 2 or (np.diff(classes) <= 0).any() or (np.diff(edges) <= 0).any():
                raise ValueError("categories and edges must rise, and there must be two categories")
            return cls(known, weights, facts)


def _shaped(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    found = np.array(values, np.float64)
    if found.shape != shape or not np.isfinite(found).all():
        raise ValueError(f"numbers of shape {found.shape} where {shape} are needed")
    return found
