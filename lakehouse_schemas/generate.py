"""Render everything that comes from the contracts: ``python -m lakehouse_schemas.generate``.

The same contracts give the same files, byte for byte.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lakehouse_schemas import contracts
from lakehouse_schemas.model import LAYERS, ROLES, Contract, ContractError
from lakehouse_schemas.render import (
    access,
    airflow,
    debezium,
    delta,
    dictionary,
    kafka_ui,
    models,
    mysql,
    quality,
    spark,
    superset,
    views,
)
from lakehouse_schemas.wide import VIEWS

__all__ = [
    "AIRFLOW_ASSETS",
    "PROJECT",
    "SUPERSET_DATASETS",
    "TRINO_RULES",
    "differences",
    "files",
    "main",
    "write",
]

PROJECT = Path(__file__).parent.parent
_GENERATED = "lakehouse_schemas/generated"
SUPERSET_DATASETS = PROJECT / _GENERATED / "superset"
"""The datasets of Superset, a file each."""
AIRFLOW_ASSETS = PROJECT / _GENERATED / "airflow"
"""The folder of the module with Airflow's assets."""
TRINO_RULES = PROJECT / _GENERATED / "trino" / "rules.json"
"""Who may read what in Trino."""
_DATABASE = "finance"
_MARK = "Rendered from the table contracts by `make generate`; do not edit."
_LAKE = LAYERS[1:]


def files(found: Sequence[Contract]) -> dict[str, str]:
    """Path below the project's folder to text, of every file that is rendered."""
    by_layer = {layer: [c for c in found if c.layer == layer] for layer in LAYERS}
    everything = [contract for layer in LAYERS for contract in by_layer[layer]]
    source, gold = by_layer["source"], by_layer["gold"]
    made = {
        "__init__.py": f'"""{_MARK}"""\n',
        "mysql.sql": _sql(map(mysql.create_table_sql, source)),
        "debezium.json": _json(
            {
                "table.include.list": debezium.table_include_list(_DATABASE, source),
                "column.exclude.list": debezium.column_exclude_list(_DATABASE, source),
            }
        ),
        "spark.json": _json({c.full_name: json.loads(spark.schema_json(c)) for c in everything}),
        "models.py": models.models_py(gold),
    }
    for layer in _LAKE:
        made[f"delta/{layer}.sql"] = _sql(map(delta.create_table_sql, by_layer[layer]))
    lake = [contract for layer in _LAKE for contract in by_layer[layer]]
    for engine in ("duckdb", "spark", "trino"):
        made[f"quality/{engine}.sql"] = _sql(quality.count_sql(c, engine) for c in lake)
    made["airflow/finlake_assets.py"] = f'"""{_MARK}"""\n\n{airflow.assets_py(lake)}'
    alerts = [contract for contract in gold if contract.name == "fraud_alerts"]
    made["kafka_ui.yml"] = f"# {_MARK}\n{kafka_ui.config_yaml(_DATABASE, source, alerts)}"
    made["trino/rules.json"] = _json(
        access.trino_rules(by_layer["silver"] + by_layer["gold"], VIEWS)
    )
    for bi in ("trino", "dremio"):
        for role in ROLES:
            plain = [views.create_view_sql(c, role, bi) for c in lake if role in c.roles]
            wide = [views.create_wide_sql(v, role, bi) for v in VIEWS if role in v.roles()]
            made[f"views/{bi}/{role}.sql"] = _sql([*plain, *wide])
    for contract in gold:
        made[f"superset/{contract.name}.yaml"] = f"# {_MARK}\n{superset.dataset_yaml(contract)}"
    for view in VIEWS:
        made[f"superset/{view.name}.yaml"] = f"# {_MARK}\n{superset.wide_dataset_yaml(view)}"
    rendered = {f"{_GENERATED}/{name}": text for name, text in made.items()}
    return {"docs/data-dictionary.md": dictionary.dictionary_md(everything, VIEWS), **rendered}


def differences(root: Path = PROJECT) -> list[str]:
    """What differs between the files on disk and the contracts, one line per file.

    Raises:
        ContractError: when a contract file is wrong.
    """
    wanted = files(contracts.all())
    lines = []
    for name, text in sorted(wanted.items()):
        path = root / name
        if not path.exists():
            lines.append(f"{name}: is missing")
        elif path.read_bytes() != text.encode():
            lines.append(f"{name}: differs from the contracts")
    return lines + [f"{name}: comes from no contract" for name in _left_over(root, wanted)]


def write(root: Path = PROJECT) -> list[str]:
    """Write every rendered file that differs, remove those of no contract; returns their names.

    Raises:
        ContractError: when a contract file is wrong.
    """
    wanted = files(contracts.all())
    left_over = _left_over(root, wanted)
    for name in left_over:
        (root / name).unlink()
    changed = []
    for name, text in sorted(wanted.items()):
        path = root / name
        if not path.exists() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            changed.append(name)
    return changed + left_over


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` only compare; the exit code is 1 when files differ."""
    if arguments not in ([], ["--check"]):
        return _end(2, "usage: python -m lakehouse_schemas.generate [--check]")
    try:
        if not arguments:
            for name in write():
                sys.stdout.write(f"{name}\n")
            return 0
        found = differences()
    except ContractError as error:
        return _end(1, str(error))
    return _end(1, *found, "run `make generate`") if found else 0


def _end(code: int, *lines: str) -> int:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    return code


def _left_over(root: Path, wanted: dict[str, str]) -> list[str]:
    there = (root / _GENERATED).rglob("*")
    names = (p.relative_to(root).as_posix() for p in there if p.is_file() and p.suffix != ".pyc")
    return sorted(name for name in names if name not in wanted)


def _sql(statements: Iterable[str]) -> str:
    return f"-- {_MARK}\n" + "".join(f"\n{statement};\n" for statement in statements)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
