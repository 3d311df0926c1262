"""The other pages about a run: tree, nodes, candidates, heat map, behaviour, hunks, log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from apr.core.patch import Patch
from apr.core.run import RepairRun
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.folding import Folding, find_winner
from apr.storage.catalog import NodeSummary
from web.api.behaviour import AnswerIn
from web.api.behaviour import answer as answer_question
from web.errors import not_found
from web.pages.heat_view import heat_paths, heat_view
from web.pages.log_view import log_view
from web.pages.node_view import assembly_view, node_view
from web.pages.questions_view import questions_view
from web.pages.runs import render_part
from web.pages.source import read_sources
from web.pages.tree_view import MOST_CHILDREN, make_node, make_tree, tree_view
from web.pages.viewer import Actor, SeenRun, Viewer
from web.security.access import audit
from web.site import Site, SiteOf

router = APIRouter(prefix="/runs/{run_id}")

PER_PAGE = 50
DEPTH, CHILDREN, NODES = 12, 6, 60
MOST_ORIGINS = 200
"""Candidates that are looked through for where a hunk came from."""


@dataclass(frozen=True, slots=True)
class CandidatesView:
    """A page of the candidates, the best first."""

    lines: tuple[NodeSummary, ...]
    page: int
    total: int

    @property
    def first(self) -> int:
        """The number of the first line."""
        return (self.page - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + len(self.lines) - 1

    @property
    def has_more(self) -> bool:
        """Whether there is a page after this one."""
        return self.last < self.total


@router.get("/tree")
def show_tree(
    request: Request,
    site: SiteOf,
    principal: Viewer,
    run: SeenRun,
    at: Annotated[int, Query(ge=0)] = ROOT,
    children: Annotated[int, Query(ge=1, le=MOST_CHILDREN)] = CHILDREN,
) -> Response:
    """The search tree, from a node on."""
    tree = _tree(site, run)
    if at and at >= len(tree):
        raise not_found(f"node {at}")
    folding = Folding(DEPTH, children, max(NODES, min(MOST_CHILDREN, children + 20)))
    view = tree_view(run.id, tree, find_winner(run, tree), folding, at)
    return render_part(request, principal, run, "tree.html", "Search tree", view=view)


def _tree(site: Site, run: RepairRun) -> SearchTree:
    oracle = site.service.oracle(run.id)
    triggers = 0 if oracle is None else len(oracle.baseline.failing)
    return make_tree(site.catalog.nodes(run.id), triggers)


@router.get("/nodes/{node_id}")
def show_node(
    request: Request,
    site: SiteOf,
    principal: Viewer,
    run: SeenRun,
    node_id: Annotated[int, Path(ge=0, le=2**31 - 1)],
) -> Response:
    """One node."""
    found = site.catalog.node(run.id, node_id)
    if found is None:
        raise not_found(f"node {node_id}")
    summary, patch, report = found
    asked = site.catalog.exchange(run, summary.patch_digest)
    sources = read_sources(run.bug, patch.paths)
    path = [make_node(each) for each in site.catalog.lineage(run.id, node_id)]
    children = [make_node(each) for each in site.catalog.children(run.id, node_id)]
    view = node_view(path, children, patch, report, sources)
    title = f"Node {node_id}"
    return render_part(request, principal, run, "node.html", title, view=view, asked=asked)


@router.get("/candidates")
def show_candidates(
    request: Request,
    site: SiteOf,
    principal: Viewer,
    run: SeenRun,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """All that was judged, page by page."""
    total = max(0, site.catalog.count_nodes(run.id) - 1)
    lines = site.catalog.best_nodes(run.id, PER_PAGE, (page - 1) * PER_PAGE)
    view = CandidatesView(tuple(lines), page, total)
    return render_part(request, principal, run, "candidates.html", "Candidates", view=view)


@router.get("/heat")
def show_heat(request: Request, site: SiteOf, principal: Viewer, run: SeenRun) -> Response:
    """Where the fault may be."""
    locations = site.service.locations(run.id)
    sources = read_sources(run.bug, heat_paths(locations))
    view = heat_view(locations, sources, _best_patch(site, run))
    return render_part(request, principal, run, "heat.html", "Heat map", view=view)


def _best_patch(site: Site, run: RepairRun) -> Patch | None:
    found = site.catalog.node(run.id, run.patches[0].node_id) if run.patches else None
    return None if found is None else found[1]


@router.get("/questions")
def show_questions(request: Request, site: SiteOf, principal: Viewer, run: SeenRun) -> Response:
    """How the patches differ."""
    behaviour = site.service.behaviour(run.id)
    view = None if behaviour is None else questions_view(behaviour, run.patches)
    return render_part(request, principal, run, "questions.html", "Behaviour", view=view)


@router.post("/questions/{number}")
def answer(
    request: Request,
    site: SiteOf,
    principal: Actor,
    run: SeenRun,
    number: Annotated[int, Path(ge=1, le=10_000)],
    patch: Annotated[int, Form(ge=1, le=10_000)],
) -> Response:
    """Say which patch is right: a new run searches on with that as a test."""
    begun = answer_question(site, principal, run, AnswerIn(question=number, patch=patch))
    audit(request, principal, "answer", run.id, begun.id)
    return RedirectResponse(f"/runs/{begun.id}", 303)


@router.get("/hunks")
def show_hunks(
    request: Request,
    site: SiteOf,
    principal: Viewer,
    run: SeenRun,
    node: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> Response:
    """The parts of a patch, and where each comes from."""
    node_id = _winner(site, run) if node is None else node
    origins = [] if node_id is None else _possible_origins(site, run, node_id)
    if node is not None and not origins:
        raise not_found(f"node {node}")
    view = None
    if origins:
        patch = origins[-1][1]
        view = assembly_view(patch, origins, read_sources(run.bug, patch.paths))
    shown: dict[str, Any] = {"view": view, "node_id": node_id, "choices": run.patches}
    return render_part(request, principal, run, "hunks.html", "Hunks", **shown)


def _winner(site: Site, run: RepairRun) -> int | None:
    """The node of the best patch; before ranking, the first plausible node."""
    return run.patches[0].node_id if run.patches else site.catalog.first_plausible(run.id)


def _possible_origins(site: Site, run: RepairRun, node_id: int) -> list[tuple[SearchNode, Patch]]:
    """The ancestors, the best candidates before the node, and itself last; none: no such node."""
    lineage = site.catalog.lineage(run.id, node_id)
    best = site.catalog.best_nodes(run.id, MOST_ORIGINS)
    found = {each.id: each for each in (*lineage, *best) if each.id <= node_id and lineage}
    patches = site.catalog.patches(run.id, found)
    return [(make_node(found[each]), patches[each]) for each in sorted(found)]


@router.get("/log")
def show_log(request: Request, site: SiteOf, principal: Viewer, run: SeenRun) -> Response:
    """What happened, in order."""
    lines = log_view(list(site.service.store.events(run.id)))
    return render_part(request, principal, run, "log.html", "Log", lines=lines)
