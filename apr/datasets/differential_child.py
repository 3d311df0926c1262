"""Calls one function on many inputs in its own limited process; run as `python child.py`.

Standard library only and self-contained, so that any sandbox can run a copy of this file. One
JSON object comes in on the first line of standard input:

    {"source", "entry_point", "cases", "call_limit_s", "memory_mib", "stop_at_timeout"}

One JSON object a case goes out, a line each, in order, and then `{"done": true}`. What the
program prints goes to standard error.
"""

from __future__ import annotations

import collections.abc
import hashlib
import itertools
import json
import os
import random
import resource
import signal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

MAX_ITEMS = 20_000
MAX_CHARACTERS = 200_000
LINKS = ("successor", "successors", "predecessors", "incoming_nodes", "outgoing_nodes")


class CallTimeoutError(BaseException):
    """A call used up its processor time; no `except Exception` may swallow it."""


class Node:
    """A graph node or list cell, hashed and compared by identity."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.successor: Node | None = None
        self.successors: list[Node] = []
        self.predecessors: list[Node] = []
        self.incoming_nodes: list[Node] = []
        self.outgoing_nodes: list[Node] = []


def decode(data: Any, nodes: Sequence[Any] = ()) -> Any:
    """The Python value that `encode` made `data` from; node references index `nodes`."""
    if isinstance(data, list):
        return [decode(item, nodes) for item in data]
    if not isinstance(data, dict):
        return data
    kind, items = data["t"], data["v"]
    if kind == "node":
        return nodes[items]
    if kind == "dict":
        return {decode(key, nodes): decode(value, nodes) for key, value in items}
    makers: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
    return makers[kind](decode(item, nodes) for item in items)


def encode(value: Any, nodes: Mapping[int, int] | None = None) -> Any:
    """`value` as JSON; iterators are read out, sets sorted, unknown objects shown by type."""
    known = nodes or {}
    if value is None or isinstance(value, bool | int | float | str):
        return _encode_scalar(value)
    if id(value) in known:
        return {"t": "node", "v": known[id(value)]}
    if isinstance(value, list):
        return [encode(item, known) for item in value]
    if isinstance(value, tuple):
        return {"t": "tuple", "v": [encode(item, known) for item in value]}
    if isinstance(value, set | frozenset):
        kind = "set" if isinstance(value, set) else "frozenset"
        return {"t": kind, "v": sorted((encode(item, known) for item in value), key=json.dumps)}
    if isinstance(value, dict):
        pairs = [[encode(key, known), encode(item, known)] for key, item in value.items()]
        return {"t": "dict", "v": sorted(pairs, key=json.dumps)}
    return _encode_object(value, known)


def _encode_scalar(value: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return None


def _encode_object(value: Any, known: Mapping[int, int]) -> Any:
    if isinstance(value, collections.abc.Iterator | range | collections.abc.ValuesView):
        items = list(itertools.islice(iter(value), MAX_ITEMS))
        return {"t": "iterator", "v": [encode(item, known) for item in items]}
    if isinstance(value, bytes | bytearray):
        return {"t": "bytes", "v": bytes(value).hex()}
    if isinstance(value, complex):
        return {"t": "complex", "v": [value.real, value.imag]}
    if isinstance(value, collections.abc.Sequence):
        return {"t": type(value).__name__, "v": [encode(item, known) for item in value]}
    return {"t": "object", "v": type(value).__name__}


def build_nodes(specs: Sequence[Mapping[str, Any]]) -> list[Node]:
    """The nodes of a case, linked by their indices."""
    nodes = [Node(decode(spec["value"])) for spec in specs]
    for node, spec in zip(nodes, specs, strict=True):
        for link in LINKS:
            if link in spec:
                setattr(node, link, decode(spec[link], nodes))
    return nodes


def call(function: Callable[..., Any], case: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
    """One call's outcome: its value and the nodes' final links, its exception, or a timeout."""
    nodes = build_nodes(case.get("nodes", ()))
    args = decode(case["args"], nodes)
    known = {id(node): index for index, node in enumerate(nodes)}
    random.seed(0)
    signal.setitimer(signal.ITIMER_PROF, limit_s, limit_s)
    try:
        outcome = {"value": encode(function(*args), known)}
        if nodes:
            outcome["nodes"] = [
                {link: encode(getattr(node, link, None), known) for link in LINKS} for node in nodes
            ]
    except CallTimeoutError:
        return {"timeout": True}
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is its outcome
        return {"raised": type(error).__name__}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return _shorten(outcome)


def _shorten(outcome: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(outcome)
    if len(text) <= MAX_CHARACTERS:
        return outcome
    return {"value": {"t": "digest", "v": hashlib.sha256(text.encode()).hexdigest()}}


def load_function(source: str, entry_point: str) -> Callable[..., Any]:
    """Execute `source` as a module of its own and pick one function of it."""
    module = types.ModuleType("program")
    sys.modules["program"] = module
    exec(compile(source, "program.py", "exec"), module.__dict__)
    function: Callable[..., Any] = getattr(module, entry_point)
    return function


def serve(request: Mapping[str, Any], out: TextIO) -> None:
    """Answer every case of `request`; a program that cannot be loaded fails each of them."""
    try:
        function = load_function(request["source"], request["entry_point"])
    except Exception as error:  # noqa: BLE001 - as above
        load_error = type(error).__name__

        def function(*_args: Any) -> Any:
            raise ImportError(load_error)

    for case in request["cases"]:
        outcome = call(function, case, request["call_limit_s"])
        out.write(json.dumps(outcome) + "\n")
        out.flush()
        if request["stop_at_timeout"] and "timeout" in outcome:
            break
    out.write('{"done": true}\n')
    out.flush()


def _limit_resources(memory_mib: int) -> None:
    """Lower the limits; a sandbox around this process may have set tighter ones."""
    mib = 1024 * 1024
    wanted = {
        resource.RLIMIT_AS: memory_mib * mib,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 16 * mib,
    }
    for kind, limit in wanted.items():
        _, hard = resource.getrlimit(kind)
        lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (lowest, lowest))


def _raise_timeout(*_args: Any) -> None:
    raise CallTimeoutError


def main() -> None:
    """Read one request, write the outcomes."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # set iteration must not vary between processes
        os.execve(
            sys.executable,
            [sys.executable, "-B", *sys.argv],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    request = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    signal.signal(signal.SIGPROF, _raise_timeout)
    _limit_resources(request["memory_mib"])
    serve(request, out)


if __name__ == "__main__":
    main()
