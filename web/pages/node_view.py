"""One node of a search tree: its patch, its verdict, where it comes from and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apr.core.patch import Hunk, Patch
from apr.core.report import TestResult, ValidationReport
from apr.core.tree import ROOT, SearchNode
from web.pages import words
from web.pages.diff_view import FileDiff
from web.pages.meanings import VERDICT_MEANINGS
from web.pages.source import show_patch
from web.pages.tree_view import statistics

SHOWN_TESTS = 20
SHOWN_CHILDREN = 60


@dataclass(frozen=True, slots=True)
class Step:
    """A node on the way from the root, or below this one."""

    id: int
    name: str
    verdict: str
    reward: float


@dataclass(frozen=True, slots=True)
class NodeView:
    """All that a node's page shows; `failed` are tests that failed with the patch."""

    node: SearchNode
    name: str
    meaning: str
    files: tuple[FileDiff, ...]
    report: ValidationReport | None
    failed: tuple[TestResult, ...]
    hidden_tests: int
    path: tuple[Step, ...]
    children: tuple[Step, ...]
    hidden_children: int
    facts: tuple[tuple[str, str], ...]


def node_view(
    path: Sequence[SearchNode],
    children: Sequence[SearchNode],
    patch: Patch,
    report: ValidationReport | None,
    sources: Mapping[str, str],
) -> NodeView:
    """The last node of the path from the root; its patch and report were read in full."""
    node = path[-1]
    failed = () if report is None else tuple(r for r in report.results if r.outcome.is_failure)
    return NodeView(
        node,
        "the program as it is" if node.id == ROOT else words.one_line(node.origin),
        _meaning(node.id, report),
        show_patch(patch, sources),
        report,
        failed[:SHOWN_TESTS],
        max(0, len(failed) - SHOWN_TESTS),
        tuple(map(_step, path)),
        tuple(_step(child) for child in children[:SHOWN_CHILDREN]),
        max(0, len(children) - SHOWN_CHILDREN),
        tuple(_facts(node, report)),
    )


def _meaning(node_id: int, report: ValidationReport | None) -> str:
    if node_id == ROOT:
        return "The search begins here: nothing is changed yet."
    if report is None:
        return "It was not judged: the run ended, or was stopped, before its turn."
    return VERDICT_MEANINGS[report.verdict]


def _step(node: SearchNode) -> Step:
    name = "the bug" if node.id == ROOT else words.one_line(node.origin)
    return Step(node.id, name, node.report.verdict.value if node.report else "none", node.reward)


def _facts(node: SearchNode, report: ValidationReport | None) -> Iterator[tuple[str, str]]:
    yield "search", statistics(node)
    yield "prior", f"{node.prior:.3f}"
    yield "depth", words.count(node.depth, "edit")
    if node.exhausted:
        yield "refining", "nothing is left to try from here"
    if node.spent.calls:
        calls, tokens = node.spent.calls, node.spent.tokens
        money = f", {words.money(node.spent.cost_usd)}" if node.spent.cost_usd else ""
        yield "model", f"{words.count(calls, 'call')}, {words.count(tokens, 'token')}{money}"
    if report is not None:
        yield from _report_facts(report)


def _report_facts(report: ValidationReport) -> Iterator[tuple[str, str]]:
    yield "trigger tests", f"{report.triggers_passed} of {report.triggers_total} pass"
    regressions = f"{report.regressions_run} of {report.regressions_total} run"
    broken = f", {report.regressions_failed} fail" if report.regressions_failed else ""
    yield "regression tests", regressions + broken
    yield "decided at", f"stage {report.stage.value}"
    if report.confirmations:
        times = words.count(report.confirmations, "fresh sandbox", "fresh sandboxes")
        yield "confirmed", f"in {times}"
    known = ", known from an earlier run" if report.from_cache else ""
    yield "judged", f"in {words.duration(report.duration_s)}{known}"
    if report.sandbox:
        yield "sandbox", report.sandbox


@dataclass(frozen=True, slots=True)
class Part:
    """A hunk of a patch, and the candidate in which it stood for the first time."""

    hunk: Hunk
    files: tuple[FileDiff, ...]
    first: Step | None


@dataclass(frozen=True, slots=True)
class AssemblyView:
    """A patch as the sum of its hunks; `joined` are the candidates that these came from."""

    parts: tuple[Part, ...]
    joined: tuple[Step, ...]


def assembly_view(
    patch: Patch, origins: Sequence[tuple[SearchNode, Patch]], sources: Mapping[str, str]
) -> AssemblyView:
    """Where each hunk comes from; `origins` may have brought it, the earliest first."""
    parts = [
        Part(hunk, show_patch(Patch((hunk,)), sources), _origin(hunk, origins))
        for hunk in patch.hunks
    ]
    joined = {part.first.id: part.first for part in parts if part.first is not None}
    return AssemblyView(tuple(parts), tuple(joined[each] for each in sorted(joined)))


def _origin(hunk: Hunk, origins: Sequence[tuple[SearchNode, Patch]]) -> Step | None:
    return next((_step(node) for node, patch in origins if _holds(patch, hunk)), None)


def _holds(patch: Patch, hunk: Hunk) -> bool:
    """Whether the patch makes that very edit, wherever other hunks have moved it to."""
    return any(
        (each.path, each.first, each.old, each.new) == (hunk.path, hunk.first, hunk.old, hunk.new)
        for each in patch.hunks
    )
