-- Rendered from the table contracts by `make generate`; do not edit.

CREATE OR REPLACE VIEW silver_operator.cards AS
SELECT
  "id",
  "client_id",
  "card_brand",
  "card_type",
  "has_chip",
  "num_cards_issued",
  CAST(floor(CAST("credit_limit" AS DOUBLE) / 5000) * 5000 AS BIGINT) AS "credit_limit",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token",
  "card_token_key",
  substr("card_last4", greatest(length("card_last4") - 3, 1)) AS "card_last4",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id"
FROM lake.silver.cards;

CREATE OR REPLACE VIEW silver_operator.fraud_labels AS
SELECT
  "transaction_id",
  "label",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id"
FROM lake.silver.fraud_labels;

CREATE OR REPLACE VIEW silver_operator.mcc_codes AS
SELECT
  "mcc",
  "description",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id"
FROM lake.silver.mcc_codes;

CREATE OR REPLACE VIEW silver_operator.transactions AS
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
  "_batch_id"
FROM lake.silver.transactions;

CREATE OR REPLACE VIEW silver_operator.users AS
SELECT
  "id",
  CAST(floor(CAST("current_age" AS DOUBLE) / 10) * 10 AS BIGINT) AS "current_age",
  CAST(floor(CAST("retirement_age" AS DOUBLE) / 10) * 10 AS BIGINT) AS "retirement_age",
  CAST(floor(CAST("birth_year" AS DOUBLE) / 10) * 10 AS BIGINT) AS "birth_year",
  CAST(floor(CAST("latitude" AS DOUBLE) / 1) * 1 AS BIGINT) AS "latitude",
  CAST(floor(CAST("longitude" AS DOUBLE) / 1) * 1 AS BIGINT) AS "longitude",
  CAST(floor(CAST("per_capita_income" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "per_capita_income",
  CAST(floor(CAST("yearly_income" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "yearly_income",
  CAST(floor(CAST("total_debt" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "total_debt",
  CAST(floor(CAST("credit_score" AS DOUBLE) / 50) * 50 AS BIGINT) AS "credit_score",
  "num_credit_cards",
  "_order_token",
  "_is_deleted",
  "_source_ts",
  "_batch_id"
FROM lake.silver.users;

CREATE OR REPLACE VIEW gold_operator.agg_card_month AS
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

CREATE OR REPLACE VIEW gold_operator.agg_category_day AS
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

CREATE OR REPLACE VIEW gold_operator.agg_customer_day AS
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

CREATE OR REPLACE VIEW gold_operator.agg_merchant_month AS
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

CREATE OR REPLACE VIEW gold_operator.agg_minute AS
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

CREATE OR REPLACE VIEW gold_operator.agg_state_day AS
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

CREATE OR REPLACE VIEW gold_operator.dim_card AS
SELECT
  "card_id",
  "user_id",
  "card_brand",
  "card_type",
  "has_chip",
  "num_cards_issued",
  CAST(floor(CAST("credit_limit" AS DOUBLE) / 5000) * 5000 AS BIGINT) AS "credit_limit",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token",
  "card_token_key",
  substr("card_last4", greatest(length("card_last4") - 3, 1)) AS "card_last4"
FROM lake.gold.dim_card;

CREATE OR REPLACE VIEW gold_operator.dim_card_history AS
SELECT
  "card_id",
  "valid_from",
  "valid_to",
  "is_current",
  "is_deleted",
  "user_id",
  "card_brand",
  "card_type",
  "has_chip",
  "num_cards_issued",
  CAST(floor(CAST("credit_limit" AS DOUBLE) / 5000) * 5000 AS BIGINT) AS "credit_limit",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token",
  "card_token_key",
  substr("card_last4", greatest(length("card_last4") - 3, 1)) AS "card_last4",
  "_changes"
FROM lake.gold.dim_card_history;

CREATE OR REPLACE VIEW gold_operator.dim_date AS
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

CREATE OR REPLACE VIEW gold_operator.dim_mcc AS
SELECT
  "mcc",
  "description"
FROM lake.gold.dim_mcc;

CREATE OR REPLACE VIEW gold_operator.dim_merchant AS
SELECT
  "merchant_key",
  "merchant_id",
  "merchant_city",
  "merchant_state",
  "zip",
  "mcc"
FROM lake.gold.dim_merchant;

CREATE OR REPLACE VIEW gold_operator.dim_user AS
SELECT
  "user_id",
  CAST(floor(CAST("current_age" AS DOUBLE) / 10) * 10 AS BIGINT) AS "current_age",
  CAST(floor(CAST("retirement_age" AS DOUBLE) / 10) * 10 AS BIGINT) AS "retirement_age",
  CAST(floor(CAST("birth_year" AS DOUBLE) / 10) * 10 AS BIGINT) AS "birth_year",
  CAST(floor(CAST("latitude" AS DOUBLE) / 1) * 1 AS BIGINT) AS "latitude",
  CAST(floor(CAST("longitude" AS DOUBLE) / 1) * 1 AS BIGINT) AS "longitude",
  CAST(floor(CAST("per_capita_income" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "per_capita_income",
  CAST(floor(CAST("yearly_income" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "yearly_income",
  CAST(floor(CAST("total_debt" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "total_debt",
  CAST(floor(CAST("credit_score" AS DOUBLE) / 50) * 50 AS BIGINT) AS "credit_score",
  "num_credit_cards"
FROM lake.gold.dim_user;

CREATE OR REPLACE VIEW gold_operator.dim_user_history AS
SELECT
  "user_id",
  "valid_from",
  "valid_to",
  "is_current",
  "is_deleted",
  CAST(floor(CAST("current_age" AS DOUBLE) / 10) * 10 AS BIGINT) AS "current_age",
  CAST(floor(CAST("retirement_age" AS DOUBLE) / 10) * 10 AS BIGINT) AS "retirement_age",
  CAST(floor(CAST("birth_year" AS DOUBLE) / 10) * 10 AS BIGINT) AS "birth_year",
  CAST(floor(CAST("latitude" AS DOUBLE) / 1) * 1 AS BIGINT) AS "latitude",
  CAST(floor(CAST("longitude" AS DOUBLE) / 1) * 1 AS BIGINT) AS "longitude",
  CAST(floor(CAST("per_capita_income" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "per_capita_income",
  CAST(floor(CAST("yearly_income" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "yearly_income",
  CAST(floor(CAST("total_debt" AS DOUBLE) / 10000) * 10000 AS BIGINT) AS "total_debt",
  CAST(floor(CAST("credit_score" AS DOUBLE) / 50) * 50 AS BIGINT) AS "credit_score",
  "num_credit_cards",
  "_changes"
FROM lake.gold.dim_user_history;

CREATE OR REPLACE VIEW gold_operator.fact_transactions AS
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

CREATE OR REPLACE VIEW gold_operator.forecasts AS
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

CREATE OR REPLACE VIEW gold_operator.fraud_alerts AS
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

CREATE OR REPLACE VIEW gold_operator.fraud_scores AS
SELECT
  "transaction_id",
  "transaction_ts",
  "user_id",
  "card_id",
  substr("card_last4", greatest(length("card_last4") - 3, 1)) AS "card_last4",
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

CREATE OR REPLACE VIEW gold_operator.model_comparison AS
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

CREATE OR REPLACE VIEW gold_operator.model_decay AS
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

CREATE OR REPLACE VIEW gold_operator.model_decisions AS
SELECT
  "decided_at",
  "action",
  "model_version",
  "champion_version",
  "promoted",
  "reason",
  "checks"
FROM lake.gold.model_decisions;

CREATE OR REPLACE VIEW gold_operator.model_drift AS
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

CREATE OR REPLACE VIEW gold_operator.model_versions AS
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

CREATE OR REPLACE VIEW gold_operator.pipeline_batches AS
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

CREATE OR REPLACE VIEW gold_operator.pipeline_freshness AS
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

CREATE OR REPLACE VIEW gold_operator.pipeline_status AS
SELECT
  "table_name",
  "state",
  "since",
  "reason",
  "next_step"
FROM lake.gold.pipeline_status;
