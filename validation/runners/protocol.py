"""The host's reading of what a harness says: every line sealed, every message in its place.

The report comes out of a process in which the code under test runs too. A line that the harness
did not write, or a message that it would never write, is evidence of tampering; a test that ends
without having begun, or out of order, is no pass.
"""

from __future__ import annotations

import base64
import hmac
import json
import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from apr.core.bug import TestId
from apr.core.errors import EnvironmentUnusableError
from apr.core.report import Execution, Frame, TestOutcome, TestResult

TAG_BYTES = 16
FORGED = "a line in the report of the tests was not written by the harness"
MAX_FRAMES = 100
INTERRUPTED = (2, 3)
"""pytest's exit statuses after an interruption and after an error of its own."""


class ForgedLineError(Exception):
    """A line does not carry the code that it would have if the harness had written it."""


class Seal:
    """Checks the running code of one report; the counterpart of the harness's `Channel`."""

    def __init__(self) -> None:
        self.secret = secrets.token_hex(32)
        self._state = blake2b(key=bytes.fromhex(self.secret), digest_size=TAG_BYTES)

    def open(self, line: bytes) -> dict[str, Any]:
        """The message in `line`.

        Raises:
            ForgedLineError: when somebody else wrote it; the next genuine line still verifies.
        """
        tag, text = line[: 2 * TAG_BYTES], line[2 * TAG_BYTES :]
        state = self._state.copy()
        state.update(text)
        state.update(b"\n")
        if not hmac.compare_digest(state.hexdigest().encode(), tag):
            raise ForgedLineError(FORGED)
        self._state = state
        message = json.loads(text)
        if not isinstance(message, dict):
            raise ForgedLineError(FORGED)
        return message


@dataclass(slots=True)
class Transcript:
    """What one harness execution has said so far.

    `expected` is the order in which tests may begin; it is the harness's own list of collected
    tests where the host did not ask for some. `tampering` is the first sign of it.
    """

    expected: Sequence[TestId] | None = None
    results: dict[TestId, TestResult] = field(default_factory=dict)
    running: TestId | None = None
    status: int | None = None
    stopped: bool = False
    disorder: str = ""
    build_error: str = ""
    tampering: str = ""
    collected: list[TestId] = field(default_factory=list)
    canaries: dict[TestId, str] = field(default_factory=dict)
    traces: list[str] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    coverage: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    wrote: list[str] = field(default_factory=list)
    bytecode: dict[str, bytes] = field(default_factory=dict)
    _positions: dict[TestId, int] | None = None
    _last: int = -1

    def read_line(self, line: bytes, seal: Seal) -> TestResult | None:
        """Take in one line; the finished test if it was one.

        Raises:
            EnvironmentUnusableError: when the harness says that no test can run.
        """
        try:
            return self.read(seal.open(line))
        except ForgedLineError as error:
            self.suspect(str(error))
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
            self.suspect("the report of the tests holds a message that the harness never sends")
        return None

    def suspect(self, evidence: str) -> None:
        """Keep the first sign of tampering."""
        self.tampering = self.tampering or evidence

    def read(self, message: Mapping[str, Any]) -> TestResult | None:
        """Take in one message; the finished test if it was one.

        Raises:
            EnvironmentUnusableError: when the harness says that no test can run.
            KeyError, TypeError, ValueError: when it is none that the harness would send.
        """
        if self.status is not None:
            raise ValueError("a message after the end")
        kind = message["k"]
        if kind == "start":
            self._start(TestId(_text(message["id"])))
        elif kind == "test":
            return self._finish(parse_result(message))
        elif kind == "spoilt":
            self._spoil(parse_result(message))
        elif kind == "loaded":
            return self._load(TestId(_text(message["id"])))
        elif kind == "unbuildable":
            self.build_error = _text(message["m"])
        elif kind == "collected":
            self.collected = [TestId(_text(test)) for test in message["ids"]]
        elif kind == "end":
            self.status = _whole(message["status"])
            self.stopped = message["stopped"] is True
        elif kind == "coverage":
            self._read_coverage(message)
        elif kind == "guard":
            self._read_guard(message)
        elif kind == "wrote":
            self.wrote = [_text(path) for path in message["paths"]]
        elif kind == "bytecode":
            data = base64.b64decode(_text(message["data"]), validate=True)
            self.bytecode[_text(message["path"])] = data
        elif kind == "fatal":
            raise EnvironmentUnusableError(_text(message["m"]))
        elif kind != "alive":
            raise ValueError(f"unknown message {kind!r}")
        return None

    def _start(self, test: TestId) -> None:
        if self.running is not None:
            self.disorder = f"{test} began before {self.running} had ended"
        elif test in self.results:
            self.disorder = f"{test} began twice"
        self._check_order(test)
        self.running = test

    def _check_order(self, test: TestId) -> None:
        order = self.expected if self.expected is not None else self.collected
        if self._positions is None or len(self._positions) != len(order):
            self._positions = {name: index for index, name in enumerate(order)}
        position = self._positions.get(test)
        if position is None:
            return
        if position < self._last:
            self.disorder = f"{test} ran out of the order that was asked for"
        self._last = position

    def _finish(self, result: TestResult) -> TestResult:
        began = self.running == result.test
        self.running = None
        if result.test in self.results:
            result = _as_error(result, "reported more than once")
        elif not began and result.outcome is TestOutcome.PASSED:
            result = _as_error(result, "reported without having begun")
        self.results[result.test] = result
        return result

    def _load(self, module: TestId) -> TestResult | None:
        if module in self.results or module not in (self.expected or ()):
            return None
        self.results[module] = TestResult(module, TestOutcome.PASSED)
        return self.results[module]

    def _spoil(self, result: TestResult) -> None:
        """The tear-down of its class or module failed after a test's own end."""
        known = self.results[result.test]
        if not known.outcome.is_failure:
            self.results[result.test] = result

    def _read_coverage(self, message: Mapping[str, Any]) -> None:
        lines = message["lines"]
        self.coverage[_text(message["path"])] = {int(n): list(tests) for n, tests in lines.items()}

    def _read_guard(self, message: Mapping[str, Any]) -> None:
        self.canaries.update({TestId(test): _text(form) for test, form in message["canaries"]})
        self.traces.extend(_text(trace) for trace in message["traces"])
        self.codes.update({_text(name): _text(code) for name, code in message["codes"].items()})

    def execution(self, duration_s: float, *, timed_out: bool, output: str = "") -> Execution:
        """Everything so far; a test that had not ended when time ran out is a timeout."""
        results = list(self.results.values())
        if self.running is not None and self.running not in self.results:
            outcome = TestOutcome.TIMEOUT if timed_out else TestOutcome.ERROR
            message = "ran out of time" if timed_out else "the test ended its process"
            results.append(TestResult(self.running, outcome, message=message))
        return Execution(
            results=tuple(result for result in results if result.test not in self.canaries),
            exit_status=self._real_status(),
            completed=self.is_complete,
            duration_s=duration_s,
            timed_out=timed_out,
            output=output or self.disorder,
            build_error=self.build_error,
            tampering=self.tampering,
            wrote=tuple(self.wrote),
        )

    def _real_status(self) -> int | None:
        """The runner's exit status, as it would be without the canaries, which must fail."""
        if self.status != 1 or not self.canaries:
            return self.status
        real = (result for test, result in self.results.items() if test not in self.canaries)
        return 1 if any(result.outcome.is_failure for result in real) else 0

    @property
    def is_complete(self) -> bool:
        """The runner reached its own end, as one that has run everything, and nothing is odd."""
        if self.stopped or self.disorder or self.tampering or self.running is not None:
            return False
        if self.status is None or self.status in INTERRUPTED:
            return False
        return not self.left_over(self.results) and self.canaries.keys() <= self.results.keys()

    def left_over(self, seen: Collection[TestId]) -> list[TestId]:
        """The collected tests that are not in `seen`."""
        return [test for test in self.collected if test not in seen]


def parse_result(message: Mapping[str, Any]) -> TestResult:
    """A `test` message as a result.

    Raises:
        KeyError, TypeError, ValueError: when it is none that the harness would send.
    """
    frames = message["f"]
    if not isinstance(frames, list) or len(frames) > MAX_FRAMES:
        raise ValueError("not a list of frames")
    return TestResult(
        test=TestId(_text(message["id"])),
        outcome=_reported(message["o"]),
        duration_s=_seconds(message["d"]),
        message=_text(message["m"]),
        frames=tuple(Frame(_text(p), _whole(n), _text(f)) for p, n, f in frames),
        progress=_whole(message["p"]),
    )


def _reported(name: object) -> TestOutcome:
    outcome = TestOutcome(_text(name))
    if outcome is TestOutcome.MISSING:
        raise ValueError("nobody can report that a test is missing")
    return outcome


def _as_error(result: TestResult, message: str) -> TestResult:
    return TestResult(result.test, TestOutcome.ERROR, message=message)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _seconds(value: object) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{value!r} is not a duration")
    seconds = float(value)  # type: ignore[arg-type]
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{value!r} is not a duration")
    return seconds
