"""What the API answers about runs, as JSON; the command line's documents have the same words."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.results.details import brief_document
from web.api.text import Cleaned, Text

RUN_ID = "261124-132228-0a1b2c"


class RunBrief(BaseModel):
    """A run as in a list."""

    run: str = Field(examples=[RUN_ID])
    name: Text = Field(examples=["stockroom"])
    subject: Text
    status: RunStatus
    message: Text
    created_at: datetime
    finished_at: datetime | None
    plausible: int = Field(description="Patches found.")
    usage: Usage


class RunList(BaseModel):
    """A page of runs, the newest first unless another order was asked for."""

    runs: list[RunBrief]
    total: int = Field(description="How many there are, on all pages.")
    limit: int
    offset: int


class PatchOut(BaseModel):
    """A plausible patch; rank 1 is the best."""

    rank: int
    node: int = Field(description="Its node of the search tree.")
    origin: Text
    label: str
    diff: Text


class RunOut(RunBrief):
    """A run."""

    owner: str | None
    seed: int
    budget: Budget
    settings: Annotated[dict[str, Any], Cleaned]
    nodes: int = Field(description="Size of the search tree.")
    patches: list[PatchOut]


def run_brief(run: RepairRun) -> RunBrief:
    """A run for a list."""
    return RunBrief.model_validate(brief_document(run))


def run_out(run: RepairRun, owner: str | None, nodes: int) -> RunOut:
    """A run for itself."""
    patches = [
        {"rank": p.rank, "node": p.node_id, "origin": p.origin, "label": p.label, "diff": p.diff}
        for p in run.patches
    ]
    return RunOut.model_validate(
        {
            **brief_document(run),
            "owner": owner,
            "seed": run.seed,
            "budget": run.budget,
            "settings": dict(run.settings),
            "nodes": nodes,
            "patches": patches,
        }
    )
