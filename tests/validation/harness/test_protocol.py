"""The host's reading of a report: only what the harness wrote, and only in its place."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest

from apr.core.bug import TestId
from apr.core.report import TestOutcome
from validation.runners.protocol import FORGED, ForgedLineError, Seal, Transcript

ODD = "the report of the tests holds a message that the harness never sends"


class Writer:
    """Seals lines as the harness does, written from the description of the protocol."""

    def __init__(self, secret: str) -> None:
        self._state = blake2b(key=bytes.fromhex(secret), digest_size=16)

    def line(self, message: Any) -> bytes:
        text = json.dumps(message).encode()
        self._state.update(text + b"\n")
        return self._state.hexdigest().encode() + text


def _result(test: str = "a", **changes: Any) -> dict[str, Any]:
    return {"k": "test", "id": test, "o": "passed", "d": 0.1, "m": "", "f": [], "p": 0, **changes}


def _start(test: str = "a") -> dict[str, Any]:
    return {"k": "start", "id": test}


END = {"k": "end", "status": 0, "stopped": False}


def _read(*messages: Any, expected: tuple[str, ...] | None = None) -> Transcript:
    seal = Seal()
    writer = Writer(seal.secret)
    order = None if expected is None else [TestId(test) for test in expected]
    transcript = Transcript(expected=order)
    for message in messages:
        transcript.read_line(writer.line(message), seal)
    return transcript


def test_an_honest_report_is_complete() -> None:
    transcript = _read(_start(), _result(), END)
    execution = transcript.execution(1.0, timed_out=False)
    assert (execution.completed, execution.exit_status, execution.tampering) == (True, 0, "")
    assert execution.outcomes() == {"a": TestOutcome.PASSED}


def test_each_line_has_a_code_of_its_own() -> None:
    seal = Seal()
    writer = Writer(seal.secret)
    first = writer.line(_start())
    assert seal.open(first) == _start()
    with pytest.raises(ForgedLineError):
        seal.open(first)  # replayed
    assert seal.open(writer.line(END)) == END  # the genuine ones go on


def test_a_line_that_is_left_out_breaks_the_chain() -> None:
    seal = Seal()
    writer = Writer(seal.secret)
    writer.line(_result(o="failed"))
    with pytest.raises(ForgedLineError):
        seal.open(writer.line(END))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"\xff\x00\n",
        json.dumps(_result()).encode(),
        b"0" * 32 + json.dumps(_result()).encode(),
        b"[" * 100_000,
    ],
)
def test_a_line_without_the_code_is_forged(line: bytes) -> None:
    transcript = Transcript()
    assert transcript.read_line(line, Seal()) is None
    assert transcript.tampering == FORGED
    assert not transcript.execution(1.0, timed_out=False).completed


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        {"k": "unknown"},
        {"k": ["start"]},
        {"k": "start", "id": 3},
        {"k": "end", "status": True, "stopped": False},
        {"k": "end", "status": "0", "stopped": False},
        {"k": "end"},
        {"k": "collected", "ids": 7},
        {"k": "spoilt", **{key: value for key, value in _result("unknown").items() if key != "k"}},
        _result(o="missing"),
        _result(o="fine"),
        _result(o=None),
        _result(d=-1),
        _result(d=float("nan")),
        _result(d=float("inf")),
        _result(d=True),
        _result(d="0.1"),
        _result(m=None),
        _result(p=1.5),
        _result(f="abc"),
        _result(f=[["x", "1", "f"]]),
        _result(f=[["x", 1]]),
        _result(f=[["x", 1, "f"]] * 101),
    ],
    ids=lambda message: json.dumps(message)[:60],
)
def test_a_message_that_no_harness_sends_is_tampering(message: Any) -> None:
    transcript = _read(_start(), message, END)
    assert transcript.tampering in (ODD, FORGED)
    assert not transcript.execution(1.0, timed_out=False).completed


@pytest.mark.parametrize("message", [_start("b"), _result("b"), END], ids=["start", "test", "end"])
def test_nothing_follows_the_end(message: dict[str, Any]) -> None:
    assert _read(_start(), _result(), END, message).tampering == ODD


def test_a_test_that_never_began_has_not_passed() -> None:
    execution = _read(_result(), END).execution(1.0, timed_out=False)
    assert execution.outcomes() == {"a": TestOutcome.ERROR}


def test_a_failure_needs_no_beginning() -> None:
    transcript = _read(_result(o="error", m="set-up of the class"), END)
    execution = transcript.execution(1.0, timed_out=False)
    assert execution.results[0].message == "set-up of the class"
    assert execution.completed


def test_a_test_reported_twice_has_not_passed() -> None:
    execution = _read(_start(), _result(), _result(), END).execution(1.0, timed_out=False)
    assert execution.outcomes() == {"a": TestOutcome.ERROR}


@pytest.mark.parametrize(
    "messages",
    [
        (_start("b"), _result("b"), _start("a"), _result("a")),
        (_start("a"), _start("b"), _result("b")),
        (_start("a"), _result("a"), _start("a"), _result("a")),
    ],
    ids=["other order", "one inside another", "again"],
)
def test_a_report_out_of_order_is_not_complete(messages: tuple[dict[str, Any], ...]) -> None:
    transcript = _read(*messages, END, expected=("a", "b"))
    assert not transcript.execution(1.0, timed_out=False).completed


def test_a_run_that_lacks_a_collected_test_is_not_complete() -> None:
    collected = {"k": "collected", "ids": ["a", "b"]}
    execution = _read(collected, _start(), _result(), END).execution(1.0, timed_out=False)
    assert not execution.completed


@pytest.mark.parametrize("status", [2, 3])
def test_an_interrupted_runner_has_not_completed(status: int) -> None:
    transcript = _read(_start(), _result(), {**END, "status": status})
    assert not transcript.execution(1.0, timed_out=False).completed


def test_a_spoilt_test_has_not_passed() -> None:
    spoilt = {**_result(o="error", m="tear-down"), "k": "spoilt"}
    execution = _read(_start(), _result(), spoilt, END).execution(1.0, timed_out=False)
    assert execution.outcomes() == {"a": TestOutcome.ERROR}


def test_a_module_counts_as_loaded_only_if_it_was_asked_for() -> None:
    loaded = {"k": "loaded", "id": "m"}
    assert _read(loaded, END, expected=("m",)).results[TestId("m")].outcome is TestOutcome.PASSED
    assert not _read(loaded, END, expected=("a",)).results
