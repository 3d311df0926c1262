"""The pages about benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from web.errors import not_found
from web.pages.benchmarks_view import (
    Wanted,
    benchmark_view,
    folder_names,
    list_benchmarks,
    outcomes,
)
from web.pages.curves_view import Over
from web.pages.rendering import render
from web.pages.viewer import Viewer
from web.site import SiteOf

router = APIRouter(prefix="/benchmarks")

Name = Annotated[str, Query(max_length=200)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]


def _wanted(over: Over = Over.PATCHES, left: Name = "", right: Name = "", page: Page = 1) -> Wanted:
    return Wanted(over, left, right, page)


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
    request: Request,
    site: SiteOf,
    principal: Viewer,
    name: Name,
    wanted: Annotated[Wanted, Depends(_wanted)],
    beside: Name = "",
) -> Response:
    """One of them, or two beside each other."""
    root = site.settings.benchmarks
    names = [name, beside] if beside and beside != name else [name]
    known = folder_names(root)
    for each in names:
        if root is None or each not in known:
            raise not_found(f"benchmark {each}")
    view = benchmark_view(root or Path(), names, wanted)
    return render(request, "benchmark.html", principal, view=view, outcomes=outcomes(view.matrix))
