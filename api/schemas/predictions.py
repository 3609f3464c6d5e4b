"""What models say of a transaction, and what is asked of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from api.schemas.base import Answer, Asked, Cents, Given, Said
from api.schemas.money import UserId
from models.terms import Band

__all__ = [
    "MOST_ROWS",
    "Anomaly",
    "Answered",
    "AskAmount",
    "AskBatch",
    "AskCategory",
    "AskTransaction",
    "Batch",
    "Categories",
    "Category",
    "Checked",
    "Cost",
    "Evidence",
    "Expected",
    "Guess",
    "Looked",
    "ModelName",
    "Push",
    "Reason",
    "RowProblem",
    "Suspicion",
    "Validated",
    "What",
]

MOST_ROWS: Final = 10_000
What = Literal["anomaly", "category", "amount"]


def _in_time(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2199:
        raise ValueError("a time lies between 1970 and 2200")
    return value.astimezone(UTC)


Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
_Amount = Annotated[
    Given, Field(ge=-(10**10), le=10**10, description="US dollars; below zero came back.")
]


class _Base(Asked):
    """A transaction without amount and category.

    ``user_id`` may be left out where ``card_id`` is known. What is left out is not known: features
    of it are as they are for a card, customer or merchant that nobody has seen.
    """

    at: Annotated[AwareDatetime, AfterValidator(_in_time)] = Field(
        description="When, with its offset from UTC.", examples=["2019-10-31T23:59:00Z"]
    )
    user_id: UserId | None = None
    card_id: Number | None = None
    merchant_id: Number | None = None
    merchant_city: str = Field("", max_length=120)
    merchant_state: str = Field(
        "", max_length=60, description="US state's two letters; abroad the country's name."
    )
    zip: str = Field("", pattern=r"^([0-9]{1,10}(\.0)?)?$")
    channel: Literal["Swipe", "Chip", "Online"] = "Chip"
    transaction_id: Annotated[int, Field(ge=0, le=2**62)] | None = Field(
        None, description="Of several at the same moment those with lower numbers are earlier."
    )


class AskAmount(_Base):
    """A purchase whose amount is not known yet."""

    mcc: int | None = Field(None, ge=0, le=9999, description="Merchant category code.")


class AskCategory(_Base):
    """A transaction whose category is not known."""

    amount: _Amount
    errors: list[Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^,]+$")]] = Field(
        default_factory=list, max_length=10, description="Why it was declined."
    )


class AskTransaction(AskCategory):
    """A transaction."""

    mcc: int | None = Field(None, ge=0, le=9999, description="Merchant category code.")


class ModelName(Said):
    """Which model said it."""

    name: str
    version: int


class Looked(Said):
    """What was looked at."""

    transactions: int = Field(description="Earlier ones of card, customer, merchant and place.")
    known_until: datetime = Field(description="The newest transaction that is known.")


class Reason(Said):
    """A feature that pushes the score up."""

    feature: str
    meaning: str
    value: float | None = Field(description="Null where it is empty.")
    log_odds: float = Field(description="What it adds to the score's log odds.")


class Suspicion(Said):
    """How likely a transaction is a fraud."""

    probability: float = Field(ge=0, le=1)
    band: Band = Field(description="high and critical are alerts.")
    is_alert: bool
    reasons: list[Reason] = Field(description="The strongest first; in a batch of alerts alone.")


class Anomaly(Suspicion):
    """How likely a transaction is a fraud, and who says so."""

    threshold: float | None = Field(description="Alerts begin here; null where none pays.")
    model: ModelName
    looked: Looked


class Guess(Said):
    """A category."""

    mcc: int
    description: str
    probability: float = Field(ge=0, le=1)


class Evidence(Said):
    """What speaks for the first guess and against the second; above zero for the first."""

    evidence: str
    log_odds: float


class Categories(Said):
    """The likeliest categories, the likeliest first."""

    guesses: list[Guess]
    reasons: list[Evidence] = Field(description="None in a batch.")


class Category(Categories):
    """The likeliest categories, and who says so."""

    model: ModelName
    looked: Looked


class Push(Said):
    """By which factor a feature moves the expected amount."""

    feature: str
    meaning: str
    factor: float


class Cost(Answer):
    """What such a purchase costs: 5 % cost less than low, half less than middle, 95 % than high."""

    low: Cents
    middle: Cents
    high: Cents
    reasons: list[Push] = Field(description="None in a batch.")


class Expected(Cost):
    """What such a purchase costs, and who says so."""

    model: ModelName
    looked: Looked


class RowProblem(Said):
    """What is wrong with a row, and what to do. An error keeps it from being answered."""

    severity: Literal["error", "warning"]
    place: str = Field(description="The field.", examples=["card_id"])
    reason: str
    advice: str


class AskBatch(Asked):
    """Rows as the single questions take them, and what is asked of each."""

    what: What
    rows: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_ROWS)


class Answered(Said):
    """One row's answer, or what keeps it from having one."""

    row: int
    anomaly: Suspicion | None = None
    category: Categories | None = None
    amount: Cost | None = None
    problems: list[RowProblem] = Field(default_factory=list)


class Batch(Said):
    """All rows, in their order."""

    answered: int
    refused: int
    model: ModelName
    looked: Looked
    rows: list[Answered]


class Checked(Said):
    """What is to be said of one row; fine when no problem is an error."""

    row: int
    fine: bool
    problems: list[RowProblem]


class Validated(Said):
    """All rows, in their order."""

    fine: int
    refused: int
    rows: list[Checked]
