"""Splitting a byte stream into lines, and remembering only its end."""

from __future__ import annotations

import os
import threading
import time

import pytest

from apr.core.errors import SandboxDiedError
from validation.sandbox.policy import MIB, SandboxPolicy
from validation.sandbox.stream import LineBuffer, StreamProcess, Tail


def test_lines_are_cut_wherever_the_chunks_are() -> None:
    lines = LineBuffer(100)
    taken = []
    for chunk in (b"a", b"b\nc", b"\n\nd", b"\n"):
        lines.feed(chunk)
        while (line := lines.take()) is not None:
            taken.append(line)
    assert taken == [b"ab", b"c", b"", b"d"]


def test_only_what_belongs_to_the_line_counts_towards_its_limit() -> None:
    lines = LineBuffer(3)
    lines.feed(b"abc\ndef\n")
    assert (lines.take(), lines.take(), lines.take()) == (b"abc", b"def", None)


@pytest.mark.parametrize("data", [b"abcd", b"abcd\n", b"abcd\ne"])
def test_line_over_the_limit_overflows_finished_or_not(data: bytes) -> None:
    lines = LineBuffer(3)
    lines.feed(data)
    with pytest.raises(OverflowError):
        lines.take()


def test_tail_keeps_the_last_bytes_and_replaces_what_is_no_utf8() -> None:
    tail = Tail(SandboxPolicy(stderr_tail_bytes=4), lambda: None)
    for data in (b"abc", b"def", b"\xff"):
        tail.feed(data)
    assert tail.text() == "def\ufffd"


def test_too_much_output_is_answered_once() -> None:
    calls: list[bool] = []
    tail = Tail(SandboxPolicy(output_mib=1), lambda: calls.append(tail.is_exceeded))
    tail.feed(b"x" * MIB)
    assert not tail.is_exceeded
    for _ in range(3):
        tail.feed(b"x")
    assert calls == [True]


def test_last_words_that_are_read_late_are_still_reported() -> None:
    policy = SandboxPolicy()
    tail = Tail(policy, lambda: None)
    pipes = [os.pipe() for _ in range(3)]
    (_, stdin), (stdout, stdout_end), (ended, ended_end) = pipes
    process = StreamProcess(policy, (stdin, stdout, ended), tail, lambda: 1, lambda: None)

    def speak_late() -> None:
        time.sleep(0.05)
        tail.feed(b"no namespaces here")
        tail.finish()

    late = threading.Thread(target=speak_late)
    os.close(stdout_end)
    os.write(ended_end, b"\n")
    late.start()
    try:
        with pytest.raises(SandboxDiedError, match=r"exit status 1.*no namespaces here"):
            process.receive_line(5.0)
    finally:
        late.join()
        for descriptor in {end for pipe in pipes for end in pipe} - {stdout_end}:
            os.close(descriptor)
