"""Runs unittest in process and reports every test as it ends."""

from __future__ import annotations

import re
import unittest
from typing import Any, Iterator

from apr_harness.forkpoint import ForkPoint
from apr_harness.recorder import Recorder, Selection, TestTimeoutError, describe

FIXTURE = re.compile(r"^(setUp|tearDown)(Class|Module) \((?P<owner>[^)]+)\)$")

FAILED_IMPORT = "unittest.loader._FailedTest."


class Result(unittest.TestResult):
    """Reports each test when it stops; a broken class or module fixture fails its tests."""

    def __init__(self, recorder: Recorder, selection: Selection, expected: list[str]) -> None:
        super().__init__()
        self.recorder = recorder
        self.selection = selection
        self.alarm = selection.alarm
        self.expected = expected
        self.reported: set[str] = set()
        self._state: tuple[str, str, list[Any], int] = ("passed", "", [], 0)

    def startTest(self, test: Any) -> None:  # noqa: N802
        super().startTest(test)
        self._state = ("passed", "", [], 0)
        self.recorder.start(test.id())
        self.alarm = self.selection.alarm_for(test.id())
        self.alarm.__enter__()

    def stopTest(self, test: Any) -> None:  # noqa: N802
        self.alarm.__exit__()
        super().stopTest(test)
        outcome, message, frames, progress = self._state
        self.reported.add(test.id())
        self.recorder.finish(test.id(), outcome, message, frames, progress)
        if self.selection.is_over(*self.recorder.counts):
            self.recorder.stopped = True
            self.stop()

    def _failed(self, outcome: str, test: Any, error: Any) -> None:
        kind, value, traceback = error
        fixture = FIXTURE.match(test.id())
        if fixture:
            self._fail_owned(fixture["owner"], describe(value), traceback)
            return
        if issubclass(kind, TestTimeoutError):
            outcome = "timeout"
        method = getattr(test, getattr(test, "_testMethodName", ""), None)
        self._state = (
            outcome,
            describe(value),
            self.recorder.frames_of(traceback),
            self.recorder.progress_of(traceback, method),
        )

    def _fail_owned(self, owner: str, message: str, traceback: Any) -> None:
        for test in self.expected:
            if test.startswith(owner + ".") and test not in self.reported:
                self.reported.add(test)
                self.recorder.report(test, "error", message, self.recorder.frames_of(traceback))

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self._failed("error", test, err)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self._failed("failed", test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        if err is not None:
            is_assertion = issubclass(err[0], test.failureException)
            self._failed("failed" if is_assertion else "error", test, err)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        if self._state[0] == "passed":
            self._state = ("skipped", reason, [], 0)

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self._state = ("xfailed", "", [], 0)

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        self._state = ("failed", "unexpected success", [], 0)


class Runner:
    """What `unittest.main` calls with the loaded suite."""

    def __init__(self, recorder: Recorder, config: dict[str, Any], point: ForkPoint | None) -> None:
        self.recorder, self.config, self.point = recorder, config, point

    def run(self, suite: Any) -> Result:
        if self.point is not None:
            self.point.reach("end of loading")
        selection = Selection(self.config)
        # A class imported into two modules is loaded twice under one name.
        loaded = {case.id(): case for case in _flatten(suite)}
        cases = selection.arrange(loaded.values(), lambda case: case.id())
        for test in selection.tests or ():
            if test.startswith(FAILED_IMPORT) and test not in loaded:
                self.recorder.report(test, "passed")
        if self.point is None:
            self.recorder.channel.send(k="collected", ids=[case.id() for case in cases])
        result = Result(self.recorder, selection, [case.id() for case in cases])
        unittest.TestSuite(cases).run(result)
        return result


def _flatten(suite: Any) -> Iterator[Any]:
    if isinstance(suite, unittest.TestCase):
        yield suite
        return
    for part in suite:
        yield from _flatten(part)


def run(config: dict[str, Any], recorder: Recorder, point: ForkPoint | None) -> int:
    """Run unittest on the configured arguments; 0 when no test failed, else 1."""
    runner = Runner(recorder, config, point)
    if point is not None:

        def on_child(command: dict[str, Any]) -> None:
            runner.config = command

        point.on_child = on_child
    unittest.main(
        module=None,
        argv=["python -m unittest", *config["argv"]],
        testRunner=runner,
        exit=False,
    )
    return 1 if recorder.failures else 0
