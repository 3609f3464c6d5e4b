"""Any request that fits the description, and many that do not: no 500, nothing undeclared."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.access import PREFIX
from api.table import PUBLIC, ROUTES
from tests.unit.api_world import OWN, ApiWorld, build
from tests.unit.prediction_world import generated, learnt

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = "/alerts/stream"  # has tests of its own
SERVED = [(r.method, r.path) for r in PUBLIC] + [
    (r.method, PREFIX + r.path) for r in ROUTES if r.path != ENDLESS
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ApiWorld:
    home = tmp_path_factory.mktemp("api") / "home"
    made = build(home, customers=12)
    learnt(home, generated()[1])
    return made


@pytest.fixture(scope="module")
def described(world: ApiWorld) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", world.client.app)


@pytest.mark.parametrize(("method", "path"), SERVED)
def test_no_request_breaks_the_service(world, described, method, path):
    @given(case=described[path][method].as_strategy())
    @settings(
        max_examples=25, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        database=None,
    )  # fmt: skip
    def run(case: Any) -> None:
        # Real state: where a customer is asked about, it is one that is there.
        if isinstance(case.body, dict) and isinstance(case.body.get("user_id"), int):
            case.body["user_id"] = OWN
        if "user_id" in (case.path_parameters or {}):
            case.path_parameters["user_id"] = OWN
        case.call_and_validate(headers={"X-API-Key": world.keys["admin"]}, checks=CHECKS)

    run()
