"""Shapes from type annotations, read as text: what a parameter may be beyond what was seen."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from validation.patchdiff.shapes import (
    Constants,
    Items,
    Mappings,
    Numbers,
    Shape,
    Strings,
    Union,
)

LETTERS = " abcdeXYZ0129.,-_"
_NAMED: dict[str, Shape] = {
    "int": Numbers(int, -20, 100),
    "float": Numbers(float, -10.0, 100.0),
    "str": Strings(LETTERS, 0, 12, ("", "a", "abc", "Hello World", "12")),
    "bool": Constants((False, True)),
    "None": Constants((None,)),
    "bytes": Constants((b"", b"a", b"abc\x00\xff")),
}
_KINDS: dict[str, type] = {
    "list": list,
    "sequence": list,
    "iterable": list,
    "collection": list,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
}
_MAPPINGS = ("dict", "mapping", "mutablemapping", "defaultdict")


def hinted_shape(annotation: str) -> Shape | None:
    """The shape of an annotation's text; None when it is none that can be filled."""
    try:
        return _shape(ast.parse(annotation, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _shape(node: ast.expr) -> Shape | None:
    if isinstance(node, ast.Constant):
        return hinted_shape(node.value) if isinstance(node.value, str) else _NAMED["None"]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _subscripted(_last_name(node.value), node.slice)
    name = _last_name(node)
    if name in _NAMED:
        return _NAMED[name]
    return _filled(name.lower(), [_NAMED["int"]])


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _subscripted(name: str, inside: ast.expr) -> Shape | None:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Optional":
        return _union([*parts, ast.Constant(None)])
    if name == "Union":
        return _union(parts)
    if name == "Literal":
        values = [part.value for part in parts if isinstance(part, ast.Constant)]
        return Constants(tuple(values)) if values else None
    kept = [part for part in parts if not (isinstance(part, ast.Constant) and part.value is ...)]
    shapes = [_shape(part) for part in kept]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return None
    if name.lower() == "tuple" and len(kept) == len(parts):
        element = Union(tuple(known))
        return Items(tuple, element, len(known), len(known), columns=tuple(known))
    return _filled(name.lower(), known)


def _filled(name: str, shapes: Sequence[Shape]) -> Shape | None:
    if name in _MAPPINGS:
        key = shapes[0] if len(shapes) == 2 else _NAMED["str"]
        return Mappings(key, shapes[-1], 4)
    kind = _KINDS.get(name)
    return None if kind is None else Items(kind, shapes[0], 0, 6)


def _union(nodes: Sequence[ast.expr]) -> Shape | None:
    shapes = [_shape(node) for node in nodes]
    known = tuple(shape for shape in shapes if shape is not None)
    return Union(known) if known else None
