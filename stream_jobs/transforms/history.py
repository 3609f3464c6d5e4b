"""What customers and cards were at any moment: a version from each change to the next.

A version keeps the token and time of every change that it stands for. So the whole of what was
seen of a key can be read back from its versions, a change that comes late finds its place between
them, and the versions follow from the set of changes alone, whatever their order of arrival.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_schemas import Contract, contracts
from stream_jobs.shapes import Patch
from stream_jobs.transforms.gold import DIMENSIONS
from stream_jobs.transforms.patch import patch_between

__all__ = ["HISTORIES", "first_seen", "history_patch", "prefixes"]

# History: the dimension whose past it is.
HISTORIES: Final = {"dim_user_history": "dim_user", "dim_card_history": "dim_card"}

_TOKEN: Final = 46  # characters of an order token
_PLACE: Final = 33  # of it without the Kafka offset: a repeated delivery has another one
_INSTANT = pa.timestamp("us", tz="UTC")
_EVENT = ("_token", "_at", "_live", "_told")


def prefixes(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """What the version keys of these customers or cards begin with."""
    padded = pc.utf8_lpad(pc.unique(ids).cast(pa.string()), 10, "0")
    return pc.binary_join_element_wise(padded, "@", "")


def first_seen(changes: pa.Table) -> pa.Array | pa.ChunkedArray:
    """When each change was committed; when Kafka took it, where the source does not say."""
    return pc.coalesce(changes["_source_ts"], changes["kafka_ts"])


def history_patch(
    name: str, standing: pa.Table, changes: pa.Table, truncates: Mapping[str, int]
) -> Patch:
    """What further changes make of the histories of their keys.

    Args:
        name: of the history.
        standing: all versions of the keys that are touched.
        changes: decoded changes of the source table, in any order and as often as they came.
        truncates: order token and time (microseconds since 1970) of every truncate of the table,
            which ends whatever stood before it.
    """
    contract = contracts.get(f"gold.{name}")
    told = changes.filter(pc.not_equal(changes["op"], "t"))
    events = pa.concat_tables([_kept(contract, standing), _told(contract, told)])
    events = _once(contract, _with_truncates(contract, events, truncates))
    return patch_between(standing, _versions(contract, events), "version_key")


def _id_and_attributes(contract: Contract) -> tuple[str, list[str]]:
    dimension = contracts.get(f"gold.{HISTORIES[contract.name]}")
    (key,) = dimension.key
    return key, [name for name in dimension.column_names if name != key]


def _event_schema(contract: Contract) -> pa.Schema:
    key, attributes = _id_and_attributes(contract)
    fields = [contract.lake_schema.field(name) for name in (key, *attributes)]
    kinds = (pa.string(), pa.int64(), pa.bool_(), pa.bool_())
    return pa.schema([*fields, *zip(_EVENT, kinds, strict=True)])


def _kept(contract: Contract, standing: pa.Table) -> pa.Table:
    """The changes that the versions stand for."""
    schema = _event_schema(contract)
    lists = pc.split_pattern(standing["changes"].combine_chunks(), ",")
    texts = pc.list_flatten(lists)
    place = pc.list_parent_indices(lists)
    some = pc.not_equal(texts, "")  # a version that only a truncate has begun keeps none
    texts, place = texts.filter(some), place.filter(some)
    rows = standing.take(place)
    made = {
        "_token": pc.utf8_slice_codeunits(texts, 0, _TOKEN),
        "_at": pc.utf8_slice_codeunits(texts, _TOKEN + 1).cast(pa.int64()),
        "_live": pc.invert(rows["is_deleted"]),
        "_told": pa.repeat(True, len(texts)),
    }
    columns = [made[n] if n in made else rows[n] for n in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def _told(contract: Contract, changes: pa.Table) -> pa.Table:
    """Decoded changes in the same form; a deleted row has no attributes."""
    schema = _event_schema(contract)
    key, _ = _id_and_attributes(contract)
    _, renamed = DIMENSIONS[HISTORIES[contract.name]]
    back = {new: old for old, new in renamed.items()}
    live = pc.invert(changes["_is_deleted"])
    made: dict[str, Any] = {
        "_token": changes["_order_token"],
        "_at": first_seen(changes).cast(pa.int64()),
        "_live": live,
        "_told": pa.repeat(True, changes.num_rows),
    }
    columns = []
    for field in schema:
        if field.name in made:
            columns.append(made[field.name])
            continue
        values = changes[back.get(field.name, field.name)]
        if field.name != key:
            values = pc.if_else(live, values, pa.scalar(None, values.type))
        columns.append(values.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _with_truncates(contract: Contract, events: pa.Table, truncates: Mapping[str, int]) -> pa.Table:
    """The events, and every truncate as a deletion of each key."""
    if not truncates:
        return events
    schema = _event_schema(contract)
    key, _ = _id_and_attributes(contract)
    ids = pc.unique(events[key])
    parts = [events]
    for token, at in truncates.items():
        made = {
            key: ids,
            "_token": pa.repeat(token, len(ids)),
            "_at": pa.repeat(at, len(ids)).cast(pa.int64()),
            "_live": pa.repeat(False, len(ids)),
            "_told": pa.repeat(False, len(ids)),
        }
        columns = [made[f.name] if f.name in made else pa.nulls(len(ids), f.type) for f in schema]
        parts.append(pa.Table.from_arrays(columns, schema=schema))
    return pa.concat_tables(parts)


def _once(contract: Contract, events: pa.Table) -> pa.Table:
    """The events in the order of each key, a repeated one once: the newest delivery of it.

    A truncate before anything that was told of a key says nothing of it.
    """
    key, _ = _id_and_attributes(contract)
    events = events.sort_by([(key, "ascending"), ("_token", "ascending")]).combine_chunks()
    count = events.num_rows
    if not count:
        return events
    same_key = _as_before(events[key])
    place = pc.utf8_slice_codeunits(events["_token"], 0, _PLACE)
    newest = np.ones(count, dtype=bool)
    newest[:-1] = ~(same_key & _as_before(place))[1:]
    told = np.cumsum(events["_told"].to_numpy().astype(np.int64))
    before = (told - events["_told"].to_numpy())[_starts(same_key)]
    return events.filter(pa.array(newest & (told > before)))


def _versions(contract: Contract, events: pa.Table) -> pa.Table:
    """One row for each run of events that say the same."""
    schema = contract.lake_schema
    if not events.num_rows:
        return schema.empty_table()
    key, attributes = _id_and_attributes(contract)
    same_key = _as_before(events[key])
    says = [_as_before(events[name]) for name in (*attributes, "_live")]
    first = np.flatnonzero(~reduce(np.logical_and, says, same_key))
    since = _never_back(events["_at"].to_numpy(), same_key)[first]
    one = events.take(pa.array(first))
    last = np.ones(len(first), dtype=bool)
    last[:-1] = ~_as_before(one[key])[1:]
    until = pa.array(np.append(since[1:], 0), mask=last)
    live = one["_live"].to_numpy()
    padded = pc.utf8_lpad(one[key].cast(pa.string()), 10, "0")
    place = pc.utf8_slice_codeunits(one["_token"], 0, _PLACE)
    made: dict[str, Any] = {
        "version_key": pc.binary_join_element_wise(padded, place, "@"),
        "valid_from": pa.array(since).cast(_INSTANT),
        "valid_to": until.cast(_INSTANT),
        "is_current": pa.array(live & last),
        "is_deleted": pa.array(~live),
        "changes": _noted(events, first),
    }
    columns = [made[n] if n in made else one[n] for n in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def _noted(events: pa.Table, first: np.ndarray[Any, Any]) -> pa.Array:
    """Token and time of the events of each run, without the truncates."""
    told = events["_told"].to_numpy()
    at = events["_at"].cast(pa.string())
    texts = pc.binary_join_element_wise(events["_token"], at, "@").filter(pa.array(told))
    ends = np.append(np.concatenate([[0], np.cumsum(told)])[first], told.sum())
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), texts.combine_chunks())
    return pc.binary_join(lists, ",")


def _as_before(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Whether each value is the same as the one before it, two empty ones included."""
    count = len(column)
    same = np.zeros(count, dtype=bool)
    if count > 1:
        one, other = column.slice(0, count - 1), column.slice(1)
        equal = pc.fill_null(pc.equal(one, other), False)
        if column.null_count:
            equal = pc.or_(equal, pc.and_(pc.is_null(one), pc.is_null(other)))
        same[1:] = equal.to_numpy()
    return same


def _starts(same_key: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where the first event of each event's key stands."""
    return np.maximum.accumulate(np.where(same_key, 0, np.arange(len(same_key))))


def _never_back(at: np.ndarray[Any, Any], same_key: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Times of each key's events, none before the one that it follows."""
    every, rank = np.unique(at, return_inverse=True)
    number = np.cumsum(~same_key)
    risen = np.maximum.accumulate(rank + number * len(every)) - number * len(every)
    found: np.ndarray[Any, Any] = every[risen]
    return found
