"""What handlers are given by the framework: the caller, the services, a write that is done once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from api.access import Principal
from api.services.all import Services
from api.services.once import Once

__all__ = ["OnlyOnce", "ServicesOf", "Who", "services_of"]


def services_of(request: Request) -> Services:
    """The services of the application."""
    services: Services = request.app.state.services
    return services


async def _who(request: Request) -> Principal:
    principal: Principal = request.state.principal  # set by the route's rule
    return principal


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="The same again is done once."),
    ] = None,
) -> Once:
    asked = b"\n".join([
        request.method.encode(), request.url.path.encode(), await request.body()
    ])  # fmt: skip
    return services_of(request).repeats.once(request.state.principal, idempotency_key, asked)


ServicesOf = Annotated[Services, Depends(services_of)]
Who = Annotated[Principal, Depends(_who)]
OnlyOnce = Annotated[Once, Depends(_once)]
