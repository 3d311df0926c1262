"""Remembers what decides a test's outcome, by identity, and names whatever was replaced."""

from __future__ import annotations

import builtins
import signal
import sys
from hashlib import blake2b
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Iterator, Tuple

Entry = Tuple[str, Any, str, Any]  # noqa: UP006 - label, mapping, key, value
MODULES = (
    "_pytest._code.code",
    "_pytest.assertion",
    "_pytest.assertion.rewrite",
    "_pytest.assertion.util",
    "_pytest.config",
    "_pytest.fixtures",
    "_pytest.main",
    "_pytest.mark.structures",
    "_pytest.nodes",
    "_pytest.outcomes",
    "_pytest.python",
    "_pytest.python_api",
    "_pytest.raises",
    "_pytest.recwarn",
    "_pytest.reports",
    "_pytest.runner",
    "_pytest.skipping",
    "_pytest.unittest",
    "pluggy._callers",
    "pluggy._hooks",
    "pluggy._manager",
    "pluggy._result",
    "pytest",
    "unittest.async_case",
    "unittest.case",
    "unittest.loader",
    "unittest.mock",
    "unittest.result",
    "unittest.suite",
    "unittest.util",
    "numpy.testing",
    "numpy.testing._private.utils",
    "pandas._testing.asserters",
    "contextlib",
    "functools",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "importlib.machinery",
    "inspect",
    "math",
    "operator",
    "os",
    "sys",
    "traceback",
)
TIMERS = frozenset((signal.SIGALRM, signal.SIGPROF))  # they are the harness's own


class Fingerprint:
    """Holds on to what it saw, so that no other object can take an old one's identity."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._functions: list[Any] = []
        self._sizes: list[Any] = []
        self._hooks: list[Any] = []
        self._state = _state()
        self._known: set[str] = set()
        for name in MODULES:
            module = sys.modules.get(name)
            if isinstance(module, ModuleType):
                self.add_module(name, module, names_too=name not in ("sys", "os"))
        self.add_module("builtins", builtins, names_too=False)

    def add_module(self, name: str, module: ModuleType, names_too: bool = True) -> None:
        """Remember the functions and classes of a module and, with `names_too`, that no more come.

        Data is left out: counters and caches change all the time.
        """
        self._entries.append((f"sys.modules[{name}]", sys.modules, name, module))
        namespace = vars(module)
        if names_too:
            self._sizes.append((name, namespace, frozenset(namespace)))
        for key, value in list(namespace.items()):
            if callable(value):
                self._add(f"{name}.{key}", namespace, key, value)
                if names_too and is_class(value) and value.__module__ == name:
                    self._add_class(f"{name}.{key}", value)

    def _add_class(self, label: str, kind: type) -> None:
        namespace = vars(kind)
        self._sizes.append((label, namespace, frozenset(namespace)))
        for key, value in list(namespace.items()):
            if callable(value) or type(value) in (classmethod, staticmethod, property):
                self._add(f"{label}.{key}", namespace, key, value)

    def _add(self, label: str, namespace: Any, key: str, value: Any) -> None:
        self._entries.append((label, namespace, key, value))
        function = plain_function(value)
        if function is not None:
            defaults = function.__defaults__, function.__kwdefaults__
            self._functions.append((label, function, function.__code__, *defaults))

    def add_hooks(self, relay: Any) -> None:
        """Remember which functions pytest's hooks call, in which order."""
        for name, caller in list(vars(relay).items()):
            if hasattr(caller, "get_hookimpls"):
                self._hooks.append((name, caller, _implementations(caller)))

    def changes(self) -> list[str]:
        """The labels of what differs and was not named before."""
        found: set[str] = set()
        for label, namespace, key, value in self._entries:
            if namespace.get(key) is not value:
                found.add(label)
        for label, function, code, defaults, by_name in self._functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                found.add(label)
            if function.__kwdefaults__ is not by_name:
                found.add(label)
        for label, namespace, keys in self._sizes:
            if len(namespace) != len(keys):
                found.update(_shadows(label, namespace, keys))
        for name, caller, functions in self._hooks:
            if _implementations(caller) != functions:
                found.update(f"hook {name}: {label}" for label in _labels(caller, functions))
        state = _state()
        for label in set(state) | set(self._state):
            if state.get(label) is not self._state.get(label):
                found.add(label)
        new = sorted(found - self._known)
        self._known |= found
        return new


def plain_function(value: Any) -> Any:
    """The Python function in a value, or None.

    Nothing is asked of the value itself: a proxy would answer for what stands behind it, or fail.
    """
    if type(value) in (classmethod, staticmethod, MethodType):
        value = value.__func__
    return value if type(value) is FunctionType else None


def is_class(value: Any) -> bool:
    """Whether a value is a class, by its own type and not by what it says."""
    return issubclass(type(value), type)


def _shadows(label: str, namespace: Any, keys: Any) -> Iterator[str]:
    for key in list(namespace):
        if key not in keys and callable(namespace[key]):
            yield f"{label}.{key}"


def _implementations(caller: Any) -> list[Any]:
    return [implementation.function for implementation in caller.get_hookimpls()]


def _labels(caller: Any, before: list[Any]) -> Iterator[str]:
    now = _implementations(caller)
    for function in (*now, *before):
        if function not in before or function not in now:
            yield f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"


def _state() -> dict[str, Any]:
    """What else steers the interpreter: tracing, signal handlers, import hooks."""
    state = {"tracing": sys.gettrace(), "profiling": sys.getprofile()}
    for number in signal.valid_signals():
        if number not in TIMERS:
            handler = signal.getsignal(number)
            state[f"handler of signal {int(number)}"] = None if _is_plain(handler) else handler
    for finder in sys.meta_path:
        kind = finder if isinstance(finder, type) else type(finder)
        state[f"finder {kind.__module__}.{kind.__qualname__}"] = kind
    return state


def _is_plain(handler: Any) -> bool:
    """Handlers that are no functions are small numbers, wrapped anew at each look."""
    return handler is None or isinstance(handler, int)


def digest(function: Any, depth: int = 3) -> str:
    """A digest of what a function executes, wrappers and enclosed functions included."""
    state = blake2b(digest_size=16)
    _feed(state, function, depth)
    return state.hexdigest()


def _feed(state: Any, value: Any, depth: int) -> None:
    function = plain_function(value)
    if function is None:
        return
    _feed_code(state, function.__code__)
    for cell in (function.__closure__ or ()) if depth else ():
        try:
            content = cell.cell_contents
        except ValueError:
            continue
        _feed(state, content, depth - 1)


def _feed_code(state: Any, code: CodeType) -> None:
    state.update(code.co_code)
    for constant in code.co_consts:
        _feed_constant(state, constant)
    state.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())


def _feed_constant(state: Any, constant: Any) -> None:
    if isinstance(constant, CodeType):
        _feed_code(state, constant)
    elif isinstance(constant, tuple):
        for part in constant:
            _feed_constant(state, part)
    else:
        # The order of a set differs from process to process.
        parts = sorted(map(repr, constant)) if isinstance(constant, frozenset) else [repr(constant)]
        state.update("\0".join(parts).encode("utf-8", "replace"))
