"""The smallest call that still shows the same difference, found greedily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from validation.patchdiff.model import Call
from validation.patchdiff.values import Opaque

ROUNDS = 40
Differs = Callable[[Sequence[Call]], Sequence[bool]]
"""For each call, whether it shows the difference that is being shrunk."""


def shrink(call: Call, differs: Differs, seconds: float, batch: int = 40) -> Call:
    """Replace arguments by simpler ones as long as the difference stays."""
    deadline = time.monotonic() + seconds
    for _ in range(ROUNDS):
        smaller = _first_that_differs(call, differs, deadline, batch)
        if smaller is None:
            break
        call = smaller
    return call


def _first_that_differs(call: Call, differs: Differs, deadline: float, batch: int) -> Call | None:
    size = _size_of(call)
    candidates = [each for each in simpler_calls(call) if _size_of(each) < size]
    candidates.sort(key=_size_of)
    for start in range(0, min(len(candidates), 4 * batch), batch):
        if time.monotonic() > deadline:
            return None
        part = candidates[start : start + batch]
        for candidate, shows in zip(part, differs(part), strict=True):
            if shows:
                return candidate
    return None


def simpler_calls(call: Call) -> Iterator[Call]:
    """The call with one argument made simpler."""
    for index, value in enumerate(call.arguments):
        for simpler in simpler_values(value):
            arguments = (*call.arguments[:index], simpler, *call.arguments[index + 1 :])
            yield replace(call, arguments=arguments, origin="shrunk")
    for index, (name, value) in enumerate(call.keywords):
        for simpler in simpler_values(value):
            keywords = (*call.keywords[:index], (name, simpler), *call.keywords[index + 1 :])
            yield replace(call, keywords=keywords, origin="shrunk")


def simpler_values(value: Any) -> Iterator[Any]:
    """Values of the same type that are smaller."""
    if isinstance(value, bool):
        if value:
            yield False
    elif isinstance(value, int):
        yield from dict.fromkeys(v for v in (0, 1, -1, value // 2, value - 1, -value) if v != value)
    elif isinstance(value, float):
        if math.isfinite(value):
            yield from (v for v in (0.0, 1.0, float(int(value)), round(value, 1)) if v != value)
    elif isinstance(value, str | bytes):
        yield from _shorter(value)
        if isinstance(value, str):
            yield from (value[:i] + "a" + value[i + 1 :] for i, c in enumerate(value) if c != "a")
    elif isinstance(value, list | tuple):
        for items in _simpler_items(list(value)):
            yield type(value)(items)
    elif isinstance(value, set | frozenset):
        for items in _shorter(sorted(value, key=repr)):
            yield type(value)(items)
    elif isinstance(value, dict):
        yield from _simpler_pairs(value)


def _shorter(value: Any) -> Iterator[Any]:
    size = len(value)
    if size:
        yield value[:0]
    if size > 2:
        yield value[: size // 2]
        yield value[size // 2 :]
    for index in range(min(size, 30)):
        yield value[:index] + value[index + 1 :]


def _simpler_items(items: list[Any]) -> Iterator[list[Any]]:
    yield from _shorter(items)
    for index, item in enumerate(items[:20]):
        for simpler in simpler_values(item):
            yield [*items[:index], simpler, *items[index + 1 :]]


def _simpler_pairs(value: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    pairs = list(value.items())
    for shorter in _shorter(pairs):
        yield dict(shorter)
    for index, (key, item) in enumerate(pairs[:20]):
        for simpler in simpler_values(item):
            yield dict([*pairs[:index], (key, simpler), *pairs[index + 1 :]])


def _size_of(call: Call) -> tuple[int, float]:
    values = (*call.arguments, *(value for _, value in call.keywords))
    sizes = [size_of(value) for value in values]
    return sum(count for count, _ in sizes), sum(weight for _, weight in sizes)


def size_of(value: Any) -> tuple[int, float]:
    """How many parts a value has, and how far its scalars are from the simplest."""
    if value is None or isinstance(value, bool):
        return 1, float(bool(value))
    if isinstance(value, int | float):
        return 1, _weight(value)
    if isinstance(value, str | bytes):
        codes = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return 1 + len(value), sum(0.0 if code == 97 else 1.0 for code in codes)
    if isinstance(value, Opaque):
        return len(value.text), 0.0
    if isinstance(value, dict):
        parts = [size_of(each) for pair in value.items() for each in pair]
    else:
        parts = [size_of(each) for each in value]
    return 1 + sum(count for count, _ in parts), sum(weight for _, weight in parts)


def _weight(value: float) -> float:
    if not math.isfinite(value):
        return 1e9
    fraction = 0.0 if value == int(value) else 0.5 + len(repr(value)) / 100
    return min(abs(value), 1e8) * 2 + (1.0 if value < 0 else 0.0) + fraction
