"""Who is asking; and the session of a browser that logs in with a token."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from web.api.answers import answers
from web.errors import problem
from web.security.access import (
    Reader,
    address_of,
    audit,
    close_session,
    csrf_token,
    log_in_with,
    open_session,
)
from web.security.principal import Principal, Scope
from web.site import Site, SiteOf

router = APIRouter(tags=["session"])


class LogIn(BaseModel):
    """What a browser logs in with."""

    token: str = Field(max_length=200, examples=["apr_0123456789ab_…"])


class SessionOut(BaseModel):
    """Who is asking; `csrf` is for `X-CSRF-Token` and only of use together with the cookie."""

    user: str
    scope: Scope
    csrf: str


def _show(site: Site, principal: Principal) -> SessionOut:
    csrf = csrf_token(site, principal)
    return SessionOut(user=principal.user, scope=principal.scope, csrf=csrf)


@router.get("/session", responses=answers(304), operation_id="getSession")
def get_session(site: SiteOf, principal: Reader) -> SessionOut:
    """Who you are, and what you may do."""
    return _show(site, principal)


@router.post("/session", status_code=201, responses=answers(409), operation_id="logIn")
def log_in(site: SiteOf, body: LogIn, request: Request, response: Response) -> SessionOut:
    """Log a browser in: the answer sets a cookie."""
    if not site.settings.authenticate:
        raise problem(409, "conflict", "this server asks nobody to log in")
    found = log_in_with(site, body.token, address_of(request))
    if found is None:
        raise problem(401, "unauthenticated", "the token is not valid")
    audit(request, found, "log-in")
    return _show(site, open_session(site, found, response))


@router.delete("/session", status_code=204, responses=answers(), operation_id="logOut")
def log_out(site: SiteOf, principal: Reader, request: Request, response: Response) -> None:
    """Log a browser out."""
    audit(request, principal, "log-out")
    close_session(site, principal, response)
