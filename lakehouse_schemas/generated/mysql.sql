-- Rendered from the table contracts by `make generate`; do not edit.

CREATE TABLE IF NOT EXISTS `cards` (
  `id` INT NOT NULL COMMENT 'Number of the card within the bank, not the number printed on it.',
  `client_id` INT NOT NULL COMMENT 'Customer who owns the card (users.id).',
  `card_brand` VARCHAR(32) NOT NULL COMMENT 'Brand of the card, for example Visa.',
  `card_type` VARCHAR(32) NOT NULL COMMENT 'Kind of card: debit, credit or prepaid debit.',
  `card_number` VARCHAR(19) NULL COMMENT 'Number printed on the card; it never leaves the source database.',
  `expires` VARCHAR(7) NOT NULL COMMENT 'Month in which the card expires, MM/YYYY.',
  `cvv` VARCHAR(4) NULL COMMENT 'Card verification value; it never leaves the source database.',
  `has_chip` VARCHAR(3) NOT NULL COMMENT 'YES when the card has a chip, else NO.',
  `num_cards_issued` INT NOT NULL COMMENT 'How many times the card has been issued.',
  `credit_limit` DECIMAL(12,2) NOT NULL COMMENT 'Credit limit in US dollars.',
  `acct_open_date` VARCHAR(7) NOT NULL COMMENT 'Month in which the account was opened, MM/YYYY.',
  `year_pin_last_changed` INT NOT NULL COMMENT 'Year in which the PIN was last changed.',
  `card_on_dark_web` VARCHAR(3) NOT NULL COMMENT 'Yes when the card was seen for sale by criminals, else No.',
  `card_token` CHAR(64) NULL COMMENT 'Stands for the card number: its HMAC-SHA-256 in hexadecimal; empty when the source never had the number.',
  `card_token_key` VARCHAR(16) NULL COMMENT 'Id of the secret key that made the token.',
  `card_last4` CHAR(4) NULL COMMENT 'Last four digits of the card number.',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Payment cards that the bank issued.';

CREATE TABLE IF NOT EXISTS `finlake_heartbeat` (
  `id` INT NOT NULL COMMENT 'Always 1.',
  `beat_at` DATETIME(6) NOT NULL COMMENT 'When the beat was committed, UTC, to the microsecond.',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='One row that the connector updates every second.';

CREATE TABLE IF NOT EXISTS `finlake_signal` (
  `id` VARCHAR(64) NOT NULL COMMENT 'Id of the request.',
  `type` VARCHAR(32) NOT NULL COMMENT 'What is asked for, for example execute-snapshot.',
  `data` VARCHAR(2048) NULL COMMENT 'Arguments as a JSON object.',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Requests to the Debezium connector, such as reading a table again.';

CREATE TABLE IF NOT EXISTS `fraud_labels` (
  `transaction_id` BIGINT NOT NULL COMMENT 'Transaction that was investigated (transactions.id).',
  `label` VARCHAR(3) NOT NULL COMMENT 'Yes when it was fraud, No when it was not.',
  PRIMARY KEY (`transaction_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What an investigation found out about a transaction.';

CREATE TABLE IF NOT EXISTS `mcc_codes` (
  `mcc` INT NOT NULL COMMENT 'Merchant category code.',
  `description` VARCHAR(255) NOT NULL COMMENT 'Name of the category.',
  PRIMARY KEY (`mcc`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Merchant category codes and their names.';

CREATE TABLE IF NOT EXISTS `transactions` (
  `id` BIGINT NOT NULL COMMENT 'Number of the transaction, rising in booking order.',
  `date` DATETIME(6) NOT NULL COMMENT 'When the transaction happened, UTC, to the microsecond.',
  `client_id` INT NOT NULL COMMENT 'Customer who owns the card (users.id).',
  `card_id` INT NOT NULL COMMENT 'Card that was used (cards.id).',
  `amount` DECIMAL(12,2) NOT NULL COMMENT 'Amount in US dollars; a negative amount is money back to the customer.',
  `use_chip` VARCHAR(32) NOT NULL COMMENT 'How the card was used: swiped, by its chip, or online.',
  `merchant_id` INT NOT NULL COMMENT 'Number of the merchant; the same number may trade in several places.',
  `merchant_city` VARCHAR(64) NULL COMMENT 'City of the merchant; ONLINE for online transactions.',
  `merchant_state` VARCHAR(64) NULL COMMENT 'US state as two letters, or the name of the country abroad; empty for online transactions.',
  `zip` VARCHAR(10) NULL COMMENT 'US postal code of the merchant, five digits; empty online and abroad.',
  `mcc` INT NOT NULL COMMENT 'Merchant category code (mcc_codes.mcc).',
  `errors` VARCHAR(160) NULL COMMENT 'Why the transaction was declined, reasons separated by commas; empty when it went through.',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Every card transaction as the bank booked it.';

CREATE TABLE IF NOT EXISTS `users` (
  `id` INT NOT NULL COMMENT 'Number of the customer.',
  `current_age` INT NOT NULL COMMENT 'Age in years.',
  `retirement_age` INT NOT NULL COMMENT 'Age in years at which the customer plans to retire.',
  `birth_year` INT NOT NULL COMMENT 'Year of birth.',
  `birth_month` INT NOT NULL COMMENT 'Month of birth, 1 to 12.',
  `gender` VARCHAR(16) NOT NULL COMMENT 'Gender as registered.',
  `address` VARCHAR(255) NOT NULL COMMENT 'Street and house number.',
  `latitude` DECIMAL(9,6) NOT NULL COMMENT 'Latitude of the home in degrees, north positive.',
  `longitude` DECIMAL(9,6) NOT NULL COMMENT 'Longitude of the home in degrees, east positive.',
  `per_capita_income` DECIMAL(12,2) NOT NULL COMMENT 'Income per head where the customer lives, US dollars a year.',
  `yearly_income` DECIMAL(12,2) NOT NULL COMMENT 'The customer''s own income, US dollars a year.',
  `total_debt` DECIMAL(12,2) NOT NULL COMMENT 'All debts of the customer, US dollars.',
  `credit_score` INT NOT NULL COMMENT 'Credit score, 300 to 850; higher is better.',
  `num_credit_cards` INT NOT NULL COMMENT 'Number of cards the customer holds.',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Customers of the bank.';
