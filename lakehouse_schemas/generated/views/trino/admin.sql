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

CREATE OR REPLACE VIEW lake.gold_admin.agg_category_month
COMMENT 'Sums of transactions per month, category, state and channel, as additive parts.'
SECURITY DEFINER AS
SELECT
  "month_start",
  "mcc",
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
FROM lake.gold.agg_category_month;

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

CREATE OR REPLACE VIEW lake.gold_admin.customer_analytics
COMMENT 'What each customer is worth, how the customer behaves and what lending to the customer risks.'
SECURITY DEFINER AS
SELECT
  "user_id",
  "as_of",
  "cohort_month",
  "first_use",
  "last_use",
  "purchases",
  "spent_total",
  "recency_days",
  "frequency",
  "monetary",
  "r_score",
  "f_score",
  "m_score",
  "segment",
  "cluster",
  "value_past",
  "value_future",
  "lifetime_value",
  "risk_score",
  "risk_band",
  "reason_1",
  "reason_2",
  "reason_3",
  "reason_4",
  "risk_reasons",
  "debt_to_income",
  "utilisation",
  "cash_share",
  "shortage_share",
  "made_at",
  "transactions_version",
  "users_version",
  "cards_version"
FROM lake.gold.customer_analytics;

CREATE OR REPLACE VIEW lake.gold_admin.customer_cohorts
COMMENT 'How many of the customers who began in a month still buy so many months later.'
SECURITY DEFINER AS
SELECT
  "cohort_month",
  "month_number",
  "active_month",
  "customers",
  "active_customers",
  "retention",
  "spent",
  "as_of",
  "made_at",
  "transactions_version"
FROM lake.gold.customer_cohorts;

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
  "changes"
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
  "changes"
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

CREATE OR REPLACE VIEW lake.gold_admin.report_daily_totals
COMMENT 'Lines of the daily totals, every edition.'
SECURITY DEFINER AS
SELECT
  "report_date",
  "edition",
  "line",
  "channel",
  "transactions",
  "customers",
  "purchase_count",
  "purchase_sum",
  "money_back_count",
  "money_back_sum",
  "declined_count",
  "declined_sum",
  "largest"
FROM lake.gold.report_daily_totals;

CREATE OR REPLACE VIEW lake.gold_admin.report_editions
COMMENT 'Every edition of every regulatory report, word for word.'
SECURITY DEFINER AS
SELECT
  "report",
  "report_date",
  "edition",
  "made_at",
  "transactions_version",
  "alerts_version",
  "threshold_usd",
  "lines",
  "sha256",
  "content"
FROM lake.gold.report_editions;

CREATE OR REPLACE VIEW lake.gold_admin.report_large_transactions
COMMENT 'Lines of the large-transaction report, every edition.'
SECURITY DEFINER AS
SELECT
  "report_date",
  "edition",
  "line",
  "transaction_id",
  "transaction_ts",
  "user_id",
  "card_id",
  "merchant_id",
  "mcc",
  "amount",
  "customer_day_sum",
  "why"
FROM lake.gold.report_large_transactions;

CREATE OR REPLACE VIEW lake.gold_admin.report_suspicious_activity
COMMENT 'Lines of the suspicious-activity report, every edition.'
SECURITY DEFINER AS
SELECT
  "report_date",
  "edition",
  "line",
  "alert_id",
  "transaction_id",
  "transaction_ts",
  "user_id",
  "card_id",
  "merchant_id",
  "mcc",
  "amount",
  "rule",
  "severity",
  "is_fraud",
  "reason"
FROM lake.gold.report_suspicious_activity;

CREATE OR REPLACE VIEW lake.gold_admin.wide_transactions
COMMENT 'Every live transaction with its day, category, card, customer and the customer''s group.'
SECURITY DEFINER AS
SELECT
  fact_transactions."transaction_id" AS "transaction_id",
  fact_transactions."transaction_ts" AS "transaction_ts",
  fact_transactions."date_key" AS "date_key",
  fact_transactions."user_id" AS "user_id",
  fact_transactions."card_id" AS "card_id",
  fact_transactions."merchant_key" AS "merchant_key",
  fact_transactions."merchant_id" AS "merchant_id",
  fact_transactions."mcc" AS "mcc",
  fact_transactions."amount" AS "amount",
  fact_transactions."channel" AS "channel",
  fact_transactions."merchant_city" AS "merchant_city",
  fact_transactions."merchant_state" AS "merchant_state",
  fact_transactions."zip" AS "zip",
  fact_transactions."is_online" AS "is_online",
  fact_transactions."is_refund" AS "is_refund",
  fact_transactions."is_declined" AS "is_declined",
  fact_transactions."errors" AS "errors",
  fact_transactions."is_fraud" AS "is_fraud",
  dim_date."date" AS "date",
  dim_date."year" AS "year",
  dim_date."quarter" AS "quarter",
  dim_date."month" AS "month",
  dim_date."month_name" AS "month_name",
  dim_date."day_of_week" AS "day_of_week",
  dim_date."day_name" AS "day_name",
  dim_date."is_weekend" AS "is_weekend",
  dim_mcc."description" AS "category",
  dim_card."card_brand" AS "card_brand",
  dim_card."card_type" AS "card_type",
  dim_card."has_chip" AS "has_chip",
  dim_card."card_on_dark_web" AS "card_on_dark_web",
  dim_user."current_age" AS "age",
  dim_user."gender" AS "gender",
  dim_user."yearly_income" AS "yearly_income",
  dim_user."total_debt" AS "total_debt",
  dim_user."credit_score" AS "credit_score",
  customer_analytics."cohort_month" AS "cohort_month",
  customer_analytics."segment" AS "segment",
  customer_analytics."cluster" AS "cluster",
  customer_analytics."lifetime_value" AS "lifetime_value",
  customer_analytics."risk_score" AS "risk_score",
  customer_analytics."risk_band" AS "risk_band"
FROM lake.gold.fact_transactions AS fact_transactions
LEFT JOIN lake.gold.dim_date AS dim_date ON dim_date."date_key" = fact_transactions."date_key"
LEFT JOIN lake.gold.dim_mcc AS dim_mcc ON dim_mcc."mcc" = fact_transactions."mcc"
LEFT JOIN lake.gold.dim_card AS dim_card ON dim_card."card_id" = fact_transactions."card_id"
LEFT JOIN lake.gold.dim_user AS dim_user ON dim_user."user_id" = fact_transactions."user_id"
LEFT JOIN lake.gold.customer_analytics AS customer_analytics ON customer_analytics."user_id" = fact_transactions."user_id";

CREATE OR REPLACE VIEW lake.gold_admin.wide_alerts
COMMENT 'Every alert with what came of it, its category, card, customer and the customer''s group.'
SECURITY DEFINER AS
SELECT
  fraud_alerts."alert_id" AS "alert_id",
  fraud_alerts."transaction_id" AS "transaction_id",
  fraud_alerts."rule" AS "rule",
  fraud_alerts."severity" AS "severity",
  fraud_alerts."reason" AS "reason",
  fraud_alerts."transaction_ts" AS "transaction_ts",
  fraud_alerts."user_id" AS "user_id",
  fraud_alerts."card_id" AS "card_id",
  fraud_alerts."merchant_id" AS "merchant_id",
  fraud_alerts."merchant_city" AS "merchant_city",
  fraud_alerts."merchant_state" AS "merchant_state",
  fraud_alerts."mcc" AS "mcc",
  fraud_alerts."amount" AS "amount",
  fraud_alerts."raised_at" AS "raised_at",
  fact_transactions."date_key" AS "date_key",
  fact_transactions."channel" AS "channel",
  fact_transactions."is_online" AS "is_online",
  fact_transactions."is_declined" AS "is_declined",
  fact_transactions."is_fraud" AS "is_fraud",
  dim_mcc."description" AS "category",
  dim_card."card_brand" AS "card_brand",
  dim_card."card_type" AS "card_type",
  dim_card."has_chip" AS "has_chip",
  dim_card."card_on_dark_web" AS "card_on_dark_web",
  dim_user."current_age" AS "age",
  dim_user."gender" AS "gender",
  dim_user."yearly_income" AS "yearly_income",
  dim_user."total_debt" AS "total_debt",
  dim_user."credit_score" AS "credit_score",
  customer_analytics."cohort_month" AS "cohort_month",
  customer_analytics."segment" AS "segment",
  customer_analytics."cluster" AS "cluster",
  customer_analytics."lifetime_value" AS "lifetime_value",
  customer_analytics."risk_score" AS "risk_score",
  customer_analytics."risk_band" AS "risk_band"
FROM lake.gold.fraud_alerts AS fraud_alerts
LEFT JOIN lake.gold.fact_transactions AS fact_transactions ON fact_transactions."transaction_id" = fraud_alerts."transaction_id"
LEFT JOIN lake.gold.dim_mcc AS dim_mcc ON dim_mcc."mcc" = fraud_alerts."mcc"
LEFT JOIN lake.gold.dim_card AS dim_card ON dim_card."card_id" = fraud_alerts."card_id"
LEFT JOIN lake.gold.dim_user AS dim_user ON dim_user."user_id" = fraud_alerts."user_id"
LEFT JOIN lake.gold.customer_analytics AS customer_analytics ON customer_analytics."user_id" = fraud_alerts."user_id";

CREATE OR REPLACE VIEW lake.gold_admin.wide_customers
COMMENT 'Every live customer with segment, cohort, lifetime value and credit risk.'
SECURITY DEFINER AS
SELECT
  customer_analytics."user_id" AS "user_id",
  customer_analytics."as_of" AS "as_of",
  customer_analytics."cohort_month" AS "cohort_month",
  customer_analytics."first_use" AS "first_use",
  customer_analytics."last_use" AS "last_use",
  customer_analytics."purchases" AS "purchases",
  customer_analytics."spent_total" AS "spent_total",
  customer_analytics."recency_days" AS "recency_days",
  customer_analytics."frequency" AS "frequency",
  customer_analytics."monetary" AS "monetary",
  customer_analytics."r_score" AS "r_score",
  customer_analytics."f_score" AS "f_score",
  customer_analytics."m_score" AS "m_score",
  customer_analytics."segment" AS "segment",
  customer_analytics."cluster" AS "cluster",
  customer_analytics."value_past" AS "value_past",
  customer_analytics."value_future" AS "value_future",
  customer_analytics."lifetime_value" AS "lifetime_value",
  customer_analytics."risk_score" AS "risk_score",
  customer_analytics."risk_band" AS "risk_band",
  customer_analytics."reason_1" AS "reason_1",
  customer_analytics."reason_2" AS "reason_2",
  customer_analytics."reason_3" AS "reason_3",
  customer_analytics."reason_4" AS "reason_4",
  customer_analytics."risk_reasons" AS "risk_reasons",
  customer_analytics."debt_to_income" AS "debt_to_income",
  customer_analytics."utilisation" AS "utilisation",
  customer_analytics."cash_share" AS "cash_share",
  customer_analytics."shortage_share" AS "shortage_share",
  customer_analytics."made_at" AS "made_at",
  customer_analytics."transactions_version" AS "transactions_version",
  customer_analytics."users_version" AS "users_version",
  customer_analytics."cards_version" AS "cards_version",
  dim_user."current_age" AS "age",
  dim_user."retirement_age" AS "retirement_age",
  dim_user."gender" AS "gender",
  dim_user."latitude" AS "latitude",
  dim_user."longitude" AS "longitude",
  dim_user."per_capita_income" AS "per_capita_income",
  dim_user."yearly_income" AS "yearly_income",
  dim_user."total_debt" AS "total_debt",
  dim_user."credit_score" AS "credit_score",
  dim_user."num_credit_cards" AS "num_credit_cards"
FROM lake.gold.customer_analytics AS customer_analytics
LEFT JOIN lake.gold.dim_user AS dim_user ON dim_user."user_id" = customer_analytics."user_id";

CREATE OR REPLACE VIEW lake.gold_admin.wide_category_days
COMMENT 'Each day''s sums by category, with the category''s name and the parts of the calendar.'
SECURITY DEFINER AS
SELECT
  agg_category_day."date" AS "date",
  agg_category_day."mcc" AS "mcc",
  agg_category_day."transaction_count" AS "transaction_count",
  agg_category_day."amount_sum" AS "amount_sum",
  agg_category_day."refund_count" AS "refund_count",
  agg_category_day."refund_sum" AS "refund_sum",
  agg_category_day."declined_count" AS "declined_count",
  agg_category_day."online_count" AS "online_count",
  agg_category_day."labelled_count" AS "labelled_count",
  agg_category_day."fraud_count" AS "fraud_count",
  dim_mcc."description" AS "category",
  dim_date."year" AS "year",
  dim_date."quarter" AS "quarter",
  dim_date."month" AS "month",
  dim_date."month_name" AS "month_name",
  dim_date."day_of_week" AS "day_of_week",
  dim_date."day_name" AS "day_name",
  dim_date."is_weekend" AS "is_weekend"
FROM (SELECT "date", "mcc", sum("transaction_count") AS "transaction_count", sum("amount_sum") AS "amount_sum", sum("refund_count") AS "refund_count", sum("refund_sum") AS "refund_sum", sum("declined_count") AS "declined_count", sum("online_count") AS "online_count", sum("labelled_count") AS "labelled_count", sum("fraud_count") AS "fraud_count" FROM lake.gold.agg_category_day
  GROUP BY "date", "mcc") AS agg_category_day
LEFT JOIN lake.gold.dim_mcc AS dim_mcc ON dim_mcc."mcc" = agg_category_day."mcc"
LEFT JOIN lake.gold.dim_date AS dim_date ON dim_date."date" = agg_category_day."date";

CREATE OR REPLACE VIEW lake.gold_admin.wide_customer_days
COMMENT 'Each day''s sums by customer, with the customer''s group and the parts of the calendar.'
SECURITY DEFINER AS
SELECT
  agg_customer_day."date" AS "date",
  agg_customer_day."user_id" AS "user_id",
  agg_customer_day."transaction_count" AS "transaction_count",
  agg_customer_day."amount_sum" AS "amount_sum",
  agg_customer_day."refund_count" AS "refund_count",
  agg_customer_day."refund_sum" AS "refund_sum",
  agg_customer_day."declined_count" AS "declined_count",
  agg_customer_day."online_count" AS "online_count",
  agg_customer_day."labelled_count" AS "labelled_count",
  agg_customer_day."fraud_count" AS "fraud_count",
  customer_analytics."cohort_month" AS "cohort_month",
  customer_analytics."segment" AS "segment",
  customer_analytics."cluster" AS "cluster",
  customer_analytics."lifetime_value" AS "lifetime_value",
  customer_analytics."risk_score" AS "risk_score",
  customer_analytics."risk_band" AS "risk_band",
  dim_date."year" AS "year",
  dim_date."quarter" AS "quarter",
  dim_date."month" AS "month",
  dim_date."month_name" AS "month_name",
  dim_date."day_of_week" AS "day_of_week",
  dim_date."day_name" AS "day_name",
  dim_date."is_weekend" AS "is_weekend"
FROM (SELECT "date", "user_id", sum("transaction_count") AS "transaction_count", sum("amount_sum") AS "amount_sum", sum("refund_count") AS "refund_count", sum("refund_sum") AS "refund_sum", sum("declined_count") AS "declined_count", sum("online_count") AS "online_count", sum("labelled_count") AS "labelled_count", sum("fraud_count") AS "fraud_count" FROM lake.gold.agg_customer_day
  GROUP BY "date", "user_id") AS agg_customer_day
LEFT JOIN lake.gold.customer_analytics AS customer_analytics ON customer_analytics."user_id" = agg_customer_day."user_id"
LEFT JOIN lake.gold.dim_date AS dim_date ON dim_date."date" = agg_customer_day."date";

CREATE OR REPLACE VIEW lake.gold_admin.wide_state_days
COMMENT 'Each day''s sums by state and channel, with the parts of the calendar.'
SECURITY DEFINER AS
SELECT
  agg_state_day."date" AS "date",
  agg_state_day."state" AS "state",
  agg_state_day."channel" AS "channel",
  agg_state_day."transaction_count" AS "transaction_count",
  agg_state_day."amount_sum" AS "amount_sum",
  agg_state_day."refund_count" AS "refund_count",
  agg_state_day."refund_sum" AS "refund_sum",
  agg_state_day."declined_count" AS "declined_count",
  agg_state_day."online_count" AS "online_count",
  agg_state_day."labelled_count" AS "labelled_count",
  agg_state_day."fraud_count" AS "fraud_count",
  dim_date."year" AS "year",
  dim_date."quarter" AS "quarter",
  dim_date."month" AS "month",
  dim_date."month_name" AS "month_name",
  dim_date."day_of_week" AS "day_of_week",
  dim_date."day_name" AS "day_name",
  dim_date."is_weekend" AS "is_weekend"
FROM (SELECT "date", "state", "channel", sum("transaction_count") AS "transaction_count", sum("amount_sum") AS "amount_sum", sum("refund_count") AS "refund_count", sum("refund_sum") AS "refund_sum", sum("declined_count") AS "declined_count", sum("online_count") AS "online_count", sum("labelled_count") AS "labelled_count", sum("fraud_count") AS "fraud_count" FROM lake.gold.agg_state_day
  GROUP BY "date", "state", "channel") AS agg_state_day
LEFT JOIN lake.gold.dim_date AS dim_date ON dim_date."date" = agg_state_day."date";
