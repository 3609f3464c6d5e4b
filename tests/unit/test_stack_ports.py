"""Ports: what is set wins, what was used last time is used again, nothing taken is handed out."""

import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.errors import UsageProblem
from infra.stack.ports import Wish, choose_ports, is_free


@contextmanager
def listening(port=0):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        yield server.getsockname()[1]


def a_free_port():
    with listening() as port:
        pass
    return port


def test_a_port_with_a_listener_is_not_free():
    with listening() as port:
        assert not is_free(port)
    assert is_free(port)


def test_the_same_ports_are_chosen_again(tmp_path):
    memory = tmp_path / "home" / "ports.json"
    first = choose_ports([Wish("a"), Wish("b")], memory)
    assert choose_ports([Wish("b"), Wish("a")], memory) == first
    assert choose_ports([Wish("a"), Wish("c")], memory)["a"] == first["a"]
    assert choose_ports([Wish("b")], memory) == {"b": first["b"]}


def test_a_remembered_port_that_is_taken_is_exchanged(tmp_path):
    memory = tmp_path / "ports.json"
    first = choose_ports([Wish("a")], memory)
    with listening(first["a"]):
        second = choose_ports([Wish("a")], memory)
    assert second["a"] != first["a"]
    assert choose_ports([Wish("a")], memory) == second


def test_a_port_on_which_this_stack_listens_stays(tmp_path):
    memory = tmp_path / "ports.json"
    first = choose_ports([Wish("a")], memory)
    with listening(first["a"]):
        assert choose_ports([Wish("a"), Wish("b")], memory, ours=["a"])["a"] == first["a"]


def test_a_preferred_port_that_is_taken_gives_the_next_free_one(tmp_path):
    with listening() as port:
        chosen = choose_ports([Wish("a", port)], tmp_path / "ports.json")["a"]
        assert port < chosen < port + 100


def test_a_port_that_was_set_and_is_taken_is_an_error_that_names_the_setting(tmp_path):
    with listening() as port, pytest.raises(UsageProblem, match=f"FINLAKE_PORT_KAFKA: port {port}"):
        choose_ports([Wish("kafka", port, explicit=True)], tmp_path / "ports.json")


def test_a_port_that_is_set_wins_over_the_remembered_one(tmp_path):
    memory = tmp_path / "ports.json"
    choose_ports([Wish("a")], memory)
    port = a_free_port()
    assert choose_ports([Wish("a", port, explicit=True)], memory) == {"a": port}


def test_set_to_zero_means_any(tmp_path):
    assert choose_ports([Wish("a", 0, explicit=True)], tmp_path / "ports.json")["a"] > 0


CHOOSE = """
from pathlib import Path
from infra.stack.ports import Wish, choose_ports
print(choose_ports([Wish("a", {port})], Path({memory!r}))["a"], flush=True)
input()
"""


def test_two_stacks_that_start_at_the_same_moment_have_different_ports(tmp_path):
    memory, port = tmp_path / "ports.json", a_free_port()
    words = [sys.executable, "-c", CHOOSE.format(port=port, memory=str(tmp_path / "other.json"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert int(other.stdout.readline()) == port  # chosen, and nobody listens there
        mine = choose_ports([Wish("a", port)], memory)["a"]
        assert mine != port
        assert choose_ports([Wish("b", port)], tmp_path / "third.json")["b"] not in (port, mine)
        other.communicate("\n")
    assert choose_ports([Wish("c", port)], tmp_path / "fourth.json")["c"] == port


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "x"}'])
def test_a_spoilt_memory_is_no_obstacle(tmp_path, text):
    memory = tmp_path / "ports.json"
    memory.write_text(text)
    assert choose_ports([Wish("a")], memory)["a"] > 0


@given(taken=st.integers(0, 5), count=st.integers(1, 8))
def test_chosen_ports_are_free_and_different(tmp_path_factory, taken, count):
    start = a_free_port()
    with ExitStack() as stack:
        for port in range(start, start + taken):
            if is_free(port):
                stack.enter_context(listening(port))
        wishes = [Wish(f"p{n}", start) for n in range(count)]
        chosen = choose_ports(wishes, tmp_path_factory.mktemp("p") / "ports.json")
        assert len(set(chosen.values())) == count
        assert all(is_free(port) for port in chosen.values())
