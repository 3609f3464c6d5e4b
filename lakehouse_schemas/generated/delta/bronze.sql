-- Rendered from the table contracts by `make generate`; do not edit.

CREATE TABLE IF NOT EXISTS bronze.changes (
  `source_table` STRING COMMENT 'Source table that changed.',
  `op` STRING COMMENT 'What happened: c insert, u update, d delete, r read by a snapshot, t truncate; ? when the record could not be read.',
  `topic` STRING COMMENT 'Kafka topic of the record.',
  `partition` INT COMMENT 'Kafka partition of the record.',
  `offset` BIGINT COMMENT 'Kafka offset of the record.',
  `kafka_ts` TIMESTAMP COMMENT 'When Kafka took the record, UTC.',
  `source_ts` TIMESTAMP COMMENT 'When the source committed the change, UTC; whole seconds from MariaDB. Empty when it could not be read.',
  `order_token` STRING COMMENT 'Place of the change in the order of all changes; compare as text. Empty when it could not be read.',
  `key` STRING COMMENT 'Key of the record, JSON.',
  `value` STRING COMMENT 'Value of the record, JSON: the row before and after the change, and where it came from.',
  `batch_id` BIGINT COMMENT 'Micro-batch that wrote the row.'
)
USING DELTA
COMMENT 'Every change of every source table as it came.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);

CREATE TABLE IF NOT EXISTS bronze.dead_letters (
  `source_table` STRING COMMENT 'Source table that the topic belongs to.',
  `topic` STRING COMMENT 'Kafka topic of the record.',
  `partition` INT COMMENT 'Kafka partition of the record.',
  `offset` BIGINT COMMENT 'Kafka offset of the record.',
  `kafka_ts` TIMESTAMP COMMENT 'When Kafka took the record, UTC.',
  `reason` STRING COMMENT 'Short code of the reason.',
  `detail` STRING COMMENT 'The reason in words, with the column where there is one; never with the value.',
  `key` BINARY COMMENT 'Key of the record as it came.',
  `value` BINARY COMMENT 'Value of the record as it came, without card number and CVV.',
  `epoch` STRING COMMENT 'Source epoch that the record came with.',
  `batch_id` BIGINT COMMENT 'Micro-batch that set the record aside.'
)
USING DELTA
COMMENT 'Records that could not be applied, with their raw bytes and the reason.'
TBLPROPERTIES (
  'delta.checkpointInterval' = '100',
  'delta.checkpointPolicy' = 'classic',
  'delta.columnMapping.mode' = 'none',
  'delta.deletedFileRetentionDuration' = 'interval 1 days',
  'delta.enableDeletionVectors' = 'false',
  'delta.logRetentionDuration' = 'interval 2 hours'
);
