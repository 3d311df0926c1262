"""Inputs of a function as plain data: arguments, and the linked nodes they may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from validation.patchdiff.values import describe_value


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
            "args": [_describe(arg) for arg in self.args],
            "nodes": [_describe_node(node) for node in self.nodes],
        }


def _describe(value: Any) -> Any:
    if isinstance(value, NodeRef):
        return _refer(value.index)
    if isinstance(value, list):
        return [_describe(item) for item in value]
    if isinstance(value, tuple):
        return {"t": "tuple", "v": [_describe(item) for item in value]}
    if isinstance(value, dict):
        return {"t": "dict", "v": [[_describe(k), _describe(v)] for k, v in value.items()]}
    return describe_value(value)


def _describe_node(node: NodeSpec) -> dict[str, Any]:
    links = {name: _describe_link(target) for name, target in node.links.items()}
    return {"value": describe_value(node.value), **links}


def _describe_link(target: int | tuple[int, ...] | None) -> Any:
    if isinstance(target, tuple):
        return [_refer(index) for index in target]
    return None if target is None else _refer(target)


def _refer(index: int) -> dict[str, Any]:
    """The description of a node of the case, which its process numbers so."""
    return {"t": "ref", "n": index}
