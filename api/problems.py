"""Errors as ``application/problem+json`` (RFC 9457): one form, and never a trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from finlake.errors import ComponentMissing, FinlakeError, UsageProblem

__all__ = ["RESPONSES", "Problem", "ProblemBody", "install", "response"]

_MEDIA: Final = "application/problem+json"
_LOG = logging.getLogger("finlake.api")


class Problem(Exception):
    """A request that ends with a problem; ``detail`` is one line for the caller."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})


class FieldProblem(BaseModel):
    """What is wrong with one value. The value itself is not repeated."""

    place: str = Field(examples=["body.months.0.spent"])
    reason: str = Field(examples=["Field required"])


class ProblemBody(BaseModel):
    """An error, in the form of RFC 9457."""

    type: str = Field(examples=["urn:finlake:problem:invalid"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["2 values are wrong"])
    instance: str = Field(description="Number of the request, as in the logs.")
    errors: list[FieldProblem] = Field(default_factory=list)


_MEANINGS: Final = {
    400: "The request is no proper HTTP or JSON.",
    401: "No key or token, or one that is not valid (any more).",
    403: "The role, scope or person may not do this.",
    404: "There is no such thing.",
    409: "It contradicts something that is under way.",
    413: "The body is too large.",
    422: "A value is wrong, or the question cannot be answered from the data.",
    429: "Too many requests; Retry-After says when the next may come.",
    500: "Something went wrong here; the logs know more under the request's number.",
    503: "A part of the platform is not there, or the answer took too long.",
}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": meaning,
        "content": {_MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
    }
    for status, meaning in _MEANINGS.items()
}
"""What each route may answer beside success, for the OpenAPI description."""


def response(
    request_id: str,
    status: int,
    kind: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The problem as an answer."""
    body = ProblemBody(
        type=f"urn:finlake:problem:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request_id,
        errors=list(errors),
    )
    return JSONResponse(body.model_dump(), status, dict(headers or {}), media_type=_MEDIA)


def install(app: FastAPI) -> None:
    """Answer every error of the application by a problem."""

    def answer(request: Request, *args: Any, **options: Any) -> JSONResponse:
        return response(request.scope.get("request_id", ""), *args, **options)

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return answer(request, error.status, error.kind, error.detail, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [
            FieldProblem(place=".".join(map(str, one["loc"])), reason=str(one["msg"]))
            for one in error.errors()[:50]
        ]
        detail = f"{len(error.errors())} values are wrong; see errors"
        return answer(request, 422, "invalid", detail, errors=wrong)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        detail = str(error.detail)
        return answer(request, error.status_code, kind, detail, headers=error.headers)

    @app.exception_handler(UsageProblem)
    async def _usage(request: Request, error: UsageProblem) -> JSONResponse:
        return answer(request, 422, "unanswerable", str(error))

    @app.exception_handler(ComponentMissing)
    async def _missing(request: Request, error: ComponentMissing) -> JSONResponse:
        # The line names addresses and folders of the platform: it is for the log.
        _LOG.error("component missing", extra={"reason": str(error)})
        detail = "a part of the platform is not there; try again later"
        return answer(request, 503, "unavailable", detail, headers={"Retry-After": "5"})

    @app.exception_handler(FinlakeError)
    async def _failed(request: Request, error: FinlakeError) -> JSONResponse:
        _LOG.error("request failed", extra={"reason": str(error)})
        return answer(request, 500, "failed", "the request could not be answered")
