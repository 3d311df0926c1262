"""Records with which arguments a suite calls the subject's functions, and who calls whom."""

from __future__ import annotations

import ast
import json
import os
import sys
import threading
import time
import weakref
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from typing import Any, Callable, Iterator

from apr_probe.values import Names, NotDescribableError, describe

MAX_CASES = 60
MAX_ATTEMPTS = 2000
MAX_CASES_ELSEWHERE = 8  # of a function that has not led to a target yet
MAX_BLAMES = 5000
MAX_CHARACTERS = 60_000
SHARE = 0.6
_clock = time.perf_counter  # a test may replace the one in `time`
_RESUMABLE = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


class Function:
    """What was seen of one function."""

    def __init__(self, code: Any, path: str, module: str, name: str) -> None:
        self.code = code
        self.path = path
        self.module = module
        self.name = name
        self.first = code.co_firstlineno
        self.calls = 0
        self.skipped = 0
        self.why_skipped = ""
        self.cases: dict[str, tuple[Any, str]] = {}
        self.reaches: set[str] = set()
        self.start = 1 << 30  # the lowest instruction at which a frame of it was entered

    @property
    def key(self) -> str:
        return f"{self.path}:{self.name}"


class Capture:
    """A trace function that sees every call in the `files`; `targets` are the keys that matter.

    It looks while tests run, not while they are collected. Describing arguments stops when it has
    taken `SHARE` of the elapsed time and a second, so that it never slows a suite down by more.
    So many `seconds` after the first test began it calls `stop`, which is to end the process.
    """

    def __init__(
        self,
        root: str,
        files: list[str],
        targets: list[str],
        seconds: float,
        stop: Callable[[], None],
    ) -> None:
        self._root = root
        self._paths = {os.path.join(root, path): path for path in files}
        self._targets = frozenset(targets)
        self._functions: dict[Any, Function | None] = {}
        self._names: dict[str, dict[int, str]] = {}
        self._made: dict[int, tuple[Any, Any]] = {}
        self._names_of_objects = Names()
        self._test = ""
        self._spent = 0.0
        self._busy = False
        self._started = _clock()
        self._seconds = seconds
        self._deadline = float("inf")
        self._stop = stop
        self._pid = os.getpid()

    def switch(self, test: str) -> None:
        """From now on, calls belong to `test`; empty: look no more."""
        self._test = test
        if test and self._deadline == float("inf"):  # the first one
            self._deadline = _clock() + self._seconds
        # Of a trace function that asks for no lines, only calls are told.
        trace = self._trace if test else None
        threading.settrace(trace)  # type: ignore[arg-type]
        sys.settrace(trace)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What was recorded about the targets and about whoever reaches them."""
        for function in self._functions.values():
            if function is None or not (function.key in self._targets or function.reaches):
                continue
            yield {
                "k": "function",
                "path": function.path,
                "m": function.module,
                "q": function.name,
                "reaches": sorted(function.reaches),
                "calls": function.calls,
                "skipped": function.skipped,
                "why": function.why_skipped,
            }
            for case, test in function.cases.values():
                arguments, keywords = case
                yield {"k": "case", "a": arguments, "kw": keywords, "test": test}

    def _trace(self, frame: Any, event: str, argument: Any) -> None:
        if self._busy:
            return
        if _clock() > self._deadline and os.getpid() == self._pid:
            self._busy = True
            self._stop()
        code = frame.f_code
        if code not in self._functions:
            self._functions[code] = self._make_function(frame)
        function = self._functions[code]
        if function is None:
            return
        if code.co_flags & _RESUMABLE:
            if frame.f_lasti > function.start:
                return  # resumed, not called
            function.start = frame.f_lasti
        self._busy = True
        try:
            self._record(frame, function)
        finally:
            self._busy = False

    def _make_function(self, frame: Any) -> Function | None:
        code = frame.f_code
        path = self._paths.get(code.co_filename)
        if path is None or code.co_name.startswith("<"):
            return None
        name = getattr(code, "co_qualname", None) or self._qualified_name(code)
        return Function(code, path, str(frame.f_globals.get("__name__")), name)

    def _qualified_name(self, code: Any) -> str:
        """For interpreters before 3.11, by the line on which the function begins."""
        if code.co_filename not in self._names:
            with open(code.co_filename, "rb") as file:
                self._names[code.co_filename] = dict(_names(ast.parse(file.read()), ""))
        return self._names[code.co_filename].get(code.co_firstlineno, "<locals>")

    def _record(self, frame: Any, function: Function) -> None:
        function.calls += 1
        if function.key in self._targets:
            self._blame_callers(frame, function)
        if "<locals>" in function.name:
            return
        matters = bool(function.reaches) or function.key in self._targets
        room = MAX_CASES if matters else MAX_CASES_ELSEWHERE
        share = SHARE if matters else SHARE / 3
        has_room = len(function.cases) < room and function.calls <= MAX_ATTEMPTS
        if has_room and self._spent < 1.0 + share * (_clock() - self._started):
            before = _clock()
            self._describe(frame, function)
            self._spent += _clock() - before

    def _blame_callers(self, frame: Any, function: Function) -> None:
        if function.calls > MAX_BLAMES:
            return
        above = frame.f_back
        while above is not None:
            caller = self._functions.get(above.f_code)
            if caller is not None and caller is not function:
                caller.reaches.add(function.key)
            above = above.f_back

    def _describe(self, frame: Any, function: Function) -> None:
        arguments, keywords = _arguments(frame)
        receiver = self._made.get(id(arguments[0])) if arguments else None
        try:
            described = self._describe_value([arguments, keywords])
        except NotDescribableError as error:
            if receiver is None or receiver[0]() is not arguments[0]:
                described = self._with_holes(function, arguments, keywords, error)
            else:
                described = self._with_recipe(function, receiver[1], arguments[1:], keywords)
            if described is None:
                return
        text = json.dumps(described)
        if len(text) <= MAX_CHARACTERS:
            function.cases.setdefault(text, (described, self._test))
        if function.name.endswith(".__init__") and arguments:
            self._remember(arguments, keywords)

    def _describe_value(self, value: Any) -> Any:
        """By value where that is possible, else with the names of what modules hold."""
        try:
            return describe(value)
        except NotDescribableError:
            return describe(value, names=self._names_of_objects)

    def _with_holes(
        self,
        function: Function,
        arguments: list[Any],
        keywords: dict[str, Any],
        error: NotDescribableError,
    ) -> Any:
        """What can be described of them, since the call may not look at the rest."""
        try:
            if function.key in self._targets:
                return describe([arguments, keywords], names=self._names_of_objects, holes=True)
        except NotDescribableError as another:
            error = another
        function.skipped += 1
        function.why_skipped = str(error)[:200]
        return None

    def _with_recipe(
        self, function: Function, recipe: Any, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        """The receiver as it was made, since it cannot be described as it is."""
        try:
            rest, described = self._describe_value([arguments, keywords])
        except NotDescribableError as error:
            function.skipped += 1
            function.why_skipped = str(error)[:200]
            return None
        return [[recipe, *rest], described]

    def _remember(self, arguments: list[Any], keywords: dict[str, Any]) -> None:
        """How an object was made, for as long as it lives."""
        made = arguments[0]
        try:
            kind = describe(type(made))
            recipe = {"t": "made", "f": kind, "a": self._describe_value(arguments[1:])}
            self._made[id(made)] = (weakref.ref(made), recipe)
        except (NotDescribableError, TypeError):
            return
        if keywords:
            del self._made[id(made)]


def _arguments(frame: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a frame that was just entered, by position and by keyword."""
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames
    count = code.co_argcount
    positional = [values[name] for name in names[:count]]
    keyword_only = names[count : count + code.co_kwonlyargcount]
    keywords = {name: values[name] for name in keyword_only}
    position = count + code.co_kwonlyargcount
    if code.co_flags & 0x04:
        positional.extend(values[names[position]])
        position += 1
    if code.co_flags & 0x08:
        keywords.update(values[names[position]])
    return positional, keywords


def _names(node: ast.AST, prefix: str) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}{child.name}"
            first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
            if not isinstance(child, ast.ClassDef):
                yield first, name
            inner = f"{name}." if isinstance(child, ast.ClassDef) else f"{name}.<locals>."
            yield from _names(child, inner)
        else:
            yield from _names(child, prefix)
