"""Helpers judge the patches of a run; with, without and in spite of them the tree is the same."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from support.e2e import Apr, tree_of
from support.installation import Installation

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]
SOURCE = """
def clamp(value, low, high):
    if value < low:
        return low
    if value > low:
        return high
    return value


def middle(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
"""
TESTS = """
import time
from ranges import clamp, middle


def test_inside():
    time.sleep(0.06)
    assert clamp(5, 1, 9) == 5


def test_below():
    time.sleep(0.06)
    assert clamp(0, 1, 9) == 1


def test_above():
    time.sleep(0.06)
    assert clamp(10, 1, 9) == 9


def test_middle():
    time.sleep(0.06)
    assert middle([3, 1, 2]) == 2
"""
SEARCH = ("--candidates", 40, "--seed", 2, "--confirmations", 1, "--jobs", 1, "--patches", 9)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A subject whose tests wait, as those do that talk to a database."""
    subject = tmp_path / "slow"
    subject.mkdir()
    (subject / "ranges.py").write_text(SOURCE)
    (subject / "test_ranges.py").write_text(TESTS)
    return subject


def test_helpers_change_nothing_but_the_time(installation: Installation, slow: Path) -> None:
    here = Apr(installation.folder / "here")
    alone = here("fix", slow, *SEARCH)
    searcher = installation.start_worker("--queues", "runs")
    helper = installation.start_worker("--queues", "validation")
    doomed = installation.start_worker("--queues", "validation")
    process = installation.apr.start("fix", slow, *SEARCH, "--distributed")
    deadline = time.monotonic() + 60
    while "apr.help_validate" not in doomed.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)  # it has, or is about to take, a patch
    for pid in (*doomed.children(), doomed.process.pid):
        os.kill(pid, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (alone.returncode, alone.stdout), stderr
    assert tree_of(installation.apr) == tree_of(here)
    searcher.stop()
    helper.wait_until("helped with ")
    helped = helper.log.read_text().split("helped with ")[1:]
    assert sum(int(text.split()[0]) for text in helped) > 0, helper.log.read_text()
