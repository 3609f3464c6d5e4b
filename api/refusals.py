"""Answers to requests that go wrong: each is a problem, and never a trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.problems import MEDIA, FieldProblem, Problem, ProblemBody
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem

__all__ = ["install", "response"]

_LOG = logging.getLogger("finlake.api")


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
    return JSONResponse(body.model_dump(), status, dict(headers or {}), media_type=MEDIA)


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
