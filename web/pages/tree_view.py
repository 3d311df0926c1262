"""A search tree as a drawing: the nodes worth seeing, where each goes, and what is folded away.

One column a level, leaves one below the other, parents beside the middle of their children. A
tree of any size is drawn with some hundred nodes at most; the rest is a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apr.core.patch import Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Usage
from apr.core.tree import NOTHING, ROOT, SearchNode, SearchTree
from apr.search.folding import Branch, Folding, fold, walk, winning_path
from apr.storage.catalog import NodeSummary
from web.pages import words
from web.pages.meanings import VERDICT_MARKS

COLUMN, ROW, MARGIN, RADIUS = 236, 34, 22, 9
LABEL = 26
"""Characters of a label, at most 6.7 pixels each."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A node that is drawn, with its middle in pixels; `parent` None: nothing leads to it."""

    id: int
    parent: int | None
    x: float
    y: float
    mark: str
    verdict: str
    label: str
    detail: str
    title: str
    is_on_path: bool
    folded: str
    folded_href: str
    href: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A curve from a parent to its child."""

    curve: str
    is_on_path: bool


@dataclass(frozen=True, slots=True)
class TreeView:
    """The drawing, `top` its first node; `path` leads from the root to the winner."""

    dots: tuple[Dot, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float
    top: int
    above: tuple[int, ...]
    total: int
    winner: int | None
    path: tuple[int, ...]
    counts: tuple[tuple[Verdict, int], ...]


def make_tree(summaries: Sequence[NodeSummary], triggers_total: int = 0) -> SearchTree:
    """The tree of nodes whose patches and outcomes were left in the database."""
    tree = SearchTree()
    for each in summaries:
        tree.add(
            SearchNode(
                each.id,
                each.parent,
                Patch(),
                each.depth,
                each.prior,
                each.origin,
                each.visits,
                each.total_value,
                each.reward,
                each.exhausted,
                _report(each, triggers_total),
                Usage(cost_usd=each.cost_usd, tokens=each.tokens, calls=each.calls)
                if each.calls
                else NOTHING,
            )
        )
    return tree


def _report(each: NodeSummary, triggers_total: int) -> ValidationReport | None:
    if each.verdict is None or each.stage is None:
        return None
    return ValidationReport(
        Verdict(each.verdict),
        Stage(each.stage),
        triggers_passed=each.triggers_passed or 0,
        triggers_total=triggers_total,
        regressions_failed=each.regressions_failed or 0,
    )


def tree_view(
    run_id: str, tree: SearchTree, winner: int | None, folding: Folding, top: int = ROOT
) -> TreeView:
    """The part of the tree below `top` that is worth seeing first."""
    path = winning_path(tree, winner)
    if not len(tree):
        return TreeView((), (), 0, 0, top, (), 0, None, (), ())
    root = fold(tree, path, folding, top)
    places = place(root)
    dots = tuple(_dot(run_id, branch, places, path, folding) for branch in walk(root))
    return TreeView(
        dots,
        tuple(_edges(dots, path)),
        width=max(dot.x for dot in dots) + COLUMN,
        height=max(dot.y for dot in dots) + ROW,
        top=top,
        above=tuple(node.id for node in tree.path_to_root(top))[:0:-1],
        total=len(tree),
        winner=winner,
        path=tuple(sorted(path, key=lambda each: tree.nodes[each].depth)),
        counts=tuple(_counts(tree)),
    )


def _counts(tree: SearchTree) -> Iterator[tuple[Verdict, int]]:
    verdicts = [node.report.verdict for node in tree.nodes if node.report is not None]
    for verdict in Verdict:
        if number := verdicts.count(verdict):
            yield verdict, number


def place(root: Branch) -> dict[int, tuple[float, float]]:
    """The middle of each dot, by its node's id."""
    heights: dict[int, float] = {}
    cursor = float(MARGIN)
    for branch in _leaves_first(root):
        if not branch.children:
            heights[branch.node.id] = cursor
            cursor += ROW
            continue
        ends = (branch.children[0], branch.children[-1])
        heights[branch.node.id] = sum(heights[end.node.id] for end in ends) / 2
    return {
        branch.node.id: (MARGIN + branch.level * COLUMN, heights[branch.node.id])
        for branch in walk(root)
    }


def _leaves_first(root: Branch) -> Iterator[Branch]:
    """Every branch after all of its children, in the order in which these are shown."""
    pending = [(root, False)]
    while pending:
        branch, is_done = pending.pop()
        if is_done or not branch.children:
            yield branch
            continue
        pending.append((branch, True))
        pending.extend((child, False) for child in reversed(branch.children))


def _dot(
    run_id: str,
    branch: Branch,
    places: dict[int, tuple[float, float]],
    path: frozenset[int],
    folding: Folding,
) -> Dot:
    node = branch.node
    x, y = places[node.id]
    folded = branch.hidden + branch.below
    more = min(1000, folding.children + branch.hidden)
    return Dot(
        node.id,
        node.parent if node.parent in places else None,
        x,
        y,
        VERDICT_MARKS[node.report.verdict] if node.report else "·",
        node.report.verdict.value if node.report else "none",
        words.shorten(f"{node.id} {words.one_line(node.origin)}" if node.id else "0 the bug", LABEL),
        outcome(node),
        f"{node.id} {words.one_line(node.origin)}\n{outcome(node)}\n{statistics(node)}",
        node.id in path,
        f"+{folded:,} {'more' if branch.hidden else 'below'}" if folded else "",
        f"/runs/{run_id}/tree?at={node.id}&children={more}",
        f"/runs/{run_id}/nodes/{node.id}",
    )


def outcome(node: SearchNode) -> str:
    """The verdict in figures: trigger tests that pass, and regression tests that fail."""
    report = node.report
    if report is None:
        return "the program as it is" if node.id == ROOT else "not judged"
    total = f"/{report.triggers_total}" if report.triggers_total else ""
    failed = f", {report.regressions_failed} broken" if report.regressions_failed else ""
    return f"{report.verdict.value} {report.triggers_passed}{total}{failed}"


def statistics(node: SearchNode) -> str:
    """What the search knows of a node."""
    own = "" if node.id == ROOT else f", own reward {node.reward:+.2f}"
    return f"{words.count(node.visits, 'visit')}, mean value {node.mean_value:+.2f}{own}"


def _edges(dots: Sequence[Dot], path: frozenset[int]) -> Iterator[Edge]:
    known = {dot.id: dot for dot in dots}
    for dot in dots:
        if dot.parent is None:
            continue
        parent = known[dot.parent]
        # The curve leaves below the parent's label, so that it crosses no word.
        start, end, bend = parent.x + RADIUS, dot.x - RADIUS, dot.x - COLUMN * 0.25
        curve = (
            f"M{start:.0f} {parent.y:.1f}C{start + 14:.0f} {dot.y:.1f}"
            f" {bend:.0f} {dot.y:.1f} {end:.0f} {dot.y:.1f}"
        )
        yield Edge(curve, dot.id in path)
