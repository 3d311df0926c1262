"""Inputs of a function as plain data: arguments, and the linked nodes they may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apr.datasets.differential_child import encode


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A graph node or list cell; `links` maps an attribute to a node index or a list of them."""

    value: Any
    links: Mapping[str, int | tuple[int, ...] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeRef:
    """An argument, or part of one, that is the case's node of this index."""

    index: int


@dataclass(frozen=True, slots=True)
class Case:
    """One call: its positional arguments and the nodes they refer to."""

    args: tuple[Any, ...]
    nodes: tuple[NodeSpec, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The case as the child process reads it."""
        return {
            "args": [_encode(arg) for arg in self.args],
            "nodes": [_encode_node(node) for node in self.nodes],
        }


def _encode(value: Any) -> Any:
    if isinstance(value, NodeRef):
        return {"t": "node", "v": value.index}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, tuple):
        return {"t": "tuple", "v": [_encode(item) for item in value]}
    if isinstance(value, dict):
        return {"t": "dict", "v": [[_encode(k), _encode(v)] for k, v in value.items()]}
    return encode(value)


def _encode_node(node: NodeSpec) -> dict[str, Any]:
    links = {name: _encode_link(target) for name, target in node.links.items()}
    return {"value": encode(node.value), **links}


def _encode_link(target: int | tuple[int, ...] | None) -> Any:
    if target is None:
        return None
    if isinstance(target, int):
        return {"t": "node", "v": target}
    return [{"t": "node", "v": index} for index in target]
