"""Descriptions of values on the host's side; the grammar is that of `apr_probe.values`.

Plain data becomes plain Python, so that it can be varied. Everything else stays a description,
wrapped in `Opaque`: it is handed back to a sandbox as it came, never built here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apr.core.errors import SandboxDiedError

MAX_DEPTH = 60


@dataclass(frozen=True, slots=True, order=True)
class Opaque:
    """A value that only a process of the subject can build: the text of its description."""

    text: str

    @property
    def described(self) -> Any:
        """The description."""
        return json.loads(self.text)


def parse_value(described: Any) -> Any:
    """The plain value that a description stands for, or `Opaque`.

    Raises:
        SandboxDiedError: when it is no description.
    """
    if _is_linked(described):
        return Opaque(json.dumps(described))
    return _parse(described, 0)


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


def _parse(described: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise SandboxDiedError("a sandbox sent a value that is nested too deeply")
    if isinstance(described, list):
        return [_parse(item, depth + 1) for item in described]
    if not isinstance(described, dict):
        return described
    kind, content = described.get("t"), described.get("v")
    try:
        if kind in _ITEMS:
            return _ITEMS[kind](_parse(item, depth + 1) for item in _items(content))
        if kind == "dict":
            pairs = [(_parse(k, depth + 1), _parse(v, depth + 1)) for k, v in _items(content)]
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
