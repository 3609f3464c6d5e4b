"""Wide views: gold tables joined beforehand, so that a chart needs one of them and no join.

A view names columns of tables alone; what they are called, mean and show of a person comes from the
contracts. Only whole keys are joined, so a view has the rows of the table that it begins with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from lakehouse_schemas import contracts
from lakehouse_schemas.model import Column, Contract, Role

__all__ = ["VIEWS", "Join", "Wide", "WideColumn"]


class Join(msgspec.Struct, frozen=True):
    """A table that is looked up by its key.

    ``on`` has the column that holds the key, of the view's first table; ``columns`` those that are
    shown, with the name they get in the view.
    """

    table: str
    on: str
    columns: dict[str, str]

    @property
    def contract(self) -> Contract:
        """Of the table."""
        return contracts.get(f"gold.{self.table}")


class WideColumn(msgspec.Struct, frozen=True):
    """A column of a view: its name, and the table and column that it comes from."""

    name: str
    table: Contract
    column: Column


class Wide(msgspec.Struct, frozen=True):
    """A view over ``table`` with all its columns, or those of ``keep``, and those of the joins.

    Of an additive table the measures are summed up first, so a key has one row.
    """

    name: str
    description: str
    table: str
    joins: tuple[Join, ...]
    keep: tuple[str, ...] = ()

    @property
    def contract(self) -> Contract:
        """Of the first table."""
        return contracts.get(f"gold.{self.table}")

    @property
    def full_name(self) -> str:
        """Layer and name, as of a table: ``gold.wide_transactions``."""
        return f"gold.{self.name}"

    @property
    def tables(self) -> tuple[Contract, ...]:
        """The tables that it reads, the first one first."""
        return (self.contract, *(join.contract for join in self.joins))

    def columns(self) -> Iterator[WideColumn]:
        """The view's columns, in order."""
        for name in self.keep or self.contract.column_names:
            yield WideColumn(name, self.contract, self.contract.column(name))
        for join in self.joins:
            for column, name in join.columns.items():
                yield WideColumn(name, join.contract, join.contract.column(column))

    def roles(self) -> tuple[Role, ...]:
        """Who may read every table of it."""
        return tuple(r for r in self.contract.roles if all(r in t.roles for t in self.tables))


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_CALENDAR = ("year", "quarter", "month", "month_name", "day_of_week", "day_name", "is_weekend")
_CATEGORY = Join("dim_mcc", "mcc", {"description": "category"})
_CARD = Join(
    "dim_card", "card_id", _same("card_brand", "card_type", "has_chip", "card_on_dark_web")
)
_PERSON = Join(
    "dim_user",
    "user_id",
    {"current_age": "age", **_same("gender", "yearly_income", "total_debt", "credit_score")},
)
_GROUP = Join(
    "customer_analytics",
    "user_id",
    _same("cohort_month", "segment", "cluster", "lifetime_value", "risk_score", "risk_band"),
)

VIEWS: Final = (
    Wide(
        "wide_transactions",
        "Every live transaction with its day, category, card, customer and the customer's group.",
        "fact_transactions",
        (
            Join("dim_date", "date_key", _same("date", *_CALENDAR)),
            _CATEGORY,
            _CARD,
            _PERSON,
            _GROUP,
        ),
    ),
    Wide(
        "wide_alerts",
        "Every alert with what came of it, its category, card, customer and the customer's group.",
        "fraud_alerts",
        (
            Join(
                "fact_transactions",
                "transaction_id",
                _same("date_key", "channel", "is_online", "is_declined", "is_fraud"),
            ),
            _CATEGORY,
            _CARD,
            _PERSON,
            _GROUP,
        ),
    ),
    Wide(
        "wide_customers",
        "Every live customer with segment, cohort, lifetime value and credit risk.",
        "customer_analytics",
        (
            Join(
                "dim_user",
                "user_id",
                {
                    "current_age": "age",
                    **_same(
                        "retirement_age",
                        "gender",
                        "latitude",
                        "longitude",
                        "per_capita_income",
                        "yearly_income",
                        "total_debt",
                        "credit_score",
                        "num_credit_cards",
                    ),
                },
            ),
        ),
    ),
    Wide(
        "wide_category_days",
        "Each day's sums by category, with the category's name and the parts of the calendar.",
        "agg_category_day",
        (_CATEGORY, Join("dim_date", "date", _same(*_CALENDAR))),
    ),
    Wide(
        "wide_customer_days",
        "Each day's sums by customer, with the customer's group and the parts of the calendar.",
        "agg_customer_day",
        (_GROUP, Join("dim_date", "date", _same(*_CALENDAR))),
    ),
    Wide(
        "wide_state_days",
        "Each day's sums by state and channel, with the parts of the calendar.",
        "agg_state_day",
        (Join("dim_date", "date", _same(*_CALENDAR)),),
    ),
)
