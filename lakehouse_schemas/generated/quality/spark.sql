-- Rendered from the table contracts by `make generate`; do not edit.

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `topic`, `partition`, `offset`) AS `repeated_keys`,
  count(CASE WHEN `source_table` IS NULL THEN 1 END) AS `source_table required`,
  count(CASE WHEN `op` IS NULL THEN 1 END) AS `op required`,
  count(CASE WHEN `op` NOT IN ('c', 'u', 'd', 'r', 't', '?') THEN 1 END) AS `op one_of`,
  count(CASE WHEN `topic` IS NULL THEN 1 END) AS `topic required`,
  count(CASE WHEN `partition` IS NULL THEN 1 END) AS `partition required`,
  count(CASE WHEN `offset` IS NULL THEN 1 END) AS `offset required`,
  count(CASE WHEN `kafka_ts` IS NULL THEN 1 END) AS `kafka_ts required`,
  count(CASE WHEN `value` IS NULL THEN 1 END) AS `value required`,
  count(CASE WHEN `batch_id` IS NULL THEN 1 END) AS `batch_id required`
FROM bronze.changes;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `topic`, `partition`, `offset`) AS `repeated_keys`,
  count(CASE WHEN `source_table` IS NULL THEN 1 END) AS `source_table required`,
  count(CASE WHEN `topic` IS NULL THEN 1 END) AS `topic required`,
  count(CASE WHEN `partition` IS NULL THEN 1 END) AS `partition required`,
  count(CASE WHEN `offset` IS NULL THEN 1 END) AS `offset required`,
  count(CASE WHEN `kafka_ts` IS NULL THEN 1 END) AS `kafka_ts required`,
  count(CASE WHEN `reason` IS NULL THEN 1 END) AS `reason required`,
  count(CASE WHEN `reason` NOT IN ('not_json', 'not_an_envelope', 'bad_type', 'out_of_range', 'missing_key', 'required_null', 'rule', 'schema_changed', 'no_order') THEN 1 END) AS `reason one_of`,
  count(CASE WHEN `detail` IS NULL THEN 1 END) AS `detail required`,
  count(CASE WHEN `batch_id` IS NULL THEN 1 END) AS `batch_id required`
FROM bronze.dead_letters;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `id`) AS `repeated_keys`,
  count(CASE WHEN `id` IS NULL THEN 1 END) AS `id required`,
  count(CASE WHEN `client_id` IS NULL THEN 1 END) AS `client_id required`,
  count(CASE WHEN `card_brand` IS NULL THEN 1 END) AS `card_brand required`,
  count(CASE WHEN `card_brand` NOT IN ('Visa', 'Mastercard', 'Amex', 'Discover') THEN 1 END) AS `card_brand one_of`,
  count(CASE WHEN `card_type` IS NULL THEN 1 END) AS `card_type required`,
  count(CASE WHEN `card_type` NOT IN ('Debit', 'Credit', 'Debit (Prepaid)') THEN 1 END) AS `card_type one_of`,
  count(CASE WHEN `expires` IS NULL THEN 1 END) AS `expires required`,
  count(CASE WHEN NOT `expires` RLIKE '\\A(?:(0[1-9]|1[0-2])/[0-9]{4})\\z' THEN 1 END) AS `expires pattern`,
  count(CASE WHEN `has_chip` IS NULL THEN 1 END) AS `has_chip required`,
  count(CASE WHEN `has_chip` NOT IN ('YES', 'NO') THEN 1 END) AS `has_chip one_of`,
  count(CASE WHEN `num_cards_issued` IS NULL THEN 1 END) AS `num_cards_issued required`,
  count(CASE WHEN NOT (`num_cards_issued` >= 0) THEN 1 END) AS `num_cards_issued between`,
  count(CASE WHEN `credit_limit` IS NULL THEN 1 END) AS `credit_limit required`,
  count(CASE WHEN NOT (`credit_limit` >= 0) THEN 1 END) AS `credit_limit between`,
  count(CASE WHEN `acct_open_date` IS NULL THEN 1 END) AS `acct_open_date required`,
  count(CASE WHEN NOT `acct_open_date` RLIKE '\\A(?:(0[1-9]|1[0-2])/[0-9]{4})\\z' THEN 1 END) AS `acct_open_date pattern`,
  count(CASE WHEN `year_pin_last_changed` IS NULL THEN 1 END) AS `year_pin_last_changed required`,
  count(CASE WHEN NOT (`year_pin_last_changed` >= 1950 AND `year_pin_last_changed` <= 2049) THEN 1 END) AS `year_pin_last_changed between`,
  count(CASE WHEN `card_on_dark_web` IS NULL THEN 1 END) AS `card_on_dark_web required`,
  count(CASE WHEN `card_on_dark_web` NOT IN ('Yes', 'No') THEN 1 END) AS `card_on_dark_web one_of`,
  count(CASE WHEN NOT `card_token` RLIKE '\\A(?:[0-9a-f]{64})\\z' THEN 1 END) AS `card_token pattern`,
  count(CASE WHEN NOT `card_last4` RLIKE '\\A(?:[0-9]{4})\\z' THEN 1 END) AS `card_last4 pattern`,
  count(CASE WHEN `_order_token` IS NULL THEN 1 END) AS `_order_token required`,
  count(CASE WHEN `_is_deleted` IS NULL THEN 1 END) AS `_is_deleted required`,
  count(CASE WHEN `_batch_id` IS NULL THEN 1 END) AS `_batch_id required`
FROM silver.cards;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `transaction_id`) AS `repeated_keys`,
  count(CASE WHEN `transaction_id` IS NULL THEN 1 END) AS `transaction_id required`,
  count(CASE WHEN `label` IS NULL THEN 1 END) AS `label required`,
  count(CASE WHEN `label` NOT IN ('Yes', 'No') THEN 1 END) AS `label one_of`,
  count(CASE WHEN `_order_token` IS NULL THEN 1 END) AS `_order_token required`,
  count(CASE WHEN `_is_deleted` IS NULL THEN 1 END) AS `_is_deleted required`,
  count(CASE WHEN `_batch_id` IS NULL THEN 1 END) AS `_batch_id required`
FROM silver.fraud_labels;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `mcc`) AS `repeated_keys`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN NOT (`mcc` >= 0 AND `mcc` <= 9999) THEN 1 END) AS `mcc between`,
  count(CASE WHEN `description` IS NULL THEN 1 END) AS `description required`,
  count(CASE WHEN `_order_token` IS NULL THEN 1 END) AS `_order_token required`,
  count(CASE WHEN `_is_deleted` IS NULL THEN 1 END) AS `_is_deleted required`,
  count(CASE WHEN `_batch_id` IS NULL THEN 1 END) AS `_batch_id required`
FROM silver.mcc_codes;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `id`) AS `repeated_keys`,
  count(CASE WHEN `id` IS NULL THEN 1 END) AS `id required`,
  count(CASE WHEN `date` IS NULL THEN 1 END) AS `date required`,
  count(CASE WHEN NOT (`date` >= TIMESTAMP '1990-01-01 00:00:00.000000 UTC' AND `date` <= TIMESTAMP '2049-12-31 23:59:59.999999 UTC') THEN 1 END) AS `date between`,
  count(CASE WHEN `client_id` IS NULL THEN 1 END) AS `client_id required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `amount` IS NULL THEN 1 END) AS `amount required`,
  count(CASE WHEN NOT (`amount` >= -100000 AND `amount` <= 100000) THEN 1 END) AS `amount between`,
  count(CASE WHEN `use_chip` IS NULL THEN 1 END) AS `use_chip required`,
  count(CASE WHEN `use_chip` NOT IN ('Swipe Transaction', 'Chip Transaction', 'Online Transaction') THEN 1 END) AS `use_chip one_of`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN NOT `zip` RLIKE '\\A(?:[0-9]{5})\\z' THEN 1 END) AS `zip pattern`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN NOT (`mcc` >= 0 AND `mcc` <= 9999) THEN 1 END) AS `mcc between`,
  count(CASE WHEN `_order_token` IS NULL THEN 1 END) AS `_order_token required`,
  count(CASE WHEN `_is_deleted` IS NULL THEN 1 END) AS `_is_deleted required`,
  count(CASE WHEN `_batch_id` IS NULL THEN 1 END) AS `_batch_id required`
FROM silver.transactions;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `id`) AS `repeated_keys`,
  count(CASE WHEN `id` IS NULL THEN 1 END) AS `id required`,
  count(CASE WHEN `current_age` IS NULL THEN 1 END) AS `current_age required`,
  count(CASE WHEN NOT (`current_age` >= 0 AND `current_age` <= 130) THEN 1 END) AS `current_age between`,
  count(CASE WHEN `retirement_age` IS NULL THEN 1 END) AS `retirement_age required`,
  count(CASE WHEN NOT (`retirement_age` >= 0 AND `retirement_age` <= 130) THEN 1 END) AS `retirement_age between`,
  count(CASE WHEN `birth_year` IS NULL THEN 1 END) AS `birth_year required`,
  count(CASE WHEN NOT (`birth_year` >= 1880 AND `birth_year` <= 2049) THEN 1 END) AS `birth_year between`,
  count(CASE WHEN `birth_month` IS NULL THEN 1 END) AS `birth_month required`,
  count(CASE WHEN NOT (`birth_month` >= 1 AND `birth_month` <= 12) THEN 1 END) AS `birth_month between`,
  count(CASE WHEN `gender` IS NULL THEN 1 END) AS `gender required`,
  count(CASE WHEN `address` IS NULL THEN 1 END) AS `address required`,
  count(CASE WHEN `latitude` IS NULL THEN 1 END) AS `latitude required`,
  count(CASE WHEN NOT (`latitude` >= -90 AND `latitude` <= 90) THEN 1 END) AS `latitude between`,
  count(CASE WHEN `longitude` IS NULL THEN 1 END) AS `longitude required`,
  count(CASE WHEN NOT (`longitude` >= -180 AND `longitude` <= 180) THEN 1 END) AS `longitude between`,
  count(CASE WHEN `per_capita_income` IS NULL THEN 1 END) AS `per_capita_income required`,
  count(CASE WHEN NOT (`per_capita_income` >= 0) THEN 1 END) AS `per_capita_income between`,
  count(CASE WHEN `yearly_income` IS NULL THEN 1 END) AS `yearly_income required`,
  count(CASE WHEN NOT (`yearly_income` >= 0) THEN 1 END) AS `yearly_income between`,
  count(CASE WHEN `total_debt` IS NULL THEN 1 END) AS `total_debt required`,
  count(CASE WHEN NOT (`total_debt` >= 0) THEN 1 END) AS `total_debt between`,
  count(CASE WHEN `credit_score` IS NULL THEN 1 END) AS `credit_score required`,
  count(CASE WHEN NOT (`credit_score` >= 300 AND `credit_score` <= 850) THEN 1 END) AS `credit_score between`,
  count(CASE WHEN `num_credit_cards` IS NULL THEN 1 END) AS `num_credit_cards required`,
  count(CASE WHEN NOT (`num_credit_cards` >= 0 AND `num_credit_cards` <= 100) THEN 1 END) AS `num_credit_cards between`,
  count(CASE WHEN `_order_token` IS NULL THEN 1 END) AS `_order_token required`,
  count(CASE WHEN `_is_deleted` IS NULL THEN 1 END) AS `_is_deleted required`,
  count(CASE WHEN `_batch_id` IS NULL THEN 1 END) AS `_batch_id required`
FROM silver.users;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `month_start` IS NULL THEN 1 END) AS `month_start required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_card_month;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `date` IS NULL THEN 1 END) AS `date required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_category_day;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `month_start` IS NULL THEN 1 END) AS `month_start required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `state` IS NULL THEN 1 END) AS `state required`,
  count(CASE WHEN `channel` IS NULL THEN 1 END) AS `channel required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_category_month;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `date` IS NULL THEN 1 END) AS `date required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_customer_day;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `month_start` IS NULL THEN 1 END) AS `month_start required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_merchant_month;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `minute` IS NULL THEN 1 END) AS `minute required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_minute;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `date` IS NULL THEN 1 END) AS `date required`,
  count(CASE WHEN `state` IS NULL THEN 1 END) AS `state required`,
  count(CASE WHEN `channel` IS NULL THEN 1 END) AS `channel required`,
  count(CASE WHEN `transaction_count` IS NULL THEN 1 END) AS `transaction_count required`,
  count(CASE WHEN `amount_sum` IS NULL THEN 1 END) AS `amount_sum required`,
  count(CASE WHEN `refund_count` IS NULL THEN 1 END) AS `refund_count required`,
  count(CASE WHEN `refund_sum` IS NULL THEN 1 END) AS `refund_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `online_count` IS NULL THEN 1 END) AS `online_count required`,
  count(CASE WHEN `labelled_count` IS NULL THEN 1 END) AS `labelled_count required`,
  count(CASE WHEN `fraud_count` IS NULL THEN 1 END) AS `fraud_count required`
FROM gold.agg_state_day;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `user_id`) AS `repeated_keys`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `as_of` IS NULL THEN 1 END) AS `as_of required`,
  count(CASE WHEN `purchases` IS NULL THEN 1 END) AS `purchases required`,
  count(CASE WHEN NOT (`purchases` >= 0) THEN 1 END) AS `purchases between`,
  count(CASE WHEN `spent_total` IS NULL THEN 1 END) AS `spent_total required`,
  count(CASE WHEN NOT (`recency_days` >= 0) THEN 1 END) AS `recency_days between`,
  count(CASE WHEN `frequency` IS NULL THEN 1 END) AS `frequency required`,
  count(CASE WHEN NOT (`frequency` >= 0) THEN 1 END) AS `frequency between`,
  count(CASE WHEN `monetary` IS NULL THEN 1 END) AS `monetary required`,
  count(CASE WHEN NOT (`r_score` >= 1 AND `r_score` <= 5) THEN 1 END) AS `r_score between`,
  count(CASE WHEN NOT (`f_score` >= 1 AND `f_score` <= 5) THEN 1 END) AS `f_score between`,
  count(CASE WHEN NOT (`m_score` >= 1 AND `m_score` <= 5) THEN 1 END) AS `m_score between`,
  count(CASE WHEN `segment` IS NULL THEN 1 END) AS `segment required`,
  count(CASE WHEN `segment` NOT IN ('champions', 'loyal', 'potential', 'new', 'attention', 'at_risk', 'cannot_lose', 'hibernating', 'none') THEN 1 END) AS `segment one_of`,
  count(CASE WHEN NOT (`cluster` >= 1) THEN 1 END) AS `cluster between`,
  count(CASE WHEN `value_past` IS NULL THEN 1 END) AS `value_past required`,
  count(CASE WHEN `value_future` IS NULL THEN 1 END) AS `value_future required`,
  count(CASE WHEN `lifetime_value` IS NULL THEN 1 END) AS `lifetime_value required`,
  count(CASE WHEN `risk_score` IS NULL THEN 1 END) AS `risk_score required`,
  count(CASE WHEN NOT (`risk_score` >= 0 AND `risk_score` <= 1000) THEN 1 END) AS `risk_score between`,
  count(CASE WHEN `risk_band` IS NULL THEN 1 END) AS `risk_band required`,
  count(CASE WHEN `risk_band` NOT IN ('very_low', 'low', 'medium', 'high', 'very_high') THEN 1 END) AS `risk_band one_of`,
  count(CASE WHEN `reason_1` NOT IN ('score', 'debt', 'income', 'utilisation', 'cash', 'shortage', 'history') THEN 1 END) AS `reason_1 one_of`,
  count(CASE WHEN `reason_2` NOT IN ('score', 'debt', 'income', 'utilisation', 'cash', 'shortage', 'history') THEN 1 END) AS `reason_2 one_of`,
  count(CASE WHEN `reason_3` NOT IN ('score', 'debt', 'income', 'utilisation', 'cash', 'shortage', 'history') THEN 1 END) AS `reason_3 one_of`,
  count(CASE WHEN `reason_4` NOT IN ('score', 'debt', 'income', 'utilisation', 'cash', 'shortage', 'history') THEN 1 END) AS `reason_4 one_of`,
  count(CASE WHEN `risk_reasons` IS NULL THEN 1 END) AS `risk_reasons required`,
  count(CASE WHEN `made_at` IS NULL THEN 1 END) AS `made_at required`,
  count(CASE WHEN `transactions_version` IS NULL THEN 1 END) AS `transactions_version required`,
  count(CASE WHEN `users_version` IS NULL THEN 1 END) AS `users_version required`,
  count(CASE WHEN `cards_version` IS NULL THEN 1 END) AS `cards_version required`
FROM gold.customer_analytics;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `cohort_month`, `month_number`) AS `repeated_keys`,
  count(CASE WHEN `cohort_month` IS NULL THEN 1 END) AS `cohort_month required`,
  count(CASE WHEN `month_number` IS NULL THEN 1 END) AS `month_number required`,
  count(CASE WHEN NOT (`month_number` >= 0) THEN 1 END) AS `month_number between`,
  count(CASE WHEN `active_month` IS NULL THEN 1 END) AS `active_month required`,
  count(CASE WHEN `customers` IS NULL THEN 1 END) AS `customers required`,
  count(CASE WHEN NOT (`customers` >= 1) THEN 1 END) AS `customers between`,
  count(CASE WHEN `active_customers` IS NULL THEN 1 END) AS `active_customers required`,
  count(CASE WHEN NOT (`active_customers` >= 0) THEN 1 END) AS `active_customers between`,
  count(CASE WHEN `retention` IS NULL THEN 1 END) AS `retention required`,
  count(CASE WHEN NOT (`retention` >= 0.0 AND `retention` <= 1.0) THEN 1 END) AS `retention between`,
  count(CASE WHEN `spent` IS NULL THEN 1 END) AS `spent required`,
  count(CASE WHEN `as_of` IS NULL THEN 1 END) AS `as_of required`,
  count(CASE WHEN `made_at` IS NULL THEN 1 END) AS `made_at required`,
  count(CASE WHEN `transactions_version` IS NULL THEN 1 END) AS `transactions_version required`
FROM gold.customer_cohorts;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `card_id`) AS `repeated_keys`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `card_brand` IS NULL THEN 1 END) AS `card_brand required`,
  count(CASE WHEN `card_type` IS NULL THEN 1 END) AS `card_type required`,
  count(CASE WHEN `expires` IS NULL THEN 1 END) AS `expires required`,
  count(CASE WHEN `has_chip` IS NULL THEN 1 END) AS `has_chip required`,
  count(CASE WHEN `num_cards_issued` IS NULL THEN 1 END) AS `num_cards_issued required`,
  count(CASE WHEN `credit_limit` IS NULL THEN 1 END) AS `credit_limit required`,
  count(CASE WHEN `acct_open_date` IS NULL THEN 1 END) AS `acct_open_date required`,
  count(CASE WHEN `year_pin_last_changed` IS NULL THEN 1 END) AS `year_pin_last_changed required`,
  count(CASE WHEN `card_on_dark_web` IS NULL THEN 1 END) AS `card_on_dark_web required`
FROM gold.dim_card;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `version_key`) AS `repeated_keys`,
  count(CASE WHEN `version_key` IS NULL THEN 1 END) AS `version_key required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `valid_from` IS NULL THEN 1 END) AS `valid_from required`,
  count(CASE WHEN `is_current` IS NULL THEN 1 END) AS `is_current required`,
  count(CASE WHEN `is_deleted` IS NULL THEN 1 END) AS `is_deleted required`,
  count(CASE WHEN `changes` IS NULL THEN 1 END) AS `changes required`
FROM gold.dim_card_history;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `date_key`) AS `repeated_keys`,
  count(CASE WHEN `date_key` IS NULL THEN 1 END) AS `date_key required`,
  count(CASE WHEN `date` IS NULL THEN 1 END) AS `date required`,
  count(CASE WHEN `year` IS NULL THEN 1 END) AS `year required`,
  count(CASE WHEN NOT (`year` >= 1990 AND `year` <= 2049) THEN 1 END) AS `year between`,
  count(CASE WHEN `quarter` IS NULL THEN 1 END) AS `quarter required`,
  count(CASE WHEN NOT (`quarter` >= 1 AND `quarter` <= 4) THEN 1 END) AS `quarter between`,
  count(CASE WHEN `month` IS NULL THEN 1 END) AS `month required`,
  count(CASE WHEN NOT (`month` >= 1 AND `month` <= 12) THEN 1 END) AS `month between`,
  count(CASE WHEN `month_name` IS NULL THEN 1 END) AS `month_name required`,
  count(CASE WHEN `day` IS NULL THEN 1 END) AS `day required`,
  count(CASE WHEN NOT (`day` >= 1 AND `day` <= 31) THEN 1 END) AS `day between`,
  count(CASE WHEN `day_of_week` IS NULL THEN 1 END) AS `day_of_week required`,
  count(CASE WHEN NOT (`day_of_week` >= 1 AND `day_of_week` <= 7) THEN 1 END) AS `day_of_week between`,
  count(CASE WHEN `day_name` IS NULL THEN 1 END) AS `day_name required`,
  count(CASE WHEN `week` IS NULL THEN 1 END) AS `week required`,
  count(CASE WHEN NOT (`week` >= 1 AND `week` <= 53) THEN 1 END) AS `week between`,
  count(CASE WHEN `is_weekend` IS NULL THEN 1 END) AS `is_weekend required`
FROM gold.dim_date;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `mcc`) AS `repeated_keys`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `description` IS NULL THEN 1 END) AS `description required`
FROM gold.dim_mcc;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `merchant_key`) AS `repeated_keys`,
  count(CASE WHEN `merchant_key` IS NULL THEN 1 END) AS `merchant_key required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`
FROM gold.dim_merchant;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `user_id`) AS `repeated_keys`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `current_age` IS NULL THEN 1 END) AS `current_age required`,
  count(CASE WHEN `retirement_age` IS NULL THEN 1 END) AS `retirement_age required`,
  count(CASE WHEN `birth_year` IS NULL THEN 1 END) AS `birth_year required`,
  count(CASE WHEN `birth_month` IS NULL THEN 1 END) AS `birth_month required`,
  count(CASE WHEN `gender` IS NULL THEN 1 END) AS `gender required`,
  count(CASE WHEN `address` IS NULL THEN 1 END) AS `address required`,
  count(CASE WHEN `latitude` IS NULL THEN 1 END) AS `latitude required`,
  count(CASE WHEN `longitude` IS NULL THEN 1 END) AS `longitude required`,
  count(CASE WHEN `per_capita_income` IS NULL THEN 1 END) AS `per_capita_income required`,
  count(CASE WHEN `yearly_income` IS NULL THEN 1 END) AS `yearly_income required`,
  count(CASE WHEN `total_debt` IS NULL THEN 1 END) AS `total_debt required`,
  count(CASE WHEN `credit_score` IS NULL THEN 1 END) AS `credit_score required`,
  count(CASE WHEN `num_credit_cards` IS NULL THEN 1 END) AS `num_credit_cards required`
FROM gold.dim_user;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `version_key`) AS `repeated_keys`,
  count(CASE WHEN `version_key` IS NULL THEN 1 END) AS `version_key required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `valid_from` IS NULL THEN 1 END) AS `valid_from required`,
  count(CASE WHEN `is_current` IS NULL THEN 1 END) AS `is_current required`,
  count(CASE WHEN `is_deleted` IS NULL THEN 1 END) AS `is_deleted required`,
  count(CASE WHEN `changes` IS NULL THEN 1 END) AS `changes required`
FROM gold.dim_user_history;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `transaction_id`) AS `repeated_keys`,
  count(CASE WHEN `transaction_id` IS NULL THEN 1 END) AS `transaction_id required`,
  count(CASE WHEN `transaction_ts` IS NULL THEN 1 END) AS `transaction_ts required`,
  count(CASE WHEN `date_key` IS NULL THEN 1 END) AS `date_key required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `merchant_key` IS NULL THEN 1 END) AS `merchant_key required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN NOT (`mcc` >= 0 AND `mcc` <= 9999) THEN 1 END) AS `mcc between`,
  count(CASE WHEN `amount` IS NULL THEN 1 END) AS `amount required`,
  count(CASE WHEN `channel` IS NULL THEN 1 END) AS `channel required`,
  count(CASE WHEN `channel` NOT IN ('Swipe', 'Chip', 'Online') THEN 1 END) AS `channel one_of`,
  count(CASE WHEN `is_online` IS NULL THEN 1 END) AS `is_online required`,
  count(CASE WHEN `is_refund` IS NULL THEN 1 END) AS `is_refund required`,
  count(CASE WHEN `is_declined` IS NULL THEN 1 END) AS `is_declined required`
FROM gold.fact_transactions;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `user_id`, `category`, `period`, `forecast_date`) AS `repeated_keys`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `category` IS NULL THEN 1 END) AS `category required`,
  count(CASE WHEN NOT `category` RLIKE '\\A(?:all|[0-9]{4})\\z' THEN 1 END) AS `category pattern`,
  count(CASE WHEN `period` IS NULL THEN 1 END) AS `period required`,
  count(CASE WHEN `period` NOT IN ('day', 'month') THEN 1 END) AS `period one_of`,
  count(CASE WHEN `forecast_date` IS NULL THEN 1 END) AS `forecast_date required`,
  count(CASE WHEN `method` IS NULL THEN 1 END) AS `method required`,
  count(CASE WHEN `method` NOT IN ('holt_winters', 'arima', 'prophet', 'average', 'seasonal_average', 'seasonal_naive', 'constant', 'zero', 'none') THEN 1 END) AS `method one_of`,
  count(CASE WHEN `reason` IS NULL THEN 1 END) AS `reason required`,
  count(CASE WHEN NOT (`backtest_mase` >= 0.0) THEN 1 END) AS `backtest_mase between`,
  count(CASE WHEN NOT (`backtest_coverage` >= 0.0 AND `backtest_coverage` <= 1.0) THEN 1 END) AS `backtest_coverage between`,
  count(CASE WHEN `history_until` IS NULL THEN 1 END) AS `history_until required`,
  count(CASE WHEN `made_at` IS NULL THEN 1 END) AS `made_at required`,
  count(CASE WHEN `transactions_version` IS NULL THEN 1 END) AS `transactions_version required`,
  count(CASE WHEN `users_version` IS NULL THEN 1 END) AS `users_version required`
FROM gold.forecasts;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `alert_id`) AS `repeated_keys`,
  count(CASE WHEN `alert_id` IS NULL THEN 1 END) AS `alert_id required`,
  count(CASE WHEN `transaction_id` IS NULL THEN 1 END) AS `transaction_id required`,
  count(CASE WHEN `rule` IS NULL THEN 1 END) AS `rule required`,
  count(CASE WHEN `rule` NOT IN ('amount_over', 'card_testing', 'impossible_travel', 'first_abroad', 'declined_burst') THEN 1 END) AS `rule one_of`,
  count(CASE WHEN `severity` IS NULL THEN 1 END) AS `severity required`,
  count(CASE WHEN `severity` NOT IN ('high', 'medium', 'low') THEN 1 END) AS `severity one_of`,
  count(CASE WHEN `reason` IS NULL THEN 1 END) AS `reason required`,
  count(CASE WHEN `transaction_ts` IS NULL THEN 1 END) AS `transaction_ts required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `amount` IS NULL THEN 1 END) AS `amount required`,
  count(CASE WHEN `raised_at` IS NULL THEN 1 END) AS `raised_at required`
FROM gold.fraud_alerts;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `transaction_id`) AS `repeated_keys`,
  count(CASE WHEN `transaction_id` IS NULL THEN 1 END) AS `transaction_id required`,
  count(CASE WHEN `transaction_ts` IS NULL THEN 1 END) AS `transaction_ts required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `amount` IS NULL THEN 1 END) AS `amount required`,
  count(CASE WHEN NOT (`score` >= 0.0 AND `score` <= 1.0) THEN 1 END) AS `score between`,
  count(CASE WHEN `band` NOT IN ('low', 'medium', 'high', 'critical') THEN 1 END) AS `band one_of`,
  count(CASE WHEN `is_alert` IS NULL THEN 1 END) AS `is_alert required`,
  count(CASE WHEN NOT (`challenger_score` >= 0.0 AND `challenger_score` <= 1.0) THEN 1 END) AS `challenger_score between`,
  count(CASE WHEN `scored_at` IS NULL THEN 1 END) AS `scored_at required`
FROM gold.fraud_scores;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `comparison_id`) AS `repeated_keys`,
  count(CASE WHEN `comparison_id` IS NULL THEN 1 END) AS `comparison_id required`,
  count(CASE WHEN `date` IS NULL THEN 1 END) AS `date required`,
  count(CASE WHEN `champion_version` IS NULL THEN 1 END) AS `champion_version required`,
  count(CASE WHEN `challenger_version` IS NULL THEN 1 END) AS `challenger_version required`,
  count(CASE WHEN `transactions` IS NULL THEN 1 END) AS `transactions required`,
  count(CASE WHEN `labelled` IS NULL THEN 1 END) AS `labelled required`,
  count(CASE WHEN `frauds` IS NULL THEN 1 END) AS `frauds required`,
  count(CASE WHEN `champion_alerts` IS NULL THEN 1 END) AS `champion_alerts required`,
  count(CASE WHEN `challenger_alerts` IS NULL THEN 1 END) AS `challenger_alerts required`,
  count(CASE WHEN `champion_caught` IS NULL THEN 1 END) AS `champion_caught required`,
  count(CASE WHEN `challenger_caught` IS NULL THEN 1 END) AS `challenger_caught required`,
  count(CASE WHEN `only_champion` IS NULL THEN 1 END) AS `only_champion required`,
  count(CASE WHEN `only_challenger` IS NULL THEN 1 END) AS `only_challenger required`,
  count(CASE WHEN `p_value` IS NULL THEN 1 END) AS `p_value required`,
  count(CASE WHEN `compared_at` IS NULL THEN 1 END) AS `compared_at required`
FROM gold.model_comparison;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `model_version`, `week_start`, `measured_at`) AS `repeated_keys`,
  count(CASE WHEN `model_version` IS NULL THEN 1 END) AS `model_version required`,
  count(CASE WHEN NOT (`model_version` >= 1) THEN 1 END) AS `model_version between`,
  count(CASE WHEN `week_start` IS NULL THEN 1 END) AS `week_start required`,
  count(CASE WHEN `transactions` IS NULL THEN 1 END) AS `transactions required`,
  count(CASE WHEN NOT (`transactions` >= 0) THEN 1 END) AS `transactions between`,
  count(CASE WHEN `frauds` IS NULL THEN 1 END) AS `frauds required`,
  count(CASE WHEN NOT (`frauds` >= 0) THEN 1 END) AS `frauds between`,
  count(CASE WHEN `foretold` IS NULL THEN 1 END) AS `foretold required`,
  count(CASE WHEN NOT (`foretold` >= 0.0) THEN 1 END) AS `foretold between`,
  count(CASE WHEN NOT (`average_precision` >= 0.0 AND `average_precision` <= 1.0) THEN 1 END) AS `average_precision between`,
  count(CASE WHEN NOT (`average_precision_low` >= 0.0 AND `average_precision_low` <= 1.0) THEN 1 END) AS `average_precision_low between`,
  count(CASE WHEN NOT (`average_precision_high` >= 0.0 AND `average_precision_high` <= 1.0) THEN 1 END) AS `average_precision_high between`,
  count(CASE WHEN `average_precision_trained` IS NULL THEN 1 END) AS `average_precision_trained required`,
  count(CASE WHEN NOT (`average_precision_trained` >= 0.0 AND `average_precision_trained` <= 1.0) THEN 1 END) AS `average_precision_trained between`,
  count(CASE WHEN `level` IS NULL THEN 1 END) AS `level required`,
  count(CASE WHEN `level` NOT IN ('ok', 'warn', 'alarm') THEN 1 END) AS `level one_of`,
  count(CASE WHEN `measured_at` IS NULL THEN 1 END) AS `measured_at required`
FROM gold.model_decay;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `decided_at` IS NULL THEN 1 END) AS `decided_at required`,
  count(CASE WHEN `action` IS NULL THEN 1 END) AS `action required`,
  count(CASE WHEN `action` NOT IN ('promote', 'force', 'rollback', 'retrain') THEN 1 END) AS `action one_of`,
  count(CASE WHEN `model_version` IS NULL THEN 1 END) AS `model_version required`,
  count(CASE WHEN NOT (`model_version` >= 1) THEN 1 END) AS `model_version between`,
  count(CASE WHEN `promoted` IS NULL THEN 1 END) AS `promoted required`,
  count(CASE WHEN `reason` IS NULL THEN 1 END) AS `reason required`,
  count(CASE WHEN `checks` IS NULL THEN 1 END) AS `checks required`
FROM gold.model_decisions;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `model_version`, `feature`, `window_end`, `measured_at`) AS `repeated_keys`,
  count(CASE WHEN `model_version` IS NULL THEN 1 END) AS `model_version required`,
  count(CASE WHEN NOT (`model_version` >= 1) THEN 1 END) AS `model_version between`,
  count(CASE WHEN `feature` IS NULL THEN 1 END) AS `feature required`,
  count(CASE WHEN `window_start` IS NULL THEN 1 END) AS `window_start required`,
  count(CASE WHEN `window_end` IS NULL THEN 1 END) AS `window_end required`,
  count(CASE WHEN `reference_rows` IS NULL THEN 1 END) AS `reference_rows required`,
  count(CASE WHEN NOT (`reference_rows` >= 0) THEN 1 END) AS `reference_rows between`,
  count(CASE WHEN `window_rows` IS NULL THEN 1 END) AS `window_rows required`,
  count(CASE WHEN NOT (`window_rows` >= 0) THEN 1 END) AS `window_rows between`,
  count(CASE WHEN `psi` IS NULL THEN 1 END) AS `psi required`,
  count(CASE WHEN NOT (`psi` >= 0.0) THEN 1 END) AS `psi between`,
  count(CASE WHEN `ks` IS NULL THEN 1 END) AS `ks required`,
  count(CASE WHEN NOT (`ks` >= 0.0 AND `ks` <= 1.0) THEN 1 END) AS `ks between`,
  count(CASE WHEN `level` IS NULL THEN 1 END) AS `level required`,
  count(CASE WHEN `level` NOT IN ('ok', 'warn', 'alarm') THEN 1 END) AS `level one_of`,
  count(CASE WHEN `measured_at` IS NULL THEN 1 END) AS `measured_at required`
FROM gold.model_drift;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `model_version`, `measured_at`) AS `repeated_keys`,
  count(CASE WHEN `model_version` IS NULL THEN 1 END) AS `model_version required`,
  count(CASE WHEN NOT (`model_version` >= 1) THEN 1 END) AS `model_version between`,
  count(CASE WHEN `role` IS NULL THEN 1 END) AS `role required`,
  count(CASE WHEN `role` NOT IN ('champion', 'challenger', 'previous', 'none') THEN 1 END) AS `role one_of`,
  count(CASE WHEN `registered_at` IS NULL THEN 1 END) AS `registered_at required`,
  count(CASE WHEN NOT (`features` >= 1) THEN 1 END) AS `features between`,
  count(CASE WHEN NOT (`rows_trained` >= 0) THEN 1 END) AS `rows_trained between`,
  count(CASE WHEN NOT (`threshold` >= 0.0 AND `threshold` <= 1.0) THEN 1 END) AS `threshold between`,
  count(CASE WHEN `measured_at` IS NULL THEN 1 END) AS `measured_at required`
FROM gold.model_versions;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `batch_id`, `table_name`) AS `repeated_keys`,
  count(CASE WHEN `batch_id` IS NULL THEN 1 END) AS `batch_id required`,
  count(CASE WHEN `table_name` IS NULL THEN 1 END) AS `table_name required`,
  count(CASE WHEN `events` IS NULL THEN 1 END) AS `events required`,
  count(CASE WHEN NOT (`events` >= 0) THEN 1 END) AS `events between`,
  count(CASE WHEN `applied` IS NULL THEN 1 END) AS `applied required`,
  count(CASE WHEN NOT (`applied` >= 0) THEN 1 END) AS `applied between`,
  count(CASE WHEN `superseded` IS NULL THEN 1 END) AS `superseded required`,
  count(CASE WHEN NOT (`superseded` >= 0) THEN 1 END) AS `superseded between`,
  count(CASE WHEN `quarantined` IS NULL THEN 1 END) AS `quarantined required`,
  count(CASE WHEN NOT (`quarantined` >= 0) THEN 1 END) AS `quarantined between`,
  count(CASE WHEN `started_at` IS NULL THEN 1 END) AS `started_at required`,
  count(CASE WHEN `duration_ms` IS NULL THEN 1 END) AS `duration_ms required`,
  count(CASE WHEN NOT (`duration_ms` >= 0.0) THEN 1 END) AS `duration_ms between`,
  count(CASE WHEN `ends` IS NULL THEN 1 END) AS `ends required`
FROM gold.pipeline_batches;

SELECT
  count(*) AS `rows`,
  count(CASE WHEN `measured_at` IS NULL THEN 1 END) AS `measured_at required`,
  count(CASE WHEN `batch_id` IS NULL THEN 1 END) AS `batch_id required`,
  count(CASE WHEN `table_name` IS NULL THEN 1 END) AS `table_name required`,
  count(CASE WHEN `hop` IS NULL THEN 1 END) AS `hop required`,
  count(CASE WHEN `hop` NOT IN ('kafka', 'bronze', 'silver', 'gold', 'alert') THEN 1 END) AS `hop one_of`,
  count(CASE WHEN `events` IS NULL THEN 1 END) AS `events required`,
  count(CASE WHEN NOT (`events` >= 0) THEN 1 END) AS `events between`,
  count(CASE WHEN `p50_ms` IS NULL THEN 1 END) AS `p50_ms required`,
  count(CASE WHEN `p95_ms` IS NULL THEN 1 END) AS `p95_ms required`,
  count(CASE WHEN `max_ms` IS NULL THEN 1 END) AS `max_ms required`
FROM gold.pipeline_freshness;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `table_name`) AS `repeated_keys`,
  count(CASE WHEN `table_name` IS NULL THEN 1 END) AS `table_name required`,
  count(CASE WHEN `state` IS NULL THEN 1 END) AS `state required`,
  count(CASE WHEN `state` NOT IN ('running', 'stopped') THEN 1 END) AS `state one_of`,
  count(CASE WHEN `since` IS NULL THEN 1 END) AS `since required`
FROM gold.pipeline_status;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `report_date`, `edition`, `line`) AS `repeated_keys`,
  count(CASE WHEN `report_date` IS NULL THEN 1 END) AS `report_date required`,
  count(CASE WHEN `edition` IS NULL THEN 1 END) AS `edition required`,
  count(CASE WHEN NOT (`edition` >= 1) THEN 1 END) AS `edition between`,
  count(CASE WHEN `line` IS NULL THEN 1 END) AS `line required`,
  count(CASE WHEN NOT (`line` >= 1) THEN 1 END) AS `line between`,
  count(CASE WHEN `channel` IS NULL THEN 1 END) AS `channel required`,
  count(CASE WHEN `transactions` IS NULL THEN 1 END) AS `transactions required`,
  count(CASE WHEN `customers` IS NULL THEN 1 END) AS `customers required`,
  count(CASE WHEN `purchase_count` IS NULL THEN 1 END) AS `purchase_count required`,
  count(CASE WHEN `purchase_sum` IS NULL THEN 1 END) AS `purchase_sum required`,
  count(CASE WHEN `money_back_count` IS NULL THEN 1 END) AS `money_back_count required`,
  count(CASE WHEN `money_back_sum` IS NULL THEN 1 END) AS `money_back_sum required`,
  count(CASE WHEN `declined_count` IS NULL THEN 1 END) AS `declined_count required`,
  count(CASE WHEN `declined_sum` IS NULL THEN 1 END) AS `declined_sum required`
FROM gold.report_daily_totals;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `report`, `report_date`, `edition`) AS `repeated_keys`,
  count(CASE WHEN `report` IS NULL THEN 1 END) AS `report required`,
  count(CASE WHEN `report` NOT IN ('daily-totals', 'large-transactions', 'suspicious-activity') THEN 1 END) AS `report one_of`,
  count(CASE WHEN `report_date` IS NULL THEN 1 END) AS `report_date required`,
  count(CASE WHEN `edition` IS NULL THEN 1 END) AS `edition required`,
  count(CASE WHEN NOT (`edition` >= 1) THEN 1 END) AS `edition between`,
  count(CASE WHEN `made_at` IS NULL THEN 1 END) AS `made_at required`,
  count(CASE WHEN `transactions_version` IS NULL THEN 1 END) AS `transactions_version required`,
  count(CASE WHEN `alerts_version` IS NULL THEN 1 END) AS `alerts_version required`,
  count(CASE WHEN `lines` IS NULL THEN 1 END) AS `lines required`,
  count(CASE WHEN NOT (`lines` >= 0) THEN 1 END) AS `lines between`,
  count(CASE WHEN `sha256` IS NULL THEN 1 END) AS `sha256 required`,
  count(CASE WHEN NOT `sha256` RLIKE '\\A(?:[0-9a-f]{64})\\z' THEN 1 END) AS `sha256 pattern`,
  count(CASE WHEN `content` IS NULL THEN 1 END) AS `content required`
FROM gold.report_editions;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `report_date`, `edition`, `line`) AS `repeated_keys`,
  count(CASE WHEN `report_date` IS NULL THEN 1 END) AS `report_date required`,
  count(CASE WHEN `edition` IS NULL THEN 1 END) AS `edition required`,
  count(CASE WHEN NOT (`edition` >= 1) THEN 1 END) AS `edition between`,
  count(CASE WHEN `line` IS NULL THEN 1 END) AS `line required`,
  count(CASE WHEN NOT (`line` >= 1) THEN 1 END) AS `line between`,
  count(CASE WHEN `transaction_id` IS NULL THEN 1 END) AS `transaction_id required`,
  count(CASE WHEN `transaction_ts` IS NULL THEN 1 END) AS `transaction_ts required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `amount` IS NULL THEN 1 END) AS `amount required`,
  count(CASE WHEN `customer_day_sum` IS NULL THEN 1 END) AS `customer_day_sum required`,
  count(CASE WHEN `why` IS NULL THEN 1 END) AS `why required`,
  count(CASE WHEN `why` NOT IN ('alone', 'together') THEN 1 END) AS `why one_of`
FROM gold.report_large_transactions;

SELECT
  count(*) AS `rows`,
  count(*) - count(DISTINCT `report_date`, `edition`, `line`) AS `repeated_keys`,
  count(CASE WHEN `report_date` IS NULL THEN 1 END) AS `report_date required`,
  count(CASE WHEN `edition` IS NULL THEN 1 END) AS `edition required`,
  count(CASE WHEN NOT (`edition` >= 1) THEN 1 END) AS `edition between`,
  count(CASE WHEN `line` IS NULL THEN 1 END) AS `line required`,
  count(CASE WHEN NOT (`line` >= 1) THEN 1 END) AS `line between`,
  count(CASE WHEN `alert_id` IS NULL THEN 1 END) AS `alert_id required`,
  count(CASE WHEN `transaction_id` IS NULL THEN 1 END) AS `transaction_id required`,
  count(CASE WHEN `transaction_ts` IS NULL THEN 1 END) AS `transaction_ts required`,
  count(CASE WHEN `user_id` IS NULL THEN 1 END) AS `user_id required`,
  count(CASE WHEN `card_id` IS NULL THEN 1 END) AS `card_id required`,
  count(CASE WHEN `merchant_id` IS NULL THEN 1 END) AS `merchant_id required`,
  count(CASE WHEN `mcc` IS NULL THEN 1 END) AS `mcc required`,
  count(CASE WHEN `amount` IS NULL THEN 1 END) AS `amount required`,
  count(CASE WHEN `rule` IS NULL THEN 1 END) AS `rule required`,
  count(CASE WHEN `severity` IS NULL THEN 1 END) AS `severity required`,
  count(CASE WHEN `reason` IS NULL THEN 1 END) AS `reason required`
FROM gold.report_suspicious_activity;
