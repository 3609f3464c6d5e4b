"""Rows of ``fraud_scores`` from features and models, and what of them is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import contracts
from models.artifact import Model
from models.features import Events
from models.features.events import Array
from stream_jobs.scoring.book import Moved
from stream_jobs.shapes import Patch
from stream_jobs.transforms.columns import decimals
from stream_jobs.transforms.patch import patch_but_for

__all__ = ["RULE", "SEVERITIES", "Models", "Scored", "alert", "patch_of", "score"]

RULE = "model"
"""What stands in the place of a rule's name in an alert that a model raises."""

SEVERITIES = {"high": "high", "critical": "high"}
"""How urgent an alert of a band is."""

TOO_OLD = "older than what is remembered"

_SCHEMA = contracts.get("gold.fraud_scores").lake_schema


class Models(NamedTuple):
    """Who scores. ``problem`` says why there is no champion."""

    champion: Model | None = None
    challenger: Model | None = None
    problem: str = "no champion"

    @property
    def features(self) -> tuple[str, ...]:
        """The features that they want."""
        both = [model.features for model in (self.champion, self.challenger) if model]
        return tuple(dict.fromkeys(name for names in both for name in names))


class Scored(NamedTuple):
    """Rows of ``fraud_scores``, and of the models that failed who and why."""

    rows: pa.Table
    failed: dict[str, str]


def score(moved: Moved, models: Models, now_us: int) -> Scored:
    """Score the rows of a batch.

    A model that raises scores nothing of this batch, and one that gives no probability for a row
    does not score that row; the note says so, and the other one goes on.
    """
    matrices: dict[tuple[str, ...], Array] = {}
    champion = _Opinion(models.champion, moved, matrices, with_reasons=True)
    challenger = _Opinion(models.challenger, moved, matrices)
    every = {"champion": champion.failed, "challenger": challenger.failed}
    failed = {role: said for role, said in every.items() if said}
    note = models.problem if models.champion is None else f"the champion failed: {champion.failed}"
    made = {
        "card_last4": moved.last4,
        "score": champion.score,
        "band": champion.band,
        "is_alert": champion.is_alert,
        "reasons": champion.reasons,
        "model": _all(models.champion.name if models.champion else None, moved, pa.string()),
        "model_version": _version(models.champion, moved),
        "note": pc.if_else(pc.is_valid(champion.score), pa.scalar(None, pa.string()), note),
        "challenger_score": challenger.score,
        "challenger_alert": challenger.is_alert if models.challenger else None,
        "challenger_version": _version(models.challenger, moved),
    }
    rows = _rows(moved.rows, made, now_us)
    if not len(moved.too_old):
        return Scored(rows, failed)
    too_old = {"is_alert": _all(False, moved.too_old, pa.bool_())}
    too_old["note"] = _all(TOO_OLD, moved.too_old, pa.string())
    return Scored(pa.concat_tables([rows, _rows(moved.too_old, too_old, now_us)]), failed)


class _Opinion:
    """What one model says of all rows; ``failed`` says what went wrong."""

    def __init__(
        self,
        model: Model | None,
        moved: Moved,
        matrices: dict[tuple[str, ...], Array],
        *,
        with_reasons: bool = False,
    ) -> None:
        count = len(moved.rows)
        self.failed = ""
        self.score: pa.Array = pa.nulls(count, pa.float64())
        self.band: pa.Array = pa.nulls(count, pa.string())
        self.reasons: pa.Array = pa.nulls(count, pa.string())
        self.is_alert: pa.Array = pa.repeat(False, count)
        if model is None or not count:
            return
        try:
            if model.features not in matrices:
                matrices[model.features] = _matrix(moved.features, model.features)
            values = matrices[model.features]
            found = np.asarray(model.probability(values), np.float64)
            if found.shape != (count,):
                raise ValueError(f"{count} rows were given scores of shape {found.shape}")
            sound = (found >= 0) & (found <= 1)
            if not sound.all():
                some = f"{np.count_nonzero(~sound)} of {count} rows"
                self.failed = f"it gave no probability for {some}"
            bands = pa.array(model.bands(found), pa.string(), mask=~sound)
            alarms = sound & (found >= model.threshold)
        except Exception as error:  # noqa: BLE001 (whatever it is, the stream goes on)
            self.failed = _said(error)
            return
        self.score = pa.array(found, mask=~sound)
        self.is_alert, self.band = pa.array(alarms), bands
        if with_reasons and alarms.any():
            try:
                self.reasons = _reasons(model, values, alarms)
            except Exception as error:  # noqa: BLE001 (an alert is worth more than its reasons)
                self.failed = f"no reasons: {_said(error)}"


def _reasons(model: Model, values: Array, alarms: Array) -> pa.Array:
    reasons: list[str | None] = [None] * len(values)
    places = np.flatnonzero(alarms).tolist()
    for place, names in zip(places, model.reasons(values[alarms]), strict=True):
        reasons[place] = ",".join(names)
    return pa.array(reasons, pa.string())


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _matrix(features: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    found = np.empty((len(next(iter(features.values()), ())), len(names)), np.float64)
    for column, name in enumerate(names):
        found[:, column] = features[name]
    return found


def _rows(events: Events, made: Mapping[str, Any], now_us: int) -> pa.Table:
    count = len(events)
    own = {
        "transaction_id": events["id"],
        "transaction_ts": pa.array(events["ts"]).cast(pa.timestamp("us")),
        "user_id": events["customer"],
        "card_id": events["card"],
        "merchant_id": events["merchant"],
        "mcc": events["mcc"],
        "amount": decimals(events["cents"], _SCHEMA.field("amount").type),
        "scored_at": pa.repeat(pa.scalar(now_us, pa.timestamp("us")), count),
        **made,
    }
    columns = [
        pa.nulls(count, field.type)
        if own.get(field.name) is None
        else pa.array(own[field.name]).cast(field.type)
        for field in _SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _all(value: Any, rows: Moved | Events, kind: pa.DataType) -> pa.Array:
    count = len(rows.rows) if isinstance(rows, Moved) else len(rows)
    return pa.repeat(pa.scalar(value, kind), count)


def _version(model: Model | None, moved: Moved) -> pa.Array:
    return _all(model.version if model else None, moved, pa.int32())


def patch_of(scored: pa.Table, own: set[int], there: pa.Table) -> tuple[Patch, pa.Table]:
    """What a batch changes in ``fraud_scores``, and the rows that have become alerts.

    A transaction that only looks at a changed one is scored again when it had a score, and a row
    that says the same as before, but for its time, stays.

    Args:
        scored: see :func:`score`.
        own: numbers of the transactions that were changed themselves.
        there: rows of the table of the transactions scored, and of those that are gone.
    """
    key = "transaction_id"
    numbers = scored[key]
    known = pc.is_in(numbers, value_set=_flat(there[key]))
    wanted = pc.or_(known, pc.is_in(numbers, value_set=pa.array(own, pa.int64())))
    rows = scored.filter(wanted)
    patch = patch_but_for("scored_at", there, rows, key)
    alarmed = there.filter(there["is_alert"])
    new = pa.concat_tables([patch.inserts, patch.updates])
    new = new.filter(new["is_alert"])
    fresh = pc.invert(pc.is_in(new[key], value_set=_flat(alarmed[key])))
    return patch, new.filter(fresh)


def alert(row: Mapping[str, Any], place: tuple[str | None, str | None]) -> dict[str, Any]:
    """An alert of a row of ``fraud_scores``: the fields of ``gold.fraud_alerts``.

    ``place`` is the merchant's city and state.
    """
    because = row["reasons"].replace(",", ", ") if row["reasons"] else "all of it"
    return {
        "alert_id": f"{row['transaction_id']}:{RULE}",
        "transaction_id": row["transaction_id"],
        "rule": RULE,
        "severity": SEVERITIES.get(row["band"], "high"),
        "reason": f"fraud with a probability of {row['score']:.0%} by {row['model']}"
        f" {row['model_version']}: {because}",
        "transaction_ts": row["transaction_ts"],
        "user_id": row["user_id"],
        "card_id": row["card_id"],
        "merchant_id": row["merchant_id"],
        "merchant_city": place[0],
        "merchant_state": place[1],
        "mcc": row["mcc"],
        "amount": row["amount"],
        "raised_at": row["scored_at"],
    }


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
