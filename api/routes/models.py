"""Models: which serve, how they are, how they did; trainings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path

from api.routes.given import OnlyOnce, ServicesOf
from api.schemas import models as m
from api.services.all import Services
from api.services.performance import performance as performance_of
from models.serving import Served
from models.terms import ROLES

__all__ = ["health", "performance", "predict", "reload_all", "status", "train", "training"]

TrainingId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]


def status(services: ServicesOf) -> m.Status:
    """List the models that answer, and what is kept of the past."""
    return _status(services, services.models.served)


def health(services: ServicesOf) -> m.Health:
    """Say what is wrong with models, or that nothing is."""
    problems = services.models.served.problems
    found = [m.Ailing(role=role, problem=text) for role, text in problems.items()]
    # Without a challenger nothing is missing: there need not be one.
    wrong = [one for one in found if one.role != "challenger"]
    return m.Health(status="degraded" if wrong else "ok", problems=found)


def performance(services: ServicesOf) -> m.Performance:
    """Show how models did: by labels that arrived since, and in the test of their training."""
    return performance_of(services.lake, services.models.served)


def reload_all(services: ServicesOf) -> m.Status:
    """Ask the registry and change to the models it names; requests under way are answered."""
    return _status(services, services.models.reload())


def predict(asked: m.Values, services: ServicesOf) -> m.FromValues:
    """Say what a model makes of features that are given, by name."""
    return services.predictions.from_values(asked)


def train(asked: m.AskTraining, once: OnlyOnce, services: ServicesOf) -> m.Training:
    """Begin a training; one at a time."""
    return once.run(m.Training, lambda: services.trainings.start(asked))


def training(training_id: TrainingId, services: ServicesOf) -> m.Training:
    """Say how a training is."""
    return services.trainings.of(training_id)


def _status(services: Services, served: Served) -> m.Status:
    shown = [
        m.ServedModel(
            role=role,
            name=model.name,
            version=model.version,
            sha256=served.digests[role],
            kind=model.facts["kind"],
            trained=model.facts["trained"],
            tested=model.facts["tested"],
            features=len(model.features),
            loaded_at=served.loaded[role],
        )
        for role in ROLES
        if (model := served.of(role)) is not None
    ]
    kept = services.memory.kept
    return m.Status(
        models=shown,
        missing=[role for role in ROLES if served.of(role) is None],
        known_until=datetime.fromtimestamp(kept.newest / 1e6, UTC) if kept else None,
        transactions=len(kept) if kept else 0,
    )
