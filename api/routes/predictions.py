"""What models say of transactions."""

from __future__ import annotations

from api.routes.given import ServicesOf, Who
from api.routes.keeping import quick
from api.schemas import predictions as p

__all__ = ["amount", "anomaly", "batch", "category", "validate"]


@quick
def anomaly(asked: p.AskTransaction, who: Who, services: ServicesOf) -> p.Anomaly:
    """Say how likely a transaction is a fraud, how high that is, and why."""
    return services.predictions.anomaly(who, asked)


@quick
def category(asked: p.AskCategory, who: Who, services: ServicesOf) -> p.Category:
    """Say which category a transaction is likely of, when its own is missing, and why."""
    return services.predictions.category(who, asked)


@quick
def amount(asked: p.AskAmount, who: Who, services: ServicesOf) -> p.Expected:
    """Say what a purchase is likely to cost, before its amount is known: three quantiles."""
    return services.predictions.amount(who, asked)


def batch(asked: p.AskBatch, who: Who, services: ServicesOf) -> p.Batch:
    """Answer one question about up to 10,000 rows; rows with errors are told and left out."""
    return services.predictions.batch(who, asked)


def validate(asked: p.AskBatch, who: Who, services: ServicesOf) -> p.Validated:
    """Explain each problem of each row, without asking a model."""
    return services.predictions.validate(who, asked)
