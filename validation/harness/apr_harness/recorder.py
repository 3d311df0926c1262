"""Turns what a test framework reports into protocol messages, one per finished test."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any, Callable, Iterable

from apr_harness.channel import Channel, shorten

_clock = time.perf_counter  # a test may replace the one in `time`
MAX_FRAMES = 40
HALF = MAX_FRAMES // 2
Frames = list  # of [path, line, function]


class TestTimeoutError(BaseException):
    """Raised inside a test that runs too long; no `except Exception` swallows it."""

    __test__ = False


class Alarm:
    """Interrupts the running test from a timer, again and again until it gives in.

    The time is measured on the wall clock (`cpu` false) or as CPU time of this process. Every
    test that hangs halves the time of those after it, down to ten times the longest that a test
    has needed so far and never below `floor`: a suite full of endless loops is still seen through
    quickly, and one early hang takes little from a slow test.
    """

    def __init__(self, seconds: float, cpu: bool = False, floor: float = 1.0) -> None:
        self.seconds = seconds
        self.floor = min(floor, seconds)
        self._timer = signal.ITIMER_PROF if cpu else signal.ITIMER_REAL
        self._signal = signal.SIGPROF if cpu else signal.SIGALRM
        self._clock = time.process_time if cpu else time.perf_counter
        self._longest = 0.0
        self._armed_at = 0.0

    def _on_signal(self, *_: Any) -> None:
        raise TestTimeoutError(f"the test ran longer than {self._elapsed():.3g} s")

    def _elapsed(self) -> float:
        return self._clock() - self._armed_at

    def __enter__(self) -> Alarm:
        if self.seconds > 0:
            self._armed_at = self._clock()
            signal.signal(self._signal, self._on_signal)
            signal.setitimer(self._timer, self.seconds, 0.2)
        return self

    def __exit__(self, *_: Any) -> None:
        if self.seconds <= 0:
            return
        signal.setitimer(self._timer, 0)
        elapsed = self._elapsed()
        if elapsed < self.seconds:
            self._longest = max(self._longest, elapsed)
        else:
            self.seconds = min(self.seconds, max(self.floor, self.seconds / 2, 10 * self._longest))


class Selection:
    """Which tests to run, in which order, how long each may take, and when to stop.

    `tests` None means all, those named `first` before the others. With `limits` given, each test
    has a limit of its own in CPU seconds. The first `thorough` tests run whatever happens; after
    them, a failure ends the execution. A test that runs out of its own limit ends it at once.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.tests: list[str] | None = config.get("tests")
        self.first = frozenset(config.get("first") or ())
        limits = config.get("limits")
        self.limits = dict(zip(self.tests or [], limits)) if limits else None
        self.thorough = int(config.get("thorough") or 0)
        seconds = float(config.get("test_timeout_s") or 0)
        self.alarm = Alarm(seconds, floor=float(config.get("test_floor_s") or 1))

    def arrange(self, items: Iterable[Any], name: Callable[[Any], str]) -> list[Any]:
        """Those of `items` that are selected, in the wanted order."""
        if self.tests is None:
            return sorted(items, key=lambda item: name(item) not in self.first)
        order = {test: index for index, test in enumerate(self.tests)}
        chosen = [item for item in items if name(item) in order]
        return sorted(chosen, key=lambda item: order[name(item)])

    def alarm_for(self, test: str) -> Alarm:
        """The alarm that is to go off while `test` runs."""
        if self.limits is None:
            return self.alarm
        return Alarm(self.limits.get(test, 0.0), cpu=True)

    def is_over(self, finished: int, failures: int, timeouts: int) -> bool:
        """Nothing more needs to be known."""
        if self.limits is None:
            return False
        return timeouts > 0 or (failures > 0 and finished >= self.thorough)


class Recorder:
    """Collects the phases of one test at a time and sends its outcome when it is over."""

    def __init__(self, channel: Channel, root: str) -> None:
        self.channel = channel
        self.root = os.path.realpath(root)
        self.finished = self.failures = self.timeouts = 0
        self.stopped = False  # before all tests were run
        self.began = False  # a first test
        self.on_test: Callable[[str], None] = lambda test: None
        self._started = 0.0
        self._relative: dict[str, str] = {}

    def start(self, test: str) -> None:
        """A test begins."""
        self.began = True
        self._started = _clock()
        self.channel.send(k="start", id=test)
        self.on_test(test)

    def finish(
        self,
        test: str,
        outcome: str,
        message: str = "",
        frames: Frames | None = None,
        progress: int = 0,
    ) -> None:
        """A test is over."""
        self.on_test("")
        self.report(test, outcome, message, frames, progress, _clock() - self._started)

    def report(
        self,
        test: str,
        outcome: str,
        message: str = "",
        frames: Frames | None = None,
        progress: int = 0,
        duration: float = 0.0,
    ) -> None:
        """Send an outcome, also of something that never began (a module that does not import)."""
        self.finished += 1
        self.failures += outcome not in ("passed", "skipped", "xfailed")
        self.timeouts += outcome == "timeout"
        self._send("test", test, outcome, message, frames, progress, duration)

    def _send(
        self,
        kind: str,
        test: str,
        outcome: str,
        message: str,
        frames: Frames | None,
        progress: int = 0,
        duration: float = 0.0,
    ) -> None:
        self.channel.send(
            k=kind,
            id=test,
            o=outcome,
            d=round(max(duration, 0.0), 6),
            m=shorten(message),
            f=frames or [],
            p=progress,
        )

    def loaded(self, module: str) -> None:
        """A module that could not be imported before, and so counts as a test, can be now."""
        self.finished += 1
        self.channel.send(k="loaded", id=module)

    def spoil(self, test: str, message: str, frames: Frames) -> None:
        """The tear-down of its class or module failed after a test had been reported."""
        self.failures += 1
        self._send("spoilt", test, "error", message, frames)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Tests finished, failed among them, and timed out among those."""
        return self.finished, self.failures, self.timeouts

    def frames_of(self, traceback: Any) -> Frames:
        """The frames of a traceback inside the subject, outermost first, the middle cut out."""
        frames: Frames = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            path = self.relative(code.co_filename)
            if path:
                frames.append([path, traceback.tb_lineno, code.co_name])
            traceback = traceback.tb_next
        return frames if len(frames) <= MAX_FRAMES else frames[:HALF] + frames[-HALF:]

    def progress_of(self, traceback: Any, function: Any) -> int:
        """The line that the test function had reached when it failed; 0 if it is not in there."""
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        while traceback is not None:
            if traceback.tb_frame.f_code is code:
                return int(traceback.tb_lineno)
            traceback = traceback.tb_next
        return 0

    def relative(self, path: str) -> str:
        """`path` relative to the subject with forward slashes; empty when outside of it."""
        if path not in self._relative:
            full = os.path.realpath(path)
            inside = full.startswith(self.root + os.sep)
            self._relative[path] = full[len(self.root) + 1 :].replace(os.sep, "/") if inside else ""
        return self._relative[path]


def describe(error: BaseException) -> str:
    """`Type: message` of an exception, also of one whose `str()` fails."""
    try:
        text = str(error)
    except BaseException as broken:
        text = f"<unprintable: {type(broken).__name__}>"
    return f"{type(error).__name__}: {text}"


def exit_now(status: int) -> None:
    """End this process without running the subject's exit handlers."""
    sys.stdout.flush()
    os._exit(status)
