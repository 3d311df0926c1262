"""How the patches of a run behave: the questions they raise, answers, and comparisons."""

from __future__ import annotations

import threading

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from apr.answers import choose_test
from apr.core.behaviour import Behaviour
from apr.core.diff import FileChange, parse_diff
from apr.core.run import RepairRun
from apr.results.details import behaviour_document
from apr.settings import RunSettings
from validation.patchdiff.model import DiffReport, DiffSettings
from web.api.answers import answers
from web.api.find import ChangeRun, ReadRun
from web.api.replay import IdempotencyKey, once
from web.api.runs import show
from web.api.schemas import RunOut
from web.api.submission import enqueue
from web.api.text import Text
from web.errors import not_found, problem
from web.security.access import Submitter, audit
from web.security.principal import Principal
from web.site import Site, SiteOf

router = APIRouter(tags=["behaviour"])

_comparing = threading.Lock()
"""Comparing is work for a processor: one at a time."""


class ClusterOut(BaseModel):
    """Patches, by rank, that no input has told apart."""

    patches: list[int]
    agreement: float


class AnswerOut(BaseModel):
    """What some of the patches do; `test` demands it."""

    patches: list[int]
    outcome: Text
    test: Text


class QuestionOut(BaseModel):
    """An input for which patches behave differently."""

    question: Text
    call: Text
    answers: list[AnswerOut]
    test: Text


class BehaviourOut(BaseModel):
    """How the patches of a run differ."""

    clusters: list[ClusterOut]
    questions: list[QuestionOut]
    executions: int
    left_out: int
    reason: Text


class AnswerIn(BaseModel):
    """Which patch is right in a question (both counted from 1), or a test of your own."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": 1, "patch": 2}]}
    )
    question: int | None = Field(default=None, ge=1, le=10_000)
    patch: int | None = Field(default=None, ge=1, le=10_000)
    test: str | None = Field(default=None, min_length=1, max_length=100_000)

    @model_validator(mode="after")
    def _one_of_both(self) -> AnswerIn:
        asked = self.question is not None and self.patch is not None
        if asked == (self.test is not None):
            raise ValueError("give a question and a patch, or a test")
        return self


class ComparisonIn(BaseModel):
    """Two patches of a run by rank; left out: the program without a patch."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"left": 1, "right": 2}]}
    )
    left: int | None = Field(default=None, ge=1, le=10_000)
    right: int = Field(ge=1, le=10_000)
    seconds: float = Field(default=20.0, gt=0, le=120)


class DifferenceOut(BaseModel):
    """An input for which both behave differently, with a test that tells them apart."""

    question: Text
    test: Text | None


class ComparisonOut(BaseModel):
    """What a comparison found."""

    verdict: str
    reason: Text
    executions: int
    differences: list[DifferenceOut]


@router.get("/runs/{run_id}/behaviour", responses=answers(304, 404), operation_id="getBehaviour")
def get_behaviour(site: SiteOf, run: ReadRun) -> BehaviourOut:
    """The questions whose answers would choose between the patches of a run."""
    return BehaviourOut.model_validate(behaviour_document(_behaviour(site, run)))


@router.post(
    "/runs/{run_id}/answers",
    status_code=202,
    response_model=RunOut,
    responses=answers(404, 409),
    operation_id="answerQuestion",
)
def answer_question(
    site: SiteOf,
    principal: Submitter,
    run: ChangeRun,
    body: AnswerIn,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a question: the answer becomes a test, and a new run searches with it."""

    def act() -> RunOut:
        begun = answer(site, principal, run, body)
        audit(request, principal, "answer", run.id, begun.id)
        return show(site, begun)

    asked = f"answers {run.id} {body.model_dump_json()}".encode()
    return once(site, principal, idempotency_key, asked, 202, act)


def answer(site: Site, principal: Principal, run: RepairRun, given: AnswerIn) -> RepairRun:
    """Begin a run like another, whose patches pass one test more.

    Raises:
        BadInputError: when there is no such question, or no test of the answer.
    """
    if given.question is not None and given.patch is not None:
        choices = _behaviour(site, run).choices
        text, fails = choose_test(choices, given.question, given.patch)
    else:
        text, fails = given.test or "", False
    begun = site.service.answer(run.id, text, fails=fails)
    enqueue(site, principal, begun)
    return begun


@router.post(
    "/runs/{run_id}/comparisons", responses=answers(404, 409), operation_id="comparePatches"
)
def compare(
    site: SiteOf, run: ChangeRun, principal: Submitter, body: ComparisonIn, request: Request
) -> ComparisonOut:
    """Compare two patches of a run by what they do; the answer takes as long as you allow."""
    left = {} if body.left is None else {"left": _diff(run, body.left)}
    sides = {**({"base": ()} if body.left is None else left), "right": _diff(run, body.right)}
    if not _comparing.acquire(blocking=False):
        raise problem(409, "conflict", "another comparison is under way", Retry_After="10")
    try:
        audit(request, principal, "compare", run.id)
        settings = RunSettings.model_validate(run.settings)
        how = DiffSettings(seconds=body.seconds, trace_s=body.seconds)
        return _comparison(site.service.diff(run.bug, settings, sides, how))
    finally:
        _comparing.release()


def _comparison(report: DiffReport) -> ComparisonOut:
    found = [
        DifferenceOut(question=each.question, test=each.witness.text if each.witness else None)
        for each in report.discrepancies
    ]
    return ComparisonOut(
        verdict=report.verdict.value,
        reason=report.reason,
        executions=report.executions,
        differences=found,
    )


def _diff(run: RepairRun, rank: int) -> tuple[FileChange, ...]:
    for patch in run.patches:
        if patch.rank == rank:
            return parse_diff(patch.diff.encode("utf-8", "surrogateescape"))
    raise not_found(f"patch {rank} of run {run.id}")


def _behaviour(site: Site, run: RepairRun) -> Behaviour:
    found = site.service.behaviour(run.id)
    if found is None:
        raise not_found(f"behaviour of run {run.id}: it has not compared any patches")
    return found
