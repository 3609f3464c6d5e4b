"""The topic of alerts: what is sent to it, and whether Kafka has it."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from connectors.topics import ALERTS_TOPIC
from finlake.errors import FinlakeError
from infra.security import kafka_options
from infra.settings import Settings

__all__ = ["AlertTopic"]

_ANSWER_S = 10.0


class AlertTopic:
    """Sends alerts. Who notes how far it has read waits before until Kafka has them all."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self._producer = Producer(
            {
                **kafka_options(settings),
                "log_level": 3,
                "enable.idempotence": True,
                "linger.ms": 0,
                "compression.type": "none",
            }
        )
        self._failed: KafkaError | None = None

    def __len__(self) -> int:
        """How many alerts are under way."""
        return len(self._producer)

    def send(
        self, key: bytes, value: bytes, taken: Callable[[float], None] = lambda _: None
    ) -> None:
        """Send an alert; ``taken`` hears how many seconds it took until Kafka had it.

        Raises:
            FinlakeError: when Kafka did not take an earlier one.
        """

        def told(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed = error
            else:
                taken(message.latency() or 0.0)

        while True:
            try:
                self._producer.produce(ALERTS_TOPIC, value, key=key, on_delivery=told)
            except BufferError:  # its queue is full: Kafka is slower than the alerts
                self._producer.poll(0.1)
                self._check()
            else:
                return

    def hear(self) -> None:
        """Hear what Kafka says of those under way; raises as :meth:`send` does."""
        self._producer.poll(0)
        self._check()

    def wait(self) -> None:
        """Wait until Kafka has every alert.

        Raises:
            FinlakeError: when it does not take one, or not in time.
        """
        left = self._producer.flush(_ANSWER_S)
        self._check()
        if left:
            raise FinlakeError(
                f"{ALERTS_TOPIC}: Kafka at {self._bootstrap} has not taken {left} alerts in "
                f"{_ANSWER_S:g} s; see `finlake status`, they are published at the next start"
            )

    def _check(self) -> None:
        if self._failed is not None:
            raise FinlakeError(
                f"{ALERTS_TOPIC}: Kafka at {self._bootstrap} did not take an alert "
                f"({self._failed.str()}); see `finlake status`, it is published at the next start"
            )
