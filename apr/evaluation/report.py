"""The report on a whole run, with the keys of the official one; a pure function of what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apr.datasets.swebench.instances import Prediction
from apr.evaluation.outcome import Outcome

SCHEMA_VERSION = 2
"""Of the official report."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One prediction with what came of it.

    No outcome: it has not been judged. No report: the official harness would give none, since the
    tests did not run to their end. `suspicion` is the official reason to suspect the environment,
    with whether that is certain.
    """

    prediction: Prediction
    outcome: Outcome | None = None
    report: Mapping[str, Any] | None = None
    suspicion: tuple[str, bool] | None = None

    @property
    def is_resolved(self) -> bool:
        """Whether the official rules count it as resolved."""
        return self._own.get("resolved") is True

    @property
    def is_broken(self) -> bool:
        """Whether it was asked and infrastructure failed, so that it has no verdict."""
        return self.outcome is not None and not self.outcome.state.is_verdict

    @property
    def _own(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (self.report or {}).get(self.prediction.instance_id, {})
        return found


def make_report(dataset: Sequence[str], graded: Mapping[str, Graded]) -> dict[str, Any]:
    """The document; `dataset` are the ids of all instances, `graded` has the predictions by id."""
    known = [graded[name] for name in dataset if name in graded]
    given = [each for each in known if each.prediction.patch]
    completed = [each for each in given if each.report is not None]
    resolved = [each for each in completed if each.is_resolved]
    unresolved = [each for each in completed if not each.is_resolved]
    errors = [each for each in given if each.report is None]
    suspected = {_id(e): _suspicion(e) for e in (*unresolved, *errors)}
    reasons = {name: found[0] for name, found in suspected.items() if found is not None}
    certain = [name for name, found in suspected.items() if found is not None and found[1]]
    ambiguous = [name for name, found in suspected.items() if found is not None and not found[1]]
    return {
        "total_instances": len(dataset),
        "submitted_instances": len(graded),
        "completed_instances": len(completed),
        "resolved_instances": len(resolved),
        "unresolved_instances": len(unresolved),
        "infra_failure_instances": len(certain),
        "ambiguous_failure_instances": len(ambiguous),
        "empty_patch_instances": len(known) - len(given),
        "error_instances": len(errors),
        "completed_ids": _ids(completed),
        "incomplete_ids": sorted(name for name in dataset if name not in graded),
        "empty_patch_ids": _ids(each for each in known if not each.prediction.patch),
        "submitted_ids": sorted(graded),
        "resolved_ids": _ids(resolved),
        "unresolved_ids": _ids(unresolved),
        "infra_failure_ids": sorted(certain),
        "ambiguous_failure_ids": sorted(ambiguous),
        "failure_reasons": dict(sorted(reasons.items())),
        "error_ids": _ids(errors),
        "schema_version": SCHEMA_VERSION,
        "unstopped_instances": 0,
        "unstopped_containers": [],
        "unremoved_images": [],
    }


def _suspicion(graded: Graded) -> tuple[str, bool] | None:
    """Infrastructure that failed under us is certain; the official harness guesses from logs."""
    if graded.is_broken:
        return "environment_unusable", True
    return graded.suspicion


def _id(graded: Graded) -> str:
    return graded.prediction.instance_id


def _ids(graded: Any) -> list[str]:
    return sorted(map(_id, graded))
