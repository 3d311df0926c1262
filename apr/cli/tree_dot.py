"""A search tree as a Graphviz digraph."""

from __future__ import annotations

from collections.abc import Iterator

from apr.cli.node_text import cost, node_name, outcome, statistics
from apr.core.tree import SearchNode, SearchTree
from apr.search.folding import Branch, Folding, fold, walk, winning_path


def render_dot(tree: SearchTree, winner: int | None, folding: Folding) -> str:
    """The shown part of the tree, the path to the winner in bold."""
    lines = ["digraph search {", "  rankdir=LR;", "  node [shape=box, fontname=monospace];"]
    if len(tree):
        path = winning_path(tree, winner)
        for branch in walk(fold(tree, path, folding)):
            lines += _lines(branch, path)
    return "\n".join([*lines, "}"]) + "\n"


def _lines(branch: Branch, path: frozenset[int]) -> Iterator[str]:
    node = branch.node
    yield f'  n{node.id} [label="{_label(node)}"{_style(node, path)}];'
    if node.parent is not None:
        width = ", penwidth=3" if node.id in path else ""
        yield f"  n{node.parent} -> n{node.id} [dir=forward{width}];"
    if folded := branch.hidden + branch.below:
        yield f'  m{node.id} [label="+{folded:,}", shape=plaintext];'
        yield f"  n{node.id} -> m{node.id} [style=dotted];"


def _label(node: SearchNode) -> str:
    parts = (f"{node.id} {node_name(node)}", outcome(node), statistics(node), cost(node))
    return "\\n".join(_escape(part) for part in parts if part)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _style(node: SearchNode, path: frozenset[int]) -> str:
    plausible = node.report is not None and node.report.is_plausible
    fill = ', style=filled, fillcolor="#bfe8c2"' if plausible else ""
    return f"{fill}, penwidth=3" if node.id in path else fill
