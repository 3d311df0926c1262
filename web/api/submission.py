"""What a run may be asked for, and from that to a bug, its settings and its budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from apr.core.bug import Bug, TestId
from apr.core.errors import BadInputError
from apr.core.run import Budget, RepairRun
from apr.localization.formulas import canonical_name
from apr.settings import PolicyName, RunSettings, SandboxName
from apr.storage.sources import Source
from validation.runners.detect import detect_command
from validation.runners.junit import read_failing
from web.api.answers import answers
from web.api.replay import IdempotencyKey, once
from web.api.runs import show
from web.api.schemas import RunOut
from web.api.sources import SOURCE_ID, find_source
from web.security.access import Submitter, audit
from web.security.principal import Principal
from web.settings import WebSettings
from web.site import Site, SiteOf

router = APIRouter(tags=["runs"])

LARGEST_SEED = 2**63 - 1
Line = Annotated[str, Field(min_length=1, max_length=2000)]
Lines = Annotated[list[Line], Field(max_length=1000)]


class BudgetIn(BaseModel):
    """Upper limits; null: none, but for the number of candidates."""

    model_config = ConfigDict(extra="forbid")
    candidates: int | None = Field(default=None, ge=1, le=1_000_000)
    seconds: float | None = Field(default=None, gt=0, le=7 * 24 * 3600)
    cost_usd: float | None = Field(default=None, ge=0, le=10_000)
    tokens: int | None = Field(default=None, ge=1, le=10**12)
    calls: int | None = Field(default=None, ge=1, le=10**9)


class RunIn(BaseModel):
    """A repair that is asked for. What is left out is found out, as `apr fix` does."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "source": "src-0123456789abcdef",
                    "test": "python -m pytest tests",
                    "budget": {"candidates": 500, "seconds": 300},
                }
            ]
        },
    )
    source: str = Field(pattern=SOURCE_ID, description="A project: see `/sources`.")
    name: str | None = Field(default=None, max_length=200)
    test: str | None = Field(default=None, max_length=2000, description="How the tests are run.")
    test_ids: Lines = Field(default=[], description="Repair only what these tests show.")
    junit_report: str | None = Field(
        default=None, description="A JUnit report, whose failing tests are those to repair."
    )
    junit: Lines = Field(default=[], description="Reports that the test command leaves behind.")
    sources: Lines = Field(default=[], description="Patterns of files that a patch may touch.")
    locations: Lines = Field(default=[], description="Where the fault is, if that is known.")
    issue: str | None = Field(default=None, max_length=100_000, description="What was reported.")
    model: str | None = Field(
        default=None, max_length=200, description="One of the server's models; null: templates."
    )
    image: str | None = Field(default=None, max_length=300, description="One of its images.")
    budget: BudgetIn = BudgetIn()
    formula: str = Field(default="ochiai", max_length=50)
    policy: PolicyName = "mcts"
    patches: int = Field(default=1, ge=1, le=20, description="Patches to find before it ends.")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    priority: int = Field(default=0, ge=0, le=9)
    test_timeout_s: float = Field(default=30.0, gt=0, le=3600)


@router.post(
    "/runs",
    status_code=202,
    response_model=RunOut,
    responses=answers(404, 409, 413),
    operation_id="submitRun",
)
def submit_run(
    site: SiteOf,
    principal: Submitter,
    body: RunIn,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Submit a repair run; it is executed in the background."""

    def act() -> RunOut:
        run = submit(site, principal, body)
        audit(request, principal, "submit", run.id, body.source)
        return show(site, run)

    return once(
        site, principal, idempotency_key, b"runs" + body.model_dump_json().encode(), 202, act
    )


def submit(site: Site, principal: Principal, asked: RunIn) -> RepairRun:
    """Save a run of the principal's and hand it to the queue.

    Raises:
        BadInputError: when what is asked for makes no sense.
    """
    source = find_source(site, principal, asked.source)
    bug = make_bug(asked, source, site.settings)
    settings = make_settings(asked, site.settings)
    budget = asked.budget.model_dump(exclude_none=True)
    run = site.service.submit_run(bug, settings, Budget(**budget), asked.seed)
    enqueue(site, principal, run, asked.priority)
    return run


def enqueue(site: Site, principal: Principal, run: RepairRun, priority: int = 0) -> None:
    """Say whose run it is, before anybody executes it, and hand it over."""
    site.catalog.set_owner(run.id, principal.user)
    site.service.enqueue_run(run.id, site.queue, priority)


def make_bug(asked: RunIn, source: Source, settings: WebSettings) -> Bug:
    """The bug; its interpreter is the server's, never one that the project brings along.

    Raises:
        BadInputError: when the test command or the report cannot be used.
    """
    subject = Path(source.folder)
    command = detect_command(
        subject,
        asked.test,
        python=None if asked.image else settings.python,
        junit=tuple(asked.junit),
        in_image=asked.image is not None,
    )
    tests = tuple(TestId(test) for test in asked.test_ids)
    if asked.junit_report is not None:
        report = asked.junit_report.encode("utf-8", "surrogatepass")
        tests += read_failing(report, subject, command.kind)
        if not tests:
            raise BadInputError("no test fails in the JUnit report")
    return Bug(
        subject=source.folder,
        test_command=command,
        trigger_tests=tuple(dict.fromkeys(tests)),
        source_globs=tuple(asked.sources),
        base_commit=source.commit,
        issue_text=asked.issue,
        name=asked.name or subject.name,
    )


def make_settings(asked: RunIn, settings: WebSettings) -> RunSettings:
    """The settings; models and images are those that the server offers, by name.

    Raises:
        BadInputError: when it does not offer them.
    """
    if asked.image is not None and asked.image not in settings.images:
        raise BadInputError("this server does not offer that image")
    if asked.model is not None and asked.model not in settings.models:
        raise BadInputError("this server does not offer that model")
    strong: SandboxName = "bubblewrap" if settings.authenticate else "auto"
    return RunSettings(
        generator="template" if asked.model is None else "llm",
        llm=None if asked.model is None else settings.models[asked.model],
        preset="ranked" if asked.model is None else "adaptive",
        formula=canonical_name(asked.formula),
        locations=tuple(asked.locations),
        sandbox="docker" if asked.image else settings.sandbox or strong,
        image=asked.image,
        policy=asked.policy,
        patches=asked.patches,
        compare_seconds=30.0 if asked.patches > 1 else 0.0,
        test_timeout_s=asked.test_timeout_s,
    )
