"""A search tree as a picture: self-contained SVG, one column a level, drawn without a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from apr.cli.node_text import cost, describe_cost, node_name, outcome, statistics
from apr.cli.text import count, one_line, shorten
from apr.core.patch import Patch
from apr.core.report import Verdict
from apr.core.run import RepairRun
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.folding import Branch, Folding, fold, walk, winning_path

WIDTH, GAP_X, GAP_Y, MARGIN = 270, 60, 12, 24
LINE, PADDING, HEADER = 15, 7, 58
FOLDED = 22  # the height of a line that says what is folded away
CHARACTERS = 33  # that fit into a box, at 7.3 pixels each in bold
MAX_TOOLTIP = 2000
COLOURS = {
    Verdict.PLAUSIBLE: "#1a7f37",
    Verdict.REGRESSES: "#bf8700",
    Verdict.STILL_FAILS: "#cf222e",
    Verdict.DOES_NOT_BUILD: "#8c959f",
    Verdict.DOES_NOT_APPLY: "#8c959f",
    Verdict.TAMPERED: "#8250df",
    Verdict.INCONCLUSIVE: "#0969da",
}
NEUTRAL, WINNING = "#57606a", "#1a7f37"
STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1f2328}"
    ".dim{fill:#57606a}.title{font-size:15px;font-weight:bold}.name{font-weight:bold}"
    ".box{fill:#fff;stroke:#d0d7de}.won{fill:#dafbe1;stroke:#1a7f37;stroke-width:2.5}"
    ".edge{fill:none;stroke:#afb8c1;stroke-width:1.2}"
    ".path{fill:none;stroke:#1a7f37;stroke-width:3}"
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A branch with the top left corner of its box, in pixels, and the box's height."""

    branch: Branch
    x: float
    y: float
    height: float

    @property
    def middle(self) -> float:
        """Where edges come in and go out."""
        return self.y + self.height / 2


def render_svg(run: RepairRun, tree: SearchTree, winner: int | None, folding: Folding) -> str:
    """The shown part of the tree with the path to the winner, each box with a tooltip."""
    path = winning_path(tree, winner)
    placed = place(fold(tree, path, folding)) if len(tree) else {}
    width = max((each.x + WIDTH for each in placed.values()), default=WIDTH) + MARGIN
    bottoms = (each.y + each.height + _folded_height(each.branch) for each in placed.values())
    height = max(bottoms, default=HEADER + 2 * MARGIN) + MARGIN
    width = max(width, 900)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<style>{STYLE}</style>",
            '<rect width="100%" height="100%" fill="#f6f8fa"/>',
            *_header(run, tree),
            *(line for each in placed.values() for line in _edge(each, placed, path)),
            *(line for each in placed.values() for line in _box(each, path)),
            "</svg>\n",
        ]
    )


def place(root: Branch) -> dict[int, Placed]:
    """Where each box goes: leaves one below the other, parents beside the middle of theirs."""
    tops: dict[int, float] = {}
    cursor = float(HEADER + MARGIN)
    for branch in _leaves_first(root):
        height = box_height(branch.node)
        if not branch.children:
            tops[branch.node.id] = cursor
            cursor += height + _folded_height(branch) + GAP_Y
            continue
        first, last = branch.children[0].node, branch.children[-1].node
        middle = (tops[first.id] + tops[last.id] + box_height(last)) / 2
        tops[branch.node.id] = middle - height / 2
        # What is folded away is told below the box: the next leaf must not run into it.
        cursor = max(cursor, middle + height / 2 + _folded_height(branch) + GAP_Y)
    return {
        branch.node.id: Placed(
            branch,
            MARGIN + branch.level * (WIDTH + GAP_X),
            tops[branch.node.id],
            box_height(branch.node),
        )
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


def box_height(node: SearchNode) -> float:
    """As many lines as there is something to say."""
    return len(_lines(node)) * LINE + 2 * PADDING


def _folded_height(branch: Branch) -> float:
    return FOLDED if branch.hidden + branch.below else 0


def _lines(node: SearchNode) -> list[str]:
    name = f"{node.id} {one_line(node.origin)}" if node.id != ROOT else f"{ROOT} (no change)"
    parts = (name, _outcome_where(node), statistics(node), cost(node))
    return [shorten(part, CHARACTERS) for part in parts if part]


def _outcome_where(node: SearchNode) -> str:
    """The outcome, and the file and line as far as there is room: the tooltip has them whole."""
    known = outcome(node)
    if not node.patch.hunks:
        return known
    last = node.patch.hunks[-1]
    where = one_line(f"{last.path.rpartition('/')[2]}:{last.first}")
    return f"{known}  {shorten(where, max(8, CHARACTERS - len(known) - 2))}"


def _header(run: RepairRun, tree: SearchTree) -> Iterator[str]:
    usage = run.usage
    asked = f"; {describe_cost(usage)}" if usage.calls else ""
    told = f"{run.status.value}; {count(usage.candidates, 'candidate')}{asked}"
    name = one_line(run.bug.name) or "run"
    yield f'<text class="title" x="{MARGIN}" y="26">{_text(f"{name}  {run.id}")}</text>'
    nodes = count(len(tree), "node")
    yield f'<text class="dim" x="{MARGIN}" y="46">{_text(f"{told}; {nodes}")}</text>'
    x = MARGIN
    for verdict in (v for v in Verdict if v is not Verdict.DOES_NOT_APPLY):
        yield f'<rect x="{x}" y="56" width="9" height="9" fill="{COLOURS[verdict]}"/>'
        yield f'<text class="dim" x="{x + 14}" y="65">{_text(verdict.value)}</text>'
        x += 14 + 8 * len(verdict.value) + 14


def _edge(each: Placed, placed: dict[int, Placed], path: frozenset[int]) -> Iterator[str]:
    node = each.branch.node
    if node.parent is None:
        return
    parent = placed[node.parent]
    left, right = parent.x + WIDTH, each.x
    bend = (left + right) / 2
    name = "path" if node.id in path else "edge"
    yield (
        f'<path class="{name}" d="M{left:.1f} {parent.middle:.1f}C{bend:.1f} {parent.middle:.1f}'
        f' {bend:.1f} {each.middle:.1f} {right:.1f} {each.middle:.1f}"/>'
    )


def _box(each: Placed, path: frozenset[int]) -> Iterator[str]:
    branch, node = each.branch, each.branch.node
    colour = COLOURS[node.report.verdict] if node.report else NEUTRAL
    yield f"<g><title>{_text(tooltip(node))}</title>"
    yield (
        f'<rect class="{"won" if node.id in path else "box"}" x="{each.x:.1f}" y="{each.y:.1f}"'
        f' width="{WIDTH}" height="{each.height:.1f}" rx="4"/>'
    )
    yield (
        f'<rect x="{each.x:.1f}" y="{each.y:.1f}" width="5" height="{each.height:.1f}"'
        f" fill={quoteattr(colour)}/>"
    )
    for number, line in enumerate(_lines(node)):
        name = "dim" if number > 1 else "line"
        baseline = each.y + PADDING + (number + 0.8) * LINE
        kind = "name" if number == 0 else name
        yield f'<text class="{kind}" x="{each.x + 13:.1f}" y="{baseline:.1f}">{_text(line)}</text>'
    yield "</g>"
    if told := _folded(branch):
        yield (
            f'<text class="dim" x="{each.x + 13:.1f}" y="{each.y + each.height + 15:.1f}">'
            f"{_text(told)}</text>"
        )


def _folded(branch: Branch) -> str:
    if branch.hidden:
        return f"+{branch.hidden:,} more"
    return f"+{count(branch.below, 'node')} below" if branch.below else ""


def tooltip(node: SearchNode) -> str:
    """Everything about a node, its changes included."""
    parts: Sequence[str] = (
        f"{node.id} {node_name(node)}",
        outcome(node),
        statistics(node),
        cost(node),
        *(_changes(node.patch) if node.id != ROOT else ()),
    )
    return "\n".join(part for part in parts if part)[:MAX_TOOLTIP]


def _changes(patch: Patch) -> Iterator[str]:
    for hunk in patch.hunks:
        yield f"{one_line(hunk.path)}:{hunk.first}"
        yield from (f"- {_code(line)}" for line in hunk.old)
        yield from (f"+ {_code(line)}" for line in hunk.new)


def _code(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + one_line(line)


def _text(text: str) -> str:
    return escape(text)
