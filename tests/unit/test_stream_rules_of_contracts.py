"""Values that a contract does not allow are set aside, with the rule and without the value."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa

from stream_jobs.shapes import RECORDS
from stream_jobs.transforms.envelope import Decoder


def records(*labels: str) -> pa.Table:
    rows = []
    for number, label in enumerate(labels):
        event = {
            "before": None,
            "after": {"transaction_id": number, "label": label},
            "source": {"file": "binlog.000001", "pos": number, "row": 0, "ts_ms": 1},
            "op": "c",
        }
        key = json.dumps({"transaction_id": number}).encode()
        now = datetime.now(UTC)
        topic = "cdc.finance.fraud_labels"
        rows.append((topic, 0, number, now, "1", key, json.dumps(event).encode()))
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(v, f.type) for v, f in zip(columns, RECORDS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=RECORDS)


def test_a_label_that_is_neither_yes_nor_no_is_set_aside() -> None:
    found = Decoder("fraud_labels").decode(records("Yes", "Perhaps", "No"), 0)
    assert found.changes["label"].to_pylist() == ["Yes", "No"]
    assert found.rejects["offset"].to_pylist() == [1]
    assert found.rejects["reason"].to_pylist() == ["rule"]
    assert "label" in found.rejects["detail"][0].as_py()
    assert "Perhaps" not in found.rejects["detail"][0].as_py()
    assert found.bronze.num_rows == 3
