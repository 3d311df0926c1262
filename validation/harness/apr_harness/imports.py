"""Notices when a watched source file is about to be imported, by whichever loader."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from typing import Any, Callable, Iterable

COMPILE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)


class ImportWatch:
    """Calls `reach` before the first watched file is imported, `give_up` if one cannot be compiled.

    `give_up` None leaves the error to whoever imports the file.
    """

    def __init__(
        self,
        paths: Iterable[str],
        reach: Callable[[str], None],
        give_up: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.paths = frozenset(os.path.realpath(path) for path in paths)
        self._reach = reach
        self._give_up = give_up

    def watch_sources(self) -> None:
        """Watch what Python's own loader of source files loads."""
        original = importlib.machinery.SourceFileLoader.get_code
        watch = self

        def get_code(loader: Any, name: str) -> Any:
            is_watched = watch._notice(loader.path, name)
            try:
                return original(loader, name)
            except COMPILE_ERRORS as error:
                watch._refuse(error, is_watched)
                raise

        importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]

    def watch_rewriting(self) -> None:
        """Watch what pytest loads with its assertions rewritten: test modules and plugins."""
        from _pytest.assertion.rewrite import AssertionRewritingHook

        original = AssertionRewritingHook.exec_module
        watch = self

        def exec_module(hook: Any, module: Any) -> None:
            is_watched = watch._notice(module.__spec__.origin, module.__name__)
            if is_watched:
                try:
                    with open(module.__spec__.origin, "rb") as source:
                        compile(source.read(), module.__spec__.origin, "exec", dont_inherit=True)
                except COMPILE_ERRORS as error:
                    watch._refuse(error, is_watched)
            original(hook, module)

        AssertionRewritingHook.exec_module = exec_module  # type: ignore[method-assign]

    def _notice(self, path: Any, name: str) -> bool:
        is_watched = isinstance(path, str) and os.path.realpath(path) in self.paths
        if is_watched:
            self._reach("import of " + name)
        return is_watched

    def _refuse(self, error: BaseException, is_watched: bool) -> None:
        if is_watched and self._give_up is not None:
            self._give_up(error)

    def imported(self) -> str:
        """The name of a module that comes from a watched file and is loaded already, or nothing."""
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            done = not getattr(getattr(module, "__spec__", None), "_initializing", False)
            if path and done and os.path.realpath(path) in self.paths:
                return name
        return ""
