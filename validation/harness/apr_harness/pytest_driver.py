"""Runs pytest in process and reports every test as it ends."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from apr_harness.forkpoint import ForkPoint
from apr_harness.recorder import Recorder, Selection, TestTimeoutError, describe, exit_now


class Plugin:
    """The pytest plugin: selects and orders tests, times them, reports them."""

    def __init__(self, recorder: Recorder, config: dict[str, Any], point: ForkPoint | None) -> None:
        self.recorder = recorder
        self.paths: list[str] = config.get("paths") or []
        self.selection = Selection(config)
        self.point = point
        self._phases: list[Any] = []
        self._timed_out = False
        self._failure: tuple[str, list[Any], int] = ("", [], 0)

    def pytest_configure(self, config: Any) -> None:
        if self.paths:
            config.args = list(self.paths)

    @pytest.hookimpl(trylast=True)
    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.recorder.report(report.nodeid, "error", str(report.longrepr))
        elif report.nodeid in (self.selection.tests or ()):
            # A module whose import failed in the baseline is a trigger test itself.
            self.recorder.report(report.nodeid, "passed")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: Any, config: Any, items: list[Any]) -> None:
        if self.point is not None:
            self.point.reach("end of collection")
        items[:] = self.selection.arrange(items, lambda item: item.nodeid)
        if self.point is None:
            self.recorder.channel.send(k="collected", ids=[item.nodeid for item in items])
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
        self._phases, self._timed_out, self._failure = [], False, ("", [], 0)
        self.recorder.start(item.nodeid)
        yield
        self._finish(item)
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
        self._phases.append(outcome.get_result())

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

    def _finish(self, item: Any) -> None:
        outcome = self._outcome()
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
        return "passed" if self._phases else "error"


def options() -> list[str]:
    """Options that keep pytest quiet, complete and in one process, whatever the project's ini."""
    neutral = ["--rootdir=.", "-q", "--capture=no", "--maxfail=0", "-p", "no:cacheprovider"]
    neutral += ["--continue-on-collection-errors"]
    if importlib.util.find_spec("xdist"):
        neutral += ["-n0"]
    if importlib.util.find_spec("pytest_cov"):
        neutral += ["--no-cov"]
    if importlib.util.find_spec("pytest_randomly"):
        neutral += ["-p", "no:randomly"]
    return neutral


def run(config: dict[str, Any], recorder: Recorder, point: ForkPoint | None) -> int:
    """Run pytest on the configured arguments and return its exit status."""
    plugin = Plugin(recorder, config, point)
    if point is not None:

        def on_child(command: dict[str, Any]) -> None:
            plugin.selection = Selection(command)

        point.on_child = on_child
    return int(pytest.main([*options(), *config["argv"]], plugins=[plugin]))
