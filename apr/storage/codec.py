"""How core types are written as JSON: pure functions, one version number for all documents.

Strings may hold surrogate escapes and NUL; JSON written with ASCII escapes keeps both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import StoreError
from apr.core.patch import Hunk, Patch
from apr.core.report import Frame, Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.run import Budget, Usage

VERSION = 1

Document = dict[str, Any]

_OUTCOMES = {outcome.value: outcome for outcome in TestOutcome}


def encode_patch(patch: Patch) -> Document:
    """The hunks as `[path, first, old, new]`; the files created and deleted, if there are any."""
    hunks = [[h.path, h.first, list(h.old), list(h.new)] for h in patch.hunks]
    files = {"created": list(patch.created), "deleted": list(patch.deleted)}
    return {"v": VERSION, "hunks": hunks, **{name: paths for name, paths in files.items() if paths}}


def decode_patch(document: Mapping[str, Any]) -> Patch:
    """Raises StoreError when a newer version wrote the document."""
    _check_version(document, "patch")
    return Patch(
        tuple(
            Hunk(path, first, tuple(old), tuple(new)) for path, first, old, new in document["hunks"]
        ),
        tuple(document.get("created", ())),
        tuple(document.get("deleted", ())),
    )


def encode_result(result: TestResult) -> list[Any]:
    """`[test, outcome, duration, message, frames, progress]` without trailing empty fields."""
    frames = [[frame.path, frame.line, frame.function] for frame in result.frames]
    fields = [str(result.test), result.outcome.value, result.duration_s]
    extras: list[Any] = [result.message, frames, result.progress]
    while extras and not extras[-1]:
        extras.pop()
    return fields + extras


def decode_result(fields: list[Any]) -> TestResult:
    """The inverse of `encode_result`."""
    if len(fields) == 3:  # nearly all are such, and a tree has many thousands
        return TestResult(fields[0], _OUTCOMES[fields[1]], fields[2])
    test, outcome, duration_s, message, frames, progress = fields + ["", [], 0][len(fields) - 3 :]
    return TestResult(
        test=TestId(test),
        outcome=_OUTCOMES[outcome],
        duration_s=duration_s,
        message=message,
        frames=tuple(Frame(*frame) for frame in frames),
        progress=progress,
    )


def encode_report(report: ValidationReport) -> Document:
    """Everything the report says, test results included."""
    return {
        "v": VERSION,
        "verdict": report.verdict.value,
        "stage": report.stage.value,
        "triggers": [report.triggers_passed, report.triggers_total],
        "regressions": [
            report.regressions_failed,
            report.regressions_run,
            report.regressions_total,
        ],
        "progress": report.progress,
        "duration_s": report.duration_s,
        "message": report.message,
        "results": [encode_result(result) for result in report.results],
        "sandbox": report.sandbox,
        "from_cache": report.from_cache,
        "confirmations": report.confirmations,
        "flaky": list(report.flaky),
    }


def decode_report(document: Mapping[str, Any]) -> ValidationReport:
    """Raises StoreError when a newer version wrote the document."""
    _check_version(document, "validation report")
    triggers_passed, triggers_total = document["triggers"]
    regressions_failed, regressions_run, regressions_total = document["regressions"]
    return ValidationReport(
        verdict=Verdict(document["verdict"]),
        stage=Stage(document["stage"]),
        triggers_passed=triggers_passed,
        triggers_total=triggers_total,
        regressions_failed=regressions_failed,
        regressions_run=regressions_run,
        regressions_total=regressions_total,
        progress=document["progress"],
        duration_s=document["duration_s"],
        message=document["message"],
        results=tuple(decode_result(fields) for fields in document["results"]),
        sandbox=document["sandbox"],
        from_cache=document["from_cache"],
        confirmations=document.get("confirmations", 0),
        flaky=tuple(TestId(test) for test in document.get("flaky", ())),
    )


def encode_bug(bug: Bug) -> Document:
    """The bug with its test command."""
    fields = asdict(bug)
    if not bug.added_tests:  # the digest of a bug without any is what it always was
        del fields["added_tests"]
    return {"v": VERSION, **fields}


def decode_bug(document: Mapping[str, Any]) -> Bug:
    """Raises StoreError when a newer version wrote the document."""
    _check_version(document, "bug")
    return Bug(
        subject=document["subject"],
        test_command=_decode_test_command(document["test_command"]),
        trigger_tests=tuple(TestId(test) for test in document["trigger_tests"]),
        source_globs=tuple(document["source_globs"]),
        base_commit=document["base_commit"],
        issue_text=document["issue_text"],
        name=document["name"],
        properties=_decode_pairs(document["properties"]),
        added_tests=_decode_pairs(document.get("added_tests", [])),
    )


def _decode_test_command(document: Mapping[str, Any]) -> TestCommand:
    return TestCommand(
        kind=RunnerKind(document["kind"]),
        argv=tuple(document["argv"]),
        python=document["python"],
        junit_globs=tuple(document["junit_globs"]),
        environment=_decode_pairs(document["environment"]),
    )


def _decode_pairs(pairs: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in pairs)


def encode_budget(budget: Budget) -> Document:
    """The limits; null means none."""
    return {"v": VERSION, **asdict(budget)}


def decode_budget(document: Mapping[str, Any]) -> Budget:
    """Raises StoreError when a newer version wrote the document."""
    return Budget(**_fields(document, "budget"))


def encode_usage(usage: Usage) -> Document:
    """What was spent."""
    return {"v": VERSION, **asdict(usage)}


def decode_usage(document: Mapping[str, Any]) -> Usage:
    """Raises StoreError when a newer version wrote the document."""
    return Usage(**_fields(document, "usage"))


def document_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document's canonical JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def plain_json(data: Mapping[str, Any]) -> Document:
    """A copy as a JSON reader would see it: tuples become lists.

    Raises:
        TypeError: when a value is no JSON.
        ValueError: when a number is NaN or infinite.
    """
    copy: Document = json.loads(json.dumps(data, allow_nan=False))
    return copy


def _fields(document: Mapping[str, Any], what: str) -> Document:
    _check_version(document, what)
    return {name: value for name, value in document.items() if name != "v"}


def _check_version(document: Mapping[str, Any], what: str) -> None:
    if document["v"] > VERSION:
        raise StoreError(
            f"the stored {what} has format {document['v']} but this version of apr reads only"
            f" up to {VERSION}: upgrade apr"
        )
