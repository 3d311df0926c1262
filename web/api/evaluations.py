"""Judges patches that others have made, by the tests of a run and in its sandbox."""

from __future__ import annotations

import threading
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from apr.core.diff import FileChange, parse_diff
from apr.core.errors import BadInputError
from apr.core.run import RepairRun
from apr.datasets.swebench.instances import Prediction, parse_predictions
from apr.results.details import report_document
from apr.settings import RunSettings
from web.api.answers import answers
from web.api.find import ChangeRun
from web.api.text import Text, clean
from web.errors import problem
from web.security.access import Submitter, audit
from web.site import SiteOf

router = APIRouter(tags=["behaviour"])

MOST_PATCHES = 50
_judging = threading.Lock()
"""Judging is work for a processor: one file at a time."""


class PredictionsIn(BaseModel):
    """A predictions file as SWE-bench's tools write it: JSON lines, a list, or an object by id."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "predictions": '{"instance_id": "stockroom", "model_name_or_path": "m",'
                    ' "model_patch": "--- a/m.py…"}'
                }
            ]
        },
    )
    predictions: str = Field(min_length=2)


class JudgementOut(BaseModel):
    """What became of one prediction; `counts` is how the tests went."""

    line: int = Field(description="From 1.")
    model: Text
    verdict: str
    message: Text
    counts: dict[str, Any]


class EvaluationOut(BaseModel):
    """The verdict on each patch, in the order of the lines."""

    run: str
    plausible: int
    judgements: list[JudgementOut]


@router.post(
    "/runs/{run_id}/evaluations", responses=answers(404, 409), operation_id="evaluatePredictions"
)
def evaluate(
    site: SiteOf, run: ChangeRun, principal: Submitter, body: PredictionsIn, request: Request
) -> EvaluationOut:
    """Judge the patches of a predictions file as the run judges its own; you wait for it."""
    lines = read_predictions(body.predictions, run)
    diffs = [_changes(number, line) for number, line in enumerate(lines, 1)]
    if not _judging.acquire(blocking=False):
        raise problem(409, "conflict", "another file is being judged", Retry_After="10")
    try:
        audit(request, principal, "evaluate", run.id, f"{len(lines)} patches")
        settings = RunSettings.model_validate(run.settings)
        reports = site.service.validate(run.bug, settings, diffs).reports
    finally:
        _judging.release()
    judged = [
        JudgementOut(
            line=number,
            model=line.tool,
            verdict=report.verdict.value,
            message=report.message,
            counts=clean(dict(report_document(report) or {})),
        )
        for number, (line, report) in enumerate(zip(lines, reports, strict=True), 1)
    ]
    plausible = sum(report.is_plausible for report in reports)
    return EvaluationOut(run=run.id, plausible=plausible, judgements=judged)


def read_predictions(text: str, run: RepairRun) -> tuple[Prediction, ...]:
    """The predictions of a file, which are all about the run's bug.

    Raises:
        BadInputError: when it cannot be read, or one is about another bug.
    """
    found = parse_predictions(text, "predictions")
    for number, prediction in enumerate(found, 1):
        if prediction.instance_id != run.bug.name:
            raise BadInputError(f"line {number} is not about {run.bug.name}")
    if not 1 <= len(found) <= MOST_PATCHES:
        raise BadInputError(f"a file has 1 to {MOST_PATCHES} predictions")
    return found


def _changes(number: int, line: Prediction) -> tuple[FileChange, ...]:
    try:
        return parse_diff(line.patch.encode("utf-8", "surrogatepass"))
    except BadInputError as error:
        raise BadInputError(f"the patch in line {number} cannot be read: {error}") from error
