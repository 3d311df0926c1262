"""What example values have in common: types, ranges, lengths, order; a generator keeps to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Numbers:
    """Ints or floats between the smallest and the largest example."""

    kind: type[int] | type[float]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Strings:
    """Texts over the examples' characters; `examples` are kept as a pool."""

    alphabet: str
    shortest: int
    longest: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """Lists, tuples or sets.

    `columns` holds one shape a position when all have the same short length.

    Claims such as `is_sorted` hold of every example, and of one example at least that is long
    enough for the claim to mean something.
    """

    kind: type[list[Any]] | type[tuple[Any, ...]] | type[set[Any]] | type[frozenset[Any]]
    element: Shape
    shortest: int
    longest: int
    columns: tuple[Shape, ...] = ()
    is_sorted: bool = False
    is_unique: bool = False
    is_palindrome: bool = False


@dataclass(frozen=True, slots=True)
class Mappings:
    """Dicts with keys and values alike."""

    key: Shape
    value: Shape
    largest: int


@dataclass(frozen=True, slots=True)
class Constants:
    """Exactly the examples: booleans, None, and whatever cannot be varied."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Values of several types; texts among them are taken as they are (operators, tags)."""

    options: tuple[Shape, ...]


Shape = Numbers | Strings | Items | Mappings | Constants | Union

_FIXED_LENGTH_EXAMPLES = 3


def infer_shape(examples: Sequence[Any], *, mixed: bool = False) -> Shape:
    """The narrowest shape that all examples have; `mixed` says that other types stand beside."""
    groups: dict[type, list[Any]] = {}
    for example in examples:
        groups.setdefault(type(example), []).append(example)
    if groups.keys() == {int, float}:
        groups = {float: list(examples)}
    if len(groups) != 1:
        return Union(tuple(infer_shape(group, mixed=True) for group in groups.values()))
    ((kind, values),) = groups.items()
    if kind in (int, float):
        return Numbers(int if kind is int else float, min(values), max(values))
    if kind is str and not mixed:
        return _infer_strings(values)
    if kind in (list, tuple):
        return _infer_items(kind, values)
    if kind in (set, frozenset):
        return _infer_items(kind, [sorted(value, key=repr) for value in values], fixable=False)
    if kind is dict:
        return _infer_mappings(values)
    return Constants(tuple(_distinct(values)))


def _infer_strings(values: Sequence[str]) -> Strings:
    lengths = [len(value) for value in values]
    alphabet = "".join(sorted(set("".join(values))))
    return Strings(alphabet, min(lengths), max(lengths), tuple(_distinct(values)))


def _infer_items(kind: Any, values: Sequence[Sequence[Any]], *, fixable: bool = True) -> Shape:
    elements = [element for value in values for element in value]
    if any(element is value for element in elements for value in values):
        return Constants(tuple(values))
    lengths = [len(value) for value in values]
    fixed = (
        fixable
        and len(values) >= _FIXED_LENGTH_EXAMPLES
        and len(set(lengths)) == 1
        and lengths[0] <= 4
    )
    return Items(
        kind,
        infer_shape(elements),
        min(lengths),
        max(lengths),
        columns=tuple(map(infer_shape, zip(*values, strict=True))) if fixed else (),
        is_sorted=_claim(values, _is_sorted),
        is_unique=_claim(values, lambda value: len(_distinct(value)) == len(value)),
        is_palindrome=_claim(values, lambda value: list(value) == list(value)[::-1]),
    )


def _claim(values: Sequence[Sequence[Any]], holds: Any) -> bool:
    return any(len(value) > 2 for value in values) and all(holds(value) for value in values)


def _is_sorted(value: Sequence[Any]) -> bool:
    try:
        return all(a <= b for a, b in pairwise(value))
    except TypeError:
        return False


def _infer_mappings(values: Sequence[dict[Any, Any]]) -> Shape:
    keys = [key for value in values for key in value]
    items = [item for value in values for item in value.values()]
    return Mappings(infer_shape(keys), infer_shape(items), max(map(len, values)))


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Order kept; by representation, since values need not be hashable."""
    return list({repr(value): value for value in values}.values())
