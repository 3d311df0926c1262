"""`apr tree`: the search tree in a terminal, as a picture, as Graphviz DOT, or as JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from apr.cli import options as o
from apr.cli.node_text import cost, node_name, outcome, statistics
from apr.cli.output import check_output, emit, emit_json, emit_rich
from apr.cli.request import find_run_id, open_service
from apr.cli.text import count
from apr.cli.tree_dot import render_dot
from apr.cli.tree_svg import render_svg
from apr.core.report import Verdict
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.folding import Folding, find_winner, fold, winning_path

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
    SVG = "svg"


def tree(
    run: o.RunArgument,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, max=MAX_SHOWN_DEPTH, help="Levels shown.")
    ] = 4,
    children: Annotated[
        int, typer.Option("--children", metavar="N", min=1, help="Children shown of each node.")
    ] = 8,
    nodes: Annotated[
        int, typer.Option("--nodes", metavar="N", min=1, help="Nodes shown in all.")
    ] = 100,
    form: Annotated[
        TreeFormat, typer.Option("--format", help="What stdout carries; json is the whole tree.")
    ] = TreeFormat.TEXT,
    output: o.OutputOption = None,
) -> None:
    """Draw the search tree of a run, the best branches first.

    A node is shown with its verdict and the trigger tests that pass, its visits (n), mean value
    (q) and own reward (r), and what asking a model about it has cost. The path to the best patch
    is marked.
    """
    check_output(output)
    service = open_service()
    found = service.get_run(find_run_id(service, run))
    searched = service.outline(found.id)
    winner = find_winner(found, searched)
    folding = Folding(depth, children, nodes)
    if form is TreeFormat.JSON:
        emit_json(tree_document(found.id, searched, winner), output)
    elif form is TreeFormat.DOT:
        emit(render_dot(searched, winner, folding), output)
    elif form is TreeFormat.SVG:
        emit(render_svg(found, searched, winner, folding), output)
    else:
        emit_rich(render_tree(searched, winner, folding), output=output)


def render_tree(tree: SearchTree, winner: int | None, folding: Folding) -> Tree | Text:
    """The tree from its root down, with the path to the winner marked."""
    if not len(tree):
        return Text("the search has not begun")
    path = winning_path(tree, winner)
    root = fold(tree, path, folding)
    drawing = Tree(describe_node(root.node, path), guide_style="dim")
    pending = [(root, drawing)]
    while pending:
        branch, drawn = pending.pop()
        for child in branch.children:
            pending.append((child, drawn.add(describe_node(child.node, path))))
        if branch.hidden:
            drawn.add(Text(f"+{branch.hidden:,} more", style="dim"))
        if branch.below:
            drawn.add(Text(f"+{count(branch.below, 'node')} below", style="dim"))
    return drawing


def describe_node(node: SearchNode, path: frozenset[int]) -> Text:
    """Id, verdict, trigger tests, the statistics of the search, the cost, and then the name.

    The name is last because it is the part that a narrow terminal may cut off.
    """
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{node.id}", style="bold" if node.id in path else "")
    if node.id in path and node.id != ROOT:
        text.append(" *", style="bold green")
    if node.report is not None:
        text.append(f"  {outcome(node)}", style=VERDICT_STYLES[node.report.verdict])
    text.append(f"  {statistics(node)}", style="dim")
    if asked := cost(node):
        text.append(f"  {asked}", style="cyan")
    text.append(f"  {node_name(node)}", style="bold" if node.id in path else "")
    return text


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
        "calls": node.spent.calls,
        "tokens": node.spent.tokens,
        "cost_usd": node.spent.cost_usd,
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
