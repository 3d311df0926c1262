"""How core types become row values and rows become core types: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from apr.core.patch import Patch
from apr.core.report import CorrectnessLabel, Stage, ValidationReport, Verdict
from apr.core.run import RankedPatch, RepairRun, RunEvent, RunStatus, Usage
from apr.core.tree import NOTHING, SearchNode, SearchTree
from apr.storage import codec
from apr.storage.linking import build_tree

Values = dict[str, Any]

_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_STAGES = {stage.value: stage for stage in Stage}


def subject_values(run: RepairRun) -> Values:
    """The row of the run's bug."""
    document = codec.encode_bug(run.bug)
    return {
        "id": codec.document_digest(document),
        "name": run.bug.name,
        "path": run.bug.subject,
        "base_commit": run.bug.base_commit,
        "bug": document,
    }


def run_values(run: RepairRun, subject_id: str) -> Values:
    """The row of a run, without its patches."""
    return {
        "id": run.id,
        "subject_id": subject_id,
        "settings": codec.plain_json(run.settings),
        "seed": run.seed,
        "status": run.status.value,
        "message": run.message,
        "budget": codec.encode_budget(run.budget),
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "last_event": 0,
        **usage_values(run.usage),
    }


def usage_values(usage: Usage) -> Values:
    """The usage columns of a run's row."""
    return {
        "candidates": usage.candidates,
        "validations": usage.validations,
        "seconds": usage.seconds,
        "cost_usd": usage.cost_usd,
        "tokens": usage.tokens,
        "calls": usage.calls,
    }


def run_from(row: Row[Any], patches: Iterable[RankedPatch]) -> RepairRun:
    """The run of a row that also holds the bug's document."""
    return RepairRun(
        id=row.id,
        bug=codec.decode_bug(row.bug),
        settings=row.settings,
        seed=row.seed,
        status=RunStatus(row.status),
        budget=codec.decode_budget(row.budget),
        usage=Usage(
            candidates=row.candidates,
            validations=row.validations,
            seconds=row.seconds,
            cost_usd=row.cost_usd,
            tokens=row.tokens,
            calls=row.calls,
        ),
        created_at=row.created_at,
        finished_at=row.finished_at,
        message=row.message,
        patches=tuple(patches),
    )


def ranked_patch_values(run_id: str, patch: RankedPatch) -> Values:
    """The row of a patch shown to the user."""
    return {
        "run_id": run_id,
        "rank": patch.rank,
        "node_id": patch.node_id,
        "diff": patch.diff,
        "origin": patch.origin,
        "label": patch.label.value,
    }


def ranked_patch_from(row: Row[Any]) -> RankedPatch:
    """The inverse of `ranked_patch_values`."""
    label = CorrectnessLabel(row.label)
    return RankedPatch(row.node_id, row.rank, row.diff, row.origin, label)


def candidate_values(run_id: str, digest: str, patch: Patch) -> Values:
    """The row of a distinct patch."""
    return {"run_id": run_id, "patch_digest": digest, "patch": codec.encode_patch(patch)}


def report_values(run_id: str, digest: str, report: ValidationReport) -> Values:
    """The row of a verdict."""
    return {
        "run_id": run_id,
        "patch_digest": digest,
        "verdict": report.verdict.value,
        "stage": report.stage.value,
        "triggers_passed": report.triggers_passed,
        "triggers_total": report.triggers_total,
        "regressions_failed": report.regressions_failed,
        "regressions_run": report.regressions_run,
        "regressions_total": report.regressions_total,
        "confirmations": report.confirmations,
        "progress": report.progress,
        "duration_s": report.duration_s,
        "document": codec.encode_report(report),
    }


def node_values(run_id: str, digest: str, node: SearchNode) -> Values:
    """The row of a tree node; its patch and report are rows of their own."""
    return {
        "run_id": run_id,
        "node_id": node.id,
        "parent_id": node.parent,
        "patch_digest": digest,
        "depth": node.depth,
        "prior": node.prior,
        "origin": node.origin,
        "visits": node.visits,
        "total_value": node.total_value,
        "reward": node.reward,
        "exhausted": node.exhausted,
        "report_from_cache": None if node.report is None else node.report.from_cache,
        "calls": node.spent.calls,
        "tokens": node.spent.tokens,
        "cost_usd": node.spent.cost_usd,
    }


def tree_from(run_id: str, rows: Sequence[Row[Any]]) -> SearchTree:
    """The tree of node rows in id order, each with its patch and report documents."""
    reports = (_node_report(row.document, row.report_from_cache) for row in rows)
    return build_tree(run_id, map(_node_from, rows, reports))


def outline_from(run_id: str, rows: Sequence[Row[Any]]) -> SearchTree:
    """The same of rows that hold the columns of reports instead of their documents."""
    return build_tree(run_id, map(_node_from, rows, map(_outlined_report, rows)))


def _node_from(row: Row[Any], report: ValidationReport | None) -> SearchNode:
    return SearchNode(
        id=row.node_id,
        parent=row.parent_id,
        patch=codec.decode_patch(row.patch),
        depth=row.depth,
        prior=row.prior,
        origin=row.origin,
        visits=row.visits,
        total_value=row.total_value,
        reward=row.reward,
        exhausted=row.exhausted,
        report=report,
        spent=_node_spent(row),
    )


def _node_spent(row: Row[Any]) -> Usage:
    if not row.calls and not row.tokens and not row.cost_usd:
        return NOTHING
    return Usage(cost_usd=row.cost_usd, tokens=row.tokens, calls=row.calls)


def _node_report(
    document: Mapping[str, Any] | None, from_cache: bool | None
) -> ValidationReport | None:
    if document is None or from_cache is None:
        return None
    report = codec.decode_report(document)
    return report if report.from_cache == from_cache else replace(report, from_cache=from_cache)


def _outlined_report(row: Row[Any]) -> ValidationReport | None:
    if row.verdict is None or row.report_from_cache is None:
        return None
    return ValidationReport(
        verdict=_VERDICTS[row.verdict],
        stage=_STAGES[row.stage],
        triggers_passed=row.triggers_passed,
        triggers_total=row.triggers_total,
        regressions_failed=row.regressions_failed,
        regressions_run=row.regressions_run,
        regressions_total=row.regressions_total,
        progress=row.progress,
        duration_s=row.duration_s,
        from_cache=row.report_from_cache,
        confirmations=row.confirmations,
    )


def event_from(row: Row[Any]) -> RunEvent:
    """The event of a row."""
    return RunEvent(row.sequence, row.at, row.kind, row.data)
