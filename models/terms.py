"""Words of the models that those who ask them use as well; it imports nothing else of theirs."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = ["BANDS", "ROLES", "Band", "Role"]

Band = Literal["low", "medium", "high", "critical"]
BANDS: Final[tuple[Band, ...]] = get_args(Band)
"""How high a probability of fraud is."""

Role = Literal["fraud", "challenger", "category", "amount"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""What models do that serve: ``fraud`` decides, ``challenger`` is compared with it."""
