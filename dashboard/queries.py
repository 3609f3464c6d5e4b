"""Every SQL statement of the dashboard (DuckDB dialect), as text and parameters.

The ``agg_*`` tables hold additive partials: several rows per key, so every reading sums.
Buckets are whole numbers counted from ``Period.origin``; the caller turns them into times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from dashboard.period import Period

__all__ = [
    "MEASURES",
    "Filters",
    "Sql",
    "alert_feed",
    "alert_rules",
    "alert_timeline",
    "batch_totals",
    "by_category",
    "by_channel",
    "card_kinds",
    "cards",
    "customer_cards",
    "customer_days",
    "customer_forecast",
    "customer_forecast_categories",
    "customer_transactions",
    "customers",
    "extent",
    "freshness_now",
    "freshness_timeline",
    "merchants",
    "newest_measurement",
    "states",
    "table_status",
    "timeline",
    "volume_by_state",
]

MEASURES = ("transaction_count", "amount_sum", "declined_count", "labelled_count", "fraud_count")
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)
_OVER_FACTS = """count(*) AS transaction_count,
       sum(f.amount) AS amount_sum,
       count(*) FILTER (WHERE f.is_declined) AS declined_count,
       count(f.is_fraud) AS labelled_count,
       count(*) FILTER (WHERE f.is_fraud) AS fraud_count"""
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Sql:
    """One statement and the values of its question marks, in order."""

    text: str
    params: tuple[object, ...] = ()


@dataclass(frozen=True)
class Filters:
    """What the reader narrows down to; empty means no narrowing.

    ``severities`` and ``rules`` narrow alerts alone; the others narrow transactions and alerts.
    State ``ONLINE`` stands for transactions without a state.
    """

    channels: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    customer: int | None = None
    severities: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def narrow_transactions(self) -> bool:
        """Whether the aggregates by time alone can no longer answer."""
        return bool(self.channels or self.states or self.customer is not None)


class _Where:
    """Conditions joined by AND, with their values."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.params: list[object] = []

    def add(self, condition: str, *params: object) -> None:
        self._conditions.append(condition)
        self.params.extend(params)

    def one_of(self, expression: str, values: tuple[str, ...]) -> None:
        if values:
            self.add(_in(expression, values), *values)

    def in_state(self, column: str, states: tuple[str, ...]) -> None:
        # Not of coalesce(): a condition on the column itself is looked at while files are read.
        named = tuple(state for state in states if state != "ONLINE")
        either = [_in(column, named)] if named else []
        if "ONLINE" in states:
            either.append(f"{column} IS NULL")
        if either:
            self.add(f"({' OR '.join(either)})", *named)

    def between(self, column: str, start: datetime, end: datetime) -> None:
        self.add(f"{column} >= ? AND {column} < ?", start, end)

    def __str__(self) -> str:
        return " AND ".join(self._conditions) or "true"


def _in(expression: str, values: tuple[str, ...]) -> str:
    return f"{expression} IN ({', '.join('?' * len(values))})"


def _of_facts(filters: Filters, bounds: tuple[datetime, datetime] | None) -> _Where:
    where = _Where()
    if bounds:
        where.between("f.transaction_ts", *bounds)
    where.one_of("f.channel", filters.channels)
    where.in_state("f.merchant_state", filters.states)
    if filters.customer is not None:
        where.add("f.user_id = ?", filters.customer)
    return where


def _of_days(filters: Filters) -> _Where:
    where = _Where()
    where.one_of("channel", filters.channels)
    where.one_of("state", filters.states)
    return where


def _of_alerts(filters: Filters, start: datetime, end: datetime) -> _Where:
    where = _Where()
    where.between("a.transaction_ts", start, end)
    where.one_of("a.severity", filters.severities)
    where.one_of("a.rule", filters.rules)
    where.in_state("a.merchant_state", filters.states)
    if filters.customer is not None:
        where.add("a.user_id = ?", filters.customer)
    if filters.channels:  # alerts do not say the channel
        facts = _of_facts(Filters(channels=filters.channels), (start, end))
        where.add(
            f"a.transaction_id IN (SELECT f.transaction_id FROM gold.fact_transactions f"
            f" WHERE {facts})",
            *facts.params,
        )
    return where


def _bucket(column: str, period: Period) -> tuple[str, tuple[object, ...]]:
    epoch = datetime.fromtimestamp(0, tz=period.origin.tzinfo)
    origin = (period.origin - epoch) // _MICROSECOND
    return f"(epoch_us({column}) - ?) // ?", (origin, period.step // _MICROSECOND)


def extent() -> Sql:
    """First and last minute with transactions; both NULL on an empty lake."""
    return Sql(
        "SELECT min(minute) AS oldest, max(minute) AS newest"
        " FROM gold.agg_minute WHERE transaction_count > 0"
    )


def timeline(period: Period, filters: Filters) -> Sql:
    """Measures per bucket of the period and of the stretch before it."""
    years = period.step >= timedelta(days=1)  # whose days are far fewer than their minutes
    if filters.customer is not None or (filters.narrow_transactions and not years):
        bucket, values = _bucket("f.transaction_ts", period)
        where = _of_facts(filters, (period.origin, period.end))
        measures, table = _OVER_FACTS, "gold.fact_transactions f"
    elif years:
        bucket, values = _bucket("CAST(date AS TIMESTAMP)", period)
        where = _of_days(filters)
        where.add("date >= ? AND date <= ?", period.origin.date(), period.end.date())
        measures, table = _SUMS, "gold.agg_state_day"
    else:
        bucket, values = _bucket("minute", period)
        where = _Where()
        where.between("minute", period.origin, period.end)
        measures, table = _SUMS, "gold.agg_minute"
    return Sql(
        f"SELECT {bucket} AS bucket, {measures} FROM {table} WHERE {where} GROUP BY 1 ORDER BY 1",
        (*values, *where.params),
    )


def alert_timeline(period: Period, filters: Filters) -> Sql:
    """Alerts per bucket of the period and of the stretch before it; high ones apart too."""
    bucket, values = _bucket("a.transaction_ts", period)
    where = _of_alerts(filters, period.origin, period.end)
    return Sql(
        f"SELECT {bucket} AS bucket, count(*) AS alerts,"
        " count(*) FILTER (WHERE a.severity = 'high') AS high"
        f" FROM gold.fraud_alerts a WHERE {where} GROUP BY 1 ORDER BY 1",
        (*values, *where.params),
    )


def by_category(period: Period, filters: Filters, *, everything: bool) -> Sql:
    """Measures per merchant category, largest volume first.

    ``everything`` says that the period spans all data, so that an aggregate can answer.
    """
    if everything and filters.customer is None:
        where = _of_days(filters)
        table = "agg_category_month" if filters.narrow_transactions else "agg_category_day"
        inner = f"SELECT mcc, {_SUMS} FROM gold.{table} WHERE {where} GROUP BY mcc"
        params = tuple(where.params)
    else:
        where = _of_facts(filters, None if everything else (period.start, period.end))
        inner = (
            f"SELECT f.mcc, {_OVER_FACTS} FROM gold.fact_transactions f WHERE {where} GROUP BY 1"
        )
        params = tuple(where.params)
    return Sql(
        "SELECT coalesce(m.description, 'Category ' || t.mcc) AS category,"
        f" {', '.join(f't.{name}' for name in MEASURES)}"
        f" FROM ({inner}) t LEFT JOIN gold.dim_mcc m ON m.mcc = t.mcc"
        " WHERE t.transaction_count > 0 ORDER BY t.amount_sum DESC, category",
        params,
    )


def by_channel(period: Period, filters: Filters, *, everything: bool) -> Sql:
    """Measures per channel, largest volume first; ``everything`` as in :func:`by_category`."""
    if everything and filters.customer is None:
        where, measures = _of_days(filters), _SUMS
        table, some = "gold.agg_state_day", " HAVING sum(transaction_count) > 0"
    else:
        bounds = None if everything else (period.start, period.end)
        where, measures = _of_facts(filters, bounds), _OVER_FACTS
        table, some = "gold.fact_transactions f", ""
    return Sql(
        f"SELECT channel, {measures} FROM {table} WHERE {where}"
        f" GROUP BY 1{some} ORDER BY amount_sum DESC, channel",
        tuple(where.params),
    )


def alert_feed(start: datetime, end: datetime, filters: Filters, limit: int) -> Sql:
    """The newest alerts of ``[start, end)``, with what an operator may see of card and category."""
    where = _of_alerts(filters, start, end)
    return Sql(
        "SELECT a.alert_id, a.transaction_id, a.transaction_ts, a.raised_at, a.rule, a.severity,"
        " a.reason, a.user_id, a.amount, a.merchant_city, a.merchant_state,"
        " c.card_last4, c.card_brand, m.description AS category"
        " FROM gold.fraud_alerts a"
        " LEFT JOIN gold.dim_card c ON c.card_id = a.card_id"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = a.mcc"
        f" WHERE {where} ORDER BY a.transaction_ts DESC, a.raised_at DESC, a.alert_id LIMIT ?",
        (*where.params, limit),
    )


def states() -> Sql:
    """States and countries that have transactions, busiest first; ``ONLINE`` is none."""
    return Sql(
        "SELECT state FROM gold.agg_state_day GROUP BY state"
        " HAVING sum(transaction_count) > 0 ORDER BY sum(transaction_count) DESC, state"
    )


def alert_rules() -> Sql:
    """Rules that ever raised an alert."""
    return Sql("SELECT DISTINCT rule FROM gold.fraud_alerts ORDER BY rule")


_WEIGHTED = """sum(events) AS events,
       sum(p50_ms * events) / sum(events) AS p50_ms,
       sum(p95_ms * events) / sum(events) AS p95_ms,
       max(max_ms) AS max_ms"""


def newest_measurement() -> Sql:
    """When the pipeline last finished a batch; NULL before the first."""
    return Sql("SELECT max(measured_at) AS newest FROM gold.pipeline_freshness")


def freshness_now(since: datetime) -> Sql:
    """Freshness per table and hop of the batches that ended since then.

    Percentiles of batches cannot be joined exactly: they are averaged, weighted by changes.
    """
    return Sql(
        f"SELECT table_name, hop, {_WEIGHTED} FROM gold.pipeline_freshness"
        " WHERE measured_at >= ? AND events > 0 GROUP BY ALL ORDER BY table_name, hop",
        (since,),
    )


def freshness_timeline(since: datetime, step: timedelta) -> Sql:
    """Freshness per hop over all tables, in steps from ``since`` on; ``bucket`` counts steps."""
    epoch = datetime.fromtimestamp(0, tz=since.tzinfo)
    return Sql(
        f"SELECT (epoch_us(measured_at) - ?) // ? AS bucket, hop, {_WEIGHTED}"
        " FROM gold.pipeline_freshness WHERE measured_at >= ? AND events > 0"
        " GROUP BY ALL ORDER BY bucket, hop",
        ((since - epoch) // _MICROSECOND, step // _MICROSECOND, since),
    )


def table_status() -> Sql:
    """The last known state of each source table, stopped ones first."""
    return Sql(
        "SELECT table_name, state, since, reason, next_step FROM gold.pipeline_status"
        " QUALIFY row_number() OVER (PARTITION BY table_name ORDER BY since DESC) = 1"
        " ORDER BY state = 'running', table_name"
    )


def batch_totals(since: datetime) -> Sql:
    """What became of the changes since then, per table: applied, superseded, quarantined."""
    return Sql(
        "SELECT table_name, sum(events) AS events, sum(applied) AS applied,"
        " sum(superseded) AS superseded, sum(quarantined) AS quarantined,"
        " count(DISTINCT batch_id) AS batches, avg(duration_ms) AS duration_ms,"
        " max(started_at) AS last_started"
        " FROM gold.pipeline_batches WHERE started_at >= ?"
        " GROUP BY table_name"
        # What only serves the pipeline itself, as heartbeats do, has no changes to account for.
        " HAVING sum(events) > 0 OR sum(applied) > 0 ORDER BY table_name",
        (since,),
    )


def customers(since: date, limit: int) -> Sql:
    """Customers by volume since that day."""
    return Sql(
        f"SELECT t.*, coalesce(a.alerts, 0) AS alerts FROM"
        f" (SELECT user_id, {_SUMS} FROM gold.agg_customer_day WHERE date >= ? GROUP BY user_id) t"
        f" LEFT JOIN ({_alerts_by('user_id')}) a ON a.user_id = t.user_id"
        " WHERE t.transaction_count > 0 ORDER BY t.amount_sum DESC, t.user_id LIMIT ?",
        (since, _midnight(since), limit),
    )


def customer_days(customer: int, since: date) -> Sql:
    """One customer's measures per day since that day."""
    return Sql(
        f"SELECT date, {_SUMS} FROM gold.agg_customer_day WHERE user_id = ? AND date >= ?"
        " GROUP BY date ORDER BY date",
        (customer, since),
    )


def customer_forecast(customer: int, period: str) -> Sql:
    """What the customer will spend in all, by ``day`` or ``month``, with its 95 % interval."""
    return Sql(
        "SELECT forecast_date, value, lo95, hi95, reason, backtest_coverage, history_until"
        " FROM gold.forecasts WHERE user_id = ? AND category = 'all' AND period = ?"
        " ORDER BY forecast_date",
        (customer, period),
    )


def customer_forecast_categories(customer: int, limit: int) -> Sql:
    """What of the days that are forecast goes to which category, the largest first."""
    return Sql(
        "SELECT coalesce(m.description, 'Category ' || f.category) AS category, f.value"
        " FROM (SELECT category, sum(value) AS value FROM gold.forecasts"
        " WHERE user_id = ? AND category <> 'all' AND period = 'day' GROUP BY category) f"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = CAST(f.category AS INTEGER)"
        " WHERE f.value > 0 ORDER BY f.value DESC, category LIMIT ?",
        (customer, limit),
    )


def customer_cards(customer: int) -> Sql:
    """One customer's cards, by what may be shown of them."""
    return Sql(
        "SELECT card_last4, card_brand, card_type, has_chip, expires FROM gold.dim_card"
        " WHERE user_id = ? ORDER BY card_id",
        (customer,),
    )


def customer_transactions(customer: int, limit: int) -> Sql:
    """One customer's newest transactions."""
    return Sql(
        "SELECT f.transaction_ts, f.amount, f.channel, f.merchant_city, f.merchant_state, f.errors,"
        " f.is_fraud, c.card_last4, m.description AS category"
        # Limited before it is joined: only then are files without newer rows left out.
        " FROM (SELECT * FROM gold.fact_transactions WHERE user_id = ?"
        " ORDER BY transaction_ts DESC, transaction_id DESC LIMIT ?) f"
        " LEFT JOIN gold.dim_card c ON c.card_id = f.card_id"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = f.mcc"
        " ORDER BY f.transaction_ts DESC, f.transaction_id DESC",
        (customer, limit),
    )


def cards(since: date, limit: int) -> Sql:
    """Cards with the most alerts since that day, then by volume."""
    sums = _since("card_id", since)
    return Sql(
        "SELECT c.card_last4, c.card_brand, c.card_type, c.user_id, t.*,"
        f" coalesce(a.alerts, 0) AS alerts FROM ({sums.text}) t"
        f" LEFT JOIN ({_alerts_by('card_id')}) a ON a.card_id = t.card_id"
        " LEFT JOIN gold.dim_card c ON c.card_id = t.card_id"
        " ORDER BY alerts DESC, t.amount_sum DESC, t.card_id LIMIT ?",
        (*sums.params, _midnight(since), limit),
    )


def card_kinds(since: date) -> Sql:
    """Measures per brand and type of card since that day, largest volume first."""
    sums = _since("card_id", since)
    return Sql(
        "SELECT coalesce(c.card_brand || ' ' || lower(c.card_type), 'Unknown card') AS kind,"
        f" {_SUMS} FROM ({sums.text}) t LEFT JOIN gold.dim_card c ON c.card_id = t.card_id"
        " GROUP BY 1 ORDER BY amount_sum DESC, kind",
        sums.params,
    )


def merchants(since: date, limit: int) -> Sql:
    """Merchants by volume since that day; one with several places shows one of them."""
    sums = _since("merchant_id", since)
    return Sql(
        "SELECT t.*, d.merchant_city, d.merchant_state, d.places, m.description AS category"
        # The few are found before places are looked up.
        f" FROM ({sums.text} ORDER BY amount_sum DESC, merchant_id LIMIT ?) t"
        " LEFT JOIN (SELECT merchant_id, count(*) AS places, min(merchant_city) AS merchant_city,"
        " arg_min(merchant_state, merchant_city) AS merchant_state, min(mcc) AS mcc"
        " FROM gold.dim_merchant GROUP BY merchant_id) d ON d.merchant_id = t.merchant_id"
        " LEFT JOIN gold.dim_mcc m ON m.mcc = d.mcc"
        " ORDER BY t.amount_sum DESC, t.merchant_id",
        (*sums.params, limit),
    )


def volume_by_state(since: date) -> Sql:
    """Measures per state or country since that day, largest volume first."""
    return Sql(
        f"SELECT CASE state WHEN 'ONLINE' THEN 'Online' ELSE state END AS state, {_SUMS}"
        " FROM gold.agg_state_day WHERE date >= ? GROUP BY ALL"
        " HAVING sum(transaction_count) > 0 ORDER BY amount_sum DESC, state",
        (since,),
    )


def _since(key: str, day: date) -> Sql:
    """Measures per card or merchant since that day: whole months, and the days before them."""
    entity = key.removesuffix("_id")
    whole = day if day.day == 1 else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return Sql(
        f"SELECT {key}, {_SUMS} FROM ("
        f"SELECT {key}, {', '.join(MEASURES)} FROM gold.agg_{entity}_month WHERE month_start >= ?"
        f" UNION ALL SELECT f.{key}, {_OVER_FACTS} FROM gold.fact_transactions f"
        f" WHERE f.transaction_ts >= ? AND f.transaction_ts < ? GROUP BY f.{key}"
        f") GROUP BY {key} HAVING sum(transaction_count) > 0",
        (whole, _midnight(day), _midnight(whole)),
    )


def _alerts_by(column: str) -> str:
    return (
        f"SELECT {column}, count(*) AS alerts FROM gold.fraud_alerts"
        f" WHERE transaction_ts >= ? GROUP BY {column}"
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
