"""Answers are kept for ten times their cost, and no longer."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dashboard.thrift import Thrifty


class Slow:
    """A lake and the clock that its answers move on."""

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.time = 100.0
        self.asked: list[tuple[object, ...]] = []
        self.broken = False

    def clock(self) -> float:
        return self.time

    def query(self, sql, params=(), timeout_s=None) -> pa.Table:
        self.time += self.cost
        if self.broken:
            raise RuntimeError("broken")
        self.asked.append((sql, *params))
        return pa.table({"number": [len(self.asked)]})


def number(lake: Thrifty, *params: object) -> int:
    return int(lake.query("SELECT 1", params).to_pylist()[0]["number"])


def test_a_costly_answer_is_kept_for_ten_times_its_cost():
    slow = Slow(cost=0.5)
    lake = Thrifty(slow, slow.clock)
    assert number(lake) == 1
    slow.time += 4.9
    assert number(lake) == 1
    slow.time += 0.2
    assert number(lake) == 2


def test_a_quick_answer_is_new_at_the_next_refresh():
    slow = Slow(cost=0.01)
    lake = Thrifty(slow, slow.clock)
    number(lake)
    slow.time += 2
    assert number(lake) == 2


def test_other_parameters_are_another_statement():
    slow = Slow(cost=1)
    lake = Thrifty(slow, slow.clock)
    assert (number(lake, 1), number(lake, 2), number(lake, 1)) == (1, 2, 1)


def test_an_error_is_not_kept():
    slow = Slow(cost=1)
    lake = Thrifty(slow, slow.clock)
    slow.broken = True
    with pytest.raises(RuntimeError, match="broken"):
        number(lake)
    slow.broken = False
    assert number(lake) == 1


def test_memory_is_bounded():
    slow = Slow(cost=1_000)
    lake = Thrifty(slow, slow.clock)
    for parameter in range(300):
        number(lake, parameter)
    assert len(slow.asked) == 300
    number(lake, 299)
    assert len(slow.asked) == 300
    number(lake, 0)
    assert len(slow.asked) == 301


def test_who_has_changed_something_gets_new_answers():
    slow = Slow(cost=0.5)
    lake = Thrifty(slow, slow.clock)
    assert (number(lake), number(lake)) == (1, 1)
    lake.forget()
    assert number(lake) == 2
