"""Plausible patches of one run, compared with each other while nobody knows the right one."""

from __future__ import annotations

from collections.abc import Sequence

from apr.comparison import NamedPatch, compare_patches
from apr.core.behaviour import Behaviour, Choice, Cluster
from apr.core.errors import AprError
from apr.repair import Notify, Repair
from apr.settings import RunSettings
from apr.subject import PreparedSubject
from validation.patchdiff.clusters import classes_of, group_versions
from validation.patchdiff.compare import differences
from validation.patchdiff.model import DiffReport, DiffSettings, Discrepancy
from validation.patchdiff.render import show_call, show_outcome

MOST = 8
"""Candidates compared at once: each keeps a sandbox of its own."""


def sort_by_behaviour(
    result: Repair, subject: PreparedSubject, settings: RunSettings, seed: int, notify: Notify
) -> Behaviour | None:
    """Clusters of the best-ranked patches; None where there is nothing to compare or no way to.

    That patches cannot be compared is told as a warning: they are as plausible as before.
    """
    if len(result.patches) < 2 or not settings.compare_seconds:
        return None
    chosen = result.patches[:MOST]
    named = [
        NamedPatch(f"patch-{ranked.rank}", result.tree.nodes[ranked.node_id].patch)
        for ranked in chosen
    ]
    seconds = settings.compare_seconds
    how = DiffSettings(
        seconds=seconds, trace_s=seconds, seed=seed, repeats=3, wanted=2 * len(named)
    )
    try:
        report = compare_patches(subject, named, how, notify)
    except AprError as error:
        notify("warning", {"message": f"the patches could not be compared: {error}"})
        return None
    left_out = len(result.patches) - len(chosen)
    return summarise(report, [ranked.rank for ranked in chosen], left_out)


def summarise(report: DiffReport, ranks: Sequence[int], left_out: int) -> Behaviour:
    """The report on the patches of these ranks."""
    clusters = tuple(
        Cluster(tuple(ranks[index] for index in group.members), group.agreement)
        for group in group_versions(report)
    )
    choices = tuple(_choice(found, ranks, report.versions) for found in report.discrepancies)
    return Behaviour(clusters, choices, report.executions, left_out, report.reason)


def _choice(found: Discrepancy, ranks: Sequence[int], versions: Sequence[str]) -> Choice:
    classes = classes_of(found.outcomes)
    kinds = list(dict.fromkeys(classes))
    answers = tuple(
        (
            tuple(rank for rank, own in zip(ranks, classes, strict=True) if own == each),
            show_outcome(found.outcomes[each], found.aspects),
        )
        for each in kinds
    )
    base = found.base
    same = [base is not None and not differences(found.outcomes[each], base) for each in kinds]
    return Choice(
        show_call(found.target, found.call),
        answers,
        tuple(_test_of(found, versions[each]) for each in kinds),
        same.index(True) if True in same else None,
    )


def _test_of(found: Discrepancy, version: str) -> str:
    """The proven test that this version passes and some other fails."""
    witnesses = (each for each in (found.witness, *found.alternatives) if each is not None)
    return next((w.text for w in witnesses if w.is_proven and version in w.passes), "")
