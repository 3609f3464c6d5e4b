"""Merchants: chains that are in every city, local ones, and online shops.

Merchants of one kind, category and city are one block of consecutive indexes; within a block
popularity follows Zipf's law, so that drawing a merchant is arithmetic on whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from batch_jobs.generate.plan import Plan
from batch_jobs.generate.reference import categories, cities

__all__ = ["Merchants"]

Array = NDArray[Any]

_HIGHEST = 100_342  # merchant number, as in the Kaggle set
_MOST = 75_000


@dataclass(frozen=True)
class Merchants:
    """``identity`` and ``price`` (a factor on amounts) by merchant index; the rest are blocks.

    Blocks have a start and a size: chains and online shops by category, locals by category and
    city. ``zips`` is how many zips a city has; a merchant keeps the same one.
    """

    identity: Array
    price: Array
    chain_start: Array
    chain_size: Array
    online_start: Array
    online_size: Array
    local_start: Array
    local_size: Array
    zips: Array

    @classmethod
    def make(cls, plan: Plan) -> Self:
        """The merchants of a set; about one for each 180 transactions."""
        random = plan.random("merchants")
        kind, place = categories(), cities()
        total = min(_MOST, max(2000, plan.transactions // 180))
        physical = kind.physical / kind.physical.sum()
        online = kind.online / kind.online.sum()
        weight = np.outer(physical, place.weight / place.weight.sum())

        chain_size = np.where(physical > 0, np.maximum(1, 0.06 * total * physical), 0).astype(int)
        online_size = np.where(online > 0, np.maximum(1, 0.24 * total * online), 0).astype(int)
        local_size = np.floor(0.7 * total * weight + random.random(weight.shape)).astype(int)
        local_size[physical == 0] = 0

        sizes = np.concatenate([chain_size, online_size, local_size.ravel()])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        count, kinds = int(sizes.sum()), len(kind.mcc)
        highest = max(_HIGHEST, count)
        return cls(
            identity=random.permutation(np.arange(1, highest + 1))[:count],
            price=np.exp(random.normal(0, 0.25, count)),
            chain_start=starts[:kinds],
            chain_size=chain_size,
            online_start=starts[kinds : 2 * kinds],
            online_size=online_size,
            local_start=starts[2 * kinds :].reshape(weight.shape),
            local_size=local_size,
            zips=1 + (place.weight // 30).astype(int),
        )

    def draw_physical(self, random: np.random.Generator, category: Array, city: Array) -> Array:
        """A merchant of each category in each city."""
        local = self.local_size[category, city]
        chain = (local == 0) | (random.random(len(category)) < categories().chain[category])
        start = np.where(chain, self.chain_start[category], self.local_start[category, city])
        size = np.where(chain, self.chain_size[category], local)
        return start + _zipf(random, size)

    def draw_online(self, random: np.random.Generator, category: Array) -> Array:
        """An online shop of each category."""
        return self.online_start[category] + _zipf(random, self.online_size[category])


def _zipf(random: np.random.Generator, size: Array) -> Array:
    """Ranks from 0 to ``size`` - 1, the first twice as likely as the second."""
    rank = np.exp(random.random(len(size)) * np.log1p(size)).astype(np.int64) - 1
    capped: Array = np.minimum(rank, size - 1)
    return capped
