"""The search tree as text, JSON and DOT."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console, RenderableType

from apr.cli.details import RunDetails
from apr.cli.tree import (
    Folding,
    describe_node,
    find_winner,
    fold_children,
    render_dot,
    render_tree,
    tree_document,
    winning_path,
)
from apr.core.patch import Patch
from apr.core.report import Verdict
from apr.core.tree import SearchNode, SearchTree

MakeNode = Callable[..., SearchNode]
WIDE = Folding(depth=5, children=5)


def shown(renderable: RenderableType) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get().splitlines()


def test_the_winner_is_the_first_ranked_patch_or_the_first_plausible_node(
    details: RunDetails,
) -> None:
    assert find_winner(details.run, details.tree) == 3
    assert find_winner(replace(details.run, patches=()), details.tree) == 3
    details.tree.nodes.pop()
    assert find_winner(replace(details.run, patches=()), details.tree) is None


def test_a_tree_is_drawn_with_the_path_to_the_winner_first(tree: SearchTree) -> None:
    lines = shown(render_tree(tree, 3, WIDE))
    assert lines == [
        "0 (no change)  n=3 q=+0.50",
        "├── 2 template-2 m.py:2  regresses 1/2  n=1 q=-0.50 r=-0.50  *",
        "│   └── 3 template-3 m.py:2  plausible 2/2  n=1 q=+1.00 r=+1.00  *",
        "└── 1 template-1 m.py:2  still-fails 1/2  n=1 q=+0.90 r=+0.90",
    ]


def test_without_a_winner_the_most_valuable_branch_comes_first(tree: SearchTree) -> None:
    tree.nodes.pop()
    tree.nodes[2].children.clear()
    ranked, hidden = fold_children(tree, tree.nodes[0], frozenset(), 1)
    assert ([node.id for node in ranked], hidden) == ([1], 1)


def test_what_is_folded_is_counted(tree: SearchTree, node: MakeNode) -> None:
    for node_id in range(4, 1240):
        tree.add(node(node_id, 0, Verdict.STILL_FAILS))
    lines = shown(render_tree(tree, 3, Folding(depth=1, children=2)))
    assert lines[-1] == "└── +1,236 more"
    assert any(line.endswith("+1 node below") for line in lines)
    assert len(lines) == 5


def test_a_huge_and_deep_tree_is_drawn_without_recursion(node: MakeNode) -> None:
    tree = SearchTree()
    tree.add(SearchNode(0, None, Patch()))
    for node_id in range(1, 3000):
        tree.add(node(node_id, node_id - 1, Verdict.STILL_FAILS))
    lines = shown(render_tree(tree, None, Folding(depth=3, children=2)))
    assert lines[-1].strip() == "└── +2,996 nodes below"


def test_an_empty_tree_says_so() -> None:
    assert shown(render_tree(SearchTree(), None, WIDE)) == ["the search has not begun"]
    assert render_dot(SearchTree(), None, WIDE).endswith("}\n")


def test_names_in_the_tree_cannot_steer_the_terminal(node: MakeNode) -> None:
    hostile = node(1, 0, Verdict.TAMPERED, origin="model\x1b[2J\nx")
    assert describe_node(hostile, frozenset()).plain.startswith("1 model\\x1b[2J x m.py:2")


def test_the_document_holds_every_node_in_order(tree: SearchTree) -> None:
    document = json.loads(json.dumps(tree_document("r1", tree, 3)))
    assert [entry["id"] for entry in document["nodes"]] == [0, 1, 2, 3]
    assert [entry["parent"] for entry in document["nodes"]] == [None, 0, 0, 2]
    assert document["winner"] == 3
    assert document["nodes"][3]["verdict"] == "plausible"
    assert document["nodes"][3]["hunks"][0]["old"] == ["    if a < 1:\n"]
    assert document["nodes"][0]["verdict"] is None


def test_dot_quotes_names_and_marks_the_winning_path(tree: SearchTree) -> None:
    tree.nodes[1].origin = 'say "hi"\\'
    dot = render_dot(tree, 3, WIDE)
    assert dot.startswith("digraph search {")
    assert '"1 say \\"hi\\"\\\\ m.py:2\\nstill-fails' in dot
    assert "n0 -> n2 [dir=forward, penwidth=3];" in dot
    assert "n0 -> n1 [dir=forward];" in dot
    assert "fillcolor" in next(line for line in dot.splitlines() if line.startswith("  n3 ["))


def test_dot_folds_like_the_drawing(tree: SearchTree) -> None:
    dot = render_dot(tree, 3, Folding(depth=1, children=1))
    assert 'm0 [label="+1"' in dot  # node 1 is hidden
    assert 'm2 [label="+1"' in dot  # node 3 is deeper than shown
    assert "n3 [" not in dot


def test_the_winning_path_leads_to_the_root(tree: SearchTree) -> None:
    assert winning_path(tree, 3) == {0, 2, 3}
    assert winning_path(tree, None) == frozenset()
