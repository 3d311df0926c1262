"""Judges patches that others have made, by the tests of a run and in its sandbox."""

from __future__ import annotations

import json
import threading
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apr.core.diff import FileChange, parse_diff
from apr.core.errors import BadInputError
from apr.core.run import RepairRun
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
    """A predictions file: one JSON object a line, as SWE-bench's tools write it."""

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


class Prediction(BaseModel):
    """A line of the file."""

    instance_id: str
    model_name_or_path: str = ""
    model_patch: str


class JudgementOut(BaseModel):
    """What became of one line; `counts` is how the tests went."""

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
    lines = parse_predictions(body.predictions, run)
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
            model=line.model_name_or_path,
            verdict=report.verdict.value,
            message=report.message,
            counts=clean(dict(report_document(report) or {})),
        )
        for number, (line, report) in enumerate(zip(lines, reports, strict=True), 1)
    ]
    plausible = sum(report.is_plausible for report in reports)
    return EvaluationOut(run=run.id, plausible=plausible, judgements=judged)


def parse_predictions(text: str, run: RepairRun) -> list[Prediction]:
    """The lines of a predictions file about the run's bug.

    Raises:
        BadInputError: when a line cannot be read, or is about another bug.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            prediction = Prediction.model_validate(json.loads(line))
        except (ValueError, RecursionError, ValidationError) as error:
            raise BadInputError(f"line {number} is no prediction") from error
        if prediction.instance_id != run.bug.name:
            raise BadInputError(f"line {number} is not about {run.bug.name}")
        found.append(prediction)
    if not 1 <= len(found) <= MOST_PATCHES:
        raise BadInputError(f"a file has 1 to {MOST_PATCHES} predictions")
    return found


def _changes(number: int, line: Prediction) -> tuple[FileChange, ...]:
    try:
        return parse_diff(line.model_patch.encode("utf-8", "surrogatepass"))
    except BadInputError as error:
        raise BadInputError(f"the patch in line {number} cannot be read: {error}") from error
