"""Runs the bugs of a benchmark one by one, labels the repairs, and keeps a record of each."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apr.cli.details import RunDetails, load_details
from apr.cli.output import SCHEMA_VERSION
from apr.cli.progress import Listener
from apr.core.bug import Bug
from apr.core.errors import AprError, BadInputError, SandboxDiedError
from apr.core.ports import Sandbox
from apr.core.report import CorrectnessLabel
from apr.core.run import Budget
from apr.datasets.dataset import Dataset
from apr.datasets.differential import (
    CHILD_SCRIPT,
    Comparison,
    Execute,
    compare_programs,
    label_correctness,
)
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox
from validation.temporary import temporary_folder
from validation.workspace import SourceTree

if TYPE_CHECKING:
    from apr.service import Service
    from apr.settings import RunSettings

PLAUSIBLE, NONE, ERROR = "plausible", "none", "error"
LABEL_SEED = 0  # of the inputs a repair is judged on: never the search's own seed


@dataclass(frozen=True, slots=True)
class BugRecord:
    """What became of one bug.

    `verdict` is plausible, none, or error (the question could not be asked; it stays in the
    denominator). `first_plausible` counts candidates up to the first plausible one. `seconds` is
    the search alone, `wall_s` everything. `difference` tells an overfitting patch apart.
    """

    bug: str
    verdict: str
    run: str = ""
    status: str = ""
    label: str = CorrectnessLabel.UNKNOWN.value
    candidates: int = 0
    first_plausible: int | None = None
    validations: int = 0
    seconds: float = 0.0
    wall_s: float = 0.0
    message: str = ""
    baseline: Mapping[str, int] | None = None
    origin: str = ""
    diff: str = ""
    agreed_inputs: int = 0
    difference: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """Under which conditions the bugs are run: the part of a record that must not vary."""

    settings: RunSettings
    budget: Budget
    seed: int

    def document(self) -> dict[str, Any]:
        """The conditions as JSON."""
        settings = self.settings.model_dump(mode="json")
        return {"settings": settings, "budget": asdict(self.budget), "seed": self.seed}


class RecordFile:
    """Records as JSON lines, appended as bugs are finished; the last record of a bug counts.

    The records of the bugs in `forget` are dropped first.

    Raises:
        BadInputError: when the file holds results of another protocol, or cannot be used.
    """

    def __init__(self, path: Path | None, protocol: Protocol, forget: Collection[str] = ()) -> None:
        self._path = path
        self._protocol = json.loads(json.dumps(protocol.document()))
        self.done: dict[str, BugRecord] = {}
        if path is not None:
            self._open(path, forget)

    def _open(self, path: Path, forget: Collection[str]) -> None:
        text = self._read(path)
        # A line without an end was being written when the process was killed.
        lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
        parsed = [(line, *self._parse(path, line)) for line in lines]
        kept = [entry for entry in parsed if entry[1].bug not in forget]
        for _, record, protocol in kept:
            if protocol != self._protocol:
                raise BadInputError(
                    f"{path} holds results of other settings: name another --output, or --redo"
                )
            self.done[record.bug] = record
        if (remaining := "".join(line for line, *_ in kept)) != text:
            path.write_text(remaining, encoding="utf-8")

    def _read(self, path: Path) -> str:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"--output {path.parent} cannot be used: {error}") from error

    def _parse(self, path: Path, line: str) -> tuple[BugRecord, Any]:
        try:
            fields = json.loads(line)
            return BugRecord(**fields["record"]), fields["protocol"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(f"{path} holds a line that is no benchmark record") from error

    def add(self, record: BugRecord) -> None:
        """Keep a record, on disk too."""
        self.done[record.bug] = record
        if self._path is None:
            return
        fields = {
            "schema_version": SCHEMA_VERSION,
            "protocol": self._protocol,
            "record": asdict(record),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def has_verdict(self, name: str) -> bool:
        """Whether the bug need not be run again: an error is no verdict."""
        return name in self.done and self.done[name].verdict != ERROR


def run_bug(
    service: Service, dataset: Dataset, bug: Bug, protocol: Protocol, listener: Listener
) -> BugRecord:
    """Repair one bug and judge the result; trouble with the bug itself is recorded."""
    started = time.monotonic()
    try:
        run = service.submit_run(bug, protocol.settings, protocol.budget, protocol.seed)
        run = service.execute_run(run.id, listener)
        details = load_details(service, run)
        record = make_record(details)
        if run.patches:
            record = add_label(record, judge(details, dataset, protocol.settings))
    except AprError as error:
        record = BugRecord(bug.name, ERROR, message=str(error))
    return replace(record, wall_s=round(time.monotonic() - started, 3))


def make_record(details: RunDetails) -> BugRecord:
    """The record of a finished run, not yet labelled."""
    run, baseline = details.run, details.baseline
    best = run.patches[0] if run.patches else None
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
    node = details.node(details.run.patches[0])
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
    readable = (*python_readable_paths(python), str(CHILD_SCRIPT))
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
    """Three separate counts, never one success rate; `bugs` is the denominator of each."""

    bugs: int
    plausible: int
    correct: int
    overfitting: int
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
        errors=sum(record.verdict == ERROR for record in records),
        candidates=sum(record.candidates for record in records),
        seconds=round(sum(record.seconds for record in records), 3),
        median_first=statistics.median(first) if first else None,
    )
