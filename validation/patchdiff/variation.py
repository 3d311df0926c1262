"""New values of a shape, and old values changed a little; every choice is the seed's."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from random import Random
from typing import Any

from validation.patchdiff.shapes import (
    Constants,
    Items,
    Mappings,
    Numbers,
    Shape,
    Strings,
    Union,
)


def sample(shape: Shape, rng: Random) -> Any:
    """A fresh value of this shape; small and short ones are as likely as large ones."""
    match shape:
        case Numbers():
            return _sample_number(shape, rng)
        case Strings():
            return _sample_string(shape, rng)
        case Items(columns=()):
            length = rng.randint(shape.shortest, max(shape.longest, 3))
            if rng.random() < 0.5:
                length = min(length, shape.shortest + rng.randint(0, 4))
            return _arrange([sample(shape.element, rng) for _ in range(length)], shape, rng)
        case Items():
            return shape.kind(sample(column, rng) for column in shape.columns)
        case Mappings():
            count = rng.randint(0, shape.largest)
            pairs = ((sample(shape.key, rng), sample(shape.value, rng)) for _ in range(count))
            return {key: value for key, value in pairs if _is_hashable(key)}
        case Constants():
            return copy.deepcopy(rng.choice(shape.values))
        case Union(options=()):
            return 0
        case Union():
            return sample(rng.choice(shape.options), rng)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _sample_number(shape: Numbers, rng: Random) -> int | float:
    low, high = shape.low, shape.high
    if low == high:
        low, high = min(low, 0), max(2 * high, 3)
    if rng.random() < 0.5:
        high = min(high, max(low, 0) + 12)
    if shape.kind is int:
        return rng.randint(int(low), int(high))
    return round(rng.uniform(low, high), rng.choice((0, 1, 2)))


def _sample_string(shape: Strings, rng: Random) -> str:
    if rng.random() < 0.2:
        return rng.choice(shape.examples)
    length = rng.randint(shape.shortest, max(shape.longest, 3))
    if rng.random() < 0.7:
        length = min(length, shape.shortest + rng.randint(0, 6))
    some = rng.choices(shape.alphabet, k=rng.randint(1, 4)) if shape.alphabet else [""]
    pool = some if rng.random() < 0.4 else list(shape.alphabet) or [""]
    return "".join(rng.choice(pool) for _ in range(length))


def vary(value: Any, shape: Shape, rng: Random) -> Any:
    """`value` after a small change that its shape allows."""
    match shape:
        case Numbers() if isinstance(value, int | float):
            return _vary_number(value, shape, rng)
        case Strings() if isinstance(value, str):
            return _vary_string(value, shape, rng)
        case Items(columns=()) if isinstance(value, list | tuple):
            return _arrange(_vary_items(list(value), shape, rng), shape, rng)
        case Items(columns=()) if isinstance(value, set | frozenset):
            return _arrange(_vary_items(sorted(value, key=repr), shape, rng), shape, rng)
        case Items() if isinstance(value, list | tuple) and len(value) == len(shape.columns):
            changed = list(value)
            index = rng.randrange(len(changed)) if changed else 0
            changed[index : index + 1] = [
                vary(item, shape.columns[index], rng) for item in changed[index : index + 1]
            ]
            return shape.kind(changed)
        case Mappings() if isinstance(value, dict):
            return {
                key: vary(item, shape.value, rng) if rng.random() < 0.5 else item
                for key, item in value.items()
                if rng.random() < 0.9
            }
    return sample(shape, rng)


def _vary_number(value: float, shape: Numbers, rng: Random) -> int | float:
    steps: tuple[float, ...] = (-1, 1, -2, 2, -10, 10)
    if shape.kind is float:
        steps = (-1, 1, -0.5, 0.5, -0.1, 0.1)
    changed = round(value + rng.choice(steps), 6)
    if shape.low <= changed <= shape.high and rng.random() < 0.7:
        return changed
    return _sample_number(shape, rng)


def _vary_string(value: str, shape: Strings, rng: Random) -> str:
    letters = shape.alphabet or " "
    for _ in range(rng.randint(1, 3)):
        if " " in value and rng.random() < 0.5:
            value = " ".join(_edit(value.split(" "), lambda: rng.choice(shape.examples), rng))
        else:
            value = "".join(_edit(list(value), lambda: rng.choice(letters), rng))
    return value


def _vary_items(items: list[Any], shape: Items, rng: Random) -> list[Any]:
    for _ in range(rng.randint(1, 3)):
        if items and rng.random() < 0.5:
            index = rng.randrange(len(items))
            items[index] = vary(items[index], shape.element, rng)
        else:
            items = _edit(items, lambda: sample(shape.element, rng), rng)
    return items if len(items) >= shape.shortest else [*items, sample(shape.element, rng)]


def _edit(items: list[Any], new: Callable[[], Any], rng: Random) -> list[Any]:
    """Insert, delete, replace, swap, repeat or cut."""
    index = rng.randrange(len(items) + 1)
    match rng.randrange(6):
        case 0:
            return [*items[:index], new(), *items[index:]]
        case 1:
            return items[:index] + items[index + 1 :]
        case 2:
            return [*items[:index], new(), *items[index + 1 :]]
        case 3:
            return [*items[index:], *items[:index]]
        case 4:
            return [*items[:index], *items[max(index - 1, 0) : index], *items[index:]]
        case _:
            return items[: max(index, 1)]


def _arrange(items: list[Any], shape: Items, rng: Random) -> Any:
    """Re-establish what all examples have in common."""
    if shape.is_unique:
        items = list({repr(item): item for item in items}.values())
    if shape.is_palindrome:
        half = items[: (len(items) + 1) // 2]
        items = half + half[::-1][rng.randint(0, 1) :]
    if shape.is_sorted:
        with contextlib.suppress(TypeError):  # an edit may bring in what has no order
            items = sorted(items)
    if shape.kind in (set, frozenset):
        items = [item for item in items if _is_hashable(item)]
    return shape.kind(items)
