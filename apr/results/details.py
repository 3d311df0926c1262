"""Everything about one run that its readers show, gathered once, and the same thing as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from apr.core.behaviour import Behaviour
from apr.core.location import Location, SuspiciousLocation
from apr.core.report import Baseline, ValidationReport
from apr.core.run import RankedPatch, RepairRun
from apr.core.tree import SearchNode, SearchTree

if TYPE_CHECKING:
    from apr.service import Service

TOP_LOCATIONS = 10


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run with what was measured and searched; `baseline` is None when it never got so far."""

    run: RepairRun
    baseline: Baseline | None
    locations: tuple[SuspiciousLocation, ...]
    tree: SearchTree
    behaviour: Behaviour | None = None

    def node(self, patch: RankedPatch) -> SearchNode | None:
        """The node of a ranked patch."""
        known = 0 <= patch.node_id < len(self.tree)
        return self.tree.nodes[patch.node_id] if known else None

    @property
    def best_node(self) -> SearchNode | None:
        """The candidate of the highest reward, the earliest among equals."""
        return max(self.tree.nodes[1:], key=lambda node: node.reward, default=None)


def load_details(service: Service, run: RepairRun) -> RunDetails:
    """Read what the store knows of a run."""
    oracle = service.oracle(run.id)
    return RunDetails(
        run=run,
        baseline=None if oracle is None else oracle.baseline,
        locations=() if oracle is None else oracle.locations,
        tree=service.tree(run.id),
        behaviour=service.behaviour(run.id),
    )


def final_patch(details: RunDetails) -> RankedPatch | None:
    """The one patch of a run that stands for it; None where none is plausible.

    Of patches that were compared by behaviour, it is the best-ranked of those that most others
    behave like: clusters come largest first.
    """
    patches = details.run.patches
    if details.behaviour is None or not details.behaviour.clusters:
        return patches[0] if patches else None
    rank = min(details.behaviour.clusters[0].patches)
    return next((patch for patch in patches if patch.rank == rank), None)


def changed_places(node: SearchNode) -> tuple[Location, ...]:
    """Where a node's patch changes the subject, in the subject's own line numbers."""
    return tuple(
        Location(hunk.path, hunk.first, hunk.first + max(len(hunk.old), 1) - 1)
        for hunk in node.patch.hunks
    )


def run_document(details: RunDetails) -> dict[str, Any]:
    """A run as JSON: what happened, what it cost, and what would repeat it."""
    run = details.run
    return {
        **brief_document(run),
        "bug": asdict(run.bug),
        "settings": dict(run.settings),
        "seed": run.seed,
        "budget": asdict(run.budget),
        "baseline": None if details.baseline is None else baseline_document(details.baseline),
        "locations": [location_document(suspect) for suspect in details.locations[:TOP_LOCATIONS]],
        "patches": [_patch_document(details, patch) for patch in run.patches],
        "behaviour": None if details.behaviour is None else behaviour_document(details.behaviour),
    }


def behaviour_document(behaviour: Behaviour) -> dict[str, Any]:
    """Clusters of patches, and the questions whose answers would choose between them."""
    return {
        "clusters": [asdict(cluster) for cluster in behaviour.clusters],
        "questions": [
            {
                "question": choice.question,
                "call": choice.call,
                "answers": [
                    {"patches": patches, "outcome": what, "test": test}
                    for (patches, what), test in choice.outcomes
                ],
                "test": choice.test,
            }
            for choice in behaviour.choices
        ],
        "executions": behaviour.executions,
        "left_out": behaviour.left_out,
        "reason": behaviour.reason,
    }


def brief_document(run: RepairRun) -> dict[str, Any]:
    """The part of a run that a list shows."""
    return {
        "run": run.id,
        "name": run.bug.name,
        "subject": run.bug.subject,
        "status": run.status.value,
        "message": run.message,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "plausible": len(run.patches),
        "usage": asdict(run.usage),
    }


def baseline_document(baseline: Baseline) -> dict[str, Any]:
    """The oracle: trigger tests with their messages, and the others by name or number."""
    return {
        "failing": [
            {"test": result.test, "outcome": result.outcome.value, "message": result.message}
            for result in baseline.failing
        ],
        "passing": len(baseline.passing),
        "flaky": list(baseline.flaky),
        "flaky_passes": {test: baseline.passes.get(test, 0) for test in baseline.flaky},
        "skipped": len(baseline.skipped),
        "other_failing": list(baseline.other_failing),
        "duration_s": baseline.duration_s,
        "repeats": baseline.repeats,
    }


def location_document(suspect: SuspiciousLocation) -> dict[str, Any]:
    """One suspicious location."""
    return {
        "path": suspect.location.path,
        "first": suspect.location.first,
        "last": suspect.location.last,
        "function": suspect.function,
        "suspiciousness": suspect.suspiciousness,
        "evidence": suspect.formula,
    }


def _patch_document(details: RunDetails, patch: RankedPatch) -> dict[str, Any]:
    node = details.node(patch)
    report = node.report if node is not None else None
    return {
        "rank": patch.rank,
        "node": patch.node_id,
        "origin": patch.origin,
        "verdict": report.verdict.value if report else None,
        "label": patch.label.value,
        "files": list(node.patch.paths) if node is not None else [],
        "tests": report_document(report),
        "diff": patch.diff,
    }


def report_document(report: ValidationReport | None) -> Mapping[str, Any] | None:
    """The counts of a verdict."""
    if report is None:
        return None
    return {
        "stage": report.stage.value,
        "triggers_passed": report.triggers_passed,
        "triggers_total": report.triggers_total,
        "regressions_failed": report.regressions_failed,
        "regressions_run": report.regressions_run,
        "regressions_total": report.regressions_total,
        "confirmations": report.confirmations,
        "flaky": list(report.flaky),
        "from_cache": report.from_cache,
        "sandbox": report.sandbox,
    }
