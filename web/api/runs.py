"""Runs: listed, looked at, cancelled, resumed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from apr.core.run import RepairRun, RunStatus
from apr.storage.catalog import Order, RunQuery
from web.api.answers import answers
from web.api.find import ChangeRun, ReadRun, find_run
from web.api.schemas import RunList, RunOut, run_brief, run_out
from web.errors import problem
from web.security.access import Reader, Submitter, audit
from web.site import Site, SiteOf

router = APIRouter(tags=["runs"])

MOST_LISTED = 500
MOST_SKIPPED = 2**31 - 1


@router.get("/runs", responses=answers(304), operation_id="listRuns")
def list_runs(
    site: SiteOf,
    principal: Reader,
    status: Annotated[list[RunStatus], Query(description="Only these.")] = [],  # noqa: B006
    q: Annotated[str, Query(max_length=200, description="Part of an id, name or path.")] = "",
    order: Order = Order.NEWEST,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    offset: Annotated[int, Query(ge=0, le=MOST_SKIPPED)] = 0,
) -> RunList:
    """Your runs, or everybody's for an admin."""
    wanted = RunQuery(principal.sees, tuple(status), q, order, limit, offset)
    page = site.catalog.list_runs(wanted)
    return RunList(
        runs=[run_brief(run) for run in page.runs], total=page.total, limit=limit, offset=offset
    )


@router.get("/runs/{run_id}", responses=answers(304, 404), operation_id="getRun")
def get_run(site: SiteOf, run: ReadRun) -> RunOut:
    """A run: its status, what it was asked for, what it has cost, the patches it found."""
    return show(site, run)


@router.post("/runs/{run_id}/cancel", responses=answers(404, 409), operation_id="cancelRun")
def cancel_run(site: SiteOf, principal: Submitter, run: ChangeRun, request: Request) -> RunOut:
    """Cancel a run; what it executes ends within seconds."""
    if not site.service.cancel_run(run.id):
        raise problem(409, "conflict", f"run {run.id} has ended already: {run.status.value}")
    audit(request, principal, "cancel", run.id)
    return show(site, find_run(site, principal, run.id))


@router.post(
    "/runs/{run_id}/resume", status_code=202, responses=answers(404, 409), operation_id="resumeRun"
)
def resume_run(site: SiteOf, principal: Submitter, run: ChangeRun, request: Request) -> RunOut:
    """Go on with a run that was interrupted, cancelled, or ended without a patch."""
    if run.status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUCCEEDED):
        raise problem(409, "conflict", f"run {run.id} is {run.status.value}")
    site.service.enqueue_run(run.id, site.queue)
    audit(request, principal, "resume", run.id)
    return show(site, find_run(site, principal, run.id))


def show(site: Site, run: RepairRun) -> RunOut:
    """A run with what is known besides."""
    return run_out(run, site.catalog.owner(run.id), site.catalog.count_nodes(run.id))
