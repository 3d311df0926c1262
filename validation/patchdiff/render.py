"""Descriptions as Python source, for tests, and as short text, for questions."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from validation.patchdiff.model import Aspect, Call, Outcome, Target
from validation.patchdiff.targets import Span
from validation.patchdiff.values import describe_value

NEW_OBJECT = ("copyreg", "__newobj__")
SHOWN = 120
HELPERS = ("made", "content", "pytest", "warnings", "caught", "seen")
"""Names that tests have for themselves."""


class CannotRenderError(Exception):
    """A value has no expression: it refers to itself, or nobody can build it."""


@dataclass(slots=True)
class Renderer:
    """Turns descriptions into expressions, and remembers what these need.

    `names` are imported from modules of packages: a package often holds a function under the name
    of the module that it comes from, so that the dotted name of the module is not the module.
    """

    modules: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    needs_made: bool = False
    _known: set[int] = field(default_factory=set)
    _open: set[int] = field(default_factory=set)

    def expression(self, described: Any) -> str:
        """Source that evaluates to the value.

        Raises:
            CannotRenderError: when there is none.
        """
        if isinstance(described, list):
            return f"[{self._joined(described)}]"
        if not isinstance(described, dict):
            return _scalar(described)
        kind = described.get("t")
        if kind in ("tuple", "set", "frozenset", "iterator"):
            return self._items(kind, described["v"])
        if kind == "dict":
            pairs = (f"{self.expression(k)}: {self.expression(v)}" for k, v in described["v"])
            return "{" + ", ".join(pairs) + "}"
        if kind == "bytes":
            return repr(bytes.fromhex(described["v"]))
        if kind == "bytearray":
            return f"bytearray({bytes.fromhex(described['v'])!r})"
        if kind == "int":
            return str(described["v"])
        if kind == "global":
            return self.name(described["m"], described["q"])
        if kind == "module":
            self.modules.add(described["v"])
            return str(described["v"])
        if kind == "enum":
            return f"{self.name(described['m'], described['q'])}[{described['v']!r}]"
        if kind == "hole":
            return "object()"  # the call has been seen never to look at it
        return self._object(described)

    def name(self, module: str, qualified: str) -> str:
        """The expression for what a module holds.

        Raises:
            CannotRenderError: when a function holds it.
        """
        if "<locals>" in qualified:
            raise CannotRenderError(qualified)
        if module == "builtins":
            return qualified
        outer = qualified.partition(".")[0]
        if "." in module and _is_free(outer) and self.names.setdefault(outer, module) == module:
            return qualified
        self.modules.add(module)
        return f"{module}.{qualified}"

    def _joined(self, items: Sequence[Any]) -> str:
        return ", ".join(self.expression(item) for item in items)

    def _items(self, kind: str, items: Sequence[Any]) -> str:
        inside = self._joined(items)
        if kind == "tuple":
            return f"({inside},)" if len(items) == 1 else f"({inside})"
        if kind == "set":
            return f"{{{inside}}}" if items else "set()"
        return f"frozenset([{inside}])" if kind == "frozenset" else f"iter([{inside}])"

    def _object(self, described: dict[str, Any]) -> str:
        kind = described.get("t")
        if kind == "shared":
            number = described["n"]
            self._open.add(number)
            inside = self.expression(described["v"])
            self._open.discard(number)
            self._known.add(number)
            return f"(shared_{number} := {inside})"
        if kind == "ref" and described["n"] in self._known:
            return f"shared_{described['n']}"
        if kind != "made":
            raise CannotRenderError(str(kind))
        make = self.expression(described["f"])
        arguments = self._joined(described["a"])
        extra = [
            f"{word}={self.expression(described[key])}"
            for key, word in (("s", "state"), ("l", "items"))
            if key in described
        ]
        if "d" in described:
            pairs = ", ".join(f"({self._joined(pair)})" for pair in described["d"])
            extra.append(f"pairs=[{pairs}]")
        if not extra:
            return f"{make}({arguments})"
        self.needs_made = True
        return f"made({make}, [{arguments}], {', '.join(extra)})"

    def call(self, target: Target, call: Call, span: Span | None) -> str:
        """The call as one would write it: methods after their receiver."""
        document = call.document(target)
        arguments = [self.expression(each) for each in document["a"]]
        keywords = [f"{name}={self.expression(value)}" for name, value in document["k"]["v"]]
        owner, _, last = target.name.rpartition(".")
        decorators = span.decorators if span is not None else ()
        is_static = "staticmethod" in decorators or last == "__new__"
        if not owner or is_static or not arguments:
            return f"{self.name(target.module, target.name)}({', '.join(arguments + keywords)})"
        receiver, *rest = arguments
        if {"property", "cached_property"} & set(decorators):
            return f"{receiver}.{last}"
        return f"{receiver}.{_mangled(owner, last)}({', '.join(rest + keywords)})"


def _is_free(name: str) -> bool:
    """Whether a test can have it as a global: it hides nothing there, nor is it run by pytest."""
    is_used = name in HELPERS or hasattr(builtins, name)
    return not is_used and not name.lower().startswith(("test", "shared_"))


def _mangled(owner: str, name: str) -> str:
    if name.startswith("__") and not name.endswith("__"):
        return f"_{owner.rpartition('.')[2].lstrip('_')}{name}"
    return name


def _scalar(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def is_plain_object(described: Any) -> bool:
    """Whether it is an instance whose class and attributes are all there is to it."""
    if not isinstance(described, dict) or described.get("t") != "made":
        return False
    make = described["f"]
    is_new = isinstance(make, dict) and (make.get("m"), make.get("q")) == NEW_OBJECT
    state = described.get("s")
    has_names = isinstance(state, dict) and state.get("t") == "dict"
    return is_new and len(described["a"]) == 1 and (has_names or state is None)


def class_of(described: dict[str, Any]) -> str:
    """The qualified name of the class of a plain object."""
    kind = described["a"][0]
    return str(kind.get("q", "object")) if isinstance(kind, dict) else "object"


def show(described: Any) -> str:
    """A value for a reader: short, and never a source of code."""
    return _cut(_show(described, 0))


def _show(described: Any, depth: int) -> str:
    if depth > 5:
        return "…"
    if isinstance(described, list):
        return f"[{', '.join(_show(item, depth + 1) for item in described[:30])}]"
    if not isinstance(described, dict):
        return repr(described)
    kind = described.get("t")
    if kind == "tuple":
        inside = ", ".join(_show(item, depth + 1) for item in described["v"])
        return f"({inside},)" if len(described["v"]) == 1 else f"({inside})"
    if kind in ("set", "frozenset", "iterator"):
        inside = ", ".join(_show(item, depth + 1) for item in described["v"])
        return f"{{{inside}}}" if kind == "set" and inside else f"{kind}({inside})"
    if kind == "dict":
        pairs = (f"{_show(k, depth + 1)}: {_show(v, depth + 1)}" for k, v in described["v"][:30])
        return "{" + ", ".join(pairs) + "}"
    if kind == "bytes":
        return repr(bytes.fromhex(described["v"]))
    if kind == "shared":
        return _show(described["v"], depth + 1)
    if kind == "made":
        return _show_object(described, depth)
    if kind == "hole":
        return f"<any {described['v']}>"
    if kind == "opaque":
        return f"<{str(described.get('r') or described.get('v')).strip('<>')}>"
    return str(described.get("q") or described.get("v") or "the same again")


def _show_object(described: dict[str, Any], depth: int) -> str:
    if is_plain_object(described):
        pairs = (described.get("s") or {"v": []})["v"]
        inside = (f"{name}={_show(value, depth + 1)}" for name, value in pairs)
        return f"{class_of(described)}({', '.join(inside)})"
    make = described["f"]
    name = make.get("q", "object") if isinstance(make, dict) else "object"
    arguments = list(described["a"])
    if name.startswith("__newobj") and arguments and isinstance(arguments[0], dict):
        name = arguments.pop(0).get("q", "object")
    arguments += described.get("l", [])
    shown = [_show(each, depth + 1) for each in arguments]
    shown += [f"{_show(k, depth + 1)}: {_show(v, depth + 1)}" for k, v in described.get("d", [])]
    return f"{name}({', '.join(shown)})"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def show_call(target: Target, call: Call) -> str:
    """The call for a reader: `f(-1, key=2)`, a method after its receiver."""
    shown = [show(describe_value(value)) for value in call.arguments]
    shown += [f"{name}={show(describe_value(value))}" for name, value in call.keywords]
    return _cut(f"{target.name}({', '.join(shown)})")


def show_outcome(outcome: Outcome, aspects: Sequence[Aspect] = ()) -> str:
    """What happened, as a clause: `returns 0`, `raises ValueError('no')`.

    Side effects are told when they are among the `aspects` in which outcomes differ.
    """
    effects = [told for aspect in aspects for told in _show_effect(outcome, aspect)]
    return " and ".join([_show_ending(outcome), *effects])


def _show_ending(outcome: Outcome) -> str:
    if outcome.ended == "raised" and outcome.raised is not None:
        said = f"({outcome.raised.message!r})" if outcome.raised.message else ""
        return _cut(f"raises {outcome.raised.type}{said}")
    if outcome.ended == "returned":
        return f"returns {show(outcome.value)}"
    return {"timeout": "does not end in time", "died": "ends the process"}.get(
        outcome.ended, "cannot be called"
    )


def _show_effect(outcome: Outcome, aspect: Aspect) -> Iterator[str]:
    if aspect is Aspect.ARGUMENTS:
        changed = [
            f"makes argument {int(index) + 1} {show(value)}"
            for index, value in sorted(outcome.arguments.items())
            if index.isdecimal()
        ]
        yield from changed or ["leaves its arguments as they are"]
    elif aspect is Aspect.OUTPUT:
        yield f"prints {_cut(repr(outcome.stdout + outcome.stderr))}"
    elif aspect is Aspect.WARNINGS:
        yield f"warns {_cut(repr([message for _, message in outcome.warnings]))}"
    elif aspect is Aspect.STATE:
        kept = [f"sets {name} to {show(value)}" for name, value in sorted(outcome.state.items())]
        yield from kept or ["leaves its module as it is"]
    elif aspect is Aspect.FILES:
        yield f"writes {', '.join(sorted(outcome.files)) or 'no file'}"
