"""All that requests share, opened once when the server starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from apr.core.ports import JobQueue
from apr.service import Service
from apr.settings import AppSettings
from apr.storage.accounts import Accounts
from apr.storage.catalog import RunCatalog
from apr.storage.sources import Replays, Sources
from apr.storage.webhooks import Webhooks
from web.events import EventHub
from web.intake.desk import Desk
from web.security.rate import Pace
from web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of a running server; `secret` is new at every start."""

    settings: WebSettings
    installation: AppSettings
    service: Service
    catalog: RunCatalog
    accounts: Accounts
    sources: Sources
    replays: Replays
    desk: Desk
    webhooks: Webhooks
    queue: JobQueue
    hub: EventHub
    wrong_tokens: Pace
    secret: str


def site_of(request: Request) -> Site:
    """The site of a request."""
    site: Site = request.app.state.site
    return site


async def _site_of(request: Request) -> Site:
    """Asynchronous, since a dependency that is not takes a thread."""
    return site_of(request)


SiteOf = Annotated[Site, Depends(_site_of)]
