"""What ``finlake verify`` prints and how it ends."""

import json

import pytest

import batch_jobs.verify
from batch_jobs.verify import Conservation, Difference, GoldCheck, Report, SourceCheck
from finlake.cli import main
from finlake.errors import ComponentMissing

EQUAL = Report(
    (SourceCheck("cards", 6146, 6146, 0), SourceCheck("users", 2000, 2000, 0)),
    (GoldCheck("gold.agg_minute", 12, 0),),
    Conservation(9000, 8000, 900, 100),
)
DIFFERENT = Report(
    (
        SourceCheck(
            "cards", 6146, 6145, 2, (Difference(7, "not in silver"), Difference(9, "x differs"))
        ),
    ),
    (GoldCheck("gold.agg_state_day", 3, 1, (Difference("2010-01-01/ND", "amount_sum differs"),)),),
    Conservation(
        10, 8, 1, 0, ("cards: bronze has 10 events, the batches saw 10 and account for 9",)
    ),
)


@pytest.fixture
def calls():
    """What the command asked for."""
    return []


@pytest.fixture
def ends(monkeypatch, home, calls):
    """Run the command with a report that is known; gives its exit code."""

    def ends(report, *arguments):
        def run(settings, tables, wait, said):
            calls.append((tuple(tables), wait))
            said("waiting")
            if isinstance(report, Exception):
                raise report
            return report

        monkeypatch.setattr(batch_jobs.verify, "verify", run)
        return main(["verify", *arguments])

    return ends


def test_json_has_a_line_for_each_table_and_one_for_the_events(ends, capsys):
    assert ends(EQUAL, "--json") == 0
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [
        {
            "table": "cards",
            "source_rows": 6146,
            "silver_rows": 6146,
            "different": 0,
            "first_keys": [],
        },
        {
            "table": "users",
            "source_rows": 2000,
            "silver_rows": 2000,
            "different": 0,
            "first_keys": [],
        },
        {"table": "gold.agg_minute", "recomputed_rows": 12, "different": 0},
        {
            "equal": True,
            "bronze_events": 9000,
            "applied": 8000,
            "superseded": 900,
            "quarantined": 100,
        },
    ]
    assert err == "finlake verify: waiting\n"


def test_a_difference_ends_with_1_and_one_line_that_names_the_first_key(ends, capsys):
    assert ends(DIFFERENT, "--json") == 1
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0]["first_keys"] == [7, 9]
    assert lines[-1]["equal"] is False
    (line,) = err.splitlines()[1:]
    assert line.startswith(
        "finlake verify: cards: 2 of 6,146 rows differ (first 7: not in silver); and 2 more; "
    )


def test_people_get_a_table(ends, capsys):
    assert ends(DIFFERENT) == 1
    out = capsys.readouterr().out
    for text in (
        "cards",
        "6,146",
        "6,145",
        "9: x",
        "agg_state_day",
        "10 events in bronze",
        "NOT equal",
    ):
        assert text in out
    assert "account for 9" in " ".join(out.split())


def test_people_see_that_all_is_well(ends, capsys):
    assert ends(EQUAL) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "equal"


def test_tables_and_time_are_passed_on(ends, calls):
    assert ends(EQUAL, "--table", "cards", "--table", "gold.agg_minute", "--wait", "1.5") == 0
    assert calls == [(("cards", "gold.agg_minute"), 1.5)]


def test_a_missing_component_ends_with_3(ends):
    assert ends(ComponentMissing("no lake")) == 3


def test_a_negative_wait_is_wrong_use(ends):
    assert ends(EQUAL, "--wait", "-1") == 2
