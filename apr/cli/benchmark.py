"""Runs one bug of a benchmark, and labels the repair by the reference version."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from apr.bench.divergence import DIVERGENT
from apr.bench.journal import ERROR
from apr.bench.records import NONE, PLAUSIBLE, BugRecord, Protocol
from apr.bootstrap import open_reproducer
from apr.cli.progress import Listener
from apr.cli.references import compare_with_reference, perfect_locations, reference_of
from apr.core.bug import Bug
from apr.core.errors import (
    AprError,
    NotReproducedError,
    PatchDoesNotApplyError,
    SandboxDiedError,
)
from apr.core.ports import Sandbox
from apr.core.report import CorrectnessLabel
from apr.datasets.dataset import Dataset
from apr.datasets.differential import (
    CHILD_SCRIPT,
    Comparison,
    Execute,
    compare_programs,
    label_correctness,
)
from apr.reproduction.plan import plan_issue_run
from apr.results.details import RunDetails, final_patch, load_details
from apr.settings import RunSettings
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox
from validation.temporary import temporary_folder
from validation.workspace import SourceTree

if TYPE_CHECKING:
    from apr.service import Service

LABEL_SEED = 0  # of the inputs a repair is judged on: never the search's own seed


def run_bug(
    service: Service, dataset: Dataset, bug: Bug, protocol: Protocol, listener: Listener
) -> BugRecord:
    """Repair one bug and judge the result; trouble with the bug itself is recorded."""
    started = time.monotonic()
    try:
        record = _repair(service, dataset, dataset.prepare(bug), protocol, listener)
    except AprError as error:
        record = BugRecord(bug.name, ERROR, message=str(error))
    return replace(record, wall_s=round(time.monotonic() - started, 3))


def _repair(
    service: Service, dataset: Dataset, bug: Bug, protocol: Protocol, listener: Listener
) -> BugRecord:
    settings = located(dataset, bug, protocol.settings)
    budget, author = protocol.budget, ""
    if dataset.from_issues:
        try:
            planned = plan_issue_run(
                bug, settings, budget, protocol.seed, listener, open_reproducer
            )
        except NotReproducedError as error:
            return BugRecord(
                bug.name,
                NONE,
                message=str(error),
                localization=settings.localization,
                reproduction="none",
            )
        bug, settings, budget = planned.bug, planned.settings, planned.budget
        author = planned.author
    run = service.submit_run(bug, settings, budget, protocol.seed)
    run = service.execute_run(run.id, listener)
    details = load_details(service, run)
    record = replace(make_record(details), reproduction=author)
    if not run.patches:
        return record
    record = add_label(record, judge(details, dataset, settings))
    return add_likeness(record, details, dataset, protocol.divergence_s)


def located(dataset: Dataset, bug: Bug, settings: RunSettings) -> RunSettings:
    """The settings, with the lines of the reference patch where localization is perfect.

    Raises:
        BadInputError: when there is no reference patch.
    """
    if settings.localization != "perfect":
        return settings
    return settings.model_copy(update={"locations": perfect_locations(dataset, bug)})


def add_likeness(
    record: BugRecord, details: RunDetails, dataset: Dataset, seconds: float
) -> BugRecord:
    """The record with how the final patch compares with the reference version, if there is one."""
    bug = details.run.bug
    try:
        reference = reference_of(dataset, bug, SourceTree(Path(bug.subject)))
    except PatchDoesNotApplyError as error:  # the repair is none the worse for it
        return replace(record, divergence=ERROR, message=f"the reference patch: {error}")
    chosen = final_patch(details)
    node = None if chosen is None else details.node(chosen)
    if reference is None or node is None:
        return record
    settings = RunSettings.model_validate(details.run.settings)
    likeness = compare_with_reference(reference, node.patch, bug, settings, seconds, LABEL_SEED)
    return replace(
        record,
        exact=likeness.exact,
        divergence=likeness.divergence,
        message=likeness.message or record.message,
    )


def make_record(details: RunDetails) -> BugRecord:
    """The record of a finished run, not yet labelled."""
    run, baseline = details.run, details.baseline
    best = final_patch(details)
    plausible = [n.id for n in details.tree.nodes if n.report and n.report.is_plausible]
    return BugRecord(
        bug=run.bug.name,
        verdict=PLAUSIBLE if best else NONE,
        run=run.id,
        status=run.status.value,
        candidates=run.usage.candidates,
        first_plausible=min(plausible, default=None),  # ids count candidates from 1
        validations=run.usage.validations,
        seconds=round(run.usage.seconds, 3),
        message=run.message,
        baseline=None
        if baseline is None
        else {
            "failing": len(baseline.failing),
            "passing": len(baseline.passing),
            "flaky": len(baseline.flaky),
            "skipped": len(baseline.skipped),
        },
        origin=best.origin if best else "",
        diff=best.diff if best else "",
        calls=run.usage.calls,
        tokens=run.usage.tokens,
        cost_usd=run.usage.cost_usd,
        localization=str(run.settings.get("localization", "")),
    )


def add_label(record: BugRecord, comparison: Comparison | None) -> BugRecord:
    """The record with what the comparison with the reference version says."""
    if comparison is None:
        return record
    found = comparison.first_difference
    told = None
    if found is not None:
        arguments = repr(found.case.args)[:500]
        told = {"input": arguments, "expected": found.expected, "actual": found.actual}
    label = label_correctness(comparison).value
    return replace(record, label=label, agreed_inputs=comparison.agreed, difference=told)


def judge(details: RunDetails, dataset: Dataset, settings: RunSettings) -> Comparison | None:
    """Compare the best patch with the reference version; None where there is none."""
    bug = details.run.bug
    reference = dataset.reference_program(bug)
    chosen = final_patch(details)
    node = None if chosen is None else details.node(chosen)
    if reference is None or node is None:
        return None
    sources = SourceTree(Path(bug.subject))
    patched = {reference.path: sources[reference.path], **node.patch.apply_edits(sources)}
    return compare_programs(
        patched[reference.path],
        reference.source,
        reference.entry_point,
        reference.cases(LABEL_SEED),
        sandboxed(bug.test_command.python, settings),
        tolerance=reference.tolerance,
    )


def sandboxed(python: str, settings: RunSettings) -> Execute:
    """Runs both programs of a comparison where the candidates were run."""
    readable = (*python_readable_paths(python), str(CHILD_SCRIPT), str(HARNESS_ROOT))
    policy = SandboxPolicy(memory_mib=settings.memory_mib, readable_paths=readable)

    def execute(request: bytes, timeout_s: float) -> bytes:
        with closing(open_sandbox(settings.sandbox, policy, settings.image)) as sandbox:
            return _converse(sandbox, [python, "-B", str(CHILD_SCRIPT)], request, timeout_s)

    return execute


def _converse(sandbox: Sandbox, command: Sequence[str], request: bytes, timeout_s: float) -> bytes:
    """What the command answers to the request until its end or the time limit."""
    deadline, lines = time.monotonic() + timeout_s, list[bytes]()
    with (
        temporary_folder("compare") as folder,
        sandbox.start(command, str(folder), writable=False, environment={}) as process,
    ):
        try:
            process.send(request)
            while (left := deadline - time.monotonic()) > 0:
                lines.append(process.receive_line(left))
                if lines[-1].startswith(b'{"done"'):
                    break
        except (TimeoutError, SandboxDiedError):
            pass  # what came before counts, and what is missing speaks for itself
        finally:
            process.kill()
    return b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Totals:
    """Separate counts, never one success rate; `bugs` is the denominator of each.

    `exact` and `divergent` count plausible patches beside the reference version.
    """

    bugs: int
    plausible: int
    correct: int
    overfitting: int
    exact: int
    divergent: int
    errors: int
    candidates: int
    seconds: float
    median_first: float | None


def total(records: Sequence[BugRecord]) -> Totals:
    """Sums over the records."""
    first = [record.first_plausible for record in records if record.first_plausible is not None]
    return Totals(
        bugs=len(records),
        plausible=sum(record.verdict == PLAUSIBLE for record in records),
        correct=sum(record.label == CorrectnessLabel.CORRECT for record in records),
        overfitting=sum(record.label == CorrectnessLabel.OVERFITTING for record in records),
        exact=sum(record.exact is True for record in records),
        divergent=sum(record.divergence == DIVERGENT for record in records),
        errors=sum(record.verdict == ERROR for record in records),
        candidates=sum(record.candidates for record in records),
        seconds=round(sum(record.seconds for record in records), 3),
        median_first=statistics.median(first) if first else None,
    )
