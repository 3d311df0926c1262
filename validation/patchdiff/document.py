"""A comparison as JSON, for the command line, the benchmarks and the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from validation.patchdiff.model import DiffReport, Discrepancy, Outcome, Written
from validation.patchdiff.render import show_call, show_outcome


def report_document(report: DiffReport) -> dict[str, Any]:
    """The comparison as JSON."""
    return {
        "versions": list(report.versions),
        "verdict": report.verdict.value,
        "reason": report.reason,
        "discrepancies": [discrepancy_document(report, each) for each in report.discrepancies],
        "invalid": [discrepancy_document(report, each) for each in report.invalid],
        "suite": [
            {"test": each.test, "outcomes": [outcome.value for outcome in each.outcomes]}
            for each in report.suite
        ],
        "targets": [
            {
                "path": t.path,
                "function": t.name,
                "changed": t.is_changed,
                "reaches": list(t.reaches),
            }
            for t in report.targets
        ],
        "coverage": {
            name: asdict(covered)
            for name, covered in zip(report.versions, report.coverage, strict=True)
        },
        "executions": report.executions,
        "observed_calls": report.observed,
        "skipped_calls": report.skipped,
        "rejected": report.rejected,
        "duration_s": report.duration_s,
        "first_s": report.first_s,
        "notes": list(report.notes),
        "written": None
        if report.written is None
        else written_document(report.written, report.versions),
    }


def discrepancy_document(report: DiffReport, found: Discrepancy) -> dict[str, Any]:
    """One difference with what was seen of it."""
    witness = found.witness
    return {
        "function": str(found.target),
        "call": show_call(found.target, found.call),
        "question": found.question,
        "aspects": [aspect.value for aspect in found.aspects],
        "invalid": found.invalid,
        "internal": found.is_internal,
        "wording": found.is_wording,
        "outcomes": {
            name: outcome_document(outcome)
            for name, outcome in zip(report.versions, found.outcomes, strict=True)
        },
        "base": None if found.base is None else outcome_document(found.base),
        "confirmed": found.confirmation.runs,
        "test": None
        if witness is None
        else {
            "name": witness.name,
            "passes": list(witness.passes),
            "fails": list(witness.fails),
            "proven": witness.is_proven,
            "text": witness.text,
        },
    }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """What one version did; empty fields are left out."""
    told = asdict(outcome)
    told.pop("lines")
    kept = {name: value for name, value in told.items() if value not in ({}, (), "", None)}
    return {**kept, "shown": show_outcome(outcome)}


def written_document(written: Written, versions: Sequence[str]) -> dict[str, Any]:
    """What became of tests that were written for the comparison."""
    return {
        "counts": dict(written.counts),
        "differences": [
            {
                "name": each.test.name,
                "text": each.test.text,
                "outcomes": {
                    version: outcome.value
                    for version, outcome in zip(versions, each.difference.outcomes, strict=True)
                },
                "base": None if each.base is None else each.base.value,
            }
            for each in written.differences
        ],
    }
