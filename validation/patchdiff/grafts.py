"""Recombines described objects: a part of one takes the place of a part of another."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from validation.patchdiff.model import Call
from validation.patchdiff.values import Opaque, walk

MAX_DONORS = 300
MAX_SIZE = 4000
"""Characters of the description of a part that is passed on."""


def find_donors(calls: Sequence[Call]) -> Iterator[Any]:
    """Different objects in the arguments of calls, those with references to others left out."""
    seen: set[str] = set()
    for call in calls:
        for value in (*call.arguments, *(item for _, item in call.keywords)):
            for node in _objects(value):
                text = json.dumps(node)
                if text not in seen and len(text) <= MAX_SIZE and not _is_linked(node):
                    seen.add(text)
                    yield node
                if len(seen) >= MAX_DONORS:
                    return


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, Opaque):
        yield from (node for node in walk(value.described) if node.get("t") == "made")
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _objects(item)


def _is_linked(node: Any) -> bool:
    return any(each.get("t") in ("shared", "ref") for each in walk(node))


def graft(value: Opaque, donors: Sequence[Any], rng: Random) -> Opaque | None:
    """The object with one part of it, at times the whole, replaced; None when it has no parts.

    A number may be replaced by an object: in symbolic programs that is what makes new terms.
    """
    described = {"root": value.described}
    places = list(_places(described))
    if not places or not donors:
        return None
    holder, key = rng.choice(places)
    old = holder[key]
    # A part that others refer to must stay where it is; and what comes from another program's
    # package is seldom what belongs there.
    fitting = [each for each in donors if _package_of(each) == _package_of(old)]
    if not fitting or _is_linked(old):
        return None
    holder[key] = copy.deepcopy(rng.choice(fitting))
    return Opaque(json.dumps(described["root"]))


def tie(value: Opaque, rng: Random) -> Opaque | None:
    """The object with one link more: a list inside a part of it gets that part as an item.

    Such is a cycle, which suites seldom have; None when no part of the object has lists.
    """
    described = {"root": value.described}
    places = [(holder, key) for holder, key in _places(described) if [*lists_in(holder[key])]]
    if not places:
        return None
    holder, key = rng.choice(places)
    part = holder[key]
    items = rng.choice(list(lists_in(part)))
    if isinstance(holder, dict) and holder.get("t") == "shared":
        number = holder["n"]
    else:
        number = 1 + max([each["n"] for each in walk(described) if "n" in each], default=0)
        holder[key] = {"t": "shared", "n": number, "v": part}
    items.insert(rng.randint(0, len(items)), {"t": "ref", "n": number})
    return Opaque(json.dumps(described["root"]))


def lists_in(described: Any) -> Iterator[list[Any]]:
    """The lists among the values of a described object, not those that the grammar uses."""
    for node in walk(described):
        state = node.get("s")
        pairs = state.get("v") if isinstance(state, dict) and state.get("t") == "dict" else None
        for pair in pairs if isinstance(pairs, list) else ():
            value = pair[1] if isinstance(pair, list) and len(pair) == 2 else None
            if isinstance(value, dict) and value.get("t") == "shared":
                value = value["v"]
            if isinstance(value, list):
                yield value


def _package_of(node: Any) -> str:
    """Where the class of a described object comes from."""
    kinds = [node["f"], *node["a"][:1]] if isinstance(node["a"], list) else [node["f"]]
    modules = [str(k["m"]) for k in kinds if isinstance(k, dict) and k.get("t") == "global"]
    return next((m.partition(".")[0] for m in modules if m not in ("copyreg", "builtins")), "")


def _places(described: Any) -> Iterator[tuple[Any, Any]]:
    """Where parts of an object stand: among the arguments it is made of, and in its state."""
    pending: list[tuple[Any, Any]] = [(described, "root")]
    while pending:
        holder, key = pending.pop()
        node = holder[key]
        if isinstance(node, list):
            pending += [(node, index) for index in range(len(node))]
        elif isinstance(node, dict):
            if node.get("t") == "made":
                yield holder, key
                pending += [(node, name) for name in ("a", "s", "l") if name in node]
            elif node.get("t") in ("tuple", "shared"):
                pending.append((node, "v"))
            elif node.get("t") == "dict" and isinstance(node["v"], list):
                pending += [(pair, 1) for pair in node["v"] if isinstance(pair, list)]
