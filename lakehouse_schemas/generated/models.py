"""Rows of the gold tables.

Rendered from the table contracts by `make generate`; do not edit.
"""

import datetime as dt
from decimal import Decimal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Row(BaseModel):
    """What all rows have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AggCardMonth(Row):
    """Sums of transactions per month and card, as additive parts."""

    month_start: dt.date = Field(description='First day of the month of the transactions, UTC.')
    card_id: int = Field(description='Card (dim_card).')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class AggCategoryDay(Row):
    """Sums of transactions per day and merchant category, as additive parts."""

    date: dt.date = Field(description='Day of the transactions, UTC.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class AggCategoryMonth(Row):
    """Sums of transactions per month, category, state and channel, as additive parts."""

    month_start: dt.date = Field(description='First day of the month of the transactions, UTC.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    state: str = Field(description='US state as two letters, the name of the country abroad, or ONLINE.')
    channel: str = Field(description='How the card was used, Swipe, Chip or Online.')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class AggCustomerDay(Row):
    """Sums of transactions per day and customer, as additive parts."""

    date: dt.date = Field(description='Day of the transactions, UTC.')
    user_id: int = Field(description='Customer (dim_user).')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class AggMerchantMonth(Row):
    """Sums of transactions per month and merchant, as additive parts."""

    month_start: dt.date = Field(description='First day of the month of the transactions, UTC.')
    merchant_id: int = Field(description='Number of the merchant.')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class AggMinute(Row):
    """Sums of transactions per minute, as additive parts."""

    minute: AwareDatetime = Field(description='Start of the minute, UTC.')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class AggStateDay(Row):
    """Sums of transactions per day, state and channel, as additive parts."""

    date: dt.date = Field(description='Day of the transactions, UTC.')
    state: str = Field(description='US state as two letters, the name of the country abroad, or ONLINE.')
    channel: str = Field(description='How the card was used, Swipe, Chip or Online.')
    transaction_count: int = Field(description='Number of transactions.')
    amount_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the amounts, US dollars.')
    refund_count: int = Field(description='Number of transactions with a negative amount.')
    refund_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Sum of the negative amounts, US dollars.')
    declined_count: int = Field(description='Number of declined transactions.')
    online_count: int = Field(description='Number of online transactions.')
    labelled_count: int = Field(description='Number of transactions with a fraud label.')
    fraud_count: int = Field(description='Number of transactions labelled as fraud.')


class CustomerAnalytics(Row):
    """What each customer is worth, how the customer behaves and what lending to the customer risks."""

    user_id: int = Field(description='Customer (dim_user).')
    as_of: dt.date = Field(description='Last day that counts, UTC.')
    cohort_month: dt.date | None = Field(default=None, description='First day of the month of the first purchase; empty without one.')
    first_use: dt.date | None = Field(default=None, description='Day of the first purchase.')
    last_use: dt.date | None = Field(default=None, description='Day of the last purchase.')
    purchases: int = Field(description='Purchases ever, without declined ones.')
    spent_total: Decimal = Field(max_digits=18, decimal_places=2, description='All ever spent, net of money back, US dollars.')
    recency_days: int | None = Field(default=None, description='Days from the last purchase to as_of.')
    frequency: int = Field(description='Purchases in the last 365 days.')
    monetary: Decimal = Field(max_digits=18, decimal_places=2, description='Spent in the last 365 days, net of money back, US dollars.')
    r_score: int | None = Field(default=None, description='Fifth of the customers by recency, 5 for the most recent; empty without a purchase.')
    f_score: int | None = Field(default=None, description='Fifth of the customers by frequency, 5 for the most frequent; empty without a purchase.')
    m_score: int | None = Field(default=None, description='Fifth of the customers by what was spent, 5 for the most; empty without a purchase.')
    segment: str = Field(description='Group that follows from the three scores.')
    cluster: int | None = Field(default=None, description='Group found by k-means over recency, frequency and monetary; 1 spends most. Empty without a purchase.')
    value_past: Decimal = Field(max_digits=18, decimal_places=2, description='Margin on all that was ever spent, US dollars.')
    value_future: Decimal = Field(max_digits=18, decimal_places=2, description='Margin to be expected, discounted, US dollars.')
    lifetime_value: Decimal = Field(max_digits=18, decimal_places=2, description='The past and the future value together, US dollars.')
    risk_score: int = Field(description='Credit-risk score, 0 to 1000; higher is safer.')
    risk_band: str = Field(description='Band of the score.')
    reason_1: str | None = Field(default=None, description='What costs the score the most; a code of docs/analytics.md.')
    reason_2: str | None = Field(default=None, description='What costs the score the second most; a code of docs/analytics.md.')
    reason_3: str | None = Field(default=None, description='What costs the score the third most; a code of docs/analytics.md.')
    reason_4: str | None = Field(default=None, description='What costs the score the fourth most; a code of docs/analytics.md.')
    risk_reasons: str = Field(description='The reasons in words, the heaviest first; empty when none weighs.')
    debt_to_income: float | None = Field(default=None, description='Debts over yearly income; empty without an income.')
    utilisation: float | None = Field(default=None, description='Net spending by credit card in the last 30 days over the limits; empty without a credit card.')
    cash_share: float | None = Field(default=None, description="Share of the last 365 days' purchases that was cash or as good as cash.")
    shortage_share: float | None = Field(default=None, description="Share of the last 365 days' attempts that were declined for want of money.")
    made_at: AwareDatetime = Field(description='When the run was made, UTC.')
    transactions_version: int = Field(description='Delta version of fact_transactions that was read.')
    users_version: int = Field(description='Delta version of dim_user that was read; -1 where there was none.')
    cards_version: int = Field(description='Delta version of dim_card that was read; -1 where there was none.')


class CustomerCohorts(Row):
    """How many of the customers who began in a month still buy so many months later."""

    cohort_month: dt.date = Field(description='First day of the month of the first purchase.')
    month_number: int = Field(description='Whole months since then; 0 for the month itself.')
    active_month: dt.date = Field(description='First day of the month that is counted.')
    customers: int = Field(description='Customers who began in that month.')
    active_customers: int = Field(description='Those of them who bought something in the month that is counted.')
    retention: float = Field(description='The one over the other.')
    spent: Decimal = Field(max_digits=18, decimal_places=2, description='What they spent in it, net of money back, US dollars.')
    as_of: dt.date = Field(description='Last day that counts, UTC.')
    made_at: AwareDatetime = Field(description='When the run was made, UTC.')
    transactions_version: int = Field(description='Delta version of fact_transactions that was read.')


class DimCard(Row):
    """Cards as they are now, without the number on the card and its CVV."""

    card_id: int = Field(description='Number of the card within the bank, not the number printed on it.')
    user_id: int = Field(description='Customer who owns the card (dim_user).')
    card_brand: str = Field(description='Brand of the card, for example Visa.')
    card_type: str = Field(description='Kind of card: debit, credit or prepaid debit.')
    expires: str = Field(description='Month in which the card expires, MM/YYYY.')
    has_chip: str = Field(description='YES when the card has a chip, else NO.')
    num_cards_issued: int = Field(description='How many times the card has been issued.')
    credit_limit: Decimal = Field(max_digits=12, decimal_places=2, description='Credit limit in US dollars.')
    acct_open_date: str = Field(description='Month in which the account was opened, MM/YYYY.')
    year_pin_last_changed: int = Field(description='Year in which the PIN was last changed.')
    card_on_dark_web: str = Field(description='Yes when the card was seen for sale by criminals, else No.')
    card_token: str | None = Field(default=None, description='Stands for the card number: its HMAC-SHA-256 in hexadecimal; empty when the source never had the number.')
    card_token_key: str | None = Field(default=None, description='Id of the secret key that made the token.')
    card_last4: str | None = Field(default=None, description='Last four digits of the card number.')


class DimCardHistory(Row):
    """Cards as they were: a version from each change to the next, the time after a deletion included."""

    version_key: str = Field(description='Number, an at sign, and the place in the order of changes where the version begins.')
    card_id: int = Field(description='Number of the card within the bank, not the number printed on it.')
    valid_from: AwareDatetime = Field(description='When the source committed the change that begins the version, UTC.')
    valid_to: AwareDatetime | None = Field(default=None, description='When the next version begins, UTC; empty for the last one.')
    is_current: bool = Field(description='True for the one version that stands now; false when the row is deleted.')
    is_deleted: bool = Field(description='True for the time in which the source has no such row; the attributes are then empty.')
    user_id: int | None = Field(default=None, description='Customer who owns the card (dim_user).')
    card_brand: str | None = Field(default=None, description='Brand of the card, for example Visa.')
    card_type: str | None = Field(default=None, description='Kind of card: debit, credit or prepaid debit.')
    expires: str | None = Field(default=None, description='Month in which the card expires, MM/YYYY.')
    has_chip: str | None = Field(default=None, description='YES when the card has a chip, else NO.')
    num_cards_issued: int | None = Field(default=None, description='How many times the card has been issued.')
    credit_limit: Decimal | None = Field(default=None, max_digits=12, decimal_places=2, description='Credit limit in US dollars.')
    acct_open_date: str | None = Field(default=None, description='Month in which the account was opened, MM/YYYY.')
    year_pin_last_changed: int | None = Field(default=None, description='Year in which the PIN was last changed.')
    card_on_dark_web: str | None = Field(default=None, description='Yes when the card was seen for sale by criminals, else No.')
    card_token: str | None = Field(default=None, description='Stands for the card number: its HMAC-SHA-256 in hexadecimal; empty when the source never had the number.')
    card_token_key: str | None = Field(default=None, description='Id of the secret key that made the token.')
    card_last4: str | None = Field(default=None, description='Last four digits of the card number.')
    changes: str = Field(description='Order tokens and times (microseconds since 1970) of all changes that said the same, for the writer.')


class DimDate(Row):
    """Calendar days from 1990 to 2049."""

    date_key: int = Field(description='Day as yyyymmdd.')
    date: dt.date = Field(description='The day.')
    year: int = Field(description='Year.')
    quarter: int = Field(description='Quarter of the year, 1 to 4.')
    month: int = Field(description='Month, 1 to 12.')
    month_name: str = Field(description='English name of the month.')
    day: int = Field(description='Day of the month, 1 to 31.')
    day_of_week: int = Field(description='Day of the week, 1 for Monday to 7 for Sunday.')
    day_name: str = Field(description='English name of the day of the week.')
    week: int = Field(description='Week of the year by ISO 8601, 1 to 53.')
    is_weekend: bool = Field(description='True on Saturday and Sunday.')


class DimMcc(Row):
    """Merchant categories."""

    mcc: int = Field(description='Merchant category code.')
    description: str = Field(description='Name of the category.')


class DimMerchant(Row):
    """Merchants by place and category, as live transactions name them."""

    merchant_key: int = Field(description='Stable hash of merchant, place and category.')
    merchant_id: int = Field(description='Number of the merchant.')
    merchant_city: str | None = Field(default=None, description='City of the merchant; ONLINE for online transactions.')
    merchant_state: str | None = Field(default=None, description='US state as two letters, or the name of the country abroad; empty for online transactions.')
    zip: str | None = Field(default=None, description='US postal code of the merchant; empty online and abroad.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')


class DimUser(Row):
    """Customers as they are now."""

    user_id: int = Field(description='Number of the customer.')
    current_age: int = Field(description='Age in years.')
    retirement_age: int = Field(description='Age in years at which the customer plans to retire.')
    birth_year: int = Field(description='Year of birth.')
    birth_month: int = Field(description='Month of birth, 1 to 12.')
    gender: str = Field(description='Gender as registered.')
    address: str = Field(description='Street and house number.')
    latitude: Decimal = Field(max_digits=9, decimal_places=6, description='Latitude of the home in degrees, north positive.')
    longitude: Decimal = Field(max_digits=9, decimal_places=6, description='Longitude of the home in degrees, east positive.')
    per_capita_income: Decimal = Field(max_digits=12, decimal_places=2, description='Income per head where the customer lives, US dollars a year.')
    yearly_income: Decimal = Field(max_digits=12, decimal_places=2, description="The customer's own income, US dollars a year.")
    total_debt: Decimal = Field(max_digits=12, decimal_places=2, description='All debts of the customer, US dollars.')
    credit_score: int = Field(description='Credit score, 300 to 850; higher is better.')
    num_credit_cards: int = Field(description='Number of cards the customer holds.')


class DimUserHistory(Row):
    """Customers as they were: a version from each change to the next, the time after a deletion included."""

    version_key: str = Field(description='Number, an at sign, and the place in the order of changes where the version begins.')
    user_id: int = Field(description='Number of the customer.')
    valid_from: AwareDatetime = Field(description='When the source committed the change that begins the version, UTC.')
    valid_to: AwareDatetime | None = Field(default=None, description='When the next version begins, UTC; empty for the last one.')
    is_current: bool = Field(description='True for the one version that stands now; false when the row is deleted.')
    is_deleted: bool = Field(description='True for the time in which the source has no such row; the attributes are then empty.')
    current_age: int | None = Field(default=None, description='Age in years.')
    retirement_age: int | None = Field(default=None, description='Age in years at which the customer plans to retire.')
    birth_year: int | None = Field(default=None, description='Year of birth.')
    birth_month: int | None = Field(default=None, description='Month of birth, 1 to 12.')
    gender: str | None = Field(default=None, description='Gender as registered.')
    address: str | None = Field(default=None, description='Street and house number.')
    latitude: Decimal | None = Field(default=None, max_digits=9, decimal_places=6, description='Latitude of the home in degrees, north positive.')
    longitude: Decimal | None = Field(default=None, max_digits=9, decimal_places=6, description='Longitude of the home in degrees, east positive.')
    per_capita_income: Decimal | None = Field(default=None, max_digits=12, decimal_places=2, description='Income per head where the customer lives, US dollars a year.')
    yearly_income: Decimal | None = Field(default=None, max_digits=12, decimal_places=2, description="The customer's own income, US dollars a year.")
    total_debt: Decimal | None = Field(default=None, max_digits=12, decimal_places=2, description='All debts of the customer, US dollars.')
    credit_score: int | None = Field(default=None, description='Credit score, 300 to 850; higher is better.')
    num_credit_cards: int | None = Field(default=None, description='Number of cards the customer holds.')
    changes: str = Field(description='Order tokens and times (microseconds since 1970) of all changes that said the same, for the writer.')


class FactTransactions(Row):
    """Every live transaction with its keys to the dimensions."""

    transaction_id: int = Field(description='Number of the transaction, rising in booking order.')
    transaction_ts: AwareDatetime = Field(description='When the transaction happened, UTC, to the microsecond.')
    date_key: int = Field(description='Day of the transaction as yyyymmdd, UTC (dim_date).')
    user_id: int = Field(description='Customer (dim_user).')
    card_id: int = Field(description='Card (dim_card).')
    merchant_key: int = Field(description='Merchant at a place (dim_merchant).')
    merchant_id: int = Field(description='Number of the merchant.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    amount: Decimal = Field(max_digits=12, decimal_places=2, description='Amount in US dollars; a negative amount is money back to the customer.')
    channel: str = Field(description='How the card was used: Swipe, Chip or Online.')
    merchant_city: str | None = Field(default=None, description='City of the merchant; ONLINE for online transactions.')
    merchant_state: str | None = Field(default=None, description='US state as two letters, or the name of the country abroad; empty for online transactions.')
    zip: str | None = Field(default=None, description='US postal code of the merchant; empty online and abroad.')
    is_online: bool = Field(description='True for online transactions.')
    is_refund: bool = Field(description='True when the amount is negative.')
    is_declined: bool = Field(description='True when the transaction was declined.')
    errors: str | None = Field(default=None, description='Why the transaction was declined, reasons separated by commas; empty when it went through.')
    is_fraud: bool | None = Field(default=None, description='True for fraud, false for none, empty while nobody has labelled the transaction.')


class Forecasts(Row):
    """What each customer will spend, net of refunds and without declined transactions, by day and month."""

    user_id: int = Field(description='Customer (dim_user).')
    category: str = Field(description='MCC category as four digits (dim_mcc), or all for everything the customer spends.')
    period: str = Field(description='Length of a step.')
    forecast_date: dt.date = Field(description='The day, or the first day of the month, UTC.')
    value: Decimal | None = Field(default=None, max_digits=18, decimal_places=2, description='Expected spending, US dollars.')
    lo95: Decimal | None = Field(default=None, max_digits=18, decimal_places=2, description='Lower end of the 95 % interval, US dollars.')
    hi95: Decimal | None = Field(default=None, max_digits=18, decimal_places=2, description='Upper end of the 95 % interval, US dollars.')
    method: str = Field(description='How it was made; none, zero, constant and too short histories need no model.')
    reason: str = Field(description='Why by that method, in words.')
    backtest_mase: float | None = Field(default=None, description='Mean absolute error of the method in its back-tests over that of the seasonal naive within the history; below 1 is better. Empty without back-test.')
    backtest_coverage: float | None = Field(default=None, description='Share of the last back-test window that lay within an interval made before it; 0.95 is meant. Empty without.')
    history_until: dt.date = Field(description='Last day of the history.')
    made_at: AwareDatetime = Field(description='When the forecast was made, UTC.')
    transactions_version: int = Field(description='Delta version of fact_transactions that was read.')
    users_version: int = Field(description='Delta version of dim_user that was read; -1 where there was none.')


class FraudAlerts(Row):
    """Transactions that a fraud rule holds suspicious."""

    alert_id: str = Field(description='Number of the transaction, a colon, and the rule.')
    transaction_id: int = Field(description='Transaction (fact_transactions).')
    rule: str = Field(description='Rule that raised the alert.')
    severity: str = Field(description='How urgent it is: high, medium or low.')
    reason: str = Field(description='Why the alert was raised, in words for an operator.')
    transaction_ts: AwareDatetime = Field(description='When the transaction happened, UTC, to the microsecond.')
    user_id: int = Field(description='Customer (dim_user).')
    card_id: int = Field(description='Card (dim_card).')
    merchant_id: int = Field(description='Number of the merchant.')
    merchant_city: str | None = Field(default=None, description='City of the merchant; ONLINE for online transactions.')
    merchant_state: str | None = Field(default=None, description='US state as two letters, or the name of the country abroad; empty for online transactions.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    amount: Decimal = Field(max_digits=12, decimal_places=2, description='Amount in US dollars.')
    raised_at: AwareDatetime = Field(description='When the alert was raised, UTC.')


class FraudScores(Row):
    """Scores of the champion and, in shadow, of the challenger."""

    transaction_id: int = Field(description='Transaction (fact_transactions).')
    transaction_ts: AwareDatetime = Field(description='When the transaction happened, UTC, to the microsecond.')
    user_id: int = Field(description='Customer (dim_user).')
    card_id: int = Field(description='Card (dim_card).')
    card_last4: str | None = Field(default=None, description='Last four digits of the card number; empty when the card was not known.')
    merchant_id: int = Field(description='Number of the merchant.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    amount: Decimal = Field(max_digits=12, decimal_places=2, description='Amount in US dollars.')
    score: float | None = Field(default=None, description='Probability of fraud by the champion, 0 to 1; empty when there was none, see note.')
    band: str | None = Field(default=None, description='How high the score is: low, medium, high or critical; high and critical are alerts.')
    is_alert: bool = Field(description="The score is at or above the champion's threshold.")
    reasons: str | None = Field(default=None, description='Of alerts, the features that push the score up, the strongest first, with commas between.')
    model: str | None = Field(default=None, description='Name of the champion in the registry of models.')
    model_version: int | None = Field(default=None, description='Its version there.')
    note: str | None = Field(default=None, description='Why there is no score; empty when there is one.')
    challenger_score: float | None = Field(default=None, description='Probability of fraud by the challenger, which decides nothing.')
    challenger_alert: bool | None = Field(default=None, description="That is at or above the challenger's threshold.")
    challenger_version: int | None = Field(default=None, description='Version of the challenger.')
    scored_at: AwareDatetime = Field(description='When the score was made, UTC.')


class ModelComparison(Row):
    """What champion and challenger said of the same transactions."""

    comparison_id: str = Field(description='Day, version of the champion and version of the challenger, with colons between.')
    date: dt.date = Field(description='Day of the transactions, UTC.')
    champion_version: int = Field(description='Version that decided.')
    challenger_version: int = Field(description='Version that was asked in shadow.')
    transactions: int = Field(description='Transactions that both have scored.')
    labelled: int = Field(description='Of them, those whose label is known.')
    frauds: int = Field(description='Of them, those known to be fraud.')
    champion_alerts: int = Field(description="Transactions at or above the champion's threshold.")
    challenger_alerts: int = Field(description="Transactions at or above the challenger's threshold.")
    champion_caught: int = Field(description="Known frauds among the champion's alerts.")
    challenger_caught: int = Field(description="Known frauds among the challenger's alerts.")
    champion_precision: float | None = Field(default=None, description='Average precision of the champion over the labelled; empty without a known fraud.')
    challenger_precision: float | None = Field(default=None, description='Average precision of the challenger over the labelled; empty without a known fraud.')
    only_champion: int = Field(description='Labelled transactions that the champion alone judged rightly.')
    only_challenger: int = Field(description='Labelled transactions that the challenger alone judged rightly.')
    p_value: float = Field(description="How likely so uneven a split is between equally good models (McNemar's exact test).")
    compared_at: AwareDatetime = Field(description='When it was computed, UTC.')


class ModelDecay(Row):
    """How well a model told the frauds of each week."""

    model_version: int = Field(description='Version of the model in the registry.')
    week_start: dt.date = Field(description='First of the seven days, UTC.')
    transactions: int = Field(description='Number of transactions whose label is known.')
    frauds: int = Field(description='Number of those that are frauds.')
    foretold: float = Field(description="Number of frauds that the model's probabilities add up to.")
    average_precision: float | None = Field(default=None, description='Average precision; empty with too few frauds to tell.')
    average_precision_low: float | None = Field(default=None, description="Lower bound of it, of 90 percent of samples of the week's days.")
    average_precision_high: float | None = Field(default=None, description='Upper bound of it, in the same way.')
    average_precision_trained: float = Field(description='Average precision on the test of the training.')
    level: str = Field(description='How bad it is: ok, warn or alarm.')
    measured_at: AwareDatetime = Field(description='When it was measured, UTC.')


class ModelDecisions(Row):
    """Every decision about which model serves."""

    decided_at: AwareDatetime = Field(description='When it was decided, UTC.')
    action: str = Field(description='What was asked for: promote, force, rollback or retrain.')
    model_version: int = Field(description='Version of the model in the registry.')
    champion_version: int | None = Field(default=None, description='Version that was champion before; empty when there was none.')
    promoted: bool = Field(description='Whether the version became champion by it.')
    reason: str = Field(description='Why it was decided so, in one line.')
    checks: str = Field(description='Checks of the gate with verdict, reason and figures, as a JSON array.')


class ModelDrift(Row):
    """How far each feature of a model, and its score, have moved since its training."""

    model_version: int = Field(description='Version of the model in the registry.')
    feature: str = Field(description="Feature, or score for the model's own answers.")
    window_start: dt.date = Field(description='First day of the window that was compared, UTC.')
    window_end: dt.date = Field(description='Last day of the window, UTC.')
    reference_rows: int = Field(description="Number of transactions of the training's days that were compared.")
    window_rows: int = Field(description='Number of transactions of the window that were compared.')
    psi: float = Field(description="Population stability index over bins of the training's values.")
    ks: float = Field(description='Largest difference between the two distribution functions (Kolmogorov, Smirnov).')
    level: str = Field(description='How bad it is: ok, warn or alarm.')
    measured_at: AwareDatetime = Field(description='When it was measured, UTC.')


class ModelVersions(Row):
    """Versions of the model that scores transactions, and what each of them was when."""

    model_version: int = Field(description='Version of the model in the registry.')
    role: str = Field(description='What it is from then on: champion, challenger, previous (the champion before) or none.')
    registered_at: AwareDatetime = Field(description='When it came into the registry, UTC.')
    kind: str | None = Field(default=None, description='Kind of the model, such as lightgbm; empty when it does not load, see note.')
    recipe: str | None = Field(default=None, description='How it was learnt.')
    features: int | None = Field(default=None, description='Number of features that it looks at.')
    trained_from: dt.date | None = Field(default=None, description='First day that it has learnt from, UTC.')
    trained_until: dt.date | None = Field(default=None, description='Last day that it has learnt from, UTC.')
    tested_from: dt.date | None = Field(default=None, description='First day of the test of its training, UTC.')
    tested_until: dt.date | None = Field(default=None, description='Last day of that test, UTC.')
    rows_trained: int | None = Field(default=None, description='Number of labelled transactions that it has learnt from; empty when that was not logged.')
    threshold: float | None = Field(default=None, description='Probability of fraud from which on it raises an alarm; empty when it never does.')
    metrics: str | None = Field(default=None, description='Metrics of that test as a JSON object: for each its value and, where logged, low and high, which hold the middle 90 percent of samples of days.')
    sha256: str | None = Field(default=None, description='Digest of its files.')
    code_commit: str | None = Field(default=None, description='Commit of the code that it was trained by.')
    note: str | None = Field(default=None, description='Why nothing more is known; empty otherwise.')
    measured_at: AwareDatetime = Field(description='When that was noted, UTC.')


class PipelineBatches(Row):
    """What each micro-batch did with the changes of each table."""

    batch_id: int = Field(description='Micro-batch.')
    table_name: str = Field(description='Source table.')
    events: int = Field(description='Number of changes that the batch appended to bronze.')
    applied: int = Field(description='Number of changes that are the state of their row at the end of the batch.')
    superseded: int = Field(description='Number of changes that a later one had overtaken.')
    quarantined: int = Field(description='Number of changes set aside in the dead letters.')
    started_at: AwareDatetime = Field(description='When the batch began, UTC.')
    duration_ms: float = Field(description='How long the batch took, milliseconds.')
    ends: str = Field(description='Next Kafka offset of each partition of the table, as a JSON object.')


class PipelineFreshness(Row):
    """Time from the commit at the source to the moment a reader can see the change."""

    measured_at: AwareDatetime = Field(description='End of the micro-batch, UTC.')
    batch_id: int = Field(description='Micro-batch that was measured.')
    table_name: str = Field(description='Source table whose changes were measured, or finlake_heartbeat.')
    hop: str = Field(description='Where the change can be seen from: kafka, bronze, silver, gold or alert.')
    events: int = Field(description='Number of changes measured.')
    p50_ms: float = Field(description='Time that half of the changes stayed below, milliseconds.')
    p95_ms: float = Field(description='Time that 95 of 100 changes stayed below, milliseconds.')
    max_ms: float = Field(description='Longest time, milliseconds.')


class PipelineStatus(Row):
    """Whether the changes of each source table flow."""

    table_name: str = Field(description='Source table.')
    state: str = Field(description='Whether its changes flow: running or stopped.')
    since: AwareDatetime = Field(description='Since when it is so, UTC.')
    reason: str | None = Field(default=None, description='Why the table has stopped; empty while it runs.')
    next_step: str | None = Field(default=None, description='What to do about it; empty while it runs.')


class ReportDailyTotals(Row):
    """Lines of the daily totals, every edition."""

    report_date: dt.date = Field(description='Day that is reported, UTC.')
    edition: int = Field(description='Number of the edition: a new one when the same report of the same day came out different.')
    line: int = Field(description='Number of the line.')
    channel: str = Field(description='How the card was used: Swipe, Chip or Online; all for the whole day.')
    transactions: int = Field(description='Transactions, declined ones included.')
    customers: int = Field(description='Customers with a transaction.')
    purchase_count: int = Field(description='Purchases, without declined ones.')
    purchase_sum: Decimal = Field(max_digits=18, decimal_places=2, description='What they come to, US dollars.')
    money_back_count: int = Field(description='Money back to customers, without declined ones.')
    money_back_sum: Decimal = Field(max_digits=18, decimal_places=2, description='What it comes to, US dollars; not above nought.')
    declined_count: int = Field(description='Declined transactions.')
    declined_sum: Decimal = Field(max_digits=18, decimal_places=2, description='What they would have come to, US dollars.')
    largest: Decimal | None = Field(default=None, max_digits=12, decimal_places=2, description='Largest single amount that was not declined, US dollars.')


class ReportEditions(Row):
    """Every edition of every regulatory report, word for word."""

    report: str = Field(description='Which report it is.')
    report_date: dt.date = Field(description='Day that is reported, UTC.')
    edition: int = Field(description='Number of the edition: a new one when the same report of the same day came out different.')
    made_at: AwareDatetime = Field(description='When the run was made, UTC.')
    transactions_version: int = Field(description='Delta version of fact_transactions that was read.')
    alerts_version: int = Field(description='Delta version of fraud_alerts that was read; -1 where there was none or it was not needed.')
    threshold_usd: Decimal | None = Field(default=None, max_digits=12, decimal_places=2, description='Threshold of the large-transaction report, US dollars; empty for the others.')
    lines: int = Field(description='Lines without the head.')
    sha256: str = Field(description='SHA-256 of the text, hexadecimal.')
    content: str = Field(description='The report as CSV.')


class ReportLargeTransactions(Row):
    """Lines of the large-transaction report, every edition."""

    report_date: dt.date = Field(description='Day that is reported, UTC.')
    edition: int = Field(description='Number of the edition: a new one when the same report of the same day came out different.')
    line: int = Field(description='Number of the line.')
    transaction_id: int = Field(description='Transaction (fact_transactions).')
    transaction_ts: AwareDatetime = Field(description='When the transaction happened, UTC, to the microsecond.')
    user_id: int = Field(description='Customer (dim_user).')
    card_id: int = Field(description='Card (dim_card).')
    merchant_id: int = Field(description='Number of the merchant.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    amount: Decimal = Field(max_digits=12, decimal_places=2, description='Amount in US dollars.')
    customer_day_sum: Decimal = Field(max_digits=18, decimal_places=2, description='Purchases of the customer on that day together, US dollars.')
    why: str = Field(description="Alone when the amount itself reaches the threshold, together when the day's sum does.")


class ReportSuspiciousActivity(Row):
    """Lines of the suspicious-activity report, every edition."""

    report_date: dt.date = Field(description='Day that is reported, UTC.')
    edition: int = Field(description='Number of the edition: a new one when the same report of the same day came out different.')
    line: int = Field(description='Number of the line.')
    alert_id: str = Field(description='Number of the transaction, a colon, and the rule.')
    transaction_id: int = Field(description='Transaction (fact_transactions).')
    transaction_ts: AwareDatetime = Field(description='When the transaction happened, UTC, to the microsecond.')
    user_id: int = Field(description='Customer (dim_user).')
    card_id: int = Field(description='Card (dim_card).')
    merchant_id: int = Field(description='Number of the merchant.')
    mcc: int = Field(description='Merchant category code (dim_mcc).')
    amount: Decimal = Field(max_digits=12, decimal_places=2, description='Amount in US dollars.')
    rule: str = Field(description='Rule that raised the alert.')
    severity: str = Field(description='How urgent it is: high, medium or low.')
    is_fraud: bool | None = Field(default=None, description='Whether it was confirmed as fraud when the edition was made; empty when nobody had said.')
    reason: str = Field(description='Why the alert was raised, in words.')
