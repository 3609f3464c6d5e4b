"""What is said of Kafka when it does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from finlake.errors import ComponentMissing
from infra.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import KafkaException

__all__ = ["ALERTS_TOPIC", "kafka_missing"]

ALERTS_TOPIC: Final = "finance.alerts"
"""Where alerts of rules and models are sent."""


def kafka_missing(settings: Settings, error: KafkaException) -> ComponentMissing:
    """The error to raise in the place of the client's own."""
    return ComponentMissing(
        f"Kafka at {settings.kafka_bootstrap} does not answer ({error.args[0].str()}); "
        "start it with `finlake up`"
    )
