"""From a path's run id to a run that the asker may see."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path

from apr.core.run import RepairRun
from web.errors import not_found
from web.security.access import Reader, Submitter
from web.security.principal import Principal
from web.site import Site, SiteOf

RunId = Annotated[str, Path(pattern=r"^[0-9a-zA-Z_.-]{1,64}$", examples=["261124-132228-0a1b2c"])]


def find_run(site: Site, principal: Principal, run_id: str) -> RepairRun:
    """The run of that id.

    Raises:
        ProblemError: 404 when there is none, or it is somebody else's.
    """
    run = site.catalog.find_run(run_id, principal.sees)
    if run is None:
        raise not_found(f"run {run_id}")
    return run


def _readable(run_id: RunId, site: SiteOf, principal: Reader) -> RepairRun:
    return find_run(site, principal, run_id)


def _changeable(run_id: RunId, site: SiteOf, principal: Submitter) -> RepairRun:
    return find_run(site, principal, run_id)


ReadRun = Annotated[RepairRun, Depends(_readable)]
ChangeRun = Annotated[RepairRun, Depends(_changeable)]
