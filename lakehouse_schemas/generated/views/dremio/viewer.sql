-- Rendered from the table contracts by `make generate`; do not edit.

CREATE OR REPLACE VIEW gold_viewer.agg_card_month AS
SELECT
  "month_start",
  SHA256(CONCAT('${mask_key}', CAST("card_id" AS VARCHAR))) AS "card_id",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_card_month;

CREATE OR REPLACE VIEW gold_viewer.agg_category_day AS
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

CREATE OR REPLACE VIEW gold_viewer.agg_customer_day AS
SELECT
  "date",
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  "transaction_count",
  "amount_sum",
  "refund_count",
  "refund_sum",
  "declined_count",
  "online_count",
  "labelled_count",
  "fraud_count"
FROM lake.gold.agg_customer_day;

CREATE OR REPLACE VIEW gold_viewer.agg_merchant_month AS
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

CREATE OR REPLACE VIEW gold_viewer.agg_minute AS
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

CREATE OR REPLACE VIEW gold_viewer.agg_state_day AS
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

CREATE OR REPLACE VIEW gold_viewer.dim_card AS
SELECT
  SHA256(CONCAT('${mask_key}', CAST("card_id" AS VARCHAR))) AS "card_id",
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  "card_brand",
  "card_type",
  "has_chip",
  "num_cards_issued",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token_key",
  substr("card_last4", greatest(length("card_last4") - 3, 1)) AS "card_last4"
FROM lake.gold.dim_card;

CREATE OR REPLACE VIEW gold_viewer.dim_card_history AS
SELECT
  SHA256(CONCAT('${mask_key}', CAST("card_id" AS VARCHAR))) AS "card_id",
  "valid_from",
  "valid_to",
  "is_current",
  "is_deleted",
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  "card_brand",
  "card_type",
  "has_chip",
  "num_cards_issued",
  "acct_open_date",
  "year_pin_last_changed",
  "card_on_dark_web",
  "card_token_key",
  substr("card_last4", greatest(length("card_last4") - 3, 1)) AS "card_last4",
  "_changes"
FROM lake.gold.dim_card_history;

CREATE OR REPLACE VIEW gold_viewer.dim_date AS
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

CREATE OR REPLACE VIEW gold_viewer.dim_mcc AS
SELECT
  "mcc",
  "description"
FROM lake.gold.dim_mcc;

CREATE OR REPLACE VIEW gold_viewer.dim_merchant AS
SELECT
  "merchant_key",
  "merchant_id",
  "merchant_city",
  "merchant_state",
  "zip",
  "mcc"
FROM lake.gold.dim_merchant;

CREATE OR REPLACE VIEW gold_viewer.dim_user AS
SELECT
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  "num_credit_cards"
FROM lake.gold.dim_user;

CREATE OR REPLACE VIEW gold_viewer.dim_user_history AS
SELECT
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  "valid_from",
  "valid_to",
  "is_current",
  "is_deleted",
  "num_credit_cards",
  "_changes"
FROM lake.gold.dim_user_history;

CREATE OR REPLACE VIEW gold_viewer.fact_transactions AS
SELECT
  "transaction_id",
  "transaction_ts",
  "date_key",
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  SHA256(CONCAT('${mask_key}', CAST("card_id" AS VARCHAR))) AS "card_id",
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

CREATE OR REPLACE VIEW gold_viewer.forecasts AS
SELECT
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
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

CREATE OR REPLACE VIEW gold_viewer.fraud_alerts AS
SELECT
  "alert_id",
  "transaction_id",
  "rule",
  "severity",
  "reason",
  "transaction_ts",
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  SHA256(CONCAT('${mask_key}', CAST("card_id" AS VARCHAR))) AS "card_id",
  "merchant_id",
  "merchant_city",
  "merchant_state",
  "mcc",
  "amount",
  "raised_at"
FROM lake.gold.fraud_alerts;

CREATE OR REPLACE VIEW gold_viewer.fraud_scores AS
SELECT
  "transaction_id",
  "transaction_ts",
  SHA256(CONCAT('${mask_key}', CAST("user_id" AS VARCHAR))) AS "user_id",
  SHA256(CONCAT('${mask_key}', CAST("card_id" AS VARCHAR))) AS "card_id",
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

CREATE OR REPLACE VIEW gold_viewer.model_comparison AS
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

CREATE OR REPLACE VIEW gold_viewer.model_versions AS
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

CREATE OR REPLACE VIEW gold_viewer.pipeline_batches AS
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

CREATE OR REPLACE VIEW gold_viewer.pipeline_freshness AS
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

CREATE OR REPLACE VIEW gold_viewer.pipeline_status AS
SELECT
  "table_name",
  "state",
  "since",
  "reason",
  "next_step"
FROM lake.gold.pipeline_status;
