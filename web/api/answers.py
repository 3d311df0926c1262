"""How the OpenAPI document describes what may be answered, written once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from web.errors import PROBLEM_JSON


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    where: str = Field(examples=["body.budget.candidates"])
    message: str = Field(examples=["Input should be greater than or equal to 1"])


class ProblemOut(BaseModel):
    """A problem as in RFC 9457."""

    type: str = Field(examples=["urn:apr:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no such run"])
    instance: str = Field(examples=["/api/v1/runs/261124-132228-0a1b2c"])
    errors: list[FieldProblem] | None = None


WHEN = {
    304: "Not modified: the ETag named in `If-None-Match` is still right.",
    400: "The request cannot be read.",
    401: "No valid token or session.",
    403: "The token lacks the scope, or a session its CSRF token.",
    404: "There is no such thing, or it is not yours.",
    406: "There is no such format.",
    408: "The request took too long to arrive.",
    409: "Not in this state.",
    413: "The request is too large.",
    415: "The body is of no known kind.",
    421: "The server is not reached under that name.",
    422: "The request cannot be used: `detail` and `errors` say why.",
    429: "Too many requests: wait for `Retry-After` seconds.",
    503: "The database or the queue cannot be reached at the moment.",
}
ALWAYS = (400, 401, 403, 421, 422, 429, 503)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, those that any may included."""
    return {status: _describe(status) for status in sorted({*ALWAYS, *statuses})}


def _describe(status: int) -> dict[str, Any]:
    if status == 304:
        return {"description": WHEN[status]}
    example = {
        "type": "urn:apr:problem:example",
        "title": "…",
        "status": status,
        "detail": WHEN[status],
        "instance": "/api/v1/…",
    }
    reference = {"$ref": "#/components/schemas/ProblemOut"}
    return {
        "description": WHEN[status],
        "model": ProblemOut,
        "content": {PROBLEM_JSON: {"schema": reference, "example": example}},
    }
