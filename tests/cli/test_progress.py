"""What is told of an execution while it goes on."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from apr.cli.progress import (
    Progress,
    Reporter,
    advance,
    describe_event,
    describe_search,
    is_heartbeat,
    status_line,
)

BASELINE = {
    "failing": 2,
    "passing": 1038,
    "flaky": 0,
    "skipped": 3,
    "other_failing": 0,
    "duration_s": 3.14,
}


def searching(seconds: float, **changes: Any) -> dict[str, Any]:
    return {
        "candidates": 512,
        "validations": 500,
        "best_reward": 0.4,
        "best": {"origin": "null-guard", "triggers_passed": 1, "triggers_total": 2},
        "plausible": 0,
        "seconds": seconds,
        "limit_candidates": 2000,
        "limit_seconds": 60.0,
        "rate": 51.2,
        **changes,
    }


def plain(reporter_events: list[tuple[str, dict[str, Any]]], *, lasting: bool = True) -> str:
    out = io.StringIO()
    reporter = Reporter(Console(file=out, width=200), animated=False, lasting=lasting)
    for kind, data in reporter_events:
        reporter(kind, data)
    return out.getvalue()


def test_tests_are_counted_with_their_failures() -> None:
    progress = Progress()
    for outcome in ("passed", "failed", "error", "skipped", "timeout"):
        progress = advance(progress, "test", {"id": f"t::{outcome}", "outcome": outcome})
    assert (progress.tests, progress.failures, progress.last_test) == (5, 3, "t::timeout")


def test_unknown_events_change_nothing() -> None:
    assert advance(Progress(), "later.addition", {}) == Progress()
    assert describe_event("later.addition", {}) is None


def test_the_baseline_leaves_out_kinds_there_are_none_of() -> None:
    assert describe_event("baseline", BASELINE) == (
        "tests: 2 failing, 1,038 passing, 3 skipped, in 3.1 s"
    )


def test_the_weak_sandbox_is_called_weak() -> None:
    assert "weak" in str(describe_event("sandbox", {"name": "process"}))
    assert describe_event("sandbox", {"name": "bubblewrap"}) == "sandbox: bubblewrap"


def test_locations_show_an_ellipsis_only_when_there_are_more() -> None:
    few = describe_event("locations", {"count": 1, "top": ["m.py:2"]})
    many = describe_event("locations", {"count": 9, "top": ["a:1", "b:2", "c:3", "d:4"]})
    assert few == "1 suspicious statement: m.py:2"
    assert many == "9 suspicious statements: a:1, b:2, c:3…"


def test_the_search_tells_its_best_and_the_time_left() -> None:
    assert describe_search(searching(10.0)) == (
        "512 candidates, 51/s, best so far: 1 of 2 trigger tests pass (null-guard), 50 s left"
    )
    bare = searching(10.0, best=None, limit_seconds=None)
    assert describe_search(bare) == "512 candidates, 51/s"


def test_without_a_terminal_the_search_speaks_only_now_and_then() -> None:
    events = [("search", searching(second)) for second in range(0, 40, 1)]
    assert plain(events).count("candidates") == 2


def test_a_heartbeat_comes_fifteen_seconds_after_the_last_one() -> None:
    told = advance(Progress(), "search", searching(16.0))
    assert told.told_s == 16.0
    assert not is_heartbeat(told, searching(30.9))
    assert is_heartbeat(told, searching(31.0))


def test_names_of_tests_and_messages_cannot_steer_the_terminal() -> None:
    out = plain([("warning", {"message": "\x1b[2Jowned\n"})])
    assert out == "warning: \\x1b[2Jowned\n"
    screen = Console(file=io.StringIO(), width=80, force_terminal=True)
    running = advance(Progress("reproduce"), "test", {"id": "t\x1b[2J", "outcome": "passed"})
    with screen.capture() as capture:
        screen.print(status_line(running, 80))
    assert "\x1b[2J" not in capture.get()


def test_a_terse_reporter_leaves_nothing_behind() -> None:
    assert plain([("baseline", BASELINE), ("search", searching(99.0))], lasting=False) == ""


def test_the_status_line_fits_narrow_and_wide_terminals() -> None:
    running = advance(Progress("search"), "search", searching(30.0))
    for width in (20, 80, 300):
        console = Console(file=io.StringIO(), width=width)
        with console.capture() as capture:
            console.print(status_line(running, width))
        assert all(len(line) <= width for line in capture.get().splitlines())


def test_the_bar_shows_the_tighter_of_two_budgets() -> None:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as capture:
        # 512 of 2,000 candidates is a quarter, 30 of 60 seconds is a half.
        console.print(status_line(advance(Progress("search"), "search", searching(30.0)), 120))
    assert "50% of the budget" in capture.get()
