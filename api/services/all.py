"""Everything that the routes need, made once for each worker."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from api.services.access_store import AccessStore
from api.services.alerts import Alerts, Topic
from api.services.answers import Answers
from api.services.customers import Customers, Lake
from api.services.fitting import Fitting
from api.services.forecasts import Forecasts
from api.services.gate import Gate
from api.services.insights import Insights
from api.services.limits import Limits
from api.services.memory import Memory
from api.services.models import Models
from api.services.once import Repeats
from api.services.predictions import Predictions
from api.services.shared import Shared
from api.services.threads import Threads
from api.services.tokens import Tokens
from api.services.trainings import Trainings
from finlake.errors import FinlakeError
from infra.settings import Settings, secret

__all__ = ["Services"]

_LOG = logging.getLogger("finlake.api")


@dataclass(frozen=True)
class Services:
    """See the module."""

    settings: Settings
    lake: Lake
    store: AccessStore
    tokens: Tokens
    shared: Shared | None
    limits: Limits
    gate: Gate
    repeats: Repeats
    customers: Customers
    answers: Answers
    insights: Insights
    fitting: Fitting
    """The process in which forecasts are fitted."""
    forecasts: Forecasts
    memory: Memory
    models: Models
    predictions: Predictions
    trainings: Trainings
    alerts: Alerts
    quick: Threads
    """Threads of what takes milliseconds."""
    slow: Threads
    """Threads of what reads a customer's years: few, for they share the processors."""

    @classmethod
    def make(cls, settings: Settings, lake: Lake) -> Services:
        """The services of these settings over a lake.

        Raises:
            UsageProblem: a setting is wrong.
            ComponentMissing: the file of keys cannot be opened.
        """
        text = (
            settings.api_token_key.get_secret_value()
            if settings.api_token_key
            else secret(settings.home, "api_token_key", 32)
        )
        store = AccessStore(settings.home / "api" / "access.sqlite")
        tokens = Tokens(text.encode(), settings.api_token_minutes)
        rates = {
            "key": settings.api_rate_key,
            "address": settings.api_rate_address,
            "failures": settings.api_rate_failures,
        }
        shared = Shared.of(settings)
        limits = Limits(rates, shared)
        customers = Customers(lake, settings.api_fresh_ms / 1000)
        memory, models, fitting = Memory(lake), Models(settings, lake), Fitting()
        return cls(
            settings=settings,
            lake=lake,
            store=store,
            tokens=tokens,
            shared=shared,
            limits=limits,
            gate=Gate(store, tokens, limits),
            repeats=Repeats(store, text.encode()),
            customers=customers,
            answers=Answers(),
            insights=Insights(customers),
            fitting=fitting,
            forecasts=Forecasts(customers, fitting),
            memory=memory,
            models=models,
            predictions=Predictions(memory, models),
            trainings=Trainings(settings),
            alerts=Alerts(lambda: Topic(settings)),
            quick=Threads(2, "quick"),
            slow=Threads(4, "slow"),
        )

    def start(self) -> None:
        """Load models and the past, so that no request waits for them, and keep both fresh.

        What is not there yet is looked for again when it is asked for.
        """
        self.models.start()
        try:
            self.memory.known()
        except FinlakeError as error:
            _LOG.warning("gold could not be read", extra={"reason": str(error)[:200]})

    def stop(self) -> None:
        """End what goes on beside the requests."""
        self.models.stop()
        self.trainings.stop()
        self.alerts.stop()
        self.fitting.stop()
        for threads in (self.quick, self.slow):
            threads.stop()
