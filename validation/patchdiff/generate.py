"""Inputs for one function: what the suite gave it, varied, recombined and pushed to extremes."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

from validation.patchdiff.capture import is_linked
from validation.patchdiff.grafts import find_donors, graft, lists_in, tie
from validation.patchdiff.hints import hinted_shape
from validation.patchdiff.model import Call
from validation.patchdiff.shapes import Numbers, Shape, Strings, infer_shape
from validation.patchdiff.texts import edit_text
from validation.patchdiff.values import Opaque
from validation.patchdiff.variation import sample, vary

MAX_REJECTED = 400
MAX_RECENT = 200
SMALL = (0, 1, -1, 2, 3, -2, 10, 100)
MAX_TEXTS = 200
"""Texts among the observed arguments whose words go into others."""
LARGEST = 10**4


class Inputs:
    """An endless, reproducible supply of different calls; `learn` makes it prefer what pays.

    `hints` are the annotations of the parameters, in order; `constants` literals of the code.
    """

    def __init__(
        self,
        seeds: Sequence[Call],
        hints: Sequence[str],
        constants: Sequence[Any],
        rng: Random,
        *,
        is_method: bool = False,
    ) -> None:
        self._rng = rng
        self._queue = list(seeds)
        self._pool = list(seeds)
        self._loose = [call for call in seeds if not is_linked(call)]
        self._donors = list(find_donors(seeds))
        self._texts = list(islice(_observed_texts(seeds), MAX_TEXTS))
        self._favourites: list[Call] = []
        self._recent: list[Call] = []
        self._seen: set[str] = set()
        self._constants = list(constants)
        self._hinted = [hinted_shape(hint) for hint in hints]
        self._shapes = self._infer(seeds)
        if not seeds and not is_method:
            self._start_from_hints()

    def _infer(self, seeds: Sequence[Call]) -> list[Shape]:
        """A shape for each position; positions that only some calls have are left as they are."""
        if not seeds:
            return []
        count = min(len(call.arguments) for call in seeds)
        columns = [[call.arguments[index] for call in seeds] for index in range(count)]
        return [infer_shape(column) for column in columns]

    def _start_from_hints(self) -> None:
        shapes = [shape for shape in self._hinted if shape is not None]
        if shapes and len(shapes) == len(self._hinted):
            self._shapes = shapes
            made = [Call(tuple(sample(s, self._rng) for s in shapes), (), "made") for _ in range(8)]
            self._queue, self._pool = made, list(made)

    def take(self, count: int) -> list[Call]:
        """The next different calls; fewer when nothing new comes up any more."""
        taken: list[Call] = []
        rejected = 0
        while len(taken) < count and rejected < MAX_REJECTED and (self._queue or self._pool):
            call = self._queue.pop(0) if self._queue else self._make()
            key = _key(call)
            if key in self._seen:
                rejected += 1
                continue
            self._seen.add(key)
            taken.append(call)
        self._recent = [*self._recent, *taken][-MAX_RECENT:]
        return taken

    def learn(self, call: Call) -> None:
        """Vary this call often from now on: it has shown something new."""
        self._favourites.append(call)

    def put_back(self, calls: Sequence[Call]) -> None:
        """Give these calls again: they were not performed."""
        self._queue = [*calls, *self._queue]
        self._seen.difference_update(_key(call) for call in calls)

    def forget(self, call: Call) -> None:
        """Do not vary this call any more: it takes too long."""
        self._recent = [each for each in self._recent if each is not call]

    def _make(self) -> Call:
        rng = self._rng
        call = rng.choice(self._choose())
        arguments = [copy.deepcopy(value) for value in call.arguments]
        places = list(range(len(arguments)))
        if not places or (call.keywords and rng.random() < 0.3):
            return self._vary_keywords(call, arguments)
        if is_linked(call):
            index = rng.choice(places)
            arguments[index] = self._change_object(arguments[index])
            return Call(tuple(arguments), call.keywords, "varied")
        for index in rng.sample(places, min(len(places), rng.choice((1, 1, 2, len(places))))):
            # Numbers beyond all bounds, or values of mixed kinds, defeat some changes.
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                borrowed = self._borrow(arguments, index)
                arguments[index] = borrowed or self._change(arguments[index], index)
        return Call(tuple(arguments), call.keywords, "varied")

    def _choose(self) -> list[Call]:
        """What to start from: what has paid, what was tried of late, or the suite's own calls."""
        chance = self._rng.random()
        if chance < 0.4 and self._favourites:
            return self._favourites
        return self._recent if chance < 0.7 and self._recent else self._pool

    def _vary_keywords(self, call: Call, arguments: list[Any]) -> Call:
        keywords = list(call.keywords)
        if keywords:
            index = self._rng.randrange(len(keywords))
            name, value = keywords[index]
            keywords[index] = (name, self._push(value))
        return Call(tuple(arguments), tuple(keywords), "varied")

    def _borrow(self, arguments: Sequence[Any], index: int) -> Any:
        """A part of another argument, since what is asked for is often in there; mostly None."""
        if self._rng.random() >= 0.15:
            return None
        own = arguments[index]
        others = [part for i, other in enumerate(arguments) if i != index for part in _parts(other)]
        same = [part for part in others if type(part) is type(own)]
        if not isinstance(own, list | tuple):
            return self._rng.choice(same) if same else None
        kinds = {type(part) for part in own}
        fitting = [part for part in others if type(part) in kinds]
        if not fitting:
            return None
        at = self._rng.randint(0, len(own))
        return type(own)([*own[:at], self._rng.choice(fitting), *own[at + 1 :]])

    def _change(self, value: Any, index: int) -> Any:
        rng = self._rng
        chance = rng.random()
        shape = self._shapes[index] if index < len(self._shapes) else None
        hinted = self._hinted[index] if index < len(self._hinted) else None
        if isinstance(value, Opaque):
            others = [c.arguments[index] for c in self._loose if index < len(c.arguments)]
            if others and chance < 0.25:
                return rng.choice(others)
            grafted = graft(value, self._donors, rng) if chance < 0.65 else None
            return grafted or self._change_object(value)
        if chance < 0.35 and shape is not None:
            return vary(value, shape, rng)
        if chance < 0.55 and shape is not None:
            return sample(_widened(shape), rng)
        if chance < 0.65 and hinted is not None:
            return sample(hinted, rng)
        return self._push(value)

    def _change_object(self, value: Any) -> Any:
        rng = self._rng
        tied = tie(value, rng) if isinstance(value, Opaque) and rng.random() < 0.3 else None
        return tied or _tweak(value, rng, self._push)

    def _push(self, value: Any) -> Any:
        """The value, or a part of it, at an extreme of its own type."""
        rng = self._rng
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return self._push_int(value)
        if isinstance(value, float):
            near = (0.0, -value, value * 2, value / 2, value + 1, float(round(value)), 0.5, 1e-3)
            return rng.choice((*near, *self._known(float), *map(float, self._known(int))))
        if isinstance(value, str):
            return self._push_text(value)
        if isinstance(value, bytes):
            return self._push_text(value.decode("latin-1")).encode("latin-1", "replace")
        if isinstance(value, list | tuple):
            return self._push_items(value)
        if isinstance(value, set | frozenset):
            return type(value)(_hashable(self._push_items(sorted(value, key=repr))))
        if isinstance(value, dict):
            return self._push_pairs(value)
        return _tweak(value, rng, self._push) if isinstance(value, Opaque) else value

    def _known(self, kind: type) -> list[Any]:
        return [each for each in self._constants if type(each) is kind]

    def _push_int(self, value: int) -> int:
        near = [-value, value * 2, value // 2, value + 1, value - 1, value + 10]
        known = [each + step for each in self._known(int) for step in (-1, 0, 1)]
        chosen = self._rng.choice([*SMALL, *near, *known, *known, self._rng.randint(-999, 999)])
        return chosen if abs(chosen) <= LARGEST or chosen in known else value % LARGEST

    def _push_text(self, value: str) -> str:
        return edit_text(value, self._known(str), self._texts, self._rng)

    def _push_items(self, value: Any) -> Any:
        rng = self._rng
        items = list(value)
        at = rng.randint(0, len(items))
        changed = list(items)
        if items:
            index = rng.randrange(len(items))
            changed[index] = self._push(items[index])
        more = [rng.choice(items)] if items else [rng.choice((0, 1, "a"))]
        others: list[Any] = []
        for call in rng.sample(self._pool, min(len(self._pool), 2)):
            others += [each for each in call.arguments if isinstance(each, type(value))]
        other = list(rng.choice(others)) if others else []
        forms = [
            changed, changed, items[:at], items[at:], items[:at] + more + items[at:],
            items[:at] + items[at + 1 :], items[::-1], items * 2, _sorted(items), items + other,
            more, [], [_negated(item) for item in items],
        ]  # fmt: skip
        chosen = rng.choice(forms)[:60]
        if rng.random() < 0.1:
            chosen = [self._push(item) for item in items[:60]]
        return tuple(chosen) if isinstance(value, tuple) else chosen

    def _push_pairs(self, value: dict[Any, Any]) -> dict[Any, Any]:
        rng = self._rng
        pairs = list(value.items())
        if not pairs or rng.random() < 0.15:
            return {}
        index = rng.randrange(len(pairs))
        key, item = pairs[index]
        choice = rng.randrange(4)
        if choice == 0:
            return dict(pairs[:index] + pairs[index + 1 :])
        if choice == 1:
            new = self._push(key)
            return {**value, **({new: item} if _is_hashable(new) else {})}
        pairs[index] = (key, self._push(item))
        return dict(pairs)


def _key(call: Call) -> str:
    return repr((call.arguments, call.keywords))


def _observed_texts(calls: Sequence[Call]) -> Iterator[str]:
    """Each once, in the order of the calls."""
    values = (value for call in calls for value in (*call.arguments, *dict(call.keywords).values()))
    found = dict.fromkeys(part for value in values for part in _parts(value) if type(part) is str)
    yield from (text for text in found if text)


def _parts(value: Any) -> Iterator[Any]:
    """The plain values in an argument, and the argument itself."""
    yield value
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _parts(pair[0])
            yield from _parts(pair[1])


def _widened(shape: Shape) -> Shape:
    if isinstance(shape, Numbers):
        span = max(shape.high - shape.low, 5)
        return replace(shape, low=shape.low - span, high=shape.high + span)
    if isinstance(shape, Strings):
        return replace(shape, shortest=0, longest=shape.longest + 3)
    return shape


def _negated(item: Any) -> Any:
    return -item if type(item) in (int, float) else item


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:
        return items


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _hashable(items: list[Any]) -> list[Any]:
    return [item for item in items if _is_hashable(item)]


def _tweak(value: Any, rng: Random, change: Callable[[Any], Any]) -> Any:
    """A described object with one of the plain values in it changed."""
    if not isinstance(value, Opaque):
        return value
    described = value.described
    lists = [node for node in lists_in(described) if node]
    if lists and rng.random() < 0.3:
        _rearrange(rng.choice(lists), rng)
        return Opaque(json.dumps(described))
    leaves = list(_leaves(described))
    if not leaves:
        return value
    holder, key = rng.choice(leaves)
    holder[key] = change(holder[key])
    return Opaque(json.dumps(described))


def _rearrange(items: list[Any], rng: Random) -> None:
    """Drop, repeat or move an item; what others refer to in it makes the call unusable."""
    index = rng.randrange(len(items))
    choice = rng.randrange(3)
    item = items.pop(index)
    if choice == 1:
        items[index:index] = [item, copy.deepcopy(item)]
    elif choice == 2:
        items.insert(rng.randrange(len(items) + 1), item)


def _leaves(described: Any) -> list[tuple[Any, Any]]:
    """Where plain values stand: in lists and state, never in names or numbers of references."""
    found: list[tuple[Any, Any]] = []
    pending: list[Any] = [described]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            for index, item in enumerate(node):
                if isinstance(item, list | dict):
                    pending.append(item)
                elif item is not None:
                    found.append((node, index))
        elif isinstance(node, dict) and node.get("t") in ("made", "shared", *_HOLDERS):
            if node["t"] == "dict":
                pairs = [pair for pair in node["v"] if isinstance(pair, list) and len(pair) == 2]
                for pair in pairs:
                    if isinstance(pair[1], list | dict):
                        pending.append(pair[1])
                    elif pair[1] is not None:
                        found.append((pair, 1))
            else:
                pending += [node[name] for name in ("a", "s", "l", "d", "v") if name in node]
    return found


_HOLDERS = ("dict", "tuple", "set", "frozenset", "iterator")
