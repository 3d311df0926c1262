"""Runs unittest in process and reports every test as it ends."""

from __future__ import annotations

import re
import sys
import unittest
from typing import Any, Iterator

from apr_harness.canaries import UNITTEST_FORMS, Names, choose, draw, write
from apr_harness.forkpoint import ForkPoint
from apr_harness.guard import CANARIES, Guard
from apr_harness.recorder import Recorder, Selection, TestTimeoutError, describe

FIXTURE = re.compile(r"^(setUp|tearDown)(Class|Module) \((?P<owner>[^)]+)\)$")

PASSED: tuple[str, str, list[Any], int] = ("passed", "", [], 0)
# What a test is that an interruption ends: nobody says that it has succeeded or failed.
UNENDED: tuple[str, str, list[Any], int] = ("error", "the test did not come to its end", [], 0)
FAILED_IMPORT = "unittest.loader._FailedTest."


class Result(unittest.TestResult):
    """Reports each test when it stops; a broken class or module fixture fails its tests."""

    def __init__(
        self,
        recorder: Recorder,
        selection: Selection,
        expected: list[str],
        guard: Guard | None,
    ) -> None:
        super().__init__()
        self.recorder = recorder
        self.selection = selection
        self.alarm = selection.alarm
        self.expected = expected
        self.reported: set[str] = set()
        self.guard = guard
        self._last = ""  # the test that has ended most recently, and passed
        self._state: tuple[str, str, list[Any], int] = UNENDED

    def startTest(self, test: Any) -> None:  # noqa: N802
        super().startTest(test)
        self._state = UNENDED
        self.recorder.start(test.id())
        self.alarm = self.selection.alarm_for(test.id())
        self.alarm.__enter__()

    def stopTest(self, test: Any) -> None:  # noqa: N802
        self.alarm.__exit__()
        super().stopTest(test)
        outcome, message, frames, progress = self._state
        self.reported.add(test.id())
        self._last = test.id()
        if self.guard is not None:
            self.guard.look()
        self.recorder.finish(test.id(), outcome, message, frames, progress)
        if self.selection.is_over(*self.recorder.counts):
            self.recorder.stopped = True
            self.stop()

    def _failed(self, outcome: str, test: Any, error: Any) -> None:
        kind, value, traceback = error
        fixture = FIXTURE.match(test.id())
        if fixture:
            if fixture[1] == "tearDown":
                # As pytest does: a broken tear-down is the failure of the last test before it.
                self.recorder.spoil(self._last, describe(value), self.recorder.frames_of(traceback))
            else:
                self._report_owned("error", fixture["owner"], describe(value), traceback)
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

    def _report_owned(self, outcome: str, owner: str, message: str, traceback: Any) -> None:
        """The tests of a class or module whose set-up did not succeed never begin."""
        frames = self.recorder.frames_of(traceback)
        for test in self.expected:
            if test.startswith(owner + ".") and test not in self.reported:
                self.reported.add(test)
                self.recorder.report(test, outcome, message, frames)

    def addSuccess(self, test: Any) -> None:  # noqa: N802
        if self._state is UNENDED:
            self._state = PASSED

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self._failed("error", test, err)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self._failed("failed", test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        if err is not None:
            is_assertion = issubclass(err[0], test.failureException)
            self._failed("failed" if is_assertion else "error", test, err)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        fixture = FIXTURE.match(test.id())
        if fixture:
            self._report_owned("skipped", fixture["owner"], reason, None)
        elif self._state in (UNENDED, PASSED):
            self._state = ("skipped", reason, [], 0)

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self._state = ("xfailed", "", [], 0)

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        self._state = ("failed", "unexpected success", [], 0)


class Runner:
    """What `unittest.main` calls with the loaded suite."""

    def __init__(
        self,
        recorder: Recorder,
        config: dict[str, Any],
        point: ForkPoint | None,
        guard: Guard | None,
    ) -> None:
        self.recorder, self.config = recorder, config
        self.point, self.guard = point, guard

    def run(self, suite: Any) -> Result:
        if self.point is not None:
            self.point.reach("end of loading")
        selection = Selection(self.config)
        # A class imported into two modules is loaded twice under one name.
        loaded = {case.id(): case for case in _flatten(suite)}
        cases = selection.arrange(loaded.values(), lambda case: case.id())
        for test in selection.tests or ():
            if test.startswith(FAILED_IMPORT) and test not in loaded:
                self.recorder.loaded(test)
        if self.point is None:
            self.recorder.channel.send(k="collected", ids=[case.id() for case in cases])
        if self.guard is not None:
            tests = [(case.id(), type(case).__module__, _method_of(case)) for case in cases]
            planted = plant(cases, self.guard.chance)
            self.guard.settle(tests, planted)
        result = Result(self.recorder, selection, [case.id() for case in cases], self.guard)
        unittest.TestSuite(cases).run(result)
        return result


class Loader(unittest.TestLoader):
    """Shows that loading goes on."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def loadTestsFromModule(self, module: Any, *args: Any, **keywords: Any) -> Any:  # noqa: N802
        self.recorder.channel.send(k="alive")
        return super().loadTestsFromModule(module, *args, **keywords)


def _method_of(case: Any) -> Any:
    return getattr(case, getattr(case, "_testMethodName", ""), None)


def plant(cases: list[Any], chance: Any) -> list[tuple[str, str]]:
    """Put canaries between the classes; the id and the form of each."""
    names = Names((getattr(case, "_testMethodName", "") for case in cases), chance)
    kinds = [type(case) for case in cases]
    borders = [
        (index, cases[min(index, len(cases) - 1)])
        for index in range(len(cases) + 1)
        if index in (0, len(cases)) or kinds[index - 1] is not kinds[index]
    ]
    chosen = draw(borders if cases else [], CANARIES, chance)
    planted = []
    for (index, neighbour), form in reversed(
        list(zip(chosen, choose(UNITTEST_FORMS, CANARIES, chance)))
    ):
        canary = _make_canary(type(neighbour), names.new(), UNITTEST_FORMS[form], chance)
        cases.insert(index, canary)
        planted.append((canary.id(), form))
    return planted


def _make_canary(neighbour: type, name: str, body: str, chance: Any) -> Any:
    module = sys.modules.get(neighbour.__module__)
    path = str(getattr(module, "__file__", None) or "test.py")
    namespace: dict[str, Any] = {"__name__": neighbour.__module__, "unittest": unittest}
    text = write(name, body, chance, arguments="self")
    exec(compile(text, path, "exec", dont_inherit=True), namespace)
    title = "".join(word.title() for word in name.split("_")[1:])
    members = {name: namespace[name], "__module__": neighbour.__module__}
    return type(f"Test{title}", (unittest.TestCase,), members)(name)


def _flatten(suite: Any) -> Iterator[Any]:
    if isinstance(suite, unittest.TestCase):
        yield suite
        return
    for part in suite:
        yield from _flatten(part)


def run(config: dict[str, Any], recorder: Recorder, point: ForkPoint | None) -> int:
    """Run unittest on the configured arguments; 0 when no test failed, else 1."""
    guard = None
    if config.get("guard"):
        guard = Guard(recorder, recorder.root, config["guard"])
        guard.imports.watch_sources()
    runner = Runner(recorder, config, point, guard)
    if point is not None:

        def on_child(command: dict[str, Any]) -> None:
            runner.config = command

        point.on_child = on_child
    unittest.main(
        module=None,
        argv=["python -m unittest", *config["argv"]],
        testRunner=runner,
        testLoader=Loader(recorder),
        exit=False,
    )
    if guard is not None:
        guard.look()
    return 1 if recorder.failures else 0
