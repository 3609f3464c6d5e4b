-- Rendered from the table contracts by `make generate`; do not edit.

CREATE TABLE IF NOT EXISTS gold.agg_card_month (
  `month_start` DATE COMMENT 'First day of the month of the transactions, UTC.',
  `card_id` INT COMMENT 'Card (dim_card).',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per month and card, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.agg_category_day (
  `date` DATE COMMENT 'Day of the transactions, UTC.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per day and merchant category, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.agg_category_month (
  `month_start` DATE COMMENT 'First day of the month of the transactions, UTC.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `state` STRING COMMENT 'US state as two letters, the name of the country abroad, or ONLINE.',
  `channel` STRING COMMENT 'How the card was used, Swipe, Chip or Online.',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per month, category, state and channel, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.agg_customer_day (
  `date` DATE COMMENT 'Day of the transactions, UTC.',
  `user_id` INT COMMENT 'Customer (dim_user).',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per day and customer, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.agg_merchant_month (
  `month_start` DATE COMMENT 'First day of the month of the transactions, UTC.',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per month and merchant, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.agg_minute (
  `minute` TIMESTAMP COMMENT 'Start of the minute, UTC.',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per minute, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.agg_state_day (
  `date` DATE COMMENT 'Day of the transactions, UTC.',
  `state` STRING COMMENT 'US state as two letters, the name of the country abroad, or ONLINE.',
  `channel` STRING COMMENT 'How the card was used, Swipe, Chip or Online.',
  `transaction_count` BIGINT COMMENT 'Number of transactions.',
  `amount_sum` DECIMAL(18,2) COMMENT 'Sum of the amounts, US dollars.',
  `refund_count` BIGINT COMMENT 'Number of transactions with a negative amount.',
  `refund_sum` DECIMAL(18,2) COMMENT 'Sum of the negative amounts, US dollars.',
  `declined_count` BIGINT COMMENT 'Number of declined transactions.',
  `online_count` BIGINT COMMENT 'Number of online transactions.',
  `labelled_count` BIGINT COMMENT 'Number of transactions with a fraud label.',
  `fraud_count` BIGINT COMMENT 'Number of transactions labelled as fraud.'
)
USING DELTA
COMMENT 'Sums of transactions per day, state and channel, as additive parts.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.customer_analytics (
  `user_id` INT COMMENT 'Customer (dim_user).',
  `as_of` DATE COMMENT 'Last day that counts, UTC.',
  `cohort_month` DATE COMMENT 'First day of the month of the first purchase; empty without one.',
  `first_use` DATE COMMENT 'Day of the first purchase.',
  `last_use` DATE COMMENT 'Day of the last purchase.',
  `purchases` BIGINT COMMENT 'Purchases ever, without declined ones.',
  `spent_total` DECIMAL(18,2) COMMENT 'All ever spent, net of money back, US dollars.',
  `recency_days` INT COMMENT 'Days from the last purchase to as_of.',
  `frequency` INT COMMENT 'Purchases in the last 365 days.',
  `monetary` DECIMAL(18,2) COMMENT 'Spent in the last 365 days, net of money back, US dollars.',
  `r_score` INT COMMENT 'Fifth of the customers by recency, 5 for the most recent; empty without a purchase.',
  `f_score` INT COMMENT 'Fifth of the customers by frequency, 5 for the most frequent; empty without a purchase.',
  `m_score` INT COMMENT 'Fifth of the customers by what was spent, 5 for the most; empty without a purchase.',
  `segment` STRING COMMENT 'Group that follows from the three scores.',
  `cluster` INT COMMENT 'Group found by k-means over recency, frequency and monetary; 1 spends most. Empty without a purchase.',
  `value_past` DECIMAL(18,2) COMMENT 'Margin on all that was ever spent, US dollars.',
  `value_future` DECIMAL(18,2) COMMENT 'Margin to be expected, discounted, US dollars.',
  `lifetime_value` DECIMAL(18,2) COMMENT 'The past and the future value together, US dollars.',
  `risk_score` INT COMMENT 'Credit-risk score, 0 to 1000; higher is safer.',
  `risk_band` STRING COMMENT 'Band of the score.',
  `reason_1` STRING COMMENT 'What costs the score the most; a code of docs/analytics.md.',
  `reason_2` STRING COMMENT 'What costs the score the second most; a code of docs/analytics.md.',
  `reason_3` STRING COMMENT 'What costs the score the third most; a code of docs/analytics.md.',
  `reason_4` STRING COMMENT 'What costs the score the fourth most; a code of docs/analytics.md.',
  `risk_reasons` STRING COMMENT 'The reasons in words, the heaviest first; empty when none weighs.',
  `debt_to_income` DOUBLE COMMENT 'Debts over yearly income; empty without an income.',
  `utilisation` DOUBLE COMMENT 'Net spending by credit card in the last 30 days over the limits; empty without a credit card.',
  `cash_share` DOUBLE COMMENT 'Share of the last 365 days\' purchases that was cash or as good as cash.',
  `shortage_share` DOUBLE COMMENT 'Share of the last 365 days\' attempts that were declined for want of money.',
  `made_at` TIMESTAMP COMMENT 'When the run was made, UTC.',
  `transactions_version` BIGINT COMMENT 'Delta version of fact_transactions that was read.',
  `users_version` BIGINT COMMENT 'Delta version of dim_user that was read; -1 where there was none.',
  `cards_version` BIGINT COMMENT 'Delta version of dim_card that was read; -1 where there was none.'
)
USING DELTA
COMMENT 'What each customer is worth, how the customer behaves and what lending to the customer risks.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.customer_cohorts (
  `cohort_month` DATE COMMENT 'First day of the month of the first purchase.',
  `month_number` INT COMMENT 'Whole months since then; 0 for the month itself.',
  `active_month` DATE COMMENT 'First day of the month that is counted.',
  `customers` BIGINT COMMENT 'Customers who began in that month.',
  `active_customers` BIGINT COMMENT 'Those of them who bought something in the month that is counted.',
  `retention` DOUBLE COMMENT 'The one over the other.',
  `spent` DECIMAL(18,2) COMMENT 'What they spent in it, net of money back, US dollars.',
  `as_of` DATE COMMENT 'Last day that counts, UTC.',
  `made_at` TIMESTAMP COMMENT 'When the run was made, UTC.',
  `transactions_version` BIGINT COMMENT 'Delta version of fact_transactions that was read.'
)
USING DELTA
COMMENT 'How many of the customers who began in a month still buy so many months later.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_card (
  `card_id` INT COMMENT 'Number of the card within the bank, not the number printed on it.',
  `user_id` INT COMMENT 'Customer who owns the card (dim_user).',
  `card_brand` STRING COMMENT 'Brand of the card, for example Visa.',
  `card_type` STRING COMMENT 'Kind of card: debit, credit or prepaid debit.',
  `expires` STRING COMMENT 'Month in which the card expires, MM/YYYY.',
  `has_chip` STRING COMMENT 'YES when the card has a chip, else NO.',
  `num_cards_issued` INT COMMENT 'How many times the card has been issued.',
  `credit_limit` DECIMAL(12,2) COMMENT 'Credit limit in US dollars.',
  `acct_open_date` STRING COMMENT 'Month in which the account was opened, MM/YYYY.',
  `year_pin_last_changed` INT COMMENT 'Year in which the PIN was last changed.',
  `card_on_dark_web` STRING COMMENT 'Yes when the card was seen for sale by criminals, else No.',
  `card_token` STRING COMMENT 'Stands for the card number: its HMAC-SHA-256 in hexadecimal; empty when the source never had the number.',
  `card_token_key` STRING COMMENT 'Id of the secret key that made the token.',
  `card_last4` STRING COMMENT 'Last four digits of the card number.'
)
USING DELTA
COMMENT 'Cards as they are now, without the number on the card and its CVV.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_card_history (
  `version_key` STRING COMMENT 'Number, an at sign, and the place in the order of changes where the version begins.',
  `card_id` INT COMMENT 'Number of the card within the bank, not the number printed on it.',
  `valid_from` TIMESTAMP COMMENT 'When the source committed the change that begins the version, UTC.',
  `valid_to` TIMESTAMP COMMENT 'When the next version begins, UTC; empty for the last one.',
  `is_current` BOOLEAN COMMENT 'True for the one version that stands now; false when the row is deleted.',
  `is_deleted` BOOLEAN COMMENT 'True for the time in which the source has no such row; the attributes are then empty.',
  `user_id` INT COMMENT 'Customer who owns the card (dim_user).',
  `card_brand` STRING COMMENT 'Brand of the card, for example Visa.',
  `card_type` STRING COMMENT 'Kind of card: debit, credit or prepaid debit.',
  `expires` STRING COMMENT 'Month in which the card expires, MM/YYYY.',
  `has_chip` STRING COMMENT 'YES when the card has a chip, else NO.',
  `num_cards_issued` INT COMMENT 'How many times the card has been issued.',
  `credit_limit` DECIMAL(12,2) COMMENT 'Credit limit in US dollars.',
  `acct_open_date` STRING COMMENT 'Month in which the account was opened, MM/YYYY.',
  `year_pin_last_changed` INT COMMENT 'Year in which the PIN was last changed.',
  `card_on_dark_web` STRING COMMENT 'Yes when the card was seen for sale by criminals, else No.',
  `card_token` STRING COMMENT 'Stands for the card number: its HMAC-SHA-256 in hexadecimal; empty when the source never had the number.',
  `card_token_key` STRING COMMENT 'Id of the secret key that made the token.',
  `card_last4` STRING COMMENT 'Last four digits of the card number.',
  `changes` STRING COMMENT 'Order tokens and times (microseconds since 1970) of all changes that said the same, for the writer.'
)
USING DELTA
COMMENT 'Cards as they were: a version from each change to the next, the time after a deletion included.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_date (
  `date_key` INT COMMENT 'Day as yyyymmdd.',
  `date` DATE COMMENT 'The day.',
  `year` INT COMMENT 'Year.',
  `quarter` INT COMMENT 'Quarter of the year, 1 to 4.',
  `month` INT COMMENT 'Month, 1 to 12.',
  `month_name` STRING COMMENT 'English name of the month.',
  `day` INT COMMENT 'Day of the month, 1 to 31.',
  `day_of_week` INT COMMENT 'Day of the week, 1 for Monday to 7 for Sunday.',
  `day_name` STRING COMMENT 'English name of the day of the week.',
  `week` INT COMMENT 'Week of the year by ISO 8601, 1 to 53.',
  `is_weekend` BOOLEAN COMMENT 'True on Saturday and Sunday.'
)
USING DELTA
COMMENT 'Calendar days from 1990 to 2049.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_mcc (
  `mcc` INT COMMENT 'Merchant category code.',
  `description` STRING COMMENT 'Name of the category.'
)
USING DELTA
COMMENT 'Merchant categories.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_merchant (
  `merchant_key` BIGINT COMMENT 'Stable hash of merchant, place and category.',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `merchant_city` STRING COMMENT 'City of the merchant; ONLINE for online transactions.',
  `merchant_state` STRING COMMENT 'US state as two letters, or the name of the country abroad; empty for online transactions.',
  `zip` STRING COMMENT 'US postal code of the merchant; empty online and abroad.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).'
)
USING DELTA
COMMENT 'Merchants by place and category, as live transactions name them.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_user (
  `user_id` INT COMMENT 'Number of the customer.',
  `current_age` INT COMMENT 'Age in years.',
  `retirement_age` INT COMMENT 'Age in years at which the customer plans to retire.',
  `birth_year` INT COMMENT 'Year of birth.',
  `birth_month` INT COMMENT 'Month of birth, 1 to 12.',
  `gender` STRING COMMENT 'Gender as registered.',
  `address` STRING COMMENT 'Street and house number.',
  `latitude` DECIMAL(9,6) COMMENT 'Latitude of the home in degrees, north positive.',
  `longitude` DECIMAL(9,6) COMMENT 'Longitude of the home in degrees, east positive.',
  `per_capita_income` DECIMAL(12,2) COMMENT 'Income per head where the customer lives, US dollars a year.',
  `yearly_income` DECIMAL(12,2) COMMENT 'The customer\'s own income, US dollars a year.',
  `total_debt` DECIMAL(12,2) COMMENT 'All debts of the customer, US dollars.',
  `credit_score` INT COMMENT 'Credit score, 300 to 850; higher is better.',
  `num_credit_cards` INT COMMENT 'Number of cards the customer holds.'
)
USING DELTA
COMMENT 'Customers as they are now.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.dim_user_history (
  `version_key` STRING COMMENT 'Number, an at sign, and the place in the order of changes where the version begins.',
  `user_id` INT COMMENT 'Number of the customer.',
  `valid_from` TIMESTAMP COMMENT 'When the source committed the change that begins the version, UTC.',
  `valid_to` TIMESTAMP COMMENT 'When the next version begins, UTC; empty for the last one.',
  `is_current` BOOLEAN COMMENT 'True for the one version that stands now; false when the row is deleted.',
  `is_deleted` BOOLEAN COMMENT 'True for the time in which the source has no such row; the attributes are then empty.',
  `current_age` INT COMMENT 'Age in years.',
  `retirement_age` INT COMMENT 'Age in years at which the customer plans to retire.',
  `birth_year` INT COMMENT 'Year of birth.',
  `birth_month` INT COMMENT 'Month of birth, 1 to 12.',
  `gender` STRING COMMENT 'Gender as registered.',
  `address` STRING COMMENT 'Street and house number.',
  `latitude` DECIMAL(9,6) COMMENT 'Latitude of the home in degrees, north positive.',
  `longitude` DECIMAL(9,6) COMMENT 'Longitude of the home in degrees, east positive.',
  `per_capita_income` DECIMAL(12,2) COMMENT 'Income per head where the customer lives, US dollars a year.',
  `yearly_income` DECIMAL(12,2) COMMENT 'The customer\'s own income, US dollars a year.',
  `total_debt` DECIMAL(12,2) COMMENT 'All debts of the customer, US dollars.',
  `credit_score` INT COMMENT 'Credit score, 300 to 850; higher is better.',
  `num_credit_cards` INT COMMENT 'Number of cards the customer holds.',
  `changes` STRING COMMENT 'Order tokens and times (microseconds since 1970) of all changes that said the same, for the writer.'
)
USING DELTA
COMMENT 'Customers as they were: a version from each change to the next, the time after a deletion included.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.fact_transactions (
  `transaction_id` BIGINT COMMENT 'Number of the transaction, rising in booking order.',
  `transaction_ts` TIMESTAMP COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `date_key` INT COMMENT 'Day of the transaction as yyyymmdd, UTC (dim_date).',
  `user_id` INT COMMENT 'Customer (dim_user).',
  `card_id` INT COMMENT 'Card (dim_card).',
  `merchant_key` BIGINT COMMENT 'Merchant at a place (dim_merchant).',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `amount` DECIMAL(12,2) COMMENT 'Amount in US dollars; a negative amount is money back to the customer.',
  `channel` STRING COMMENT 'How the card was used: Swipe, Chip or Online.',
  `merchant_city` STRING COMMENT 'City of the merchant; ONLINE for online transactions.',
  `merchant_state` STRING COMMENT 'US state as two letters, or the name of the country abroad; empty for online transactions.',
  `zip` STRING COMMENT 'US postal code of the merchant; empty online and abroad.',
  `is_online` BOOLEAN COMMENT 'True for online transactions.',
  `is_refund` BOOLEAN COMMENT 'True when the amount is negative.',
  `is_declined` BOOLEAN COMMENT 'True when the transaction was declined.',
  `errors` STRING COMMENT 'Why the transaction was declined, reasons separated by commas; empty when it went through.',
  `is_fraud` BOOLEAN COMMENT 'True for fraud, false for none, empty while nobody has labelled the transaction.'
)
USING DELTA
COMMENT 'Every live transaction with its keys to the dimensions.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.forecasts (
  `user_id` INT COMMENT 'Customer (dim_user).',
  `category` STRING COMMENT 'MCC category as four digits (dim_mcc), or all for everything the customer spends.',
  `period` STRING COMMENT 'Length of a step.',
  `forecast_date` DATE COMMENT 'The day, or the first day of the month, UTC.',
  `value` DECIMAL(18,2) COMMENT 'Expected spending, US dollars.',
  `lo95` DECIMAL(18,2) COMMENT 'Lower end of the 95 % interval, US dollars.',
  `hi95` DECIMAL(18,2) COMMENT 'Upper end of the 95 % interval, US dollars.',
  `method` STRING COMMENT 'How it was made; none, zero, constant and too short histories need no model.',
  `reason` STRING COMMENT 'Why by that method, in words.',
  `backtest_mase` DOUBLE COMMENT 'Mean absolute error of the method in its back-tests over that of the seasonal naive within the history; below 1 is better. Empty without back-test.',
  `backtest_coverage` DOUBLE COMMENT 'Share of the last back-test window that lay within an interval made before it; 0.95 is meant. Empty without.',
  `history_until` DATE COMMENT 'Last day of the history.',
  `made_at` TIMESTAMP COMMENT 'When the forecast was made, UTC.',
  `transactions_version` BIGINT COMMENT 'Delta version of fact_transactions that was read.',
  `users_version` BIGINT COMMENT 'Delta version of dim_user that was read; -1 where there was none.'
)
USING DELTA
COMMENT 'What each customer will spend, net of refunds and without declined transactions, by day and month.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.fraud_alerts (
  `alert_id` STRING COMMENT 'Number of the transaction, a colon, and the rule.',
  `transaction_id` BIGINT COMMENT 'Transaction (fact_transactions).',
  `rule` STRING COMMENT 'Rule that raised the alert.',
  `severity` STRING COMMENT 'How urgent it is: high, medium or low.',
  `reason` STRING COMMENT 'Why the alert was raised, in words for an operator.',
  `transaction_ts` TIMESTAMP COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `user_id` INT COMMENT 'Customer (dim_user).',
  `card_id` INT COMMENT 'Card (dim_card).',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `merchant_city` STRING COMMENT 'City of the merchant; ONLINE for online transactions.',
  `merchant_state` STRING COMMENT 'US state as two letters, or the name of the country abroad; empty for online transactions.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `amount` DECIMAL(12,2) COMMENT 'Amount in US dollars.',
  `raised_at` TIMESTAMP COMMENT 'When the alert was raised, UTC.'
)
USING DELTA
COMMENT 'Transactions that a fraud rule holds suspicious.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.fraud_scores (
  `transaction_id` BIGINT COMMENT 'Transaction (fact_transactions).',
  `transaction_ts` TIMESTAMP COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `user_id` INT COMMENT 'Customer (dim_user).',
  `card_id` INT COMMENT 'Card (dim_card).',
  `card_last4` STRING COMMENT 'Last four digits of the card number; empty when the card was not known.',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `amount` DECIMAL(12,2) COMMENT 'Amount in US dollars.',
  `score` DOUBLE COMMENT 'Probability of fraud by the champion, 0 to 1; empty when there was none, see note.',
  `band` STRING COMMENT 'How high the score is: low, medium, high or critical; high and critical are alerts.',
  `is_alert` BOOLEAN COMMENT 'The score is at or above the champion\'s threshold.',
  `reasons` STRING COMMENT 'Of alerts, the features that push the score up, the strongest first, with commas between.',
  `model` STRING COMMENT 'Name of the champion in the registry of models.',
  `model_version` INT COMMENT 'Its version there.',
  `note` STRING COMMENT 'Why there is no score; empty when there is one.',
  `challenger_score` DOUBLE COMMENT 'Probability of fraud by the challenger, which decides nothing.',
  `challenger_alert` BOOLEAN COMMENT 'That is at or above the challenger\'s threshold.',
  `challenger_version` INT COMMENT 'Version of the challenger.',
  `scored_at` TIMESTAMP COMMENT 'When the score was made, UTC.'
)
USING DELTA
COMMENT 'Scores of the champion and, in shadow, of the challenger.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.model_comparison (
  `comparison_id` STRING COMMENT 'Day, version of the champion and version of the challenger, with colons between.',
  `date` DATE COMMENT 'Day of the transactions, UTC.',
  `champion_version` INT COMMENT 'Version that decided.',
  `challenger_version` INT COMMENT 'Version that was asked in shadow.',
  `transactions` BIGINT COMMENT 'Transactions that both have scored.',
  `labelled` BIGINT COMMENT 'Of them, those whose label is known.',
  `frauds` BIGINT COMMENT 'Of them, those known to be fraud.',
  `champion_alerts` BIGINT COMMENT 'Transactions at or above the champion\'s threshold.',
  `challenger_alerts` BIGINT COMMENT 'Transactions at or above the challenger\'s threshold.',
  `champion_caught` BIGINT COMMENT 'Known frauds among the champion\'s alerts.',
  `challenger_caught` BIGINT COMMENT 'Known frauds among the challenger\'s alerts.',
  `champion_precision` DOUBLE COMMENT 'Average precision of the champion over the labelled; empty without a known fraud.',
  `challenger_precision` DOUBLE COMMENT 'Average precision of the challenger over the labelled; empty without a known fraud.',
  `only_champion` BIGINT COMMENT 'Labelled transactions that the champion alone judged rightly.',
  `only_challenger` BIGINT COMMENT 'Labelled transactions that the challenger alone judged rightly.',
  `p_value` DOUBLE COMMENT 'How likely so uneven a split is between equally good models (McNemar\'s exact test).',
  `compared_at` TIMESTAMP COMMENT 'When it was computed, UTC.'
)
USING DELTA
COMMENT 'What champion and challenger said of the same transactions.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.model_decay (
  `model_version` INT COMMENT 'Version of the model in the registry.',
  `week_start` DATE COMMENT 'First of the seven days, UTC.',
  `transactions` BIGINT COMMENT 'Number of transactions whose label is known.',
  `frauds` BIGINT COMMENT 'Number of those that are frauds.',
  `foretold` DOUBLE COMMENT 'Number of frauds that the model\'s probabilities add up to.',
  `average_precision` DOUBLE COMMENT 'Average precision; empty with too few frauds to tell.',
  `average_precision_low` DOUBLE COMMENT 'Lower bound of it, of 90 percent of samples of the week\'s days.',
  `average_precision_high` DOUBLE COMMENT 'Upper bound of it, in the same way.',
  `average_precision_trained` DOUBLE COMMENT 'Average precision on the test of the training.',
  `level` STRING COMMENT 'How bad it is: ok, warn or alarm.',
  `measured_at` TIMESTAMP COMMENT 'When it was measured, UTC.'
)
USING DELTA
COMMENT 'How well a model told the frauds of each week.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.model_decisions (
  `decided_at` TIMESTAMP COMMENT 'When it was decided, UTC.',
  `action` STRING COMMENT 'What was asked for: promote, force, rollback or retrain.',
  `model_version` INT COMMENT 'Version of the model in the registry.',
  `champion_version` INT COMMENT 'Version that was champion before; empty when there was none.',
  `promoted` BOOLEAN COMMENT 'Whether the version became champion by it.',
  `reason` STRING COMMENT 'Why it was decided so, in one line.',
  `checks` STRING COMMENT 'Checks of the gate with verdict, reason and figures, as a JSON array.'
)
USING DELTA
COMMENT 'Every decision about which model serves.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.model_drift (
  `model_version` INT COMMENT 'Version of the model in the registry.',
  `feature` STRING COMMENT 'Feature, or score for the model\'s own answers.',
  `window_start` DATE COMMENT 'First day of the window that was compared, UTC.',
  `window_end` DATE COMMENT 'Last day of the window, UTC.',
  `reference_rows` BIGINT COMMENT 'Number of transactions of the training\'s days that were compared.',
  `window_rows` BIGINT COMMENT 'Number of transactions of the window that were compared.',
  `psi` DOUBLE COMMENT 'Population stability index over bins of the training\'s values.',
  `ks` DOUBLE COMMENT 'Largest difference between the two distribution functions (Kolmogorov, Smirnov).',
  `level` STRING COMMENT 'How bad it is: ok, warn or alarm.',
  `measured_at` TIMESTAMP COMMENT 'When it was measured, UTC.'
)
USING DELTA
COMMENT 'How far each feature of a model, and its score, have moved since its training.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.model_versions (
  `model_version` INT COMMENT 'Version of the model in the registry.',
  `role` STRING COMMENT 'What it is from then on: champion, challenger, previous (the champion before) or none.',
  `registered_at` TIMESTAMP COMMENT 'When it came into the registry, UTC.',
  `kind` STRING COMMENT 'Kind of the model, such as lightgbm; empty when it does not load, see note.',
  `recipe` STRING COMMENT 'How it was learnt.',
  `features` INT COMMENT 'Number of features that it looks at.',
  `trained_from` DATE COMMENT 'First day that it has learnt from, UTC.',
  `trained_until` DATE COMMENT 'Last day that it has learnt from, UTC.',
  `tested_from` DATE COMMENT 'First day of the test of its training, UTC.',
  `tested_until` DATE COMMENT 'Last day of that test, UTC.',
  `rows_trained` BIGINT COMMENT 'Number of labelled transactions that it has learnt from; empty when that was not logged.',
  `threshold` DOUBLE COMMENT 'Probability of fraud from which on it raises an alarm; empty when it never does.',
  `metrics` STRING COMMENT 'Metrics of that test as a JSON object: for each its value and, where logged, low and high, which hold the middle 90 percent of samples of days.',
  `sha256` STRING COMMENT 'Digest of its files.',
  `code_commit` STRING COMMENT 'Commit of the code that it was trained by.',
  `note` STRING COMMENT 'Why nothing more is known; empty otherwise.',
  `measured_at` TIMESTAMP COMMENT 'When that was noted, UTC.'
)
USING DELTA
COMMENT 'Versions of the model that scores transactions, and what each of them was when.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.pipeline_batches (
  `batch_id` BIGINT COMMENT 'Micro-batch.',
  `table_name` STRING COMMENT 'Source table.',
  `events` BIGINT COMMENT 'Number of changes that the batch appended to bronze.',
  `applied` BIGINT COMMENT 'Number of changes that are the state of their row at the end of the batch.',
  `superseded` BIGINT COMMENT 'Number of changes that a later one had overtaken.',
  `quarantined` BIGINT COMMENT 'Number of changes set aside in the dead letters.',
  `started_at` TIMESTAMP COMMENT 'When the batch began, UTC.',
  `duration_ms` DOUBLE COMMENT 'How long the batch took, milliseconds.',
  `ends` STRING COMMENT 'Next Kafka offset of each partition of the table, as a JSON object.'
)
USING DELTA
COMMENT 'What each micro-batch did with the changes of each table.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.pipeline_freshness (
  `measured_at` TIMESTAMP COMMENT 'End of the micro-batch, UTC.',
  `batch_id` BIGINT COMMENT 'Micro-batch that was measured.',
  `table_name` STRING COMMENT 'Source table whose changes were measured, or finlake_heartbeat.',
  `hop` STRING COMMENT 'Where the change can be seen from: kafka, bronze, silver, gold or alert.',
  `events` BIGINT COMMENT 'Number of changes measured.',
  `p50_ms` DOUBLE COMMENT 'Time that half of the changes stayed below, milliseconds.',
  `p95_ms` DOUBLE COMMENT 'Time that 95 of 100 changes stayed below, milliseconds.',
  `max_ms` DOUBLE COMMENT 'Longest time, milliseconds.'
)
USING DELTA
COMMENT 'Time from the commit at the source to the moment a reader can see the change.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.pipeline_status (
  `table_name` STRING COMMENT 'Source table.',
  `state` STRING COMMENT 'Whether its changes flow: running or stopped.',
  `since` TIMESTAMP COMMENT 'Since when it is so, UTC.',
  `reason` STRING COMMENT 'Why the table has stopped; empty while it runs.',
  `next_step` STRING COMMENT 'What to do about it; empty while it runs.'
)
USING DELTA
COMMENT 'Whether the changes of each source table flow.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.report_daily_totals (
  `report_date` DATE COMMENT 'Day that is reported, UTC.',
  `edition` INT COMMENT 'Number of the edition: a new one when the same report of the same day came out different.',
  `line` INT COMMENT 'Number of the line.',
  `channel` STRING COMMENT 'How the card was used: Swipe, Chip or Online; all for the whole day.',
  `transactions` BIGINT COMMENT 'Transactions, declined ones included.',
  `customers` BIGINT COMMENT 'Customers with a transaction.',
  `purchase_count` BIGINT COMMENT 'Purchases, without declined ones.',
  `purchase_sum` DECIMAL(18,2) COMMENT 'What they come to, US dollars.',
  `money_back_count` BIGINT COMMENT 'Money back to customers, without declined ones.',
  `money_back_sum` DECIMAL(18,2) COMMENT 'What it comes to, US dollars; not above nought.',
  `declined_count` BIGINT COMMENT 'Declined transactions.',
  `declined_sum` DECIMAL(18,2) COMMENT 'What they would have come to, US dollars.',
  `largest` DECIMAL(12,2) COMMENT 'Largest single amount that was not declined, US dollars.'
)
USING DELTA
COMMENT 'Lines of the daily totals, every edition.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.report_editions (
  `report` STRING COMMENT 'Which report it is.',
  `report_date` DATE COMMENT 'Day that is reported, UTC.',
  `edition` INT COMMENT 'Number of the edition: a new one when the same report of the same day came out different.',
  `made_at` TIMESTAMP COMMENT 'When the run was made, UTC.',
  `transactions_version` BIGINT COMMENT 'Delta version of fact_transactions that was read.',
  `alerts_version` BIGINT COMMENT 'Delta version of fraud_alerts that was read; -1 where there was none or it was not needed.',
  `threshold_usd` DECIMAL(12,2) COMMENT 'Threshold of the large-transaction report, US dollars; empty for the others.',
  `lines` INT COMMENT 'Lines without the head.',
  `sha256` STRING COMMENT 'SHA-256 of the text, hexadecimal.',
  `content` STRING COMMENT 'The report as CSV.'
)
USING DELTA
COMMENT 'Every edition of every regulatory report, word for word.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.report_large_transactions (
  `report_date` DATE COMMENT 'Day that is reported, UTC.',
  `edition` INT COMMENT 'Number of the edition: a new one when the same report of the same day came out different.',
  `line` INT COMMENT 'Number of the line.',
  `transaction_id` BIGINT COMMENT 'Transaction (fact_transactions).',
  `transaction_ts` TIMESTAMP COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `user_id` INT COMMENT 'Customer (dim_user).',
  `card_id` INT COMMENT 'Card (dim_card).',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `amount` DECIMAL(12,2) COMMENT 'Amount in US dollars.',
  `customer_day_sum` DECIMAL(18,2) COMMENT 'Purchases of the customer on that day together, US dollars.',
  `why` STRING COMMENT 'Alone when the amount itself reaches the threshold, together when the day\'s sum does.'
)
USING DELTA
COMMENT 'Lines of the large-transaction report, every edition.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS gold.report_suspicious_activity (
  `report_date` DATE COMMENT 'Day that is reported, UTC.',
  `edition` INT COMMENT 'Number of the edition: a new one when the same report of the same day came out different.',
  `line` INT COMMENT 'Number of the line.',
  `alert_id` STRING COMMENT 'Number of the transaction, a colon, and the rule.',
  `transaction_id` BIGINT COMMENT 'Transaction (fact_transactions).',
  `transaction_ts` TIMESTAMP COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `user_id` INT COMMENT 'Customer (dim_user).',
  `card_id` INT COMMENT 'Card (dim_card).',
  `merchant_id` INT COMMENT 'Number of the merchant.',
  `mcc` INT COMMENT 'Merchant category code (dim_mcc).',
  `amount` DECIMAL(12,2) COMMENT 'Amount in US dollars.',
  `rule` STRING COMMENT 'Rule that raised the alert.',
  `severity` STRING COMMENT 'How urgent it is: high, medium or low.',
  `is_fraud` BOOLEAN COMMENT 'Whether it was confirmed as fraud when the edition was made; empty when nobody had said.',
  `reason` STRING COMMENT 'Why the alert was raised, in words.'
)
USING DELTA
COMMENT 'Lines of the suspicious-activity report, every edition.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);
