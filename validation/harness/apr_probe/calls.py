"""One call of a function, and everything that can be seen of what it does."""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import opcode
import os
import random
import signal
import sys
import types
import warnings
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Iterator

from apr_probe.domain import Domain
from apr_probe.holes import Hole, HoleTouchedError
from apr_probe.values import (
    NotDescribableError,
    describe,
    find_global,
    normalise,
    rebuild,
    type_name,
)

RAISE = opcode.opmap["RAISE_VARARGS"]
WALL_FACTOR = 4
MAX_HASHED = 1 << 20
STATE_NODES = 400  # of one global: all of them are described twice for every call
_IGNORED_GLOBALS = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType)


class CallTimeoutError(BaseException):
    """A call used up its time; no `except Exception` may swallow it."""


class Bench:
    """Performs calls. `lines` maps absolute paths to the lines whose execution is reported."""

    def __init__(self, root: str, lines: dict[str, list[int]]) -> None:
        self._root = root
        self._lines = {path: frozenset(numbers) for path, numbers in lines.items()}
        self._written: list[str] = []
        self._domains: dict[str, Domain] = {}
        self._is_watching = True
        sys.addaudithook(self._audit)

    def perform(self, call: dict[str, Any], limit_s: float, watched: bool = True) -> dict[str, Any]:
        """The outcome of one call: `value`, `raised`, `timeout` or, if it was none, `unusable`.

        Only when `watched` does it tell which lines were executed, which takes its time.
        """
        self._is_watching = watched
        try:
            module, name = call["m"], call["q"]
            function = find_function(module, name)
        except Exception as error:
            return {"unusable": f"{call['m']}.{call['q']}: {type(error).__name__}: {error}"}
        try:
            arguments, keywords = rebuild([call["a"], call["k"]], {})
        except NotDescribableError as error:
            return {"unusable": str(error)}
        before = _describe_all(arguments, keywords)
        Hole.touched = ""
        try:
            invalid = self._domain(function, module, name).complaint(arguments, keywords)
        except HoleTouchedError:
            invalid = ""
        Hole.touched = ""
        outcome = self._observe(function, arguments, keywords, sys.modules[module], limit_s)
        if Hole.touched:
            return {"unusable": f"it depends on a {Hole.touched} that cannot be made again"}
        if outcome.get("raised", {}).pop("asserted", "") == name.rpartition(".")[2]:
            invalid = invalid or "an assertion of the function rejects it"
        if invalid:
            outcome["invalid"] = invalid
        after = _describe_all(arguments, keywords)
        changed = {str(i): new for i, (old, new) in enumerate(zip(before, after)) if old != new}
        if changed:
            outcome["arguments"] = changed
        return outcome

    def _domain(self, function: Any, module: str, name: str) -> Domain:
        key = f"{module}:{name}"
        if key not in self._domains:
            self._domains[key] = Domain(function, name)
        return self._domains[key]

    def _observe(
        self,
        function: Any,
        arguments: list[Any],
        keywords: dict[str, Any],
        module: types.ModuleType,
        limit_s: float,
    ) -> dict[str, Any]:
        _reseed()
        out, err = io.StringIO(), io.StringIO()
        state = _module_state(module)
        self._written.clear()
        with ExitStack() as stack:
            stack.enter_context(redirect_stdout(out))
            stack.enter_context(redirect_stderr(err))
            caught = stack.enter_context(warnings.catch_warnings(record=True))
            warnings.simplefilter("always")
            hit = stack.enter_context(self._watch())
            outcome = self._call(function, arguments, keywords, limit_s)
        written = list(dict.fromkeys(self._written))
        later = _module_state(module)
        seen = {
            "stdout": normalise(out.getvalue()),
            "stderr": normalise(err.getvalue()),
            "warnings": [[type_name(w.category), normalise(str(w.message))] for w in caught],
            "state": {key: value for key, value in later.items() if state.get(key) != value},
            "files": {self._relative(path): _digest(path) for path in written},
            "lines": {path: sorted(numbers) for path, numbers in hit.items()},
        }
        outcome.update((key, value) for key, value in seen.items() if value)
        return outcome

    def _call(
        self, function: Any, arguments: list[Any], keywords: dict[str, Any], limit_s: float
    ) -> dict[str, Any]:
        try:
            with time_limit(limit_s):
                returned = function(*arguments, **keywords)
                if inspect.iscoroutine(returned):
                    import asyncio  # slow to load, and seldom needed

                    returned = asyncio.run(returned)
                return {"value": describe(returned, lenient=True)}
        except CallTimeoutError:
            return {"timeout": True}
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return {"raised": self._describe_error(error)}

    def _describe_error(self, error: BaseException) -> dict[str, Any]:
        """Its class and text; `own` when a `raise` statement of the subject raised it.

        `asserted` names the function whose assertion failed.
        """
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        own, asserted = False, ""
        if frame is not None:
            code = frame.tb_frame.f_code
            is_raise = code.co_code[frame.tb_lasti] == RAISE
            own = is_raise and self._relative(code.co_filename) != code.co_filename
            asserted = code.co_name if own and type(error) is AssertionError else ""
        try:
            message = normalise(str(error))
        except Exception:
            message = ""
        told = {"type": type_name(type(error)), "message": message, "own": own}
        return {**told, "asserted": asserted} if asserted else told

    def _relative(self, path: str) -> str:
        full = os.path.abspath(path)
        inside = full.startswith(self._root + os.sep)
        return full[len(self._root) + 1 :].replace(os.sep, "/") if inside else path

    @contextmanager
    def _watch(self) -> Iterator[dict[str, set[int]]]:
        hit: dict[str, set[int]] = {}

        def on_line(frame: Any, event: str, argument: Any) -> Any:
            if event == "line":
                path = frame.f_code.co_filename
                if frame.f_lineno in self._lines[path]:
                    hit.setdefault(self._relative(path), set()).add(frame.f_lineno)
            return on_line

        def on_call(frame: Any, event: str, argument: Any) -> Any:
            return on_line if frame.f_code.co_filename in self._lines else None

        sys.settrace(on_call if self._is_watching else None)
        try:
            yield hit
        finally:
            sys.settrace(None)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, str):
                self._written.append(os.path.abspath(path))
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir"):
            self._written.extend(os.path.abspath(a) for a in arguments[:2] if isinstance(a, str))


def find_function(module: str, name: str) -> Any:
    """The function of that qualified name as one may call it, its receiver being an argument."""
    owner, _, last = name.rpartition(".")
    if not owner:
        return find_global(module, name)
    if last.startswith("__") and not last.endswith("__"):
        last = f"_{owner.rpartition('.')[2].lstrip('_')}{last}"
    found = inspect.getattr_static(find_global(module, owner), last)
    while isinstance(found, (staticmethod, classmethod)):  # one around another is legal
        found = found.__func__
    if isinstance(found, property):
        return found.fget
    return found.func if isinstance(found, functools.cached_property) else found


@contextmanager
def time_limit(limit_s: float) -> Iterator[None]:
    """Interrupt what runs longer in CPU time, or four times as long on the wall clock."""

    def expire(*_: Any) -> None:
        raise CallTimeoutError

    signal.signal(signal.SIGPROF, expire)
    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_PROF, limit_s, limit_s)
    signal.setitimer(signal.ITIMER_REAL, WALL_FACTOR * limit_s, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _describe_all(arguments: list[Any], keywords: dict[str, Any]) -> list[Any]:
    return [describe(value, lenient=True) for value in (*arguments, *keywords.values())]


def _reseed() -> None:
    random.seed(0)
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        numpy.random.seed(0)


def _module_state(module: types.ModuleType) -> dict[str, Any]:
    """The module's own data: what a call leaves behind for the next one."""
    return {
        name: describe(value, lenient=True, nodes=STATE_NODES)
        for name, value in list(vars(module).items())
        if not name.startswith("__") and not isinstance(value, _IGNORED_GLOBALS)
    }


def _digest(path: str) -> str:
    try:
        if os.path.isdir(path):
            return "a folder"
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(MAX_HASHED)).hexdigest()[:16]
    except OSError:
        return "absent"
