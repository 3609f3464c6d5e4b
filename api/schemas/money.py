"""Whose money a question is about: rows that are posted with it, or a customer's in gold."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from api.schemas.base import Asked, Day, Given, NotNegative

__all__ = ["AboutMoney", "Paid", "Received", "UserId"]

UserId = Annotated[int, Field(ge=0, le=2**31 - 1, description="Number of the customer.")]
_MOST_ROWS = 20_000


class Paid(Asked):
    """A card payment."""

    day: Day
    amount: Given = Field(description="US dollars; below zero came back.")
    mcc: int = Field(0, ge=0, le=9999, description="Merchant category code, 0 when unknown.")
    merchant: str = Field("", max_length=120)
    text: str = Field("", max_length=200, description="Line of the statement.")


class Received(Asked):
    """Money that came in."""

    day: Day
    amount: NotNegative


class AboutMoney(Asked):
    """Either ``user_id``, or ``transactions`` with what came in.

    Of a stored customer income is a twelfth of the yearly one each month, and the last day known is
    that of the newest transaction of all customers.
    """

    user_id: UserId | None = None
    transactions: list[Paid] | None = Field(None, max_length=_MOST_ROWS)
    receipts: list[Received] = Field(default_factory=list, max_length=_MOST_ROWS)
    yearly_income: NotNegative | None = Field(
        None, description="Instead of receipts: what comes in a year, in twelve parts."
    )
    first: Day | None = Field(None, description="First day of which everything is known.")
    today: Day | None = Field(None, description="Last such day.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.user_id is None) == (self.transactions is None):
            raise ValueError("give either user_id or transactions")
        if self.user_id is not None and (self.receipts or self.yearly_income is not None):
            raise ValueError("receipts and yearly_income go with transactions, not with user_id")
        if self.receipts and self.yearly_income is not None:
            raise ValueError("give either receipts or yearly_income")
        return self
