"""``finlake connectors`` and ``finlake topics`` where nothing answers, or wrong words are given."""

import pytest

from finlake.cli import main


@pytest.fixture
def nowhere(home, monkeypatch):
    monkeypatch.setenv("FINLAKE_SOURCE_URL", "mysql://app:x@127.0.0.1:9/finance")
    monkeypatch.setenv("FINLAKE_CONNECT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FINLAKE_KAFKA_BOOTSTRAP", "127.0.0.1:9")


def outcome(capsys, *words):
    code = main(words)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return code, lines[0]


@pytest.mark.parametrize(
    "words",
    [
        ("connectors", "apply"),
        ("connectors", "status"),
        ("connectors", "restart"),
        ("connectors", "pause"),
        ("connectors", "resume"),
        ("connectors", "offsets"),
        ("connectors", "recover"),
        ("connectors", "delete"),
        ("connectors", "snapshot", "cards"),
    ],
)
def test_no_connect_is_a_missing_component_with_its_address(nowhere, capsys, words):
    code, line = outcome(capsys, *words)
    assert code == 3
    assert "http://127.0.0.1:9" in line
    assert "FINLAKE_CONNECT_URL" in line


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("create",),
        ("describe", "cdc"),
        ("lag",),
        ("clear", "finance.alerts"),
        ("delete", "old"),
    ],
)
def test_no_kafka_is_a_missing_component_with_its_address(nowhere, capsys, monkeypatch, words):
    monkeypatch.setattr("connectors.kafka_admin.ANSWER_S", 0.2)
    code, line = outcome(capsys, "topics", *words)
    assert code == 3
    assert "127.0.0.1:9" in line
    assert "FINLAKE_KAFKA_BOOTSTRAP" in line


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("topics", "describe", "cdc.finance.accounts"), "cdc.finance.cards"),
        (("topics", "tail", "cdc.finance.accounts"), "cdc.finance.cards"),
        (("topics", "delete", "cdc.finance.cards"), "finlake topics clear"),
        (("connectors", "restart", "--all", "--task", "0"), "--task"),
        (("connectors", "snapshot", "accounts"), "transactions"),
        (("connectors", "snapshot", "finlake_signal"), "transactions"),
        (("connectors", "remove"), "--help"),
    ],
)
def test_a_wrong_name_is_wrong_use_and_the_right_ones_are_shown(nowhere, capsys, words, names):
    code, line = outcome(capsys, *words)
    assert code == 2
    assert names in line


def test_no_source_is_a_setting_to_set(home, capsys):
    code, line = outcome(capsys, "connectors", "apply")
    assert code == 2
    assert "FINLAKE_SOURCE_URL" in line
