"""What a run leaves behind, as files: the patch, reports for other tools, the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from apr.core.run import RepairRun
from apr.results.details import RunDetails, load_details, run_document
from apr.results.junit import render_run_junit
from apr.results.markdown import render_markdown
from apr.results.page import render_page
from apr.results.predictions import render_prediction
from apr.results.sarif import render_sarif
from web.api.answers import answers
from web.api.find import ReadRun
from web.errors import not_found
from web.site import SiteOf

router = APIRouter(tags=["artifacts"])


class ArtifactName(StrEnum):
    """The files that a run has."""

    PATCH = "patch.diff"
    SARIF = "run.sarif"
    JUNIT = "junit.xml"
    PREDICTIONS = "predictions.jsonl"
    PAGE = "report.html"
    SUMMARY = "summary.md"
    DOCUMENT = "run.json"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a file is made, and what it is."""

    media_type: str
    render: Callable[[RunDetails], str]


KINDS = {
    ArtifactName.PATCH: Kind("text/x-diff", lambda d: d.run.patches[0].diff),
    ArtifactName.SARIF: Kind("application/sarif+json", render_sarif),
    ArtifactName.JUNIT: Kind("application/xml", render_run_junit),
    ArtifactName.PREDICTIONS: Kind("application/jsonl", lambda d: render_prediction(d.run)),
    ArtifactName.PAGE: Kind("text/html", render_page),
    ArtifactName.SUMMARY: Kind("text/markdown", render_markdown),
    ArtifactName.DOCUMENT: Kind("application/json", lambda d: json.dumps(run_document(d)) + "\n"),
}
SANDBOXED = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


class ArtifactList(BaseModel):
    """The files of a run; `patch.diff` only once there is one."""

    artifacts: list[str] = Field(examples=[["patch.diff", "run.sarif"]])


@router.get("/runs/{run_id}/artifacts", responses=answers(304, 404), operation_id="listArtifacts")
def list_artifacts(run: ReadRun) -> ArtifactList:
    """The files that can be had of a run."""
    return ArtifactList(artifacts=[name.value for name in ArtifactName if _has(run, name)])


@router.get(
    "/runs/{run_id}/artifacts/{name}",
    response_class=Response,
    responses={
        **answers(304, 404),
        200: {
            "description": "The file.",
            "content": {kind.media_type: {"schema": {"type": "string"}} for kind in KINDS.values()},
        },
    },
    operation_id="getArtifact",
)
def get_artifact(site: SiteOf, run: ReadRun, name: ArtifactName) -> Response:
    """One file, to be kept; a browser saves it and never shows it as a page of this server."""
    if not _has(run, name):
        raise not_found(f"{name.value} of run {run.id}: it has no patch")
    kind = KINDS[name]
    text = kind.render(load_details(site.service, run))
    return Response(
        text.encode("utf-8", "surrogateescape"),
        headers={
            "Content-Type": kind.media_type,
            "Content-Disposition": f'attachment; filename="{run.id}-{name.value}"',
            "Content-Security-Policy": SANDBOXED,
        },
    )


@router.get(
    "/runs/{run_id}/log",
    response_class=Response,
    responses={
        **answers(304, 404),
        200: {"description": "A line for each event.", "content": {"text/plain": {}}},
    },
    operation_id="getLog",
)
def get_log(site: SiteOf, run: ReadRun) -> Response:
    """The log so far; every character that could steer a terminal is escaped, as JSON has it."""
    lines = [
        f"{event.at:%Y-%m-%d %H:%M:%S} {event.kind} {json.dumps(dict(event.data))}\n"
        for event in site.service.store.events(run.id)
    ]
    return Response("".join(lines), media_type="text/plain; charset=utf-8")


def _has(run: RepairRun, name: ArtifactName) -> bool:
    return name is not ArtifactName.PATCH or bool(run.patches)
