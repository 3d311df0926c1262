"""The list of runs, and a run's page with its buttons."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from apr.core.report import ValidationReport
from apr.core.run import RepairRun, RunStatus
from apr.storage.catalog import Order, RunQuery
from web.api.artifacts import list_artifacts
from web.api.runs import cancel_run, resume_run
from web.pages.rendering import render
from web.pages.run_view import run_view
from web.pages.runs_view import PER_PAGE, ListRequest, runs_view
from web.pages.viewer import Actor, SeenRun, Viewer
from web.site import Site, SiteOf

router = APIRouter()

SHOWN_PATCHES = 20
MOST_PAGES = 1_000_000


@router.get("/")
def home() -> Response:
    """The runs are what there is to see first."""
    return RedirectResponse("/runs", 307)


@router.get("/runs")
def show_runs(
    request: Request,
    site: SiteOf,
    principal: Viewer,
    q: Annotated[str, Query(max_length=200)] = "",
    status: RunStatus | None = None,
    sort: Order = Order.NEWEST,
    page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
) -> Response:
    """The runs that the reader may see."""
    wanted = ListRequest(q.strip(), status, sort.value, page)
    found = site.catalog.list_runs(
        RunQuery(
            owner=principal.sees,
            statuses=() if status is None else (status,),
            text=wanted.text,
            order=sort,
            limit=PER_PAGE,
            offset=wanted.offset,
        )
    )
    counts = site.catalog.count_by_status(principal.sees)
    view = runs_view(wanted, found.runs, found.total, counts, [order.value for order in Order])
    return render(request, "runs.html", principal, view=view)


@router.get("/runs/{run_id}")
def show_run(request: Request, site: SiteOf, principal: Viewer, run: SeenRun) -> Response:
    """What came of a run."""
    oracle = site.service.oracle(run.id)
    view = run_view(
        run,
        None if oracle is None else oracle.baseline,
        list(site.service.store.events(run.id)),
        _reports(site, run),
    )
    shown: dict[str, Any] = {"view": view, "artifacts": artifact_links(run)}
    return render_part(request, principal, run, "run.html", "Result", **shown)


def artifact_links(run: RepairRun) -> list[tuple[str, str]]:
    """What can be taken away, with its address in the API."""
    at = f"/api/v1/runs/{run.id}"
    files = list_artifacts(run).artifacts
    return [
        *((name, f"{at}/artifacts/{name}") for name in files),
        ("log.txt", f"{at}/log"),
        ("tree.json", f"{at}/tree"),
    ]


def _reports(site: Site, run: RepairRun) -> dict[int, ValidationReport]:
    """The verdicts on the patches that are shown, by node."""
    nodes = [patch.node_id for patch in run.patches[:SHOWN_PATCHES]]
    found = {node_id: site.catalog.node(run.id, node_id) for node_id in nodes}
    return {node_id: each[2] for node_id, each in found.items() if each and each[2]}


def render_part(
    request: Request, principal: Viewer, run: RepairRun, template: str, title: str, **view: Any
) -> Response:
    """One of the pages about a run."""
    name = run.bug.name or run.bug.subject
    is_live = not run.status.is_final
    shared: dict[str, Any] = {"run": run, "name": name, "page_title": title, "is_live": is_live}
    return render(request, template, principal, **shared, **view)


@router.post("/runs/{run_id}/cancel")
def cancel(request: Request, site: SiteOf, principal: Actor, run: SeenRun) -> Response:
    """The button that cancels; see the API's."""
    cancel_run(site, principal, run, request)
    return RedirectResponse(f"/runs/{run.id}", 303)


@router.post("/runs/{run_id}/resume")
def resume(request: Request, site: SiteOf, principal: Actor, run: SeenRun) -> Response:
    """The button that resumes; see the API's."""
    resume_run(site, principal, run, request)
    return RedirectResponse(f"/runs/{run.id}", 303)
