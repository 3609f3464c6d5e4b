"""Airflow: the lake's tables as assets, and how fresh each has to be."""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse_schemas.model import Contract

__all__ = ["assets_py"]

_HEAD = """from datetime import timedelta

from airflow.sdk import Asset

ASSETS = {
    asset.name: asset
    for asset in (
"""


def assets_py(found: Iterable[Contract]) -> str:
    """A module with ``ASSETS``, ``FRESHNESS`` and ``OWNERS`` of these tables, by full name."""
    tables = list(found)
    assets = "".join(
        f'        Asset("{c.full_name}", "finlake://lake/{c.layer}/{c.name}", group="{c.layer}"),\n'
        for c in tables
    )
    fresh = "".join(f'    "{c.full_name}": timedelta(seconds={c.freshness_s:g}),\n' for c in tables)
    owners = "".join(f'    "{c.full_name}": "{c.owner}",\n' for c in tables)
    return f"{_HEAD}{assets}    )\n}}\nFRESHNESS = {{\n{fresh}}}\nOWNERS = {{\n{owners}}}\n"
