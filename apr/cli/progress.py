"""Live progress on stderr: a status line on a terminal, occasional plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from apr.cli.output import err_console
from apr.cli.text import count, duration, one_line, shorten

HEARTBEAT_S = 15.0
REFRESH_PER_SECOND = 8
SILENT = frozenset({"copy", "search", "validate", "confirm", "done"})

PHASES = {
    "copy": "copying the subject",
    "reproduce": "running the tests",
    "localize": "localizing the fault",
    "search": "searching",
    "validate": "judging the patches",
    "trace": "running the tests to see their calls",
    "compare": "comparing what the patches do",
    "confirm": "confirming a patch in a fresh sandbox",
    "done": "done",
}


class Listener(Protocol):
    """Hears of everything that an execution tells."""

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an execution has come; `search` holds the data of the newest search event.

    `told_s` is when, in seconds of the search, the last heartbeat line was given.
    """

    phase: str = "copy"
    tests: int = 0
    failures: int = 0
    last_test: str = ""
    search: Mapping[str, Any] = field(default_factory=dict)
    told_s: float = 0.0


def advance(progress: Progress, kind: str, data: Mapping[str, Any]) -> Progress:
    """The progress after an event; unknown kinds change nothing."""
    if kind == "phase":
        return replace(progress, phase=str(data["name"]))
    if kind == "test":
        failed = data["outcome"] in ("failed", "error", "timeout", "missing")
        return replace(
            progress,
            tests=progress.tests + 1,
            failures=progress.failures + failed,
            last_test=str(data["id"]),
        )
    if kind == "search":
        told = data["seconds"] if is_heartbeat(progress, data) else progress.told_s
        return replace(progress, search=dict(data), told_s=told)
    return progress


def is_heartbeat(progress: Progress, data: Mapping[str, Any]) -> bool:
    """Whether it is time again for a line about the search."""
    return bool(data["seconds"] - progress.told_s >= HEARTBEAT_S)


def describe_event(kind: str, data: Mapping[str, Any]) -> str | None:
    """The lasting line that an event deserves, if any."""
    if kind == "phase":
        name = str(data["name"])
        return None if name in SILENT else PHASES.get(name, name)
    if kind == "sandbox":
        return describe_sandbox(str(data["name"]))
    if kind == "baseline":
        return describe_baseline(data)
    if kind == "locations":
        return describe_locations(data["count"], data["top"][:3])
    if kind == "plausible":
        return f"plausible patch: {one_line(data['origin'])} (node {data['node']})"
    if kind == "model":
        return describe_conversation(data)
    if kind == "assembly":
        return describe_assembly(data)
    if kind == "discrepancy":
        return one_line(data["question"])
    return f"warning: {one_line(data['message'])}" if kind == "warning" else None


def describe_conversation(data: Mapping[str, Any]) -> str:
    """How many answers a model gave, and what became of them."""
    text = f"model: {count(data['answers'], 'answer')}"
    if data["from_cache"]:
        text += f", {data['from_cache']:,} of {count(data['requests'], 'request')} known already"
    rejected: Mapping[str, int] = data["rejected"]
    if rejected:
        commonest = max(rejected, key=lambda reason: rejected[reason])
        text += f", {sum(rejected.values()):,} without a patch (mostly: {one_line(commonest)})"
    return text


def describe_assembly(data: Mapping[str, Any]) -> str:
    """How many of the patches that a bug's hunks could be put together to were judged."""
    hunks = f"{len(data['candidates'])} hunks"
    return f"{hunks}: judged {data['judged']:,} of {data['combinations']:,} combinations"


def describe_sandbox(name: str) -> str:
    """The sandbox's name, and what must be said of the weak one."""
    weak = " (weak: it limits resources, but hides neither your files nor the network)"
    return f"sandbox: {name}{weak if name == 'process' else ''}"


def describe_baseline(data: Mapping[str, Any]) -> str:
    """The baseline's counts; the kinds of tests that there are none of are left out."""
    kinds = (
        ("failing", "failing"),
        ("passing", "passing"),
        ("other_failing", "failing but not asked for"),
        ("flaky", "flaky"),
        ("skipped", "skipped"),
    )
    parts = [
        f"{data[key]:,} {name}"
        for key, name in kinds
        if data.get(key) or key in ("failing", "passing")
    ]
    known = ", measured by an earlier run" if data.get("is_known") else ""
    return f"tests: {', '.join(parts)}, in {duration(data['duration_s'])}{known}"


def describe_locations(number: int, top: Sequence[str]) -> str:
    """How many suspects there are, and the first of them."""
    names = ", ".join(one_line(place) for place in top)
    more = "…" if number > len(top) else ""
    return f"{count(number, 'suspicious statement')}: {names}{more}"


def describe_search(search: Mapping[str, Any]) -> str:
    """One line about the search so far."""
    parts = [count(search["candidates"], "candidate"), f"{search['rate']:.0f}/s"]
    best = search["best"]
    if best:
        of = f"{best['triggers_passed']} of {best['triggers_total']} trigger tests"
        parts.append(f"best so far: {of} pass ({one_line(best['origin'])})")
    if search["limit_seconds"] is not None:
        parts.append(f"{duration(max(0.0, search['limit_seconds'] - search['seconds']))} left")
    return ", ".join(parts)


def status_line(progress: Progress, width: int) -> RenderableType:
    """What a terminal shows at this moment."""
    phase = PHASES.get(progress.phase, progress.phase)
    if progress.phase == "reproduce" and progress.tests:
        phase += f": {count(progress.tests, 'test')}"
        phase += f", {progress.failures:,} failing" if progress.failures else ""
        phase += f"  {shorten(one_line(progress.last_test), max(20, width - len(phase) - 8))}"
    spinner = Spinner("dots", Text(phase, no_wrap=True, overflow="ellipsis"))
    if not progress.search:
        return spinner
    line = Text(describe_search(progress.search), no_wrap=True, overflow="ellipsis")
    return Group(_budget_row(spinner, progress.search), line)


def _budget_row(spinner: Spinner, search: Mapping[str, Any]) -> RenderableType:
    """The spinner beside a bar that fills as the tighter of the two budgets is used up."""
    spent = [
        search[name] / search[limit]
        for name, limit in (("candidates", "limit_candidates"), ("seconds", "limit_seconds"))
        if search[limit]
    ]
    if not spent:
        return spinner
    grid = Table.grid(padding=(0, 1))
    share = min(1.0, max(spent))
    bar = ProgressBar(total=1.0, completed=share, width=24)
    grid.add_row(spinner, bar, Text(f"{share:.0%} of the budget", no_wrap=True))
    return grid


class Reporter:
    """Listens to an execution, and prints the lines that last, if they are wanted."""

    def __init__(self, console: Console, *, animated: bool, lasting: bool = True) -> None:
        self._console = console
        self._lasting = lasting
        self._animated = animated
        self._progress = Progress()

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None:
        before, self._progress = self._progress, advance(self._progress, kind, data)
        if not self._lasting:
            return
        line = describe_event(kind, data)
        if kind == "phase" and self._animated:
            line = None  # the status line says it
        if kind == "search" and not self._animated and is_heartbeat(before, data):
            line = describe_search(data)
        if line is not None:
            self._console.print(Text(line), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        return status_line(self._progress, self._console.width)


def _ignore(kind: str, data: Mapping[str, Any]) -> None:
    """The listener of a quiet command."""


@contextmanager
def reporting(*, quiet: bool, lasting: bool = True) -> Iterator[Listener]:
    """A listener that shows an execution's progress on stderr while the block lasts.

    Without `lasting`, nothing remains of it afterwards.
    """
    if quiet:
        yield _ignore
        return
    console = err_console()
    # Asked of the stream itself: FORCE_COLOR makes every console call itself a terminal.
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        yield Reporter(console, animated=False, lasting=lasting)
        return
    reporter = Reporter(console, animated=True, lasting=lasting)
    with Live(
        get_renderable=lambda: reporter,
        console=console,
        transient=True,
        refresh_per_second=REFRESH_PER_SECOND,
        redirect_stdout=False,
    ):
        yield reporter
