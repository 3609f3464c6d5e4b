"""How many live transactions each merchant has: when it appears and when it goes."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from infra.lake.tables import Lake
from lakehouse_schemas import contracts
from stream_jobs.shapes import Patch
from stream_jobs.transforms.gold import merchants, merchants_of

__all__ = ["Merchants"]


class Merchants:
    """Live transactions per merchant key, as of the last finished batch; read back from silver."""

    def __init__(self, lake: Lake) -> None:
        booked, known = (
            lake.ensure(contracts.get(name)).to_pyarrow_dataset()
            for name in ("silver.transactions", "gold.dim_merchant")
        )
        keys, counts = merchants_of(booked, known)
        self._count: Counter[int] = Counter(dict(zip(keys.tolist(), counts.tolist(), strict=True)))

    def move(self, moved: pa.Table) -> Patch:
        """Take in the moves of a batch; the patch adds merchants that appear, drops those that go.

        Args:
            moved: wide transactions with ``sign``.
        """
        touched = merchants(moved)
        keys = touched.column("merchant_key").to_pylist()
        appear, go = [], []
        for key, change in zip(keys, touched.column("change").to_pylist(), strict=True):
            before = self._count[key]
            after = before + change
            appear.append(before == 0 and after > 0)
            go.append(before > 0 and after == 0)
            if after:
                self._count[key] = after
            else:
                del self._count[key]
        rows = touched.drop_columns("change")
        added = rows.filter(pa.array(appear, pa.bool_()))
        gone = rows.filter(pa.array(go, pa.bool_())).select(["merchant_key"])
        return Patch(added, rows.slice(0, 0), gone)
