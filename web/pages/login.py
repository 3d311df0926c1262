"""Logging in with a token, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from web.errors import ProblemError
from web.pages.rendering import render
from web.pages.viewer import Viewer
from web.security.access import (
    address_of,
    audit,
    check_csrf,
    close_session,
    log_in_with,
    open_session,
    page_principal,
)
from web.site import SiteOf

router = APIRouter()


@router.get("/login")
def ask(request: Request, next: str = "/runs") -> Response:  # noqa: A002 - as browsers name it
    """The form; whoever is logged in already goes on."""
    if page_principal(request) is not None:
        return RedirectResponse(own_path(next), 303)
    return render(request, "login.html", None, next=own_path(next), problem="")


@router.post("/login")
def log_in(
    request: Request,
    site: SiteOf,
    token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/runs",  # noqa: A002
) -> Response:
    """Open a session, or ask again."""
    try:
        found = log_in_with(site, token.strip(), address_of(request))
        wrong, status = "That token is not valid: it may have a typing error, or have expired.", 401
    except ProblemError as error:
        found, wrong, status = None, f"{error.problem.detail}: wait a moment.", 429
    if found is None:
        view = {"next": own_path(next), "problem": wrong}
        return render(request, "login.html", None, status=status, **view)
    response = RedirectResponse(own_path(next), 303)
    audit(request, found, "log-in")
    open_session(site, found, response)
    return response


@router.post("/logout")
def log_out(
    request: Request, site: SiteOf, principal: Viewer, csrf: Annotated[str, Form()] = ""
) -> Response:
    """Close the session."""
    check_csrf(site, principal, csrf)
    response = RedirectResponse("/login", 303)
    audit(request, principal, "log-out")
    close_session(site, principal, response)
    return response


def own_path(text: str) -> str:
    """Where to go next, which is a page of this server whoever has written the link."""
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_ours else "/runs"
