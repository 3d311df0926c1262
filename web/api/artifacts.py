"""What a run leaves behind, as files: the patch, reports for other tools, the log."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from apr.core.run import RepairRun
from apr.results.details import load_details
from apr.results.files import FILES, FileName, ResultFile
from web.api.answers import answers
from web.api.find import ReadRun
from web.errors import not_found
from web.site import SiteOf

router = APIRouter(tags=["artifacts"])


SANDBOXED = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


def _schema(file: ResultFile) -> dict[str, str]:
    return {"type": "object" if file.media_type.endswith("json") else "string"}


class ArtifactList(BaseModel):
    """The files of a run; `patch.diff` only once there is one."""

    artifacts: list[str] = Field(examples=[["patch.diff", "run.sarif"]])


@router.get("/runs/{run_id}/artifacts", responses=answers(304, 404), operation_id="listArtifacts")
def list_artifacts(run: ReadRun) -> ArtifactList:
    """The files that can be had of a run."""
    return ArtifactList(artifacts=[name.value for name in FileName if _has(run, name)])


@router.get(
    "/runs/{run_id}/artifacts/{name}",
    response_class=Response,
    responses={
        **answers(304, 404),
        200: {
            "description": "The file.",
            "content": {file.media_type: {"schema": _schema(file)} for file in FILES.values()},
        },
    },
    operation_id="getArtifact",
)
def get_artifact(site: SiteOf, run: ReadRun, name: FileName) -> Response:
    """One file, to be kept; a browser saves it and never shows it as a page of this server."""
    file = FILES[name]
    text = file.render(load_details(site.service, run))
    if text is None:
        raise not_found(f"{name.value} of run {run.id}: it has no patch")
    return Response(
        text.encode("utf-8", "surrogateescape"),
        headers={
            "Content-Type": file.media_type,
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


def _has(run: RepairRun, name: FileName) -> bool:
    return name is not FileName.PATCH or bool(run.patches)
