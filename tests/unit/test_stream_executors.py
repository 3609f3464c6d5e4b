"""However a batch's records are dealt to executors, they become the same rows."""

from functools import cache
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs import decoding
from stream_jobs.decoding import Found, decode, decoders
from stream_jobs.shapes import RECORDS
from tests.unit.stream_world import GOLDEN, Event, golden, records

BAD = [b"not JSON", b'{"op": "c"}', b'{"op": "c", "source": {}, "after": {"mcc": "x"}}', None]
GONE = b'{"op": "c", "source": {"file": "b.1", "pos": 4}, "after": {"mcc": 1}}'


@cache
def batch() -> pa.Table:
    """Real events of every kind, what cannot be read, and topics that have no table."""
    events = golden(GOLDEN)
    start = 1 + max(offset for _, offset in events)
    events += [
        (Event(table, number % 3, b"{}", value), start + number)
        for table in ("mcc_codes", "transactions", "finlake_heartbeat")
        for number, value in enumerate(BAD)
    ]
    events.append((Event("mcc_codes", 0, b"{}", GONE), start + len(BAD)))
    return records(events)


def rows(found: Found) -> dict[str, list[str]]:
    """All that was found, in an order that does not depend on how records were dealt."""
    tables = {
        f"{name} {part}": getattr(one, part)
        for name, one in found.decoded.items()
        for part in ("bronze", "changes", "rejects")
    }
    tables |= found.others
    problems = {f"{name} problem": [one.schema_problem] for name, one in found.decoded.items()}
    newest = found.ends.group_by(["topic", "partition"]).aggregate([("offset", "max")])
    tables["ends"] = newest
    return {name: sorted(map(str, table.to_pylist())) for name, table in tables.items()} | problems


@settings(max_examples=25)
@given(st.lists(st.integers(0, 200), max_size=6), st.sampled_from([{}, {"cards": "is held"}]))
def test_parts_that_are_decoded_apart_make_up_the_whole(cuts, held):
    whole = batch()
    places = [0, *sorted(min(cut, whole.num_rows) for cut in cuts), whole.num_rows]
    parts = [whole.slice(a, b - a) for a, b in pairwise(places)]
    packed = [
        row
        for part in parts
        for row in decoding._decode_partition(5, held, part.combine_chunks().to_batches())
    ]
    there = decoding._unpack(pa.Table.from_batches(packed))
    here = decode(decoders(), whole, 5, held)
    assert rows(there) == rows(here)
    for name, one in here.decoded.items():
        for part in ("bronze", "changes", "rejects"):
            assert getattr(there.decoded[name], part).schema == getattr(one, part).schema
    assert all(table.schema == RECORDS for table in there.others.values())


def test_the_batch_holds_what_matters():
    found = decode(decoders(), batch(), 5, {})
    assert found.decoded["mcc_codes"].schema_problem
    assert sum(one.rejects.num_rows for one in found.decoded.values()) >= 7
    assert {"finlake_heartbeat", "cdc"} & found.others.keys()
