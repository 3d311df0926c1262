"""The search tree as text, picture, JSON and DOT."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from rich.console import Console, RenderableType

from apr.cli.tree import describe_node, render_tree, tree_document
from apr.cli.tree_dot import render_dot
from apr.cli.tree_svg import WIDTH, place, render_svg
from apr.core.patch import Patch
from apr.core.report import Verdict
from apr.core.run import Usage
from apr.core.tree import SearchNode, SearchTree
from apr.results.details import RunDetails
from apr.search.folding import Folding, find_winner, fold, walk, winning_path

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
        "0  n=3 q=+0.50  (no change)",
        "├── 2 *  regresses 1/2  n=1 q=-0.50 r=-0.50  template-2 m.py:2",
        "│   └── 3 *  plausible 2/2  n=1 q=+1.00 r=+1.00  template-3 m.py:2",
        "└── 1  still-fails 1/2  n=1 q=+0.90 r=+0.90  template-1 m.py:2",
    ]


def test_without_a_winner_the_most_valuable_branch_comes_first(tree: SearchTree) -> None:
    tree.nodes.pop()
    tree.nodes[2].children.clear()
    root = fold(tree, frozenset(), Folding(depth=1, children=1))
    assert ([branch.node.id for branch in root.children], root.hidden) == ([1], 1)


def test_what_is_folded_is_counted(tree: SearchTree, node: MakeNode) -> None:
    for node_id in range(4, 1240):
        tree.add(node(node_id, 0, Verdict.STILL_FAILS))
    lines = shown(render_tree(tree, 2, Folding(depth=1, children=2)))
    assert lines[-1] == "└── +1,236 more"
    assert any(line.endswith("+1 node below") for line in lines)
    assert len(lines) == 5


def test_the_path_to_the_winner_is_shown_however_deep_it_is(
    tree: SearchTree, node: MakeNode
) -> None:
    for node_id in range(4, 12):
        tree.add(node(node_id, node_id - 1, Verdict.STILL_FAILS))
    shown_nodes = [b.node.id for b in walk(fold(tree, winning_path(tree, 11), Folding(1, 1)))]
    assert shown_nodes == [0, *range(2, 12)]


def test_no_more_nodes_are_shown_than_wanted(tree: SearchTree, node: MakeNode) -> None:
    for node_id in range(4, 2004):
        tree.add(node(node_id, (node_id - 4) // 7, Verdict.STILL_FAILS))
    root = fold(tree, winning_path(tree, 3), Folding(depth=9, children=9, nodes=40))
    branches = list(walk(root))
    assert len(branches) == 40
    assert {0, 2, 3} <= {branch.node.id for branch in branches}
    for branch in branches:
        children = len(branch.node.children)
        assert len(branch.children) + branch.hidden == children or (branch.below >= children > 0)


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
    assert describe_node(hostile, frozenset()).plain.endswith("  model\\x1b[2J x m.py:2")


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
    dot = render_dot(tree, 2, Folding(depth=1, children=1))
    assert 'm0 [label="+1"' in dot  # node 1 is hidden
    assert 'm2 [label="+1"' in dot  # node 3 is deeper than shown
    assert "n3 [" not in dot


def test_the_winning_path_leads_to_the_root(tree: SearchTree) -> None:
    assert winning_path(tree, 3) == {0, 2, 3}
    assert winning_path(tree, None) == frozenset()


def test_what_a_model_was_paid_is_told_in_every_form(details: RunDetails, tree: SearchTree) -> None:
    tree.nodes[2].spent = Usage(calls=3, tokens=1234, cost_usd=0.0125)
    said = "3 calls, 1,234 tokens, 0.0125 USD"
    assert said in "\n".join(shown(render_tree(tree, 3, WIDE)))
    assert f"r=-0.50\\n{said}" in render_dot(tree, 3, WIDE)
    assert said in render_svg(details.run, tree, 3, WIDE)
    entry = tree_document("r1", tree, 3)["nodes"][2]
    assert (entry["calls"], entry["tokens"], entry["cost_usd"]) == (3, 1234, 0.0125)


SVG = "{http://www.w3.org/2000/svg}"


def test_a_picture_is_well_formed_and_shows_every_node_once(
    details: RunDetails, tree: SearchTree
) -> None:
    picture = ET.fromstring(render_svg(details.run, tree, 3, WIDE))
    titles = [title.text or "" for title in picture.iter(f"{SVG}title")]
    assert sorted(title.split()[0] for title in titles) == ["0", "1", "2", "3"]
    edges = [path.get("class") for path in picture.iter(f"{SVG}path")]
    assert sorted(map(str, edges)) == ["edge", "path", "path"]
    boxes = [box for box in picture.iter(f"{SVG}rect") if box.get("class") == "won"]
    assert len(boxes) == 3


def test_names_in_a_picture_are_escaped(details: RunDetails, tree: SearchTree) -> None:
    tree.nodes[1].origin = '</text><script>"&\x1b\ud800'
    picture = ET.fromstring(render_svg(details.run, tree, 3, WIDE).encode())
    assert not list(picture.iter(f"{SVG}script"))
    assert any('</text><script>"&\\x1b' in (text.text or "") for text in picture.iter())


def test_boxes_of_a_picture_never_overlap(tree: SearchTree, node: MakeNode) -> None:
    for node_id in range(4, 2004):
        tree.add(node(node_id, node_id % 97 if node_id > 100 else node_id // 5, Verdict.REGRESSES))
    folding = Folding(depth=6, children=7, nodes=150)
    placed = list(place(fold(tree, winning_path(tree, 3), folding)).values())
    assert len(placed) == 150
    columns: dict[float, list[tuple[float, float]]] = {}
    for box in placed:
        told = 22 if box.branch.hidden + box.branch.below else 0
        columns.setdefault(box.x, []).append((box.y, box.y + box.height + told))
    assert all(right - left > WIDTH for left, right in pairwise(sorted(columns)))
    for spans in columns.values():
        assert all(above[1] <= below[0] for above, below in pairwise(sorted(spans)))


def test_an_empty_tree_has_a_picture(details: RunDetails) -> None:
    assert "0 nodes" in render_svg(details.run, SearchTree(), None, WIDE)
