"""`apr tree`: the search tree in a terminal, as JSON, or as Graphviz DOT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from apr.cli import options as o
from apr.cli.output import emit, emit_json, emit_rich
from apr.cli.request import find_run_id, open_service
from apr.cli.text import count, one_line
from apr.core.report import Verdict
from apr.core.run import RepairRun
from apr.core.tree import ROOT, SearchNode, SearchTree

VERDICT_STYLES = {
    Verdict.PLAUSIBLE: "bold green",
    Verdict.REGRESSES: "yellow",
    Verdict.STILL_FAILS: "red",
    Verdict.DOES_NOT_BUILD: "dim red",
    Verdict.DOES_NOT_APPLY: "dim red",
    Verdict.TAMPERED: "bold magenta",
    Verdict.INCONCLUSIVE: "blue",
}
MAX_SHOWN_DEPTH = 50


class TreeFormat(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Folding:
    """How much of a tree is shown: levels below the root, and children of one node."""

    depth: int
    children: int


def tree(
    run: o.RunArgument,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, max=MAX_SHOWN_DEPTH, help="Levels shown.")
    ] = 4,
    children: Annotated[
        int, typer.Option("--children", metavar="N", min=1, help="Children shown of each node.")
    ] = 8,
    form: Annotated[
        TreeFormat, typer.Option("--format", help="What stdout carries; json is the whole tree.")
    ] = TreeFormat.TEXT,
) -> None:
    """Draw the search tree of a run, the best branches first."""
    service = open_service()
    found = service.get_run(find_run_id(service, run))
    searched = service.tree(found.id)
    winner = find_winner(found, searched)
    folding = Folding(depth, children)
    if form is TreeFormat.JSON:
        emit_json(tree_document(found.id, searched, winner))
    elif form is TreeFormat.DOT:
        emit(render_dot(searched, winner, folding))
    else:
        emit_rich(render_tree(searched, winner, folding))


def find_winner(run: RepairRun, tree: SearchTree) -> int | None:
    """The node of the best patch; before ranking, the first plausible node."""
    if run.patches and run.patches[0].node_id < len(tree):
        return run.patches[0].node_id
    found = (node.id for node in tree.nodes if node.report and node.report.is_plausible)
    return next(found, None)


def winning_path(tree: SearchTree, winner: int | None) -> frozenset[int]:
    """The nodes from the root to the winner."""
    return frozenset() if winner is None else frozenset(n.id for n in tree.path_to_root(winner))


def fold_children(
    tree: SearchTree, node: SearchNode, path: frozenset[int], limit: int
) -> tuple[list[SearchNode], int]:
    """The children to show, the winner's branch and then the best first, and how many are not."""
    ranked = sorted((tree.nodes[child] for child in node.children), key=lambda n: _rank(n, path))
    return ranked[:limit], max(0, len(ranked) - limit)


def _rank(node: SearchNode, path: frozenset[int]) -> tuple[bool, bool, float, int, int]:
    dull = not (node.report and node.report.is_plausible)
    value = max(node.mean_value, node.reward)
    return (node.id not in path, dull, -value, -node.visits, node.id)


def render_tree(tree: SearchTree, winner: int | None, folding: Folding) -> Tree | Text:
    """The tree from its root down, with the path to the winner marked."""
    if not len(tree):
        return Text("the search has not begun")
    path = winning_path(tree, winner)
    drawing = Tree(describe_node(tree.nodes[ROOT], path), guide_style="dim")
    pending = [(tree.nodes[ROOT], drawing, 0)]
    while pending:
        node, branch, level = pending.pop()
        if level == folding.depth:
            if node.children:
                branch.add(Text(f"+{count(_below(tree, node), 'node')} below", style="dim"))
            continue
        shown, hidden = fold_children(tree, node, path, folding.children)
        for child in shown:
            pending.append((child, branch.add(describe_node(child, path)), level + 1))
        if hidden:
            branch.add(Text(f"+{hidden:,} more", style="dim"))
    return drawing


def _below(tree: SearchTree, node: SearchNode) -> int:
    pending, found = list(node.children), 0
    while pending:
        found += 1
        pending.extend(tree.nodes[pending.pop()].children)
    return found


def describe_node(node: SearchNode, path: frozenset[int]) -> Text:
    """Id, origin, verdict, trigger tests, and the statistics of the search."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{node.id}", style="bold" if node.id in path else "")
    text.append(f" {node_name(node)}", style="bold" if node.id in path else "")
    report = node.report
    if report is not None:
        text.append(f"  {report.verdict.value}", style=VERDICT_STYLES[report.verdict])
        text.append(f" {report.triggers_passed}/{report.triggers_total}")
        if report.regressions_failed:
            text.append(f" -{report.regressions_failed}", style="yellow")
    statistics = f"  n={node.visits} q={node.mean_value:+.2f}"
    text.append(statistics if node.id == ROOT else f"{statistics} r={node.reward:+.2f}", "dim")
    if node.id in path and node.id != ROOT:
        text.append("  *", style="bold green")
    return text


def node_name(node: SearchNode) -> str:
    """Where it comes from and what it changes first."""
    if node.id == ROOT:
        return "(no change)"
    last = node.patch.hunks[-1] if node.patch.hunks else None
    return one_line(f"{node.origin} {last.path}:{last.first}" if last else node.origin)


def tree_document(run_id: str, tree: SearchTree, winner: int | None) -> dict[str, Any]:
    """Every node of the tree as JSON, in the order of its creation."""
    return {"run": run_id, "winner": winner, "nodes": [_node_document(n) for n in tree.nodes]}


def _node_document(node: SearchNode) -> dict[str, Any]:
    report = node.report
    return {
        "id": node.id,
        "parent": node.parent,
        "depth": node.depth,
        "origin": node.origin,
        "prior": node.prior,
        "visits": node.visits,
        "mean_value": node.mean_value,
        "reward": node.reward,
        "exhausted": node.exhausted,
        "verdict": report.verdict.value if report else None,
        "stage": report.stage.value if report else None,
        "triggers_passed": report.triggers_passed if report else None,
        "triggers_total": report.triggers_total if report else None,
        "regressions_failed": report.regressions_failed if report else None,
        "hunks": [
            {"path": h.path, "first": h.first, "old": list(h.old), "new": list(h.new)}
            for h in node.patch.hunks
        ],
    }


def render_dot(tree: SearchTree, winner: int | None, folding: Folding) -> str:
    """The shown part of the tree as a Graphviz digraph."""
    path = winning_path(tree, winner)
    lines = ["digraph search {", "  node [shape=box, fontname=monospace];"]
    lines += _dot_lines(tree, path, folding) if len(tree) else ()
    return "\n".join([*lines, "}"]) + "\n"


def _dot_lines(tree: SearchTree, path: frozenset[int], folding: Folding) -> Iterator[str]:
    pending = [(tree.nodes[ROOT], 0)]
    while pending:
        node, level = pending.pop(0)
        yield f'  n{node.id} [label="{_dot_label(node)}"{_dot_style(node, path)}];'
        if node.parent is not None:
            width = ", penwidth=3" if node.id in path else ""
            yield f"  n{node.parent} -> n{node.id} [dir=forward{width}];"
        shown, hidden = fold_children(tree, node, path, folding.children)
        if level == folding.depth:
            shown, hidden = [], _below(tree, node)
        if hidden:
            yield f'  m{node.id} [label="+{hidden:,}", shape=plaintext];'
            yield f"  n{node.id} -> m{node.id} [style=dotted];"
        pending += [(child, level + 1) for child in shown]


def _dot_label(node: SearchNode) -> str:
    verdict = f"\\n{node.report.verdict.value}" if node.report else ""
    name = node_name(node).replace("\\", "\\\\").replace('"', '\\"')
    return f"{node.id} {name}{verdict}\\nn={node.visits} q={node.mean_value:+.2f}"


def _dot_style(node: SearchNode, path: frozenset[int]) -> str:
    plausible = node.report is not None and node.report.is_plausible
    fill = ', style=filled, fillcolor="#bfe8c2"' if plausible else ""
    return f"{fill}, penwidth=3" if node.id in path else fill
