"""Runs pytest in process and reports every test as it ends."""

from __future__ import annotations

import ast
import importlib.util
import os
import unittest
from typing import Any

import pytest
from _pytest.assertion import rewrite

from apr_harness.canaries import PYTEST_FORMS, Names, choose, draw, write
from apr_harness.forkpoint import ForkPoint
from apr_harness.guard import CANARIES, Guard
from apr_harness.recorder import Recorder, Selection, TestTimeoutError, describe, exit_now


class Plugin:
    """The pytest plugin: selects and orders tests, times them, reports them."""

    def __init__(
        self,
        recorder: Recorder,
        config: dict[str, Any],
        point: ForkPoint | None,
        guard: Guard | None,
    ) -> None:
        self.recorder = recorder
        self.guard = guard
        self.paths: list[str] = config.get("paths") or []
        self.selection = Selection(config)
        self.point = point
        self._phases: list[Any] = []
        self._timed_out = self._is_contradicted = False
        self._failure: tuple[str, list[Any], int] = ("", [], 0)

    def pytest_configure(self, config: Any) -> None:
        if self.paths:
            config.args = list(self.paths)

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        if self.guard is not None:
            self.guard.begin(hooks=early_config.hook)

    @pytest.hookimpl(trylast=True)
    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.recorder.report(report.nodeid, "error", str(report.longrepr))
        elif report.nodeid in (self.selection.tests or ()):
            # A module whose import failed in the baseline is a trigger test itself.
            self.recorder.loaded(report.nodeid)
        else:
            self.recorder.channel.send(k="alive")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, session: Any, config: Any, items: list[Any]) -> Any:
        outcome = yield  # whatever others put last comes before us all the same
        if outcome.excinfo is not None:
            return
        if self.point is not None:
            self.point.reach("end of collection")
        items[:] = self.selection.arrange(items, lambda item: item.nodeid)
        if self.point is None:
            self.recorder.channel.send(k="collected", ids=[item.nodeid for item in items])
        if self.guard is not None:
            tests = [(item.nodeid, *_function_of(item)) for item in items]
            planted = plant(items, self.guard.chance)
            self.guard.settle(tests, planted)
        for item in items:
            self._make_failures_cheap(item)

    def _make_failures_cheap(self, item: Any) -> None:
        """Pytest's own rendering of deep tracebacks can take longer than the test."""

        def repr_failure(excinfo: Any, style: Any = None) -> str:
            return describe(excinfo.value)

        item.repr_failure = repr_failure
        item._repr_failure_py = repr_failure

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Any:
        self._phases, self._failure = [], ("", [], 0)
        self._timed_out = self._is_contradicted = False
        self.recorder.start(item.nodeid)
        outcome = yield
        if self.guard is not None:
            self.guard.look()
        self._finish(item, outcome.excinfo)
        if self.selection.is_over(*self.recorder.counts):
            # Only a candidate's child stops early. Pytest's own way out renders a traceback.
            self.recorder.stopped = True
            self._leave(1)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self, item: Any) -> Any:
        with self.selection.alarm_for(item.nodeid):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Any:
        with self.selection.alarm_for(item.nodeid):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self, item: Any, nextitem: Any) -> Any:
        with self.selection.alarm_for(item.nodeid):
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        if call.excinfo is not None:
            self._timed_out |= isinstance(call.excinfo.value, TestTimeoutError)
            if not self._failure[0]:
                function = getattr(item, "obj", None)
                self._failure = (
                    describe(call.excinfo.value),
                    self.recorder.frames_of(call.excinfo.tb),
                    self.recorder.progress_of(call.excinfo.tb, function),
                )
        outcome = yield
        report = outcome.get_result()
        # Whoever turns a raised exception into a pass is no plugin that we know of.
        self._is_contradicted |= call.excinfo is not None and report.passed
        self._phases.append(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> None:
        if self.point is not None:
            # A candidate's child is done here: nobody reads pytest's closing report.
            # "No tests collected" is a success when the import of a test module was the trigger.
            only_modules = int(exitstatus) == 5 and self.recorder.finished
            self._leave(0 if only_modules and not self.recorder.failures else int(exitstatus))

    def _leave(self, status: int) -> None:
        self.recorder.channel.send(k="end", status=status, stopped=self.recorder.stopped)
        exit_now(status)

    def _finish(self, item: Any, interruption: Any) -> None:
        outcome = self._outcome()
        if interruption is not None and outcome != "timeout":
            # A test that ends the whole session has not passed, whatever it did before.
            outcome = "error"
            self._failure = self._failure[0] or describe(interruption[1]), [], 0
        if outcome in ("passed", "xfailed"):
            self.recorder.finish(item.nodeid, outcome)
        else:
            message, frames, progress = self._failure
            message = message or str(self._phases[-1].longrepr if self._phases else "")
            self.recorder.finish(item.nodeid, outcome, message, frames, progress)

    def _outcome(self) -> str:
        if self._timed_out:
            return "timeout"
        for phase in self._phases:
            if phase.failed:
                return "failed" if phase.when == "call" else "error"
        for phase in self._phases:
            if phase.skipped:
                return "xfailed" if hasattr(phase, "wasxfail") else "skipped"
        ran = [phase.when for phase in self._phases]
        is_whole = "call" in ran and "teardown" in ran
        return "passed" if is_whole and not self._is_contradicted else "error"


def _function_of(item: Any) -> tuple[str, Any]:
    """The name of the module that an item is from, and what it calls."""
    module = getattr(item, "module", None)
    return str(getattr(module, "__name__", "")), getattr(item, "obj", None)


def plant(items: list[Any], chance: Any) -> list[tuple[str, str]]:
    """Put canaries among the items, where they separate no two tests of one class.

    The id and the form of each.
    """
    names = Names((item.name.partition("[")[0] for item in items), chance)
    places = [(index, _module_at(items, index)) for index in range(len(items) + 1)]
    chosen = draw([place for place in places if place[1] is not None], CANARIES, chance)
    forms = choose(PYTEST_FORMS, CANARIES, chance)
    planted = []
    for (index, module), form in reversed(list(zip(chosen, forms))):
        canary = _make_canary(module, names.new(), PYTEST_FORMS[form], chance)
        items.insert(index, canary)
        planted.append((canary.nodeid, form))
    return planted


def _module_at(items: list[Any], index: int) -> Any:
    """The module that a canary in front of `items[index]` can belong to."""
    neighbours = items[max(0, index - 1) : index + 1]
    parents = [item.parent for item in neighbours]
    if len(parents) == 2 and parents[0] is parents[1] and isinstance(parents[0], pytest.Class):
        return None
    for item in reversed(neighbours):
        module = item.getparent(pytest.Module)
        if isinstance(item, pytest.Function) and module is not None:
            return module
    return None


def _make_canary(module: Any, name: str, body: str, chance: Any) -> Any:
    """A test of `module`, compiled as pytest compiles the file's own."""
    path = str(module.obj.__file__)
    text = write(name, body, chance)
    tree = ast.parse(text)
    rewrite.rewrite_asserts(tree, text.encode(), path, module.config)
    namespace = {
        "__name__": module.obj.__name__,
        "__file__": path,
        "pytest": pytest,
        "unittest": unittest,
    }
    exec(compile(tree, path, "exec", dont_inherit=True), namespace)
    return pytest.Function.from_parent(module, name=name, callobj=namespace[name])


def options() -> list[str]:
    """Options that keep pytest quiet, complete and in one process, whatever the project's ini."""
    neutral = ["--rootdir=.", "-q", "--capture=no", "--maxfail=0", "-p", "no:cacheprovider"]
    neutral += ["--continue-on-collection-errors"]
    if _loads("xdist"):
        neutral += ["-n0"]
    if _loads("pytest_cov"):
        neutral += ["--no-cov"]
    if _loads("pytest_randomly"):
        neutral += ["-p", "no:randomly"]
    return neutral


def _loads(plugin: str) -> bool:
    """Whether pytest will load this plugin by itself; if not, its options are unknown."""
    is_off = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    return not is_off and importlib.util.find_spec(plugin) is not None


def run(config: dict[str, Any], recorder: Recorder, point: ForkPoint | None) -> int:
    """Run pytest on the configured arguments and return its exit status."""
    guard = Guard(recorder, recorder.root, config["guard"]) if config.get("guard") else None
    plugin = Plugin(recorder, config, point, guard)
    argv = [*options(), *config["argv"]]
    if point is not None:

        def on_child(command: dict[str, Any]) -> None:
            plugin.selection = Selection(command)

        point.on_child = on_child
        point.imports.watch_rewriting()
    if guard is not None:
        guard.imports.watch_sources()
        guard.imports.watch_rewriting()
        argv.append("--maxfail=0")  # a canary's failure must not end the run
    status = int(pytest.main(argv, plugins=[plugin]))
    if guard is not None:
        guard.look()
    return status
