"""What Kafka UI shows of records, by a stand-in of its masking.

Kafka UI itself is not run here. The stand-in does what its policy REPLACE does (kafbat/kafka-ui,
api/.../service/masking/policies/Replace.java): a field whose name matches is replaced with all that
is in it, others are looked into, and what is no JSON object is replaced as a whole.
"""

import json
import re

import pytest
import yaml

from connectors.config import table_topic
from connectors.topics import ALERTS_TOPIC
from lakehouse_schemas import contracts
from lakehouse_schemas.generate import PROJECT
from lakehouse_schemas.masking import HIDDEN
from lakehouse_schemas.render.kafka_ui import ROLE, open_fields
from lakehouse_schemas.render.views import shown

CONFIG = yaml.safe_load((PROJECT / "lakehouse_schemas/generated/kafka_ui.yml").read_text())
(CLUSTER,) = CONFIG["kafka"]["clusters"]
SOURCE = contracts.layer("source")


def replaced(value, hide):
    if isinstance(value, dict):
        return {
            name: hidden(inner) if hide(name) else replaced(inner, hide)
            for name, inner in value.items()
        }
    return value


def hidden(value):
    return {n: hidden(v) for n, v in value.items()} if isinstance(value, dict) else HIDDEN


def seen(topic, record, target="Values"):
    """A record's text as Kafka UI shows it."""
    masks = [
        mask
        for mask in CLUSTER["masking"]
        if f"topic{target}Pattern" in mask and re.fullmatch(mask[f"topic{target}Pattern"], topic)
    ]
    if not masks:
        return json.loads(record)
    (mask,) = masks
    assert (mask["type"], mask["replacement"]) == ("REPLACE", HIDDEN)
    try:
        value = json.loads(record)
    except ValueError:
        return HIDDEN
    if not isinstance(value, dict):
        return HIDDEN
    return replaced(value, lambda name: re.fullmatch(mask["fieldsNamePattern"], name) is not None)


def test_nothing_can_be_changed_there():
    assert CLUSTER["readOnly"] is True


@pytest.mark.parametrize("contract", SOURCE, ids=lambda contract: contract.name)
def test_of_a_change_a_viewer_sees_the_fields_without_a_mask_and_all_of_the_envelope(contract):
    row = {column.name: "secret" for column in contract.columns}
    block = {"version": "3.5.0", "table": contract.name, "file": "b.1", "pos": 4, "row": 0}
    change = {"before": row, "after": row, "source": block, "op": "u", "ts_ms": 5}
    found = seen(table_topic("finance", contract.name), json.dumps(change))
    for side in ("before", "after"):
        for column in contract.columns:
            clear = shown(column, ROLE) == "clear"
            assert found[side][column.name] == ("secret" if clear else HIDDEN), column.name
    assert (found["source"], found["op"], found["ts_ms"]) == (block, "u", 5)
    key = dict.fromkeys(contract.key, 7)
    shown_key = seen(table_topic("finance", contract.name), json.dumps(key), "Keys")
    assert shown_key == {
        name: 7 if shown(contract.column(name), ROLE) == "clear" else HIDDEN for name in key
    }


def test_a_field_that_no_contract_knows_is_hidden_with_all_that_is_in_it():
    change = {"after": {"pin": "1234", "notes": {"card_brand": "Visa"}}}
    found = seen(table_topic("finance", "cards"), json.dumps(change))
    assert found["after"] == {"pin": HIDDEN, "notes": {"card_brand": HIDDEN}}


def test_a_record_that_cannot_be_read_is_hidden():
    assert seen(table_topic("finance", "cards"), '{"after": {"expires": "12/20') == HIDDEN


def test_of_an_alert_customer_and_card_are_hidden_and_its_id_is_not():
    contract = contracts.get("gold.fraud_alerts")
    found = seen(ALERTS_TOPIC, json.dumps({c.name: "x" for c in contract.columns}))
    assert found["user_id"] == found["card_id"] == HIDDEN
    assert found["alert_id"] == found["rule"] == "x"


def test_no_column_is_called_like_a_field_of_the_envelope_that_is_shown():
    """Else its values would be shown for that field's sake."""
    for contract in SOURCE:
        masked = {c.name for c in contract.columns if shown(c, ROLE) != "clear"}
        assert not masked & set(open_fields(contract))
