"""The streaming application: Kafka to bronze, silver, gold and alerts."""
