"""What becomes of an error: a problem document (RFC 9457) for programs, a page for browsers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from apr.core.errors import (
    AprError,
    BadInputError,
    PatchDoesNotApplyError,
    QueueUnavailableError,
    RunElsewhereError,
    StoreUnavailableError,
)
from web.intake.bounds import BusyError
from web.security.headers import HEADERS

PROBLEM_JSON = "application/problem+json"
log = logging.getLogger("apr.web")


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for whoever asked; `kind` is a stable name, `detail` one sentence."""

    status: int
    kind: str
    detail: str = ""
    fields: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def document(self, path: str) -> dict[str, Any]:
        """The problem as JSON."""
        document: dict[str, Any] = {
            "type": f"urn:apr:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": path,
        }
        if self.fields:
            document["errors"] = list(self.fields)
        return document


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


RenderError = Callable[[Request, Problem], Response]
"""Makes the page that a browser is shown; `web.pages` sets it as `app.state.render_error`."""


def problem(status: int, kind: str, detail: str, **headers: str) -> ProblemError:
    """The error to raise; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ProblemError(Problem(status, kind, detail, headers=named))


def not_found(what: str) -> ProblemError:
    """The error for what is not there, or is not the asker's to see: nobody can tell which."""
    return problem(404, "not-found", f"there is no {what}")


def wants_page(request: Request) -> bool:
    """Whether a browser asks, for a page."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get(
        "accept", ""
    )


def respond(request: Request, found: Problem) -> Response:
    """The problem in the form that suits whoever asked."""
    render: RenderError | None = getattr(request.app.state, "render_error", None)
    if wants_page(request):
        if render is not None:
            page = render(request, found)
        else:
            page = PlainTextResponse(f"{found.title}: {found.detail}\n", found.status)
        page.headers.update(found.headers)
        return page
    return problem_response(found, request.url.path)


def problem_response(found: Problem, path: str) -> Response:
    """The problem as a document."""
    return JSONResponse(
        found.document(path), found.status, dict(found.headers), media_type=PROBLEM_JSON
    )


_STATUSES: Sequence[tuple[type[AprError], int, str]] = (
    (RunElsewhereError, 409, "conflict"),
    (BusyError, 503, "busy"),
    (BadInputError, 422, "bad-input"),
    (PatchDoesNotApplyError, 422, "patch-does-not-apply"),
    (StoreUnavailableError, 503, "store-unavailable"),
    (QueueUnavailableError, 503, "queue-unavailable"),
)


def problem_of(error: AprError) -> Problem:
    """What an expected error means to a client."""
    for kind, status, name in _STATUSES:
        if isinstance(error, kind):
            headers = {"Retry-After": "5"} if status == 503 else {}
            return Problem(status, name, str(error), headers=headers)
    return Problem(500, "environment", str(error))


def add_error_handlers(app: FastAPI) -> None:
    """Have every error of the application answered here."""

    @app.exception_handler(ProblemError)
    def refused(request: Request, error: ProblemError) -> Response:
        return respond(request, error.problem)

    @app.exception_handler(AprError)
    def expected(request: Request, error: AprError) -> Response:
        return respond(request, problem_of(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = [
            {"where": ".".join(map(str, one["loc"])), "message": str(one["msg"])}
            for one in error.errors()
        ]
        first = f"{fields[0]['where']}: {fields[0]['message']}" if fields else "invalid request"
        return respond(request, Problem(422, "invalid-request", first, fields))

    @app.exception_handler(HTTPException)
    def refused_by_framework(request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        kind, said = phrase.lower().replace(" ", "-"), str(error.detail)
        if said == phrase:  # which the title says already
            said = f"{request.url.path} answers no {request.method} request"
        return respond(request, Problem(error.status_code, kind, said, headers=error.headers or {}))

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        said = "something went wrong here; the server's log has it"
        answer = respond(request, Problem(500, "internal", said))
        answer.headers.update(HEADERS)  # made outside of the shield, which adds them to others
        return answer
