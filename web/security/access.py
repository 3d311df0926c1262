"""From a request to its principal: by a token, by a session, or on a server that asks nobody.

A cookie is sent by browsers whoever's page asks, so what changes anything also needs the session's
CSRF token, which no other page can read.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from apr.storage.accounts import AuditEntry
from web.errors import ProblemError, problem
from web.security.principal import OWNER, Principal, Scope
from web.security.tokens import digest, make_secret, parse_token, same
from web.site import Site, SiteOf, site_of

COOKIE = "apr_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="`apr token create`")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session")


def find_principal(
    request: Request,
    site: SiteOf,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    session: Annotated[str | None, Security(_cookie)],
) -> Principal:
    """Who makes the request.

    Raises:
        ProblemError: 401 without a valid token or session, 429 after too many wrong tokens,
            403 when a session changes something without its CSRF token.
    """
    found = _principal(request, site, None if bearer is None else bearer.credentials, session)
    if found is None:
        raise problem(
            401,
            "unauthenticated",
            "a valid token is needed: Authorization: Bearer apr_…",
            WWW_Authenticate="Bearer",
        )
    by_cookie = bearer is None and found.token_id is not None
    if by_cookie and request.method not in SAFE_METHODS:
        check_csrf(site, found, request.headers.get(CSRF_HEADER))
    return found


def page_principal(request: Request) -> Principal | None:
    """Who looks at a page; None: somebody who has to log in first."""
    return _principal(request, site_of(request), None, request.cookies.get(COOKIE))


def _principal(
    request: Request, site: Site, token: str | None, session: str | None
) -> Principal | None:
    if not site.settings.authenticate:
        return OWNER
    if token is not None:
        return log_in_with(site, token, address_of(request))
    if not session:
        return None
    found = site.accounts.find_session(digest(session))
    return None if found is None else Principal(found.user, Scope(found.scope), found.id, session)


def log_in_with(site: Site, text: str, address: str) -> Principal | None:
    """Whose token it is; None: nobody's.

    Raises:
        ProblemError: 429 when the address has sent too many wrong ones.
    """
    wait_s = site.wrong_tokens.wait(address)
    if wait_s:
        raise too_many(wait_s, "too many wrong tokens came from this address")
    parsed = parse_token(text)
    token = None if parsed is None else site.accounts.find_token(parsed[0])
    if parsed is None or token is None or not same(token.digest, parsed[1]):
        site.wrong_tokens.take(address)
        named = "" if parsed is None else parsed[0]
        now = site.accounts.now()
        site.accounts.log(AuditEntry(now, "-", address, "wrong-token", named))
        return None
    return Principal(token.user, Scope(token.scope), token.id)


def too_many(wait_s: float, detail: str) -> ProblemError:
    """The error for whoever has to wait."""
    return problem(429, "too-many-requests", detail, Retry_After=str(math.ceil(wait_s)))


def open_session(site: Site, principal: Principal, response: Response) -> Principal:
    """Log a browser in: the response sets its cookie."""
    assert principal.token_id is not None
    secret = make_secret()
    site.accounts.open_session(digest(secret), principal.token_id, site.settings.session_hours)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(site.settings.session_hours * 3600),
        httponly=True,
        secure=site.settings.is_https,
        samesite="strict",
    )
    return Principal(principal.user, principal.scope, principal.token_id, secret)


def close_session(site: Site, principal: Principal, response: Response) -> None:
    """Log a browser out."""
    if principal.session:
        site.accounts.close_session(digest(principal.session))
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def csrf_token(site: Site, principal: Principal) -> str:
    """What a form of the principal's pages carries, as its field `csrf` or in `X-CSRF-Token`."""
    key = principal.session or site.secret
    return hmac.new(key.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_csrf(site: Site, principal: Principal, given: object) -> None:
    """Refuse what another site's page may have sent.

    Raises:
        ProblemError: 403.
    """
    if not isinstance(given, str) or not same(given, csrf_token(site, principal)):
        raise problem(403, "csrf", "the form is not from here, or too old: load the page again")


def need(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: the principal, who has the scope."""

    async def check(principal: Annotated[Principal, Depends(find_principal)]) -> Principal:
        if not principal.may(scope):
            raise problem(403, "forbidden", f"the token lacks the scope {scope.value}")
        return principal

    return check


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def audit(
    request: Request, principal: Principal, action: str, target: str = "", detail: str = ""
) -> None:
    """Write down what somebody does."""
    accounts = site_of(request).accounts
    address = address_of(request)
    accounts.log(AuditEntry(accounts.now(), principal.user, address, action, target, detail))


Reader = Annotated[Principal, Depends(need(Scope.READ))]
Submitter = Annotated[Principal, Depends(need(Scope.SUBMIT))]
Admin = Annotated[Principal, Depends(need(Scope.ADMIN))]
