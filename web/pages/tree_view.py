"""A search tree as a drawing: the nodes worth seeing, where each goes, and what is folded away.

One column a level; a first child stands beside its parent and the others below it. A tree of any
size is drawn with some dozens of nodes at first; the rest is a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apr.core.patch import Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Usage
from apr.core.tree import NOTHING, ROOT, SearchNode, SearchTree
from apr.search.folding import Branch, Folding, fold, walk, winning_path
from apr.storage.catalog import NodeSummary
from web.pages import words
from web.pages.meanings import VERDICT_MARKS

COLUMN, ROW, MARGIN, RADIUS = 236, 34, 22, 9
NO_PATCH = Patch()
LABEL, CHARACTER = 26, 7.0
"""Characters of a label at most, and the pixels that each takes."""
MOST_CHILDREN = 1000
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Folded:
    """A link to children that are not drawn, with its place in pixels."""

    x: float
    y: float
    label: str
    href: str


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
    href: str
    folded: Folded | None


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from a parent to its child."""

    line: str
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
        tree.add(make_node(each, triggers_total))
    return tree


def make_node(each: NodeSummary, triggers_total: int = 0) -> SearchNode:
    """A node without its patch and outcomes."""
    return SearchNode(
        each.id,
        each.parent,
        NO_PATCH,
        each.depth,
        each.prior,
        each.origin,
        each.visits,
        each.total_value,
        each.reward,
        each.exhausted,
        _report(
            each.verdict,
            each.stage,
            each.triggers_passed or 0,
            triggers_total,
            each.regressions_failed or 0,
        ),
        Usage(cost_usd=each.cost_usd, tokens=each.tokens, calls=each.calls)
        if each.calls
        else NOTHING,
    )


@lru_cache(maxsize=4096)
def _report(
    verdict: str | None, stage: str | None, passed: int, total: int, broken: int
) -> ValidationReport | None:
    """Most of a tree's thousands of reports are equal, and making them takes longest."""
    if verdict is None or stage is None:
        return None
    return ValidationReport(
        Verdict(verdict),
        Stage(stage),
        triggers_passed=passed,
        triggers_total=total,
        regressions_failed=broken,
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
    bottom = max(y for _, y in (*places.dots.values(), *places.folded.values()))
    dots = tuple(_dot(run_id, branch, places, path, folding) for branch in walk(root))
    return TreeView(
        dots,
        tuple(_edges(dots, path)),
        width=max(dot.x for dot in dots) + COLUMN,
        height=bottom + MARGIN,
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


@dataclass(frozen=True, slots=True)
class Places:
    """Where dots go, and the links to what is folded away below them, in pixels by node id."""

    dots: Mapping[int, Point]
    folded: Mapping[int, Point]


def place(root: Branch) -> Places:
    """A first child stands in its parent's row, every other one in a row of its own.

    So the path to the winner, which comes first everywhere, is one straight line on top.
    """
    dots: dict[int, Point] = {}
    folded: dict[int, Point] = {}
    row = 0
    pending: list[tuple[Branch, bool, bool]] = [(root, False, True)]
    while pending:
        branch, is_folded, is_first = pending.pop()
        row += not is_first
        level = branch.level + is_folded
        point = (float(MARGIN + level * COLUMN), float(MARGIN + row * ROW))
        if is_folded:
            folded[branch.node.id] = point
            continue
        dots[branch.node.id] = point
        below = [(child, False, number == 0) for number, child in enumerate(branch.children)]
        if branch.hidden or branch.below:
            below.append((branch, True, not below))
        pending.extend(reversed(below))
    return Places(dots, folded)


def _dot(
    run_id: str, branch: Branch, places: Places, path: frozenset[int], folding: Folding
) -> Dot:
    node = branch.node
    name = f"{node.id} {words.one_line(node.origin)}" if node.id else "0 the bug"
    return Dot(
        node.id,
        node.parent if node.parent in places.dots else None,
        *places.dots[node.id],
        VERDICT_MARKS[node.report.verdict] if node.report else "·",
        node.report.verdict.value if node.report else "none",
        words.shorten(name, LABEL),
        outcome(node),
        f"{name}\n{outcome(node)}\n{statistics(node)}",
        node.id in path,
        f"/runs/{run_id}/nodes/{node.id}",
        _folded(run_id, branch, places, folding),
    )


def _folded(run_id: str, branch: Branch, places: Places, folding: Folding) -> Folded | None:
    here = branch.node.id
    if here not in places.folded:
        return None
    number = branch.hidden or branch.below
    children = min(MOST_CHILDREN, folding.children + branch.hidden)
    return Folded(
        *places.folded[here],
        f"{number:,} {'more' if branch.hidden else 'below'}",
        f"/runs/{run_id}/tree?at={here}&children={children}",
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
        if dot.parent is not None:
            yield Edge(_line(known[dot.parent], dot.x - RADIUS, dot.y), dot.id in path)
        if dot.folded is not None:
            yield Edge(_line(dot, dot.folded.x - RADIUS, dot.folded.y), False)


def _line(parent: Dot, x: float, y: float) -> str:
    """From a dot to something in the next column; in its own row, from the end of its label."""
    if y == parent.y:
        longest = max(len(parent.label), len(parent.detail))
        start = min(parent.x + 24 + longest * CHARACTER, x - 4)
        return f"M{start:.0f} {y:.0f}H{x:.0f}"
    down, bend = parent.y + RADIUS, 10
    return (
        f"M{parent.x:.0f} {down:.0f}V{y - bend:.0f}"
        f"Q{parent.x:.0f} {y:.0f} {parent.x + bend:.0f} {y:.0f}H{x:.0f}"
    )
