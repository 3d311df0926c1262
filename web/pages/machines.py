"""The page about workers and model servers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request
from fastapi.responses import Response

from apr.core.run import Totals, Usage
from web.pages.machines_view import Reading, machines_view
from web.pages.rendering import render
from web.pages.viewer import Viewer
from web.site import SiteOf

router = APIRouter()

ANSWER_S = 2.0
LARGEST = 1_000_000
MOST_ASKED = 32


@router.get("/machines")
def show_machines(request: Request, site: SiteOf, principal: Viewer) -> Response:
    """What they say of themselves; what everybody's runs have spent is an admin's to see."""
    store = site.service.store
    statuses = site.catalog.count_by_status(principal.sees)
    view = machines_view(
        store.totals() if principal.sees is None else Totals(statuses, Usage()),
        len(store.waiting()),
        site.settings.runs_at_once,
        read_all(site.settings.metrics),
        has_queue=site.installation.broker_url is not None,
    )
    return render(request, "machines.html", principal, view=view)


def read_all(addresses: Sequence[str]) -> list[Reading]:
    """What the addresses answer, asked side by side; these are the server's own settings."""
    if not addresses:
        return []
    with ThreadPoolExecutor(min(MOST_ASKED, len(addresses))) as pool:
        return list(pool.map(read, addresses))


def read(address: str) -> Reading:
    """What one address answers, or why it does not."""
    import httpx

    try:
        with (
            httpx.Client(timeout=ANSWER_S, trust_env=False) as client,
            client.stream("GET", address) as response,
        ):
            response.raise_for_status()
            text = next(response.iter_bytes(LARGEST), b"")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Reading(address, problem=f"no answer: {error}" if str(error) else "no answer")
    return Reading(address, text.decode("utf-8", "replace"))
