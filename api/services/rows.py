"""Rows that are asked about: what is wrong with them, whose they are, and as facts of gold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from api.access import Principal
from api.schemas.predictions import (
    AskAmount,
    AskCategory,
    AskTransaction,
    RowProblem,
    What,
)
from api.services.memory import Known
from lakehouse_schemas import contracts
from models.features.encode import FACTS
from models.features.families.own import ERRORS
from models.features.view import CLIP_CENTS, DAY
from stream_jobs.transforms.columns import decimals
from stream_jobs.transforms.places import middle

__all__ = ["Asked", "check_owner", "facts_of", "parsed", "problems_of"]

Asked = AskTransaction | AskCategory | AskAmount

_KINDS: Final[dict[What, type[Asked]]] = {
    "anomaly": AskTransaction,
    "category": AskCategory,
    "amount": AskAmount,
}
_EVERY: Final[dict[What, TypeAdapter[list[Asked]]]] = {
    what: TypeAdapter(list[kind])  # type: ignore[valid-type]
    for what, kind in _KINDS.items()
}
_SCHEMA: Final = pa.schema(
    [contracts.get("gold.fact_transactions").lake_schema.field(name) for name in FACTS]
)
_LAST_ID: Final = 2**62
_ADVICE: Final = {
    "missing": "give it",
    "extra_forbidden": "leave it out, or correct its name",
    "timezone_aware": "add the offset from UTC, such as Z",
}


def parsed(what: What, rows: Sequence[dict[str, Any]]) -> list[Asked | list[RowProblem]]:
    """Each row as the question wants it, or what keeps it from being that."""
    try:
        return list(_EVERY[what].validate_python(rows))
    except ValidationError:
        return [_one(_KINDS[what], row) for row in rows]


def _one(kind: type[Asked], row: dict[str, Any]) -> Asked | list[RowProblem]:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        return [
            RowProblem(
                severity="error",
                place=".".join(map(str, one["loc"]))[:80] or "row",
                reason=str(one["msg"]),
                advice=_ADVICE.get(one["type"], "correct it; /openapi.json says what fits"),
            )
            for one in error.errors(include_input=False)[:20]
        ]


def check_owner(who: Principal, rows: Sequence[Asked], known: Known) -> None:
    """Refuse rows of customers whom the caller may not see. Raises Problem 403."""
    if who.role in ("analyst", "admin"):
        return
    for row in rows:
        if row.user_id is not None:
            who.check_customer(row.user_id)
        if row.card_id is not None:
            who.check_customer(known.owners.get(row.card_id, -1))


def problems_of(row: Asked, known: Known) -> list[RowProblem]:
    """What is to be said of a row that can be read; errors first."""
    found: list[RowProblem] = []

    def say(severity: Any, place: str, reason: str, advice: str) -> None:
        found.append(RowProblem(severity=severity, place=place, reason=reason, advice=advice))

    at = _micros(row.at)
    owner = None if row.card_id is None else known.owners.get(row.card_id)
    if at < known.since:
        first = datetime.fromtimestamp(known.since / 1e6, UTC)
        reason = f"it is from before {first:%Y-%m-%d %H:%M} UTC, where the past is kept no longer"
        say("error", "at", reason, "ask about newer ones; `finlake score` has scored older ones")
    if at > time.time_ns() // 1000 + DAY:
        say("warning", "at", "it lies in the future", "correct the clock that gave it")
    if owner is not None and row.user_id is not None and owner != row.user_id:
        say("error", "user_id", "the card is another customer's", "leave it out, or correct it")
    elif row.user_id is not None and row.user_id not in known.users:
        say("warning", "user_id", "the customer is not known", "they count as one without a past")
    if row.card_id is not None and owner is None:
        say("warning", "card_id", "the card is not known", "it counts as one without a past")
    merchant = row.merchant_id
    if merchant is not None and not (
        known.base.knows("merchant", merchant) or known.new.knows("merchant", merchant)
    ):
        say("warning", "merchant_id", "the merchant has not been seen lately", "it counts as new")
    found += _of_place(row)
    mcc = row.mcc if isinstance(row, AskTransaction | AskAmount) else None
    if mcc is not None and mcc not in known.categories:
        say("warning", "mcc", "there is no such category", "`finlake query` lists gold.dim_mcc")
    if isinstance(row, AskCategory):
        found += _of_amount(row)
    return found


def _of_place(row: Asked) -> list[RowProblem]:
    found = []
    online = row.channel == "Online"
    if online and (row.merchant_city or row.merchant_state):
        found.append(_warning("merchant_city", "online purchases have no place", "leave it out"))
    elif not online and not row.merchant_city:
        found.append(_warning("merchant_city", "it is not given", "it counts as one never seen"))
    state = row.merchant_state
    if not online and len(state) == 2 and middle(state) is None:
        found.append(
            _warning("merchant_state", "there is no such US state", "abroad give the country")
        )
    return found


def _of_amount(row: AskCategory) -> list[RowProblem]:
    found = []
    if row.amount == 0:
        found.append(_warning("amount", "it is nought", "no purchase costs nothing"))
    if abs(row.amount) > CLIP_CENTS:
        most = CLIP_CENTS // 100
        reason = f"above {most:,} US dollars it counts as that for later ones"
        found.append(_warning("amount", reason, "check it"))
    if set(row.errors) - set(ERRORS):
        found.append(
            _warning("errors", "a reason is not one of the known", "they are " + ", ".join(ERRORS))
        )
    return found


def _warning(place: str, reason: str, advice: str) -> RowProblem:
    return RowProblem(severity="warning", place=place, reason=reason, advice=advice)


def facts_of(rows: Sequence[Asked], known: Known) -> tuple[pa.Table, np.ndarray[Any, Any]]:
    """Rows with the columns ``FACTS`` in order of (time, number), and which row each one is."""
    columns: dict[str, list[Any]] = {name: [] for name in FACTS}
    for row in rows:
        owner = known.owners.get(row.card_id, -1) if row.card_id is not None else -1
        online = row.channel == "Online"
        errors = ",".join(row.errors) if isinstance(row, AskCategory) else ""
        mcc = row.mcc if isinstance(row, AskTransaction | AskAmount) else None
        values = (
            _LAST_ID if row.transaction_id is None else row.transaction_id,
            _micros(row.at),
            owner if row.user_id is None else row.user_id,
            _or_none(row.card_id),
            _or_none(row.merchant_id),
            "ONLINE" if online else row.merchant_city,
            None if online else row.merchant_state or None,
            None if online else row.zip or None,
            _or_none(mcc),
            row.channel,
            online,
            row.amount if isinstance(row, AskCategory) else 0,
            bool(errors),
            errors,
            None,
        )
        for name, value in zip(FACTS, values, strict=True):
            columns[name].append(value)
    order = np.lexsort((columns["transaction_id"], columns["transaction_ts"]))
    money = pa.array(columns.pop("amount"), pa.int64())
    made = {name: pa.array(values, _wire(name)) for name, values in columns.items()}
    made["amount"] = decimals(money.to_numpy(), pa.decimal128(18, 2))
    table = pa.table([made[name] for name in FACTS], names=list(FACTS))
    return (table if len(rows) == 1 else table.take(order)), order


def _wire(name: str) -> pa.DataType:
    kind = _SCHEMA.field(name).type
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def _or_none(number: int | None) -> int:
    return -1 if number is None else number


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
