"""Watches the referee itself during one run: canaries, fingerprint, audit, disguise.

Nothing is decided here. Everything seen is told to the host, which holds it against what the
unpatched program does in the same run.
"""

from __future__ import annotations

import os
import random
import sys
from hashlib import blake2b
from types import ModuleType
from typing import Any, Iterable, Iterator, Sequence

from apr_harness import disguise
from apr_harness.audit import Audit, looks_like_test
from apr_harness.fingerprint import Fingerprint, digest, is_class, plain_function
from apr_harness.imports import ImportWatch
from apr_harness.recorder import Recorder

CANARIES = 8


class Guard:
    """One guarded run; `begin` is due before the first patched file is imported."""

    def __init__(self, recorder: Recorder, root: str, settings: dict[str, Any]) -> None:
        self.chance = random.SystemRandom()
        self.imports = ImportWatch(
            [os.path.join(root, path) for path in settings["patched"]], self.begin
        )
        self._recorder = recorder
        self._root = root
        self._settings = settings
        self._traces: list[str] = []
        self._noted: set[str] = set()
        self._fingerprint: Fingerprint | None = None
        self._audit = Audit(root, settings["patched"], self._note)

    def _note(self, trace: str) -> None:
        if trace not in self._noted:
            self._noted.add(trace)
            self._traces.append(trace)

    def begin(self, where: str = "", hooks: Any = None) -> None:
        """Remember how things are, and listen from now on; later calls do nothing."""
        if self._fingerprint is not None:
            return
        if self._settings["disguised"]:
            disguise.put_on(self._root, self._settings["patched"], self._note)
        self._fingerprint = Fingerprint()
        if hooks is not None:
            self._fingerprint.add_hooks(hooks)
        self._audit.install()

    def settle(
        self, tests: Sequence[tuple[str, str, Any]], canaries: Iterable[tuple[str, str]]
    ) -> None:
        """All tests, as (id, module, function), are loaded and none has begun."""
        self.begin()
        modules = dict(self._test_modules({module for _, module, _ in tests}))
        self._audit.paused = True
        codes = {name: self._digest(module, name, tests) for name, module in modules.items()}
        for name, module in modules.items():
            if self._fingerprint is not None:
                self._fingerprint.add_module(name, module, names_too=False)
        self._audit.paused = False
        self._recorder.channel.send(
            k="guard", canaries=list(canaries), traces=self._new_traces(), codes=codes
        )

    def look(self) -> None:
        """Tell the host what happened since the last look."""
        traces = self._new_traces()
        if traces:
            self._recorder.channel.send(k="guard", canaries=[], traces=traces, codes={})

    def _new_traces(self) -> list[str]:
        if self._fingerprint is not None:
            self._audit.paused = True
            self._traces.extend(f"\t{label}" for label in self._fingerprint.changes())
            self._audit.paused = False
        traces = list(self._traces)
        del self._traces[: len(traces)]
        return traces

    def _test_modules(self, names: set[str]) -> Iterator[tuple[str, ModuleType]]:
        """What is on the side of the tests: their modules, helpers and conftest files."""
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if not isinstance(module, ModuleType) or not isinstance(path, str):
                continue
            if self._is_ours(path) and (name in names or looks_like_test(self._relative(path))):
                yield name, module

    def _relative(self, path: str) -> str:
        return os.path.relpath(os.path.realpath(path), os.path.realpath(self._root))

    def _is_ours(self, path: str) -> bool:
        """Whether a file belongs to the subject and not to the patch."""
        full = os.path.realpath(path)
        inside = full.startswith(os.path.realpath(self._root) + os.sep)
        return inside and full not in self.imports.paths

    def _digest(self, module: ModuleType, name: str, tests: Sequence[tuple[str, str, Any]]) -> str:
        known: dict[str, bool] = {}
        parts = set()
        for label, function in _functions(module):
            path = function.__code__.co_filename
            if path not in known:
                known[path] = self._is_ours(path)
            if known[path]:
                parts.add(f"{label} {digest(function)}")
        for test, owner, function in tests:
            if owner == name:
                parts.add(f"{test.partition('[')[0]} {digest(function)}")
        return blake2b("\n".join(sorted(parts)).encode("utf-8", "replace")).hexdigest()[:32]


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        if plain_function(value) is not None:
            yield name, plain_function(value)
        elif is_class(value) and value.__module__ == module.__name__:
            for key, member in list(vars(value).items()):
                if plain_function(member) is not None:
                    yield f"{name}.{key}", plain_function(member)
