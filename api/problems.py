"""Errors as ``application/problem+json`` (RFC 9457), as service and client know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

__all__ = ["MEDIA", "RESPONSES", "FieldProblem", "Problem", "ProblemBody"]

MEDIA: Final = "application/problem+json"


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
        "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
    }
    for status, meaning in _MEANINGS.items()
}
"""What each route may answer beside success, for the OpenAPI description."""
