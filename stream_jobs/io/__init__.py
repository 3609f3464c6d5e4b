"""What touches the outside: Spark, Kafka, the Delta writers, metrics."""
