"""Calls one function on many inputs in its own limited process; run as `python child.py`.

It needs the standard library, and `apr_probe.values` in the folder of the harness, whose
descriptions of values it reads and writes. One JSON object comes in on the first line of standard
input:

    {"source", "entry_point", "cases", "call_limit_s", "memory_mib", "stop_at_timeout"}

One JSON object a case goes out, a line each, in order, and then `{"done": true}`. What the
program prints goes to standard error. A "ref" is a node of the case, by its index.
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
from pathlib import Path
from typing import Any, TextIO

sys.path.append(str(Path(__file__).resolve().parents[2] / "validation" / "harness"))

from apr_probe.values import describe, rebuild

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


class _Nodes:
    """The nodes of a case as the names by which they are described."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._numbers = {id(node): index for index, node in enumerate(nodes)}

    def find(self, value: Any) -> Any:
        """The description of a node; None for what is none."""
        number = self._numbers.get(id(value))
        return None if number is None else {"t": "ref", "n": number}


def encode(value: Any, nodes: Sequence[Node] = ()) -> Any:
    """The description of a value; iterators, ranges and views are read out."""
    if isinstance(value, collections.abc.Iterator | range | collections.abc.ValuesView):
        items = list(itertools.islice(iter(value), MAX_ITEMS))
        return {"t": "iterator", "v": encode(items, nodes)}
    return describe(value, lenient=True, nodes=MAX_ITEMS, names=_Nodes(nodes))  # type: ignore[arg-type]


def decode(described: Any, nodes: Sequence[Node] = ()) -> Any:
    """The value that `encode` made the description from."""
    return rebuild(described, dict(enumerate(nodes)))


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
    random.seed(0)
    signal.setitimer(signal.ITIMER_PROF, limit_s, limit_s)
    try:
        outcome = {"value": encode(function(*args), nodes)}
        if nodes:
            outcome["nodes"] = [
                {link: encode(getattr(node, link, None), nodes) for link in LINKS} for node in nodes
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
