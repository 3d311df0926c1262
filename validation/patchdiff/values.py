"""Descriptions of values on the host's side; the grammar is that of `apr_probe.values`.

Plain data becomes plain Python, so that it can be varied. Everything else stays a description,
wrapped in `Opaque`: it is handed back to a sandbox as it came, never built here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 60
"""Deeper values are not varied."""

DEEPEST = 200
"""No value that is deeper is looked at."""


@dataclass(frozen=True, slots=True, order=True)
class Opaque:
    """A value that only a process of the subject can build: the text of its description."""

    text: str

    @property
    def described(self) -> Any:
        """The description."""
        return json.loads(self.text)


def parse_value(described: Any) -> Any:
    """The plain value that a description stands for, or `Opaque`."""
    if _is_linked(described) or _depth_of(described) > MAX_DEPTH:
        return Opaque(json.dumps(described))
    return _parse(described)


def is_description(described: Any) -> bool:
    """Whether it is of the grammar; what a sandbox sent is looked at only then."""
    pending = [described]
    if _depth_of(described) > DEEPEST:
        return False
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            parts = _parts_of(node)
            if parts is None:
                return False
            pending.extend(parts)
    return True


def _parts_of(node: dict[str, Any]) -> list[Any] | None:
    """The descriptions inside one; None when it is malformed."""
    kind, content = node.get("t"), node.get("v")
    if kind in ("tuple", "set", "frozenset", "iterator"):
        return content if isinstance(content, list) else None
    if kind == "dict":
        return _flattened(content)
    if kind in ("bytes", "bytearray", "int"):
        return [] if _is_hexadecimal(content) else None
    if kind == "shared":
        return [content] if isinstance(node.get("n"), int) else None
    if kind == "ref":
        return [] if isinstance(node.get("n"), int) else None
    if kind == "made":
        pairs = _flattened(node.get("d", []))
        lists = (node.get("a"), node.get("l", []), pairs)
        if not all(isinstance(each, list) for each in lists):
            return None
        return [node.get("f"), node.get("s"), *lists]
    names = _NAMES.get(str(kind), "")
    return [] if names and all(isinstance(node.get(name), str) for name in names) else None


_NAMES = {"global": "mq", "module": "v", "enum": "mqv", "opaque": "vr", "hole": "v"}
"""The texts that a description of each kind has, one letter each."""


def _flattened(pairs: Any) -> list[Any] | None:
    if not isinstance(pairs, list):
        return None
    are_pairs = all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)
    return [item for pair in pairs for item in pair] if are_pairs else None


def _is_hexadecimal(content: Any) -> bool:
    return isinstance(content, str) and not content.removeprefix("-").removeprefix("0x").strip(
        "0123456789abcdef"
    )


def _depth_of(described: Any) -> int:
    depth, layer = 0, [described]
    while layer and depth <= DEEPEST:
        depth += 1
        inside = [node.values() if isinstance(node, dict) else node for node in layer]
        layer = [i for node in inside if not _is_plain(node) for i in node if not _is_plain(i)]
    return depth


def _is_plain(node: Any) -> bool:
    return node is None or isinstance(node, str | int | float)


def _is_linked(described: Any) -> bool:
    return any(node.get("t") in ("shared", "ref") for node in walk(described))


def walk(described: Any) -> Iterator[dict[str, Any]]:
    """Every dict in a description, outermost first."""
    pending = [described]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _parse(described: Any) -> Any:
    if isinstance(described, list):
        return [_parse(item) for item in described]
    if not isinstance(described, dict):
        return described
    kind, content = described.get("t"), described.get("v")
    try:
        if kind in _ITEMS:
            return _ITEMS[kind](_parse(item) for item in _items(content))
        if kind == "dict":
            pairs = [(_parse(k), _parse(v)) for k, v in _items(content)]
            made = dict(pairs)
            return made if len(made) == len(pairs) else Opaque(json.dumps(described))
        if kind == "bytes":
            return bytes.fromhex(str(content))
        if kind == "int":
            return int(str(content), 16)
    except (TypeError, ValueError):
        return Opaque(json.dumps(described))
    return Opaque(json.dumps(described))


_ITEMS: dict[Any, Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def _items(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("no list of items")
    return content


def describe_value(value: Any) -> Any:
    """The description of what `parse_value` has made, or of other plain data."""
    if isinstance(value, Opaque):
        return value.described
    if isinstance(value, list):
        return [describe_value(item) for item in value]
    if isinstance(value, tuple):
        return {"t": "tuple", "v": [describe_value(item) for item in value]}
    if isinstance(value, set | frozenset):
        items = sorted((describe_value(item) for item in value), key=repr)
        return {"t": "set" if isinstance(value, set) else "frozenset", "v": items}
    if isinstance(value, dict):
        return {
            "t": "dict",
            "v": [[describe_value(k), describe_value(v)] for k, v in value.items()],
        }
    if isinstance(value, bytes):
        return {"t": "bytes", "v": value.hex()}
    if isinstance(value, int) and value.bit_length() > 1000:
        return {"t": "int", "v": hex(value)}
    return value
