"""Regulatory reports: their lines, their editions, and that a kept one comes back word for word."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake

from batch_jobs import replacing
from batch_jobs.report import REPORTS, Edition, make, stood
from batch_jobs.report import job as report_job
from batch_jobs.report.pdf import _counts, as_pdf
from finlake.cli import root
from finlake.commands.report import _NAMES
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.query import Query
from infra.lake.tables import Lake
from infra.settings import Settings, load_settings
from lakehouse_schemas import contracts

DAY = date(2019, 10, 30)
NOON = datetime(2019, 10, 30, 12, tzinfo=UTC)
MIDNIGHT = datetime(2019, 10, 31, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def booked(number: int, user: int, amount: str, **given: Any) -> dict[str, Any]:
    return {
        "transaction_id": number, "transaction_ts": NOON, "user_id": user, "card_id": user * 10,
        "merchant_id": 7, "mcc": 5411, "amount": Decimal(amount), "channel": "Chip",
        "is_declined": False, "is_fraud": None,
    } | given  # fmt: skip


FACTS = [
    booked(1, 1, "10.10"),
    booked(2, 1, "-4.00"),
    booked(3, 2, "3000.00", channel="Online"),
    booked(4, 3, "2000.00", transaction_ts=NOON + timedelta(hours=1)),
    booked(5, 3, "1000.00"),
    booked(6, 4, "9999.00", is_declined=True),
    booked(7, 5, "2999.99", is_fraud=True),
    booked(8, 6, "8000.00", transaction_ts=MIDNIGHT),
    booked(9, 6, "8000.00", transaction_ts=MIDNIGHT - timedelta(days=1, microseconds=1)),
    booked(10, 7, "1.00", transaction_ts=MIDNIGHT - timedelta(microseconds=1)),
]


def alert(number: int, rule: str, severity: str, **given: Any) -> dict[str, Any]:
    return {
        "alert_id": f"{number}:{rule}", "transaction_id": number, "rule": rule,
        "severity": severity, "reason": 'so, "it" was é', "transaction_ts": NOON, "user_id": 5,
        "card_id": 50, "merchant_id": 7, "mcc": 5411, "amount": Decimal("2999.99"),
        "raised_at": NOW,
    } | given  # fmt: skip


ALERTS = [
    alert(7, "first_abroad", "low"),
    alert(7, "amount_over", "high"),
    alert(3, "amount_over", "high", transaction_ts=NOON - timedelta(hours=1)),
    alert(8, "amount_over", "high", transaction_ts=MIDNIGHT),
]


def write(settings: Settings, table: str, rows: list[dict[str, Any]]) -> None:
    contract = contracts.get(f"gold.{table}")
    data = pa.Table.from_pylist(rows, schema=contract.lake_schema)
    write_deltalake(Lake(settings).ensure(contract), data, mode="append")


@pytest.fixture
def there(home: Path) -> Settings:
    settings = load_settings(home=home)
    write(settings, "fact_transactions", FACTS)
    write(settings, "fraud_alerts", ALERTS)
    return settings


def lines(edition: Edition) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(edition.content)))


def kept(settings: Settings, table: str) -> list[dict[str, Any]]:
    found = Query(settings).query(f"SELECT * FROM gold.{table} ORDER BY report_date, edition, line")
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def test_totals_of_the_day_and_no_other(there):
    found = {one["channel"]: one for one in lines(make(there, "daily-totals", DAY, NOW))}
    assert list(found) == ["Chip", "Online", "all"]
    assert found["all"] == {
        "channel": "all", "transactions": "8", "customers": "6", "purchase_count": "6",
        "purchase_sum": "9011.09", "money_back_count": "1", "money_back_sum": "-4.00",
        "declined_count": "1", "declined_sum": "9999.00", "largest": "3000.00",
    }  # fmt: skip
    assert found["Online"]["purchase_sum"] == "3000.00"


def test_large_transactions_count_together_by_customer_and_day(there):
    found = lines(make(there, "large-transactions", DAY, NOW))
    assert [(one["transaction_id"], one["why"], one["customer_day_sum"]) for one in found] == [
        ("3", "alone", "3000.00"),
        ("5", "together", "3000.00"),
        ("4", "together", "3000.00"),
    ]
    low = there.model_copy(update={"report_large_from": Decimal("2999.99")})
    again = make(low, "large-transactions", DAY, NOW)
    assert (again.edition, again.threshold_usd, again.lines) == (2, Decimal("2999.99"), 4)


def test_suspicious_activity_is_the_alerts_of_the_day_the_urgent_first(there):
    edition = make(there, "suspicious-activity", DAY, NOW)
    found = lines(edition)
    assert [one["alert_id"] for one in found] == [
        "3:amount_over", "7:amount_over", "7:first_abroad"
    ]  # fmt: skip
    assert [one["is_fraud"] for one in found] == ["", "true", "true"]
    assert {one["reason"] for one in found} == {'so, "it" was é'}
    assert (edition.transactions_version, edition.alerts_version) == (1, 1)


@pytest.mark.parametrize("report", REPORTS)
def test_a_new_edition_comes_only_with_new_data_and_the_old_one_stays(there, report):
    first = make(there, report, DAY, NOW)
    later = NOW + timedelta(days=1)
    assert make(there, report, DAY, later) == first
    write(there, "fact_transactions", [booked(11, 8, "5000.00")])
    write(there, "fraud_alerts", [alert(11, "amount_over", "high", user_id=8)])
    second = make(there, report, DAY, later)
    assert (first.edition, second.edition) == (1, 2)
    assert first.content != second.content
    assert second.sha256 == hashlib.sha256(second.content.encode()).hexdigest()
    for moment, held in ((NOW, first), (later - timedelta(seconds=1), first), (later, second)):
        assert stood(there, report, DAY, moment) == held
        assert as_pdf(stood(there, report, DAY, moment)) == as_pdf(held)
    assert stood(there, report, DAY, first.transactions_version) == first
    assert stood(there, report, DAY, 99) == second
    form = REPORTS[report]
    for edition in (first, second):
        own = [one for one in kept(there, form.table) if one["edition"] == edition.edition]
        assert [one["line"] for one in own] == list(range(1, edition.lines + 1))
        assert len(lines(edition)) == edition.lines


@pytest.mark.parametrize("report", REPORTS)
def test_a_kept_edition_needs_nothing_of_the_lake_but_itself(there, report):
    first = make(there, report, DAY, NOW)
    for name in ("fact_transactions", "fraud_alerts"):
        table = DeltaTable(Lake(there).uri(contracts.get(f"gold.{name}")))
        table.delete()
        table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert stood(there, report, DAY, NOW) == first


def test_a_report_that_was_cut_short_leaves_nothing_behind(there, monkeypatch):
    real = replacing.replace

    def cut(lake, contract, *words):
        if contract.name == "report_editions":
            raise KeyboardInterrupt
        real(lake, contract, *words)

    monkeypatch.setattr(report_job, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        make(there, "daily-totals", DAY, NOW)
    monkeypatch.setattr(report_job, "replace", real)
    write(there, "fact_transactions", [booked(11, 8, "5.00", channel="Swipe")])
    edition = make(there, "daily-totals", DAY, NOW)
    assert edition.edition == 1
    found = kept(there, "report_daily_totals")
    assert [one["channel"] for one in found] == ["Chip", "Online", "Swipe", "all"]


def test_time_travel_while_the_lake_still_has_it_and_words_when_not(there):
    path = Lake(there).uri(contracts.get("gold.fact_transactions"))
    newest = DeltaTable(path).history()[0]["timestamp"]
    moment = datetime.fromtimestamp(newest / 1000, UTC) + timedelta(milliseconds=1)
    alerts = DeltaTable(Lake(there).uri(contracts.get("gold.fraud_alerts"))).history()[0]
    moment = max(moment, datetime.fromtimestamp(alerts["timestamp"] / 1000, UTC))
    log = sorted((Path(path) / "_delta_log").glob("*.json"))[-1]
    write(there, "fact_transactions", [booked(11, 8, "5.00")])
    found = stood(there, "daily-totals", DAY, moment)
    assert (found.edition, found.transactions_version) == (0, int(log.stem))
    assert lines(found)[-1]["transactions"] == "8"
    assert stood(there, "daily-totals", DAY, int(log.stem)).content == found.content
    assert Lake(there).open(contracts.get("gold.report_editions")) is None
    table = DeltaTable(path)
    table.delete()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(FinlakeError, match=r"no edition had been made by .* 60 minutes"):
        stood(there, "daily-totals", DAY, moment)
    with pytest.raises(FinlakeError, match=r"no edition had been made by 2020-01-01"):
        stood(there, "daily-totals", DAY, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(FinlakeError, match=r"the log has no version 77"):
        stood(there, "daily-totals", DAY, 77)


def test_an_edition_that_was_altered_is_not_given(there):
    make(there, "daily-totals", DAY, NOW)
    table = DeltaTable(Lake(there).uri(contracts.get("gold.report_editions")))
    table.update(updates={"content": "'channel'"})
    with pytest.raises(FinlakeError, match=r"edition 1 of daily-totals of 2019-10-30 was altered"):
        stood(there, "daily-totals", DAY, NOW)


def test_a_day_that_is_not_over_and_a_lake_that_is_empty(there, tmp_path):
    with pytest.raises(UsageProblem, match=r"was not over"):
        make(there, "daily-totals", NOW.date(), NOW)
    with pytest.raises(ComponentMissing, match=r"no gold.fact_transactions yet"):
        make(load_settings(home=tmp_path / "other"), "daily-totals", DAY, NOW)


def test_a_day_without_anything_is_an_edition_too(there):
    for report in REPORTS:
        edition = make(there, report, date(2001, 1, 1), NOW)
        assert edition.edition == 1
        assert as_pdf(edition).startswith(b"%PDF-")
    assert make(there, "large-transactions", date(2001, 1, 1), NOW).lines == 0


def test_a_long_report_has_pages_and_its_head_on_each(there):
    many = [booked(100 + n, 100 + n, "4000.00") for n in range(120)]
    write(there, "fact_transactions", many)
    edition = make(there, "large-transactions", DAY, NOW)
    body = as_pdf(edition)
    assert body.count(b"/Type /Page\n") >= 3
    assert as_pdf(stood(there, "large-transactions", DAY, NOW)) == body


def said(body: bytes) -> str:
    """The words of a PDF's pages, in their order."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", body, re.DOTALL)
    text = b"".join(zlib.decompress(one) for one in streams if one[:1] == b"x").decode("latin-1")
    return " ".join(" ".join(re.findall(r"\((.*?)(?<!\\)\) Tj", text)).split())


def test_a_page_says_what_it_is_and_writes_figures_for_people(there):
    write(there, "fact_transactions", [booked(50, 9, "1234567.80"), booked(51, 9, "-1200.00")])
    totals = make(there, "daily-totals", DAY, NOW)
    text = said(as_pdf(totals))
    assert "Wednesday, 30 October 2019" in text
    assert totals.sha256 in text
    assert "Page 1 of 1" in text
    assert "Prepared by" in text
    row = dict(zip(totals.rows[0], totals.rows[-1], strict=True))
    bought, back = (f"{Decimal(row[name]):,}" for name in ("purchase_sum", "money_back_sum"))
    assert re.fullmatch(r"1,\d{3},\d{3}\.\d\d", bought)
    assert re.search(rf"All channels .*{re.escape(bought)} .*{re.escape(back)}", text)
    large = make(there, "large-transactions", DAY, NOW)
    text = said(as_pdf(large))
    assert "from 3,000.00 US dollars" in text
    assert "Amount, USD" in text
    assert "2019-10-30 12:00:00 " in text  # to the second; the CSV has it whole
    assert "2019-10-30T12:00:00.000000Z" in large.content
    assert "1,234,567.80" in text


def test_a_page_without_lines_says_so(there):
    text = said(as_pdf(make(there, "large-transactions", date(2001, 1, 1), NOW)))
    assert "Nothing to report for this day." in text


@pytest.mark.parametrize("report", REPORTS)
def test_amounts_and_counts_stand_to_the_right_and_numbers_of_things_do_not(report):
    contract = contracts.get(f"gold.{REPORTS[report].table}")
    right = {column.name for column in contract.columns if _counts(column)}
    things = {"transaction_id", "user_id", "card_id", "merchant_id", "mcc"}
    assert right & things == set()
    assert {c.name for c in contract.columns if c.decimal} <= right


def test_the_command_gives_the_same_bytes_again(there, tmp_path, monkeypatch):
    assert set(_NAMES) == set(REPORTS)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> bytes:
        done = CliRunner().invoke(root, ["report", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout_bytes

    words = ["daily-totals", "--day", str(DAY), "--format"]
    first = run(*words, "csv")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    write(there, "fact_transactions", [booked(11, 8, "5.00")])
    assert run(*words, "csv", "--as-of", "1") == first
    assert run(*words, "csv") != first
    run(*words, "pdf", "--as-of", "1")
    run(*words, "pdf", "--output", "other.pdf", "--as-of", str(tomorrow))
    assert {p.name for p in Path().glob("*.pdf")} == {"daily-totals-2019-10-30-1.pdf", "other.pdf"}
    one = Path("daily-totals-2019-10-30-1.pdf").read_bytes()
    run(*words, "pdf", "--as-of", "1")
    assert Path("daily-totals-2019-10-30-1.pdf").read_bytes() == one
    assert b"purchase_sum" in run("daily-totals", "--day", str(DAY))
    wrong = CliRunner().invoke(root, ["report", *words[:3], "--as-of", "yesterday"])
    assert wrong.exit_code == 2
    assert "neither a version nor a moment" in wrong.output
