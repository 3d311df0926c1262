"""What is said of a node, whatever draws it: where it comes from, what became of it, its cost."""

from __future__ import annotations

from apr.cli.text import count, one_line
from apr.core.run import Usage
from apr.core.tree import NOTHING, ROOT, SearchNode


def node_name(node: SearchNode) -> str:
    """Where it comes from and what it changes first."""
    if node.id == ROOT:
        return "(no change)"
    last = node.patch.hunks[-1] if node.patch.hunks else None
    return one_line(f"{node.origin} {last.path}:{last.first}" if last else node.origin)


def outcome(node: SearchNode) -> str:
    """The verdict with the trigger tests that pass and the regression tests that fail."""
    report = node.report
    if report is None:
        return ""
    failed = f" -{report.regressions_failed}" if report.regressions_failed else ""
    return f"{report.verdict.value} {report.triggers_passed}/{report.triggers_total}{failed}"


def statistics(node: SearchNode) -> str:
    """Visits, mean value and, but for the root, the node's own reward."""
    own = "" if node.id == ROOT else f" r={node.reward:+.2f}"
    return f"n={node.visits} q={node.mean_value:+.2f}{own}"


def cost(node: SearchNode) -> str:
    """What asking a model about the node has cost; nothing where none was asked."""
    return describe_cost(node.spent) if node.spent != NOTHING else ""


def describe_cost(usage: Usage) -> str:
    """Calls, tokens and, if there were any, dollars."""
    money = f", {usage.cost_usd:.4f} USD" if usage.cost_usd else ""
    return f"{count(usage.calls, 'call')}, {count(usage.tokens, 'token')}{money}"
