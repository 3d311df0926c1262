"""The candidates of a run and its search tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, TypeAdapter

from apr.core.patch import Patch
from apr.core.report import ValidationReport
from apr.results.details import report_document
from apr.storage.catalog import NodeSummary
from web.api.answers import answers
from web.api.find import ReadRun
from web.api.text import Text, clean
from web.errors import not_found
from web.site import SiteOf

router = APIRouter(tags=["runs"])

MOST_NODES = 10_000
LARGEST = 2**31 - 1


class CandidateList(BaseModel):
    """A page of candidates, the highest reward first."""

    candidates: list[NodeSummary]
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class TreeOut:
    """Nodes in the order of their ids; `total` counts all, `after` is for the next page."""

    run: str
    total: int
    winner: int | None
    nodes: list[NodeSummary]
    after: int | None


class HunkOut(BaseModel):
    """Lines from `first` (1-based) that are replaced."""

    path: Text
    first: int
    old: list[Text]
    new: list[Text]


class TestOut(BaseModel):
    """What became of a test."""

    __test__ = False
    test: Text
    outcome: str
    duration_s: float
    message: Text


class CandidateOut(BaseModel):
    """A candidate with its edits and what the tests said of it."""

    node: NodeSummary
    hunks: list[HunkOut]
    message: Text
    counts: dict[str, Any] | None
    tests: list[TestOut]


_TREE = TypeAdapter(TreeOut)


@router.get("/runs/{run_id}/candidates", responses=answers(304, 404), operation_id="listCandidates")
def list_candidates(
    site: SiteOf,
    run: ReadRun,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> CandidateList:
    """The patches that were tried, the best ones first."""
    found = site.catalog.best_nodes(run.id, limit, offset)
    return CandidateList(candidates=list(found), limit=limit, offset=offset)


@router.get(
    "/runs/{run_id}/candidates/{node_id}", responses=answers(304, 404), operation_id="getCandidate"
)
def get_candidate(
    site: SiteOf, run: ReadRun, node_id: Annotated[int, Path(ge=0, le=LARGEST)]
) -> CandidateOut:
    """One node of the tree: its edits, and every test that was run."""
    found = site.catalog.node(run.id, node_id)
    if found is None:
        raise not_found(f"candidate {node_id} of run {run.id}")
    return candidate_out(*found)


@router.get(
    "/runs/{run_id}/tree",
    response_model=TreeOut,
    responses=answers(304, 404),
    operation_id="getTree",
)
def get_tree(
    site: SiteOf,
    run: ReadRun,
    after: Annotated[int, Query(ge=-1, le=LARGEST, description="From above this id.")] = -1,
    limit: Annotated[int, Query(ge=1, le=MOST_NODES)] = MOST_NODES,
) -> Response:
    """The search tree without the patches themselves, so that a large one stays light."""
    nodes = list(site.catalog.nodes(run.id, after=after, limit=limit))
    tree = TreeOut(
        run=run.id,
        total=site.catalog.count_nodes(run.id),
        winner=run.patches[0].node_id if run.patches else None,
        nodes=nodes,
        after=nodes[-1].id if len(nodes) == limit else None,
    )
    return Response(_TREE.dump_json(tree), media_type="application/json")


def candidate_out(node: NodeSummary, patch: Patch, report: ValidationReport | None) -> CandidateOut:
    """A node as JSON."""
    hunks = [
        HunkOut(path=h.path, first=h.first, old=list(h.old), new=list(h.new)) for h in patch.hunks
    ]
    tests = [
        TestOut(
            test=result.test,
            outcome=result.outcome.value,
            duration_s=result.duration_s,
            message=result.message,
        )
        for result in (report.results if report is not None else ())
    ]
    counts = report_document(report)
    return CandidateOut(
        node=node,
        hunks=hunks,
        message=report.message if report is not None else "",
        counts=None if counts is None else {k: clean(v) for k, v in counts.items()},
        tests=tests,
    )
