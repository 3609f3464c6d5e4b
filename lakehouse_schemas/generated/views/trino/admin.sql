-- Rendered from the table contracts by `make generate`; do not edit.

CREATE OR REPLACE VIEW lake.bronze_admin.changes
COMMENT 'Every change of every source table as it came.'
SECURITY DEFINER AS
SELECT
  "source_table",
  "op",
  "topic",
  "partition",
  "offset",
  "kafka_ts",
  "source_ts",
  "order_token",
  "key",
  "value",
  "batch_id"
FROM lake.bronze.changes;

CREATE OR REPLACE VIEW lake.bronze_admin.dead_letters
COMMENT 'Records that could not be applied, with their raw bytes and the reason.'
SECURITY DEFINER AS
SELECT
  "source_table",
  "topic",
  "partition",
  "offset",
  "kafka_ts",
  "reason",
  "detail",
  "key",
  "value",
  "epoch",
  "batch_id"
FROM lake.bronze.dead_letters;

CREATE OR REPLACE VIEW lake.silver_admin.cards
COMMENT 'The source table cards as it is now, with markers for deleted rows.'
SECURITY DEFINER AS
SELECT
  "id",
  "client_id",
  "card_brand",
  "card_type",
  "expires",
  "has_chip",
  "num_cards_issued",
  "credit_limit",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token",
  "card_token_key",
  "card_last4",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id",
  "_extra"
FROM lake.silver.cards;

CREATE OR REPLACE VIEW lake.silver_admin.fraud_labels
COMMENT 'The source table fraud_labels as it is now, with markers for deleted rows.'
SECURITY DEFINER AS
SELECT
  "transaction_id",
  "label",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id",
  "_extra"
FROM lake.silver.fraud_labels;

CREATE OR REPLACE VIEW lake.silver_admin.mcc_codes
COMMENT 'The source table mcc_codes as it is now, with markers for deleted rows.'
SECURITY DEFINER AS
SELECT
  "mcc",
  "description",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id",
  "_extra"
FROM lake.silver.mcc_codes;

CREATE OR REPLACE VIEW lake.silver_admin.transactions
COMMENT 'The source table transactions as it is now, with markers for deleted rows.'
SECURITY DEFINER AS
SELECT
  "id",
  "date",
  "client_id",
  "card_id",
  "amount",
  "use_chip",
  "merchant_id",
  "merchant_city",
  "merchant_state",
  "zip",
  "mcc",
  "errors",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id",
  "_extra"
FROM lake.silver.transactions;

CREATE OR REPLACE VIEW lake.silver_admin.users
COMMENT 'The source table users as it is now, with markers for deleted rows.'
SECURITY DEFINER AS
SELECT
  "id",
  "current_age",
  "retirement_age",
  "birth_year",
  "birth_month",
  "gender",
  "address",
  "latitude",
  "longitude",
  "per_capita_income",
  "yearly_income",
  "total_debt",
  "credit_score",
  "num_credit_cards",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id",
  "_extra"
FROM lake.silver.users;

CREATE OR REPLACE VIEW lake.gold_admin.agg_card_month
COMMENT 'Sums of transactions per month and card, as additive parts.'
SECURITY DEFINER AS
SELECT
  "month_start",
  "card_id",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_card_month;

CREATE OR REPLACE VIEW lake.gold_admin.agg_category_day
COMMENT 'Sums of transactions per day and merchant category, as additive parts.'
SECURITY DEFINER AS
SELECT
  "date",
  "mcc",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_category_day;

CREATE OR REPLACE VIEW lake.gold_admin.agg_customer_day
COMMENT 'Sums of transactions per day and customer, as additive parts.'
SECURITY DEFINER AS
SELECT
  "date",
  "user_id",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_customer_day;

CREATE OR REPLACE VIEW lake.gold_admin.agg_merchant_month
COMMENT 'Sums of transactions per month and merchant, as additive parts.'
SECURITY DEFINER AS
SELECT
  "month_start",
  "merchant_id",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_merchant_month;

CREATE OR REPLACE VIEW lake.gold_admin.agg_minute
COMMENT 'Sums of transactions per minute, as additive parts.'
SECURITY DEFINER AS
SELECT
  "minute",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_minute;

CREATE OR REPLACE VIEW lake.gold_admin.agg_state_day
COMMENT 'Sums of transactions per day, state and channel, as additive parts.'
SECURITY DEFINER AS
SELECT
  "date",
  "state",
  "channel",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_state_day;

CREATE OR REPLACE VIEW lake.gold_admin.dim_card
COMMENT 'Cards as they are now, without the number on the card and its CVV.'
SECURITY DEFINER AS
SELECT
  "card_id",
  "user_id",
  "card_brand",
  "card_type",
  "expires",
  "has_chip",
  "num_cards_issued",
  "credit_limit",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token",
  "card_token_key",
  "card_last4"
FROM lake.gold.dim_card;

CREATE OR REPLACE VIEW lake.gold_admin.dim_card_history
COMMENT 'Cards as they were: a version from each change to the next, the time after a deletion included.'
SECURITY DEFINER AS
SELECT
  "version_key",
  "card_id",
  "valid_from",
  "valid_to",
  "is_current",
  "is_deleted",
  "user_id",
  "card_brand",
  "card_type",
  "expires",
  "has_chip",
  "num_cards_issued",
  "credit_limit",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token",
  "card_token_key",
  "card_last4",
  "_changes"
FROM lake.gold.dim_card_history;

CREATE OR REPLACE VIEW lake.gold_admin.dim_date
COMMENT 'Calendar days from 1990 to 2049.'
SECURITY DEFINER AS
SELECT
  "date_key",
  "date",
  "year",
  "quarter",
  "month",
  "month_name",
  "day",
  "day_of_week",
  "day_name",
  "week",
  "is_weekend"
FROM lake.gold.dim_date;

CREATE OR REPLACE VIEW lake.gold_admin.dim_mcc
COMMENT 'Merchant categories.'
SECURITY DEFINER AS
SELECT
  "mcc",
  "description"
FROM lake.gold.dim_mcc;

CREATE OR REPLACE VIEW lake.gold_admin.dim_merchant
COMMENT 'Merchants by place and category, as live transactions name them.'
SECURITY DEFINER AS
SELECT
  "merchant_key",
  "merchant_id",
  "merchant_city",
  "merchant_state",
  "zip",
  "mcc"
FROM lake.gold.dim_merchant;

CREATE OR REPLACE VIEW lake.gold_admin.dim_user
COMMENT 'Customers as they are now.'
SECURITY DEFINER AS
SELECT
  "user_id",
  "current_age",
  "retirement_age",
  "birth_year",
  "birth_month",
  "gender",
  "address",
  "latitude",
  "longitude",
  "per_capita_income",
  "yearly_income",
  "total_debt",
  "credit_score",
  "num_credit_cards"
FROM lake.gold.dim_user;

CREATE OR REPLACE VIEW lake.gold_admin.dim_user_history
COMMENT 'Customers as they were: a version from each change to the next, the time after a deletion included.'
SECURITY DEFINER AS
SELECT
  "version_key",
  "user_id",
  "valid_from",
  "valid_to",
  "is_current",
  "is_deleted",
  "current_age",
  "retirement_age",
  "birth_year",
  "birth_month",
  "gender",
  "address",
  "latitude",
  "longitude",
  "per_capita_income",
  "yearly_income",
  "total_debt",
  "credit_score",
  "num_credit_cards",
  "_changes"
FROM lake.gold.dim_user_history;

CREATE OR REPLACE VIEW lake.gold_admin.fact_transactions
COMMENT 'Every live transaction with its keys to the dimensions.'
SECURITY DEFINER AS
SELECT
  "transaction_id",
  "transaction_ts",
  "date_key",
  "user_id",
  "card_id",
  "merchant_key",
  "merchant_id",
  "mcc",
  "amount",
  "channel",
  "merchant_city",
  "merchant_state",
  "zip",
  "is_online",
  "is_refund",
  "is_declined",
  "errors",
  "is_fraud"
FROM lake.gold.fact_transactions;

CREATE OR REPLACE VIEW lake.gold_admin.forecasts
COMMENT 'What each customer will spend, net of refunds and without declined transactions, by day and month.'
SECURITY DEFINER AS
SELECT
  "user_id",
  "category",
  "period",
  "forecast_date",
  "value",
  "lo95",
  "hi95",
  "method",
  "reason",
  "backtest_mase",
  "backtest_coverage",
  "history_until",
  "made_at",
  "transactions_version",
  "users_version"
FROM lake.gold.forecasts;

CREATE OR REPLACE VIEW lake.gold_admin.fraud_alerts
COMMENT 'Transactions that a fraud rule holds suspicious.'
SECURITY DEFINER AS
SELECT
  "alert_id",
  "transaction_id",
  "rule",
  "severity",
  "reason",
  "transaction_ts",
  "user_id",
  "card_id",
  "merchant_id",
  "merchant_city",
  "merchant_state",
  "mcc",
  "amount",
  "raised_at"
FROM lake.gold.fraud_alerts;

CREATE OR REPLACE VIEW lake.gold_admin.fraud_scores
COMMENT 'Scores of the champion and, in shadow, of the challenger.'
SECURITY DEFINER AS
SELECT
  "transaction_id",
  "transaction_ts",
  "user_id",
  "card_id",
  "card_last4",
  "merchant_id",
  "mcc",
  "amount",
  "score",
  "band",
  "is_alert",
  "reasons",
  "model",
  "model_version",
  "note",
  "challenger_score",
  "challenger_alert",
  "challenger_version",
  "scored_at"
FROM lake.gold.fraud_scores;

CREATE OR REPLACE VIEW lake.gold_admin.model_comparison
COMMENT 'What champion and challenger said of the same transactions.'
SECURITY DEFINER AS
SELECT
  "comparison_id",
  "date",
  "champion_version",
  "challenger_version",
  "transactions",
  "labelled",
  "frauds",
  "champion_alerts",
  "challenger_alerts",
  "champion_caught",
  "challenger_caught",
  "champion_precision",
  "challenger_precision",
  "only_champion",
  "only_challenger",
  "p_value",
  "compared_at"
FROM lake.gold.model_comparison;

CREATE OR REPLACE VIEW lake.gold_admin.model_decay
COMMENT 'How well a model told the frauds of each week.'
SECURITY DEFINER AS
SELECT
  "model_version",
  "week_start",
  "transactions",
  "frauds",
  "foretold",
  "average_precision",
  "average_precision_low",
  "average_precision_high",
  "average_precision_trained",
  "level",
  "measured_at"
FROM lake.gold.model_decay;

CREATE OR REPLACE VIEW lake.gold_admin.model_decisions
COMMENT 'Every decision about which model serves.'
SECURITY DEFINER AS
SELECT
  "decided_at",
  "action",
  "model_version",
  "champion_version",
  "promoted",
  "reason",
  "checks"
FROM lake.gold.model_decisions;

CREATE OR REPLACE VIEW lake.gold_admin.model_drift
COMMENT 'How far each feature of a model, and its score, have moved since its training.'
SECURITY DEFINER AS
SELECT
  "model_version",
  "feature",
  "window_start",
  "window_end",
  "reference_rows",
  "window_rows",
  "psi",
  "ks",
  "level",
  "measured_at"
FROM lake.gold.model_drift;

CREATE OR REPLACE VIEW lake.gold_admin.model_versions
COMMENT 'Versions of the model that scores transactions, and what each of them was when.'
SECURITY DEFINER AS
SELECT
  "model_version",
  "role",
  "registered_at",
  "kind",
  "recipe",
  "features",
  "trained_from",
  "trained_until",
  "tested_from",
  "tested_until",
  "rows_trained",
  "threshold",
  "metrics",
  "sha256",
  "code_commit",
  "note",
  "measured_at"
FROM lake.gold.model_versions;

CREATE OR REPLACE VIEW lake.gold_admin.pipeline_batches
COMMENT 'What each micro-batch did with the changes of each table.'
SECURITY DEFINER AS
SELECT
  "batch_id",
  "table_name",
  "events",
  "applied",
  "superseded",
  "quarantined",
  "started_at",
  "duration_ms",
  "ends"
FROM lake.gold.pipeline_batches;

CREATE OR REPLACE VIEW lake.gold_admin.pipeline_freshness
COMMENT 'Time from the commit at the source to the moment a reader can see the change.'
SECURITY DEFINER AS
SELECT
  "measured_at",
  "batch_id",
  "table_name",
  "hop",
  "events",
  "p50_ms",
  "p95_ms",
  "max_ms"
FROM lake.gold.pipeline_freshness;

CREATE OR REPLACE VIEW lake.gold_admin.pipeline_status
COMMENT 'Whether the changes of each source table flow.'
SECURITY DEFINER AS
SELECT
  "table_name",
  "state",
  "since",
  "reason",
  "next_step"
FROM lake.gold.pipeline_status;
