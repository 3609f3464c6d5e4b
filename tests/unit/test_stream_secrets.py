"""Card numbers and verification values leave no trace, whatever form they come in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.transforms.envelope import Decoder
from tests.unit.stream_world import BASE, Event, Lake, Stream, envelope, live, meant, records

NUMBER, CVV = "4344676511950444", "9Q#3"  # no time or amount looks like it
CARD = BASE["cards"]
SECRET = {**CARD, "card_number": NUMBER, "cvv": CVV}
DECODER = Decoder("cards")


def traces(*values: bytes | None) -> list[str]:
    """Where the secrets stand in anything that the stream wrote about these records."""
    stream = Stream(Lake())
    stream.process(
        records([(Event("cards", 0, b'{"id":4524}', v), i) for i, v in enumerate(values)])
    )
    stream.stop()
    everything = {name: table.rows.to_pylist() for name, table in stream.lake.tables.items()}
    return [
        f"{name}: {one}"
        for name, rows in everything.items()
        for one in rows
        if NUMBER in str(one) or CVV in str(one)
    ]


FORMS = {
    "as a connector without its filter sends it": envelope("u", SECRET, SECRET, 1000),
    "in a delete": envelope("d", SECRET, None, 1000),
    "in a record that does not fit": envelope("c", None, {**SECRET, "client_id": "x"}, 1000),
    "with a new column": envelope("c", None, {**SECRET, "colour": "red"}, 1000),
    "wrapped in a payload": json.dumps({"schema": {}, "payload": {"after": SECRET}}).encode(),
    "in a list": json.dumps([{"after": [SECRET]}]).encode(),
    "as text within text": envelope("c", None, {**CARD, "card_brand": json.dumps(SECRET)}, 1000),
    "broken off": envelope("c", None, SECRET, 1000)[:-9],
    "not in UTF-8": envelope("c", None, SECRET, 1000).replace(b"Visa", b"\xff"),
    "with an escaped name": envelope("c", None, SECRET, 1000)
    .replace(b'"cvv"', b'"\\u0063vv"')
    .replace(b'"card_number"', b'"card\\u005fnumber"'),
    "with another name beside it": envelope("c", None, {**SECRET, "cvv2": CVV}, 1000),
}


@pytest.mark.parametrize("value", FORMS.values(), ids=FORMS)
def test_no_trace_in_any_table(value):
    assert traces(value) == []


def test_the_rest_of_such_a_record_arrives():
    stream = Stream(Lake())
    stream.process(records([(Event("cards", 0, b"{}", FORMS["with a new column"]), 0)]))
    stream.stop()
    assert live(stream.lake, "cards") == meant("cards", {CARD["id"]: CARD})
    (silver,) = stream.lake.rows("silver.cards").to_pylist()
    assert json.loads(silver["_extra"]) == {"colour": "red"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["before", "after", "op", "x", "cvv"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(around=JSON, deep=st.lists(st.sampled_from(["after", "before", "payload", 0]), max_size=5))
def test_no_depth_hides_a_secret(around, deep):
    value = {"cvv": CVV, "card_number": NUMBER, "other": around}
    for step in deep:
        value = [value] if step == 0 else {step: value}  # type: ignore[assignment]
    raw = json.dumps(value).encode()
    found = DECODER.decode(records([(Event("cards", 0, b"{}", raw), 0)]), 0)
    written = str(found.bronze.to_pylist()) + str(found.rejects.to_pylist())
    assert NUMBER not in written
    assert CVV not in written


def test_a_topic_without_secrets_keeps_its_words():
    value = envelope("c", None, {**BASE["transactions"], "errors": "Bad CVV, cvv"}, 1000)
    stream = Stream(Lake())
    stream.process(records([(Event("transactions", 0, b"{}", value), 0)]))
    stream.stop()
    (event,) = stream.lake.rows("bronze.changes").to_pylist()
    assert event["value"] == value.decode()
