"""Who looks at a page, and the run that they look at."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Form, Request

from apr.core.run import RepairRun
from web.api.find import RunId, find_run
from web.errors import problem
from web.security.access import check_csrf, page_principal
from web.security.principal import Principal, Scope
from web.site import SiteOf


def _viewer(request: Request) -> Principal:
    """Whoever is logged in; others are sent to log in first."""
    found = page_principal(request)
    if found is None:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        where = f"/login?next={quote(here if request.method == 'GET' else '/runs')}"
        raise problem(303, "unauthenticated", "log in first", Location=where)
    return found


Viewer = Annotated[Principal, Depends(_viewer)]


def _actor(site: SiteOf, principal: Viewer, csrf: Annotated[str, Form()] = "") -> Principal:
    """Whoever may change something, and sends a form of ours."""
    check_csrf(site, principal, csrf)
    if not principal.may(Scope.SUBMIT):
        raise problem(403, "forbidden", "your token may only read")
    return principal


Actor = Annotated[Principal, Depends(_actor)]


def _seen(run_id: RunId, site: SiteOf, principal: Viewer) -> RepairRun:
    return find_run(site, principal, run_id)


SeenRun = Annotated[RepairRun, Depends(_seen)]
