"""Statements to insert: those of the function, the file and the project, adapted to the place."""

from __future__ import annotations

from collections.abc import Iterator

from apr.generation.template.treesitter.context import Context
from apr.generation.template.treesitter.roles import COMPARISONS
from apr.generation.template.treesitter.syntax import Node

_PROJECT_DONORS = 6
_MOST_DONORS = 12
_MOST_ADAPTED = 12


def donors_for(context: Context, node: Node) -> list[tuple[str, float]]:
    """Simple statements that make sense beside or instead of `node`, with priors, best first."""
    found: dict[str, float] = {}
    for other in _file_donors(context, node):
        if context.fits(other.text, node):
            found.setdefault(other.text, _prior(context, other, node))
    for code, cosine in context.donors.nearest(node.text, _PROJECT_DONORS):
        if context.fits(code, node):
            found.setdefault(code, 0.15 * cosine)
    found.pop(node.text, None)
    return _ranked(found, _MOST_DONORS)


def adapted_donors_for(context: Context, node: Node) -> list[tuple[str, float]]:
    """Statements of the function with one name replaced, so that they suit `node`."""
    found: dict[str, float] = {}
    for other in _file_donors(context, node):
        if context.function_of(other) is not context.function_of(node):
            continue
        prior = 0.8 * _prior(context, other, node)
        for code, likelihood in _adaptations(context, other, node):
            if context.fits(code, node):
                found[code] = max(found.get(code, 0.0), prior * likelihood)
    return _ranked(found, _MOST_ADAPTED)


def _ranked(found: dict[str, float], count: int) -> list[tuple[str, float]]:
    ranked = sorted(found.items(), key=lambda pair: -pair[1])[:count]
    return [(code, prior * 0.95**rank) for rank, (code, prior) in enumerate(ranked)]


def _file_donors(context: Context, node: Node) -> Iterator[Node]:
    function = context.function_of(node)
    for other in context.file_statements:
        near = context.function_of(other) is function
        if other is not node and (near or other.kind == "expression_statement"):
            yield other


def _prior(context: Context, other: Node, node: Node) -> float:
    """Nearer statements are likelier donors, those of the same function above all."""
    near = context.function_of(other) is context.function_of(node)
    distance = 1 / (1 + abs(other.line - node.line) / 10)
    return (0.32 if near else 0.18) * (0.7 + 0.3 * distance)


def _adaptations(context: Context, donor: Node, node: Node) -> Iterator[tuple[str, float]]:
    """The donor with every use of one name replaced; a name out of scope has to be."""
    uses = [inner for inner in donor.walk() if context.is_variable(inner)]
    visible = {variable.name for variable in context.variables(node)}
    foreign = {use.text for use in uses if use.text not in visible and use.text[:1].islower()}
    if len(foreign) > 1:
        return
    for name in dict.fromkeys(use.text for use in uses if not foreign or use.text in foreign):
        spans = [use for use in uses if use.text == name]
        settable = any(context.is_target(span) for span in spans)
        for code, likelihood in _substitutes(context, spans[0], node, name in foreign):
            if settable and not code.isidentifier():
                continue
            yield _replaced(donor, spans, code), likelihood


def _substitutes(
    context: Context, use: Node, node: Node, foreign: bool
) -> Iterator[tuple[str, float]]:
    family = context.family(use)
    if foreign:
        yield from ((code, 0.9) for code in _bounds(context, use))
    alike = [v.name for v in context.variables(node) if v.family == family and v.name != use.text]
    for rank, name in enumerate(alike[:4]):
        yield name, (0.8 if foreign else 0.6) * 0.9**rank


def _bounds(context: Context, use: Node) -> Iterator[str]:
    """What the loop counter `use` stops at, and the value before it."""
    for loop in use.ancestors():
        condition = context.conditions(loop) if loop.kind in context.grammar.loops else None
        parts = context.operands(condition) if condition is not None else None
        if parts is not None and parts[0].text == use.text and parts[1] in COMPARISONS:
            yield parts[2].text
            yield f"{parts[2].text} - 1"


def _replaced(donor: Node, spans: list[Node], code: str) -> str:
    text = donor.text
    for span in reversed(spans):
        text = text[: span.start - donor.start] + code + text[span.end - donor.start :]
    return text
