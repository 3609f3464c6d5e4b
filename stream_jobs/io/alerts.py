"""Publishes alerts on Kafka."""

from __future__ import annotations

import msgspec
import pyarrow as pa
from confluent_kafka import Producer

from finlake.errors import FinlakeError
from infra.security import kafka_options
from infra.settings import Settings

__all__ = ["ALERTS_TOPIC", "AlertTopic"]

ALERTS_TOPIC = "finance.alerts"


class AlertTopic:
    """Writes alerts as JSON, keyed by ``alert_id``, and waits until Kafka has them.

    Delivery is at least once: a batch that is run again publishes the same ``alert_id`` again.
    """

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self._producer = Producer(
            {
                **kafka_options(settings),
                "enable.idempotence": True,
                "linger.ms": 2,
                "log_level": 3,
                "compression.type": "lz4",
            }
        )

    def publish(self, alerts: pa.Table) -> None:
        """Publish rows of ``fraud_alerts``.

        Raises:
            FinlakeError: when Kafka does not take them within ten seconds.
        """
        for row in alerts.to_pylist():
            body = msgspec.json.encode(row)
            self._producer.produce(ALERTS_TOPIC, body, key=row["alert_id"].encode())
        left = self._producer.flush(10)
        if left:
            raise FinlakeError(
                f"{ALERTS_TOPIC}: Kafka at {self._bootstrap} took all but {left} of "
                f"{alerts.num_rows} alerts in 10 s; see `finlake status`, the batch is run again"
            )
