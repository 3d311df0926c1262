"""The pages about benchmarks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from web.errors import not_found
from web.pages.benchmarks_view import benchmark_view, find_folder, list_benchmarks, outcomes
from web.pages.rendering import render
from web.pages.viewer import Viewer
from web.site import SiteOf

router = APIRouter(prefix="/benchmarks")

Name = Annotated[str, Query(max_length=200)]


@router.get("")
def show_benchmarks(request: Request, site: SiteOf, principal: Viewer) -> Response:
    """Which records there are."""
    root = site.settings.benchmarks
    found = list_benchmarks(root)
    is_configured = root is not None
    return render(
        request, "benchmarks.html", principal, benchmarks=found, is_configured=is_configured
    )


@router.get("/show")
def show_benchmark(
    request: Request, site: SiteOf, principal: Viewer, name: Name, left: Name = "", right: Name = ""
) -> Response:
    """One of them."""
    folder = find_folder(site.settings.benchmarks, name)
    if folder is None:
        raise not_found(f"benchmark {name}")
    view = benchmark_view(name, folder, left, right)
    return render(request, "benchmark.html", principal, view=view, outcomes=outcomes(view.matrix))
