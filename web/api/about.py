"""The server itself: whether it answers, and what it offers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from apr import __version__
from apr.core.run import RunStatus, Usage
from web.api.answers import answers
from web.security.access import Admin, Reader
from web.site import SiteOf

router = APIRouter(tags=["server"])


class Health(BaseModel):
    """That the server and its database answer."""

    status: str


class About(BaseModel):
    """What runs may name, and how large a project may be."""

    version: str
    authenticates: bool
    models: list[str]
    images: list[str]
    allowed_urls: list[str]
    max_upload_bytes: int
    max_unpacked_bytes: int
    max_files: int


class Statistics(BaseModel):
    """What all runs together are and have spent."""

    runs: dict[RunStatus, int]
    usage: Usage
    waiting: int


@router.get("/health", responses=answers(304), operation_id="getHealth")
def get_health(site: SiteOf) -> Health:
    """For whoever restarts the server; it tells nothing else."""
    site.catalog.heads([])
    return Health(status="ok")


@router.get("/about", responses=answers(304), operation_id="getAbout")
def get_about(site: SiteOf, principal: Reader) -> About:
    """What this server offers."""
    settings = site.settings
    return About(
        version=__version__,
        authenticates=settings.authenticate,
        models=sorted(settings.models),
        images=list(settings.images),
        allowed_urls=list(settings.allowed_urls),
        max_upload_bytes=settings.max_upload_bytes,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_files=settings.max_files,
    )


@router.get("/statistics", responses=answers(304), operation_id="getStatistics")
def get_statistics(site: SiteOf, principal: Admin) -> Statistics:
    """How much there is of everything."""
    totals = site.service.store.totals()
    return Statistics(runs=dict(totals.runs), usage=totals.usage, waiting=site.queue.depth())
