"""What operators and machines ask: is it alive, is it ready, what are its figures."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

from fastapi import Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from api.middleware.figures import exposed
from api.routes.given import ServicesOf
from finlake.errors import FinlakeError

__all__ = ["health", "index", "live", "metrics", "ready"]

State = Literal["ok", "missing"]


class Index(BaseModel):
    """Where to read on."""

    name: str
    version: str
    api: str
    openapi: str


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether questions can be answered, by part; Redis alone keeps nobody from that."""

    status: State
    parts: dict[str, State]


def index() -> Index:
    """Say what this is."""
    return Index(name="FinLake", version=version("finlake"), api="/api/v1", openapi="/openapi.json")


def live() -> Live:
    """Say that the process answers."""
    return Live()


def ready(services: ServicesOf, response: Response) -> Ready:
    """Say whether questions can be answered, by part; 503 when one is missing."""
    found = _parts(services)
    if found.status != "ok":
        response.status_code = 503
    return found


def health(services: ServicesOf) -> Ready:
    """Say the same as readiness, always with 200."""
    return _parts(services)


def metrics() -> PlainTextResponse:
    """Figures of the service for Prometheus."""
    body, kind = exposed()
    return PlainTextResponse(body, headers={"Content-Type": kind})


def _parts(services: ServicesOf) -> Ready:
    def there(table: str) -> State:
        try:
            return "ok" if services.lake.version(table) >= 0 else "missing"
        except FinlakeError:
            return "missing"

    parts: dict[str, State] = {
        "transactions": there("gold.fact_transactions"),
        "customers": there("gold.dim_user"),
    }
    status: State = "ok" if set(parts.values()) == {"ok"} else "missing"
    if services.shared is not None:  # without it each worker goes by what it keeps itself
        parts["redis"] = "ok" if services.shared.there else "missing"
    return Ready(status=status, parts=parts)
