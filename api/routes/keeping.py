"""Where handlers run, and those whose answers are kept while gold stays as it is.

Single predictions take milliseconds, reading a customer's years a hundred times that. Each kind has
threads of its own, so that the quick do not stand in a queue behind the slow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from fastapi import Response
from pydantic import BaseModel

from api.access import Principal
from api.services.all import Services
from api.services.answers import Answers

__all__ = ["kept", "quick", "slow"]

_JSON: Final = "application/json"


def kept(answer: Callable[..., BaseModel]) -> Callable[..., Awaitable[Any]]:
    """The same handler, which answers again what it has answered about a stored customer.

    Whether the caller may see the customer is asked every time, before anything is looked for. What
    is posted with rows of its own is never kept.
    """

    @wraps(answer)
    async def handler(**given: Any) -> Any:
        services: Services = given["services"]
        who: Principal = given["who"]
        asked = given.get("asked")
        user_id = given["user_id"] if asked is None else asked.user_id
        if user_id is None:
            return await services.slow.run(answer, **given)
        who.check_customer(user_id)
        text = f"{user_id}" if asked is None else asked.model_dump_json()
        state = services.customers.state_now(user_id)
        if state is None:
            state = await services.slow.run(services.customers.state, user_id=user_id)
        key = Answers.key(answer.__qualname__, text, state)
        body = services.answers.get(key)
        if body is None and services.shared is not None:
            body = await services.shared.get(key)
            if body is not None:
                services.answers.put(key, body)
        if body is None:
            made: BaseModel = await services.slow.run(answer, **given)
            body = made.model_dump_json().encode()
            if services.customers.state_now(user_id) in (None, state):
                services.answers.put(key, body)
                if services.shared is not None:
                    await services.shared.put(key, body)
        return Response(body, media_type=_JSON)

    return handler


def slow(answer: Callable[..., BaseModel]) -> Callable[..., Awaitable[Any]]:
    """The same handler, on the threads of those that read years; its answers are not kept."""

    @wraps(answer)
    async def handler(**given: Any) -> Any:
        return await given["services"].slow.run(answer, **given)

    return handler


def quick(answer: Callable[..., BaseModel]) -> Callable[..., Awaitable[Any]]:
    """The same handler, on the threads of those that take milliseconds."""

    @wraps(answer)
    async def handler(**given: Any) -> Any:
        return await given["services"].quick.run(answer, **given)

    return handler
