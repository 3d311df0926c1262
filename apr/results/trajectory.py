"""How a run came to its patch, step by step, for people: one page of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from apr.core.patch import Patch, render_diff
from apr.core.tree import SearchNode
from apr.results.details import RunDetails, final_patch
from apr.results.markdown import code, fence
from apr.storage.exchanges import Exchange

MOST_NODES = 200
MOST_SAID = 4000

FindExchange = Callable[[Patch], Exchange | None]
"""What a language model was asked and answered for a patch; None where none was asked."""


def render_trajectory(
    details: RunDetails, sources: Mapping[str, str], exchange_of: FindExchange
) -> str:
    """The issue, its reproduction, the suspects, every candidate in order, and the choice."""
    parts = [f"# {code(details.run.bug.name)}", ""]
    parts += _issue(details)
    parts += _reproduction(details)
    parts += _suspects(details)
    parts += _search(details, sources, exchange_of)
    parts += _choice(details)
    return "\n".join(parts)


def _issue(details: RunDetails) -> list[str]:
    text = (details.run.bug.issue_text or "").strip()
    return ["## Issue", "", fence(text, "text"), ""] if text else []


def _reproduction(details: RunDetails) -> list[str]:
    bug, baseline = details.run.bug, details.baseline
    lines = ["## Tests", "", f"Run: {code(' '.join(bug.test_command.argv))}", ""]
    for path, text in bug.added_tests:
        lines += [f"Written for this issue, {code(path)}:", "", fence(text, "python"), ""]
    if baseline is None:
        return [*lines, "They could not be run.", ""]
    told = f"Before any patch {len(baseline.failing)} show the bug and {len(baseline.passing)} pass"
    lines += [f"{told}; {len(baseline.other_failing)} fail for other reasons.", ""]
    for result in baseline.failing:
        lines += [code(result.test), "", fence(result.message[-MOST_SAID:], "text"), ""]
    return lines


def _suspects(details: RunDetails) -> list[str]:
    lines = [
        f"- {code(str(each.location))} {code(each.function or '')} {each.suspiciousness:.2f}"
        f" ({each.formula})"
        for each in details.locations[:10]
    ]
    return ["## Suspects", "", *(lines or ["None."]), ""]


def _search(
    details: RunDetails, sources: Mapping[str, str], exchange_of: FindExchange
) -> Iterator[str]:
    nodes = details.tree.nodes[1:]
    yield from ("## Search", "", f"{len(nodes)} candidates were judged.", "")
    for node in nodes[:MOST_NODES]:
        yield from _step(node, sources, exchange_of(node.patch))
    if len(nodes) > MOST_NODES:
        yield from (f"The other {len(nodes) - MOST_NODES} are left out.", "")


def _step(node: SearchNode, sources: Mapping[str, str], exchange: Exchange | None) -> Iterator[str]:
    refines = f", refines candidate {node.parent}" if node.parent else ""
    yield from (f"### Candidate {node.id}: {code(node.origin)}{refines}", "")
    if exchange is not None:
        yield from ("The model answered:", "", fence(exchange.answer[:MOST_SAID], ""), "")
    yield from (fence(render_diff(node.patch, sources), "diff"), "")
    report = node.report
    if report is not None:
        counted = (
            f"{report.triggers_passed} of {report.triggers_total} trigger tests pass,"
            f" {report.regressions_failed} of {report.regressions_run} others fail"
        )
        yield from (f"{report.verdict.value}: {counted}; reward {node.reward:+.2f}.", "")
        if report.message:
            yield from (fence(report.message[:MOST_SAID], "text"), "")


def _choice(details: RunDetails) -> Iterator[str]:
    chosen = final_patch(details)
    yield from ("## Choice", "")
    if chosen is None:
        yield from ("No candidate is plausible, so there is no patch.", "")
        return
    if details.behaviour is not None:
        for cluster in details.behaviour.clusters:
            ranks = ", ".join(map(str, cluster.patches))
            yield f"- behave alike: {ranks}; {cluster.agreement:.0%} of all agree with them"
        for choice in details.behaviour.choices:
            yield f"- {code(choice.question)}"
        yield ""
    yield from (f"The final patch is number {chosen.rank}, candidate {chosen.node_id}:", "")
    yield from (fence(chosen.diff, "diff"), "")
