"""Whether a function declares an input invalid: by type hints or by what its docstring says.

Three forms of prose are understood: expressions under a heading `Precondition:`, parameters
described with a property (`n: a nonnegative int`, `n must be positive`), and nothing else.
Silence is no permission, so an input without a complaint is only *not declared* invalid.
"""

from __future__ import annotations

import ast
import collections.abc
import functools
import inspect
import re
import typing
from typing import Any, Callable, Mapping

HEADING = re.compile(r"^\s*pre-?conditions?:?\s*$", re.IGNORECASE)
PROPERTY = re.compile(
    r"\b(?P<name>[A-Za-z_]\w*)\s*(?:\([^)]*\))?\s*"
    r"(?::|must be|has to be|should be|is assumed to be)"
    r"\s+(?:an?\s+|the\s+)?(?:\w+\s+)?"
    r"(?P<property>non-?\s?negative|positive|non-?\s?empty|sorted|non-?\s?zero|odd|even)\b",
    re.IGNORECASE,
)
_HOLDS: dict[str, Callable[[Any], Any]] = {
    "nonnegative": lambda value: value >= 0,
    "positive": lambda value: value > 0,
    "nonempty": lambda value: len(value) > 0,
    "sorted": lambda value: list(value) == sorted(value),
    "nonzero": lambda value: value != 0,
    "odd": lambda value: value % 2 == 1,
    "even": lambda value: value % 2 == 0,
}
Check = Callable[[Mapping[str, Any]], str]
# Expressions of a docstring are code of the subject, and run where its other code runs too.


class Domain:
    """What one function says about its parameters."""

    def __init__(self, function: Any, name: str) -> None:
        self._function = inspect.unwrap(function) if callable(function) else function
        self._checks: list[Check] = [self._check_hints]
        text = _documentation(self._function, name)
        self._checks += [_expression(line) for line in _preconditions(text)]
        self._checks += [_property(match) for match in PROPERTY.finditer(text)]

    def complaint(self, arguments: list[Any], keywords: dict[str, Any]) -> str:
        """Why the input is declared invalid; empty when nothing says so."""
        try:
            bound = inspect.signature(self._function).bind(*arguments, **keywords)
        except (TypeError, ValueError):
            return ""
        bound.apply_defaults()
        for check in self._checks:
            try:
                found = check(bound.arguments)
            except Exception:
                continue
            if found:
                return found
        return ""

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        try:
            return typing.get_type_hints(self._function)
        except Exception:
            return {}

    def _check_hints(self, values: Mapping[str, Any]) -> str:
        for name, value in values.items():
            hint = self._hints.get(name, Any)
            if _is_plain_parameter(self._function, name) and not fits(value, hint):
                return f"{name} is declared {_name(hint)}, not {type(value).__name__}"
        return ""


def _is_plain_parameter(function: Any, name: str) -> bool:
    kind = inspect.signature(function).parameters[name].kind
    return kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def fits(value: Any, hint: Any) -> bool:
    """Whether the value is of the hinted type; hints that are not understood fit everything."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, (int, float))
    if hint is complex:
        return isinstance(value, (int, float, complex))
    if isinstance(hint, type) and origin is None:
        return _is_instance(value, hint)
    if origin is not None and str(origin) in ("typing.Union", "<class 'types.UnionType'>"):
        return any(fits(value, each) for each in arguments)
    if str(origin) == "typing.Literal":
        return value in arguments
    if not isinstance(origin, type):
        return True
    return _is_instance(value, origin) and _parts_fit(value, origin, arguments)


def _is_instance(value: Any, kind: type) -> bool:
    try:
        return isinstance(value, kind)
    except TypeError:
        return True


def _parts_fit(value: Any, origin: type, arguments: tuple[Any, ...]) -> bool:
    if not arguments:
        return True
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if issubclass(origin, collections.abc.Mapping) and len(arguments) == 2:
        return all(fits(k, arguments[0]) and fits(v, arguments[1]) for k, v in value.items())
    if issubclass(origin, collections.abc.Collection) and isinstance(value, collections.abc.Sized):
        return all(fits(item, arguments[0]) for item in value)
    return True


def _documentation(function: Any, name: str) -> str:
    """The docstring, or else the text that directly follows the function in its module."""
    own = getattr(function, "__doc__", None) or ""
    return own if isinstance(own, str) and own.strip() else _text_after(function, name)


def _text_after(function: Any, name: str) -> str:
    try:
        body = ast.parse(inspect.getsource(inspect.getmodule(function))).body  # type: ignore[arg-type]
    except Exception:
        return ""
    for node, following in zip(body, body[1:]):  # noqa: RUF007 - for old interpreters
        if getattr(node, "name", None) == name and isinstance(following, ast.Expr):
            value = getattr(following.value, "value", None)
            return value if isinstance(value, str) else ""
    return ""


def _preconditions(text: str) -> list[str]:
    lines = text.splitlines()
    found: list[str] = []
    for index, line in enumerate(lines):
        if HEADING.match(line):
            for following in lines[index + 1 :]:
                if not following.strip():
                    break
                found.append(following.strip())
    return found


def _expression(line: str) -> Check:
    try:
        code = compile(line, "<precondition>", "eval")
    except (SyntaxError, ValueError):
        return lambda values: ""
    return lambda values: "" if eval(code, {}, dict(values)) else f"the docstring demands {line}"


def _property(match: Any) -> Check:
    name, words = match["name"], match["property"]
    holds = _HOLDS[re.sub(r"[-\s]", "", words.lower())]

    def check(values: Mapping[str, Any]) -> str:
        if name not in values or holds(values[name]):
            return ""
        return f"the docstring says that {name} is {words}"

    return check
