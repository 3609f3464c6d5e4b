"""When the source epoch rises, and that it never falls."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import epoch as epochs
from connectors.epoch import Decision, Memory, decide
from connectors.source import position
from finlake.errors import FinlakeError
from infra.settings import load_settings

PLACE = (3, 4711)


def decided(memory=None, **other):
    facts = {
        "identity": "mysql:a:b",
        "at_least": 1,
        "configured": None,
        "read_to": PLACE,
        "log_at": PLACE,
    }
    return decide(memory, **{**facts, **other})


def test_the_first_capture_is_epoch_one():
    assert decided(read_to=None) == Decision(1, None)


def test_the_same_source_stays_in_its_epoch():
    assert decided(Memory(4, "mysql:a:b", ran=True)) == Decision(4, None)


def test_another_source_starts_the_next_epoch():
    found = decided(Memory(4, "mysql:x:y", ran=True))
    assert found.epoch == 5
    assert found.because is not None
    assert "rebuilt" in found.because


@pytest.mark.parametrize("log_at", [(3, 4710), (2, 9999), (1, 4)])
def test_a_binlog_that_started_again_starts_the_next_epoch(log_at):
    found = decided(Memory(1, "mysql:a:b", ran=True), log_at=log_at)
    assert found.epoch == 2
    assert found.because is not None


@pytest.mark.parametrize("log_at", [PLACE, (3, 5000), (4, 4), (1_000_000, 4)])
def test_a_binlog_that_went_on_does_not(log_at):
    assert decided(Memory(1, "mysql:a:b", ran=True), log_at=log_at) == Decision(1, None)


def test_lost_offsets_start_the_next_epoch_once_a_connector_has_run():
    assert decided(Memory(1, "mysql:a:b", ran=True), read_to=None).epoch == 2
    assert decided(Memory(1, "mysql:a:b", ran=False), read_to=None) == Decision(1, None)


def test_a_lost_home_takes_the_epoch_from_the_connector():
    assert decided(configured=6) == Decision(6, None)
    assert decided(Memory(2, "mysql:x:y", ran=True), configured=6).epoch == 7


def test_the_settings_can_raise_the_epoch():
    found = decided(Memory(2, "mysql:a:b", ran=True), at_least=9)
    assert found.epoch == 9
    assert found.because is not None
    assert decided(at_least=9) == Decision(9, None)
    assert decided(Memory(9, "mysql:a:b", ran=True), at_least=9) == Decision(9, None)


numbers = st.integers(1, 50)
places = st.none() | st.tuples(numbers, numbers)
memories = st.none() | st.builds(
    Memory, epoch=numbers, identity=st.sampled_from(["a", "b"]), ran=st.booleans()
)


@given(
    memories,
    st.sampled_from(["a", "b"]),
    numbers,
    st.none() | numbers,
    places,
    st.tuples(numbers, numbers),
)
def test_the_epoch_never_falls_and_a_repeat_changes_nothing(
    memory, identity, at_least, configured, read_to, log_at
):
    found = decide(
        memory,
        identity=identity,
        at_least=at_least,
        configured=configured,
        read_to=read_to,
        log_at=log_at,
    )
    known = max(memory.epoch if memory else 1, configured or 1)
    assert found.epoch >= max(known, at_least)
    if found.because:
        assert found.epoch > known
    # the connector that then runs has read nothing beyond the log
    again = decide(
        Memory(found.epoch, identity, ran=True),
        identity=identity,
        at_least=at_least,
        configured=found.epoch,
        read_to=log_at,
        log_at=log_at,
    )
    assert again == Decision(found.epoch, None)


@given(st.integers(1, 10**9), st.integers(1, 10**9), numbers, numbers)
def test_binlog_positions_compare_by_number_not_by_text(first, second, at, then):
    lower, higher = sorted([(first, at), (second, then)])
    assert position(f"binlog.{lower[0]:06d}", lower[1]) <= position(
        f"binlog.{higher[0]:06d}", higher[1]
    )


def test_what_is_remembered_is_read_again(home):
    settings = load_settings(source_epoch=3)
    assert epochs.read(settings) is None
    assert epochs.source_epoch(settings) == 3
    memory = Memory(5, "mysql:a:b", ran=True)
    epochs.write(settings, memory)
    assert epochs.read(settings) == memory
    assert epochs.source_epoch(settings) == 5
    assert [path.name for path in home.iterdir()] == ["source-identity.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"epoch": 1})])
def test_a_broken_memory_is_one_line_that_names_the_file(home, text):
    home.mkdir()
    (home / "source-identity.json").write_text(text)
    with pytest.raises(FinlakeError, match=r"source-identity\.json: cannot be read") as found:
        epochs.read(load_settings())
    assert "\n" not in str(found.value)
