-- Rendered from the table contracts by `make generate`; do not edit.

CREATE TABLE IF NOT EXISTS silver.cards (
  `id` INT COMMENT 'Number of the card within the bank, not the number printed on it.',
  `client_id` INT COMMENT 'Customer who owns the card (users.id).',
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
  `_order_token` STRING COMMENT 'Place of the change that made this row in the order of all changes: source epoch, binlog file, position, row, Kafka offset; compare as text.',
  `_is_deleted` BOOLEAN COMMENT 'True when the source has deleted the key; the row then keeps the last values as a marker.',
  `_source_ts` TIMESTAMP COMMENT 'When the source committed the change, UTC.',
  `_batch_id` BIGINT COMMENT 'Micro-batch that wrote the row.',
  `_extra` STRING COMMENT 'Source columns that this contract does not know, as one JSON object; empty when there are none.'
)
USING DELTA
COMMENT 'The source table cards as it is now, with markers for deleted rows.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS silver.fraud_labels (
  `transaction_id` BIGINT COMMENT 'Transaction that was investigated (transactions.id).',
  `label` STRING COMMENT 'Yes when it was fraud, No when it was not.',
  `_order_token` STRING COMMENT 'Place of the change that made this row in the order of all changes: source epoch, binlog file, position, row, Kafka offset; compare as text.',
  `_is_deleted` BOOLEAN COMMENT 'True when the source has deleted the key; the row then keeps the last values as a marker.',
  `_source_ts` TIMESTAMP COMMENT 'When the source committed the change, UTC.',
  `_batch_id` BIGINT COMMENT 'Micro-batch that wrote the row.',
  `_extra` STRING COMMENT 'Source columns that this contract does not know, as one JSON object; empty when there are none.'
)
USING DELTA
COMMENT 'The source table fraud_labels as it is now, with markers for deleted rows.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS silver.mcc_codes (
  `mcc` INT COMMENT 'Merchant category code.',
  `description` STRING COMMENT 'Name of the category.',
  `_order_token` STRING COMMENT 'Place of the change that made this row in the order of all changes: source epoch, binlog file, position, row, Kafka offset; compare as text.',
  `_is_deleted` BOOLEAN COMMENT 'True when the source has deleted the key; the row then keeps the last values as a marker.',
  `_source_ts` TIMESTAMP COMMENT 'When the source committed the change, UTC.',
  `_batch_id` BIGINT COMMENT 'Micro-batch that wrote the row.',
  `_extra` STRING COMMENT 'Source columns that this contract does not know, as one JSON object; empty when there are none.'
)
USING DELTA
COMMENT 'The source table mcc_codes as it is now, with markers for deleted rows.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS silver.transactions (
  `id` BIGINT COMMENT 'Number of the transaction, rising in booking order.',
  `date` TIMESTAMP COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `client_id` INT COMMENT 'Customer who owns the card (users.id).',
  `card_id` INT COMMENT 'Card that was used (cards.id).',
  `amount` DECIMAL(12,2) COMMENT 'Amount in US dollars; a negative amount is money back to the customer.',
  `use_chip` STRING COMMENT 'How the card was used: swiped, by its chip, or online.',
  `merchant_id` INT COMMENT 'Number of the merchant; the same number may trade in several places.',
  `merchant_city` STRING COMMENT 'City of the merchant; ONLINE for online transactions.',
  `merchant_state` STRING COMMENT 'US state as two letters, or the name of the country abroad; empty for online transactions.',
  `zip` STRING COMMENT 'US postal code of the merchant, five digits; empty online and abroad.',
  `mcc` INT COMMENT 'Merchant category code (mcc_codes.mcc).',
  `errors` STRING COMMENT 'Why the transaction was declined, reasons separated by commas; empty when it went through.',
  `_order_token` STRING COMMENT 'Place of the change that made this row in the order of all changes: source epoch, binlog file, position, row, Kafka offset; compare as text.',
  `_is_deleted` BOOLEAN COMMENT 'True when the source has deleted the key; the row then keeps the last values as a marker.',
  `_source_ts` TIMESTAMP COMMENT 'When the source committed the change, UTC.',
  `_batch_id` BIGINT COMMENT 'Micro-batch that wrote the row.',
  `_extra` STRING COMMENT 'Source columns that this contract does not know, as one JSON object; empty when there are none.'
)
USING DELTA
COMMENT 'The source table transactions as it is now, with markers for deleted rows.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS silver.users (
  `id` INT COMMENT 'Number of the customer.',
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
  `_order_token` STRING COMMENT 'Place of the change that made this row in the order of all changes: source epoch, binlog file, position, row, Kafka offset; compare as text.',
  `_is_deleted` BOOLEAN COMMENT 'True when the source has deleted the key; the row then keeps the last values as a marker.',
  `_source_ts` TIMESTAMP COMMENT 'When the source committed the change, UTC.',
  `_batch_id` BIGINT COMMENT 'Micro-batch that wrote the row.',
  `_extra` STRING COMMENT 'Source columns that this contract does not know, as one JSON object; empty when there are none.'
)
USING DELTA
COMMENT 'The source table users as it is now, with markers for deleted rows.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);
