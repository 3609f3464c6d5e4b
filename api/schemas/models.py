"""Models: which serve, how they are, how they did."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Asked, Said
from api.schemas.predictions import ModelName
from models.terms import Band, Role

__all__ = [
    "Ailing",
    "AskTraining",
    "FromValues",
    "Health",
    "Month",
    "Pair",
    "Performance",
    "ServedModel",
    "Status",
    "Tested",
    "Training",
    "Values",
    "Week",
]


class ServedModel(Said):
    """A model that answers."""

    role: Role
    name: str
    version: int
    sha256: str
    kind: str
    trained: tuple[date, date] = Field(description="First and last day it learnt from.")
    tested: tuple[date, date]
    features: int
    loaded_at: datetime


class Status(Said):
    """The models of this worker."""

    models: list[ServedModel]
    missing: list[Role]
    known_until: datetime | None = Field(description="The newest transaction that is known.")
    transactions: int = Field(description="How many are kept for features.")


class Ailing(Said):
    """What is wrong with a role."""

    role: Role
    problem: str


class Health(Said):
    """ok: all models serve. degraded: some are missing or could not be renewed."""

    status: Literal["ok", "degraded"]
    problems: list[Ailing]


class Tested(Said):
    """Figures of the test that followed the training."""

    role: Role
    model: ModelName
    tested: tuple[date, date]
    metrics: dict[str, float]


class Month(Said):
    """What came true of the scores of a month, as far as labels have arrived."""

    month: date
    version: int
    scored: int
    alerts: int
    labelled: int
    frauds: int
    caught: int = Field(description="Frauds that were alerts.")
    precision: float | None = Field(description="Share of labelled alerts that were frauds.")
    recall: float | None = Field(description="Share of frauds that were alerts.")


class Week(Said):
    """Average precision in a week, beside that of the training's test."""

    week: date
    version: int
    transactions: int
    frauds: int
    average_precision: float | None
    trained: float | None
    level: str


class Pair(Said):
    """Champion and challenger over the days on which both scored."""

    champion: int
    challenger: int
    transactions: int
    labelled: int
    frauds: int
    champion_alerts: int
    challenger_alerts: int
    champion_caught: int
    challenger_caught: int


class Performance(Said):
    """How models did: by labels that arrived since, and in the test after their training."""

    outcomes: list[Month] = Field(description="Of scores in gold, the newest month first.")
    weeks: list[Week] = Field(description="Of `finlake drift`, the newest first.")
    compared: list[Pair]
    tests: list[Tested]


class Values(Asked):
    """Features by name; those left out are empty."""

    model: Literal["fraud", "challenger", "amount"]
    features: dict[str, float | None] = Field(max_length=500)


class FromValues(Said):
    """What a model says of these features: a fraud's probability, or an amount in US dollars."""

    model: ModelName
    probability: float | None = None
    band: Band | None = None
    low: float | None = None
    middle: float | None = None
    high: float | None = None


class AskTraining(Asked):
    """A training as `finlake train` does it.

    A fraud model becomes the challenger, which has to pass the gate before it decides; models of
    category and amount serve from then on.
    """

    what: Literal["fraud", "category", "amount"] = "fraud"
    trials: Annotated[int, Field(ge=0, le=100)] = Field(
        12, description="How many recipes of a fraud model are tried."
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class Training(Said):
    """A training that was asked for."""

    id: str
    what: str
    state: Literal["running", "done", "failed"]
    began_at: datetime
    ended_at: datetime | None = None
    said: str = Field("", description="The last line that it said.")
