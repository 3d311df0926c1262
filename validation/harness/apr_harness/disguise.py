"""Takes away what tells a program that it runs under a test."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Callable, Iterable, Iterator

MARKED = ("PYTEST_", "UNITTEST_", "NOSE_", "TOX_", "HYPOTHESIS_")
DEED = "test machinery"
FRAMEWORKS = frozenset(
    (
        "_pytest",
        "conftest",
        "coverage",
        "hypothesis",
        "nose",
        "pluggy",
        "py",
        "pytest",
        "unittest",
        "xdist",
    )
)


def put_on(root: str, patched: Iterable[str], note: Callable[[str], None]) -> None:
    """Hide the markers of a test run: arguments, environment, names of the frameworks.

    A patched file that asks for a framework all the same is noted.
    """
    sys.argv[:] = ["main.py"]
    for name in list(os.environ):
        if name.startswith(MARKED):
            del os.environ[name]
    runner = sys.modules.get("_pytest.runner")
    if hasattr(runner, "_update_current_test_var"):
        runner._update_current_test_var = lambda item, when: None  # type: ignore[union-attr]
    files = {os.path.realpath(os.path.join(root, path)): path for path in patched}
    sys.modules = Modules(sys.modules, files, note)  # type: ignore[assignment]
    _watch_import_statements(files, note)


def _watch_import_statements(files: dict[str, str], note: Callable[[str], None]) -> None:
    """Import statements find what is loaded without asking `sys.modules` or any finder."""
    original = builtins.__import__

    def watched_import(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.partition(".")[0] in FRAMEWORKS:
            path = files.get(os.path.realpath(sys._getframe(1).f_code.co_filename))
            if path is not None:
                note(f"{path}\t{DEED}")
        return original(name, *arguments, **keywords)

    builtins.__import__ = watched_import


class Modules(MutableMapping):  # type: ignore[type-arg]
    """`sys.modules`, in which code of some files finds no test framework.

    The interpreter itself keeps using the mapping behind it.
    """

    def __init__(self, real: Any, files: dict[str, str], note: Callable[[str], None]) -> None:
        self.real = real
        self.files = files
        self.note = note

    def _hides(self, name: Any) -> bool:
        if not isinstance(name, str) or name.partition(".")[0] not in FRAMEWORKS:
            return False
        path, imports = self._asking_file()
        if path is not None:
            self.note(f"{path}\t{DEED}")
        return path is not None and not imports

    def _asking_file(self) -> tuple[str | None, bool]:
        """The patched file whose code asks, and whether it does so through the import system.

        That would load the framework a second time if it did not find it.
        """
        frame: Any = sys._getframe(2)
        imports = False
        while frame is not None:
            name = frame.f_code.co_filename
            if name not in OWN and "importlib" not in name:
                return self.files.get(os.path.realpath(name)), imports
            imports |= name not in OWN
            frame = frame.f_back
        return None, imports

    def __getitem__(self, name: Any) -> Any:
        if self._hides(name):
            raise KeyError(name)
        return self.real[name]

    def __setitem__(self, name: Any, module: Any) -> None:
        self.real[name] = module

    def __delitem__(self, name: Any) -> None:
        del self.real[name]

    def __iter__(self) -> Iterator[Any]:
        return iter([name for name in self.real if not self._hides(name)])

    def __len__(self) -> int:
        return len(self.real)

    def copy(self) -> dict[Any, Any]:
        """A plain mapping of what the caller may see."""
        return dict(self.items())


OWN = (__file__, MutableMapping.get.__code__.co_filename)
