"""Make a report of a day as an edition, and give editions again.

The lake's own time travel ends when replaced files are deleted, an hour after. So what was reported
is kept itself: the text of every edition, its digest, and the Delta versions it was made from. An
edition never changes; when the same report of the same day comes out different, for a transaction
that came late or was corrected, there is a new one.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from batch_jobs.replacing import replace
from batch_jobs.report.forms import REPORTS
from batch_jobs.verify.engine import open_engine, pinned
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.tables import Lake
from infra.settings import Settings
from lakehouse_schemas import Contract, contracts

__all__ = ["Edition", "make", "stood"]

_EDITIONS = contracts.get("gold.report_editions")
_CENT = Decimal("0.01")
_OWN = ("report_date", "edition", "line")


@dataclass(frozen=True)
class Edition:
    """One edition of a report; ``edition`` is 0 for one that was worked out and not kept."""

    report: str
    report_date: date
    edition: int
    made_at: datetime
    transactions_version: int
    alerts_version: int
    threshold_usd: Decimal | None
    lines: int
    sha256: str
    content: str

    @property
    def rows(self) -> list[list[str]]:
        """Head and lines as texts."""
        return list(csv.reader(io.StringIO(self.content)))


def make(settings: Settings, report: str, day: date, now: datetime | None = None) -> Edition:
    """The report over the newest data: a new edition, or the last one when nothing has changed.

    Args:
        settings: the lake, and the threshold of large transactions.
        report: one of :data:`REPORTS`.
        day: that is reported, UTC.
        now: the time of the run.

    Raises:
        UsageProblem: the day is not over.
        ComponentMissing: the lake or its facts are not there.
        FinlakeError: another run wrote at the same time, or a kept edition was altered.
    """
    moment = now or datetime.now(UTC)
    _check_over(day, moment)
    lake, form = Lake(settings), REPORTS[report]
    lines, found = _work_out(settings, lake, report, day, moment, None)
    known = _editions(lake, report, day)
    if (
        known
        and known[-1].sha256 == found.sha256
        and known[-1].threshold_usd == found.threshold_usd
    ):
        return known[-1]
    number = known[-1].edition + 1 if known else 1
    edition = Edition(**{**found.__dict__, "edition": number})
    contract = contracts.get(f"gold.{form.table}")

    def left_over(rows: pa.Table) -> pa.Array:
        # Of a run that was cut short before the edition itself was written.
        same = pc.equal(rows["report_date"], pa.scalar(day))
        return pc.and_(same, pc.greater_equal(rows["edition"], number))

    replace(lake, contract, _numbered(contract, lines, day, number), left_over, "report")
    row = pa.Table.from_pylist([edition.__dict__], schema=_EDITIONS.lake_schema)
    replace(lake, _EDITIONS, row, lambda rows: pa.repeat(False, rows.num_rows), "report")
    return edition


def stood(settings: Settings, report: str, day: date, at: datetime | int) -> Edition:
    """The edition that held at a moment, or at a Delta version of ``fact_transactions``.

    Where none had been made by then, the report is worked out from the tables as they were, as long
    as the lake still has them; it is not kept.

    Raises:
        UsageProblem: the day was not over at that moment.
        ComponentMissing: the lake is not there.
        FinlakeError: there was no edition, and the lake no longer has the tables of then.
    """
    lake = Lake(settings)
    held = [
        one
        for one in _editions(lake, report, day)
        if (one.transactions_version if isinstance(at, int) else one.made_at) <= at  # type: ignore[operator]
    ]
    if held:
        return held[-1]
    moment = _committed(lake, at) if isinstance(at, int) else at
    _check_over(day, moment)
    return _work_out(settings, lake, report, day, moment, at)[1]


def _check_over(day: date, moment: datetime) -> None:
    if day >= moment.astimezone(UTC).date():
        raise UsageProblem(f"--day {day}: that day was not over at {moment:%Y-%m-%d %H:%M} UTC")


def _editions(lake: Lake, report: str, day: date) -> list[Edition]:
    """Every edition of the report of that day, in order.

    Raises:
        FinlakeError: the text of one is not what was written.
    """
    table = lake.open(_EDITIONS)
    if table is None:
        return []
    rows = table.to_pyarrow_dataset().to_table()
    same = pc.and_(pc.equal(rows["report"], report), pc.equal(rows["report_date"], pa.scalar(day)))
    found = [Edition(**one) for one in rows.filter(same).sort_by("edition").to_pylist()]
    for one in found:
        if hashlib.sha256(one.content.encode()).hexdigest() != one.sha256:
            raise FinlakeError(
                f"gold.report_editions: edition {one.edition} of {report} of {day} was altered"
                " after it was made (its digest is another); restore the table from a copy"
            )
    return found


def _work_out(
    settings: Settings,
    lake: Lake,
    report: str,
    day: date,
    moment: datetime,
    at: datetime | int | None,
) -> tuple[pa.Table, Edition]:
    """Lines and edition over the newest tables, or those of ``at``."""
    form, then = REPORTS[report], None if at is None else moment
    facts = _opened(settings, lake, "fact_transactions", then, at)
    if facts is None:
        raise ComponentMissing(
            f"the lake {lake.spark_root} has no gold.fact_transactions yet; fill it with"
            " `finlake stream --once`"
        )
    alerts = _opened(settings, lake, "fraud_alerts", then, then) if form.alerts else None
    nothing = contracts.get("gold.fraud_alerts").lake_schema.empty_table()
    shown = {"alerts": pinned(alerts) if alerts else nothing}
    threshold = settings.report_large_from.quantize(_CENT) if form.threshold else None
    after = day + timedelta(days=1)
    first, last = (f"TIMESTAMPTZ '{one} 00:00:00+00'" for one in (day, after))
    at_midnight = [datetime(one.year, one.month, one.day, tzinfo=UTC) for one in (day, after)]
    when = ds.field("transaction_ts")
    within = (when >= at_midnight[0]) & (when < at_midnight[1])
    try:
        with open_engine(settings.home, shown) as engine:
            engine.show("facts", pinned(facts).scanner(filter=within).to_reader())
            engine.run("CREATE TEMP TABLE of_day AS FROM facts")
            sql = form.sql.format(threshold=threshold, first=first, after=last)
            lines = _typed(contracts.get(f"gold.{form.table}"), engine.table(sql))
    except (duckdb.Error, OSError) as error:
        raise _gone(settings, then, error) from error
    content = _text(lines)
    return lines, Edition(
        report=report,
        report_date=day,
        edition=0,
        made_at=moment,
        transactions_version=facts.version(),
        alerts_version=alerts.version() if alerts else -1,
        threshold_usd=threshold,
        lines=lines.num_rows,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        content=content,
    )


def _opened(
    settings: Settings, lake: Lake, name: str, then: datetime | None, at: datetime | int | None
) -> DeltaTable | None:
    """A table as it is, or as it was at a moment or version, which was ``then``."""
    table = lake.open(contracts.get(f"gold.{name}"))
    if table is not None and then is not None and at is not None:
        try:
            first = min(one["timestamp"] for one in table.history())
            if then < _moment(first):
                raise FileNotFoundError(f"the log of gold.{name} begins later")
            table.load_as_version(at)
        except (DeltaError, OSError, ValueError) as error:
            raise _gone(settings, then, error) from error
    return table


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _committed(lake: Lake, version: int) -> datetime:
    """When a version of ``fact_transactions`` was committed."""
    table = lake.open(contracts.get("gold.fact_transactions"))
    for one in table.history() if table else []:
        if one.get("version") == version:
            return _moment(one["timestamp"])
    raise FinlakeError(
        f"gold.fact_transactions: the log has no version {version} any more, and no edition was"
        ' made from it or before; `finlake query "SELECT * FROM gold.report_editions"` lists them'
    )


def _gone(settings: Settings, at: datetime | None, error: Exception) -> FinlakeError:
    reason = " ".join(str(error).split())[:160]
    if at is None:
        return ComponentMissing(f"the lake cannot be read ({reason}); see `finlake status`")
    return FinlakeError(
        f"no edition had been made by {at:%Y-%m-%d %H:%M:%S} UTC, and the lake no longer has the"
        f" tables of then ({reason}): replaced files stay {settings.lake_history_minutes} minutes"
        " (FINLAKE_LAKE_HISTORY_MINUTES), editions for ever; leave out --as-of to make one now"
    )


def _typed(contract: Contract, lines: pa.Table) -> pa.Table:
    names = [name for name in contract.column_names if name not in _OWN]
    kinds = pa.schema([contract.lake_schema.field(name) for name in names])
    return lines.select(names).cast(kinds)


def _numbered(contract: Contract, lines: pa.Table, day: date, edition: int) -> pa.Table:
    count = lines.num_rows
    own = (pa.repeat(pa.scalar(day), count), pa.repeat(edition, count), range(1, count + 1))
    columns = [pa.array(list(one)) if isinstance(one, range) else one for one in own]
    whole = pa.Table.from_arrays([*columns, *lines.columns], names=[*_OWN, *lines.column_names])
    return whole.select(contract.column_names).cast(contract.lake_schema)


def _text(lines: pa.Table) -> str:
    """The lines as CSV with a head; times in ISO 8601, UTC, empty values as nothing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(lines.column_names)
    writer.writerows([_plain(value) for value in row] for row in _rows(lines))
    return out.getvalue()


def _rows(lines: pa.Table) -> Sequence[Sequence[Any]]:
    return list(zip(*(column.to_pylist() for column in lines.columns), strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value
