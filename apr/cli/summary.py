"""What came of a run: patches in colour, and a summary that claims no more than was tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apr.cli.text import count, duration, first_line, one_line, printable, shorten
from apr.core.behaviour import Behaviour, name_patches
from apr.core.errors import ExitCode
from apr.core.patch import split_lines
from apr.core.report import Baseline, Verdict
from apr.core.run import RankedPatch, RepairRun, RunStatus
from apr.core.tree import SearchNode
from apr.results.details import RunDetails, changed_places

SHOWN_TESTS = 3
SHOWN_CHOICES = 6
_MESSAGE_LENGTH = 160

Row = tuple[str, str]


def render_patches(patches: Sequence[RankedPatch]) -> RenderableType:
    """Every patch with a heading and its diff in colour."""
    if not patches:
        return Text("no plausible patch")
    parts: list[RenderableType] = []
    for patch in patches:
        title = f"# {patch.rank}. {one_line(patch.origin)} (node {patch.node_id})"
        parts += [Text(title, style="bold"), render_diff_text(patch.diff)]
    return Group(*parts)


def render_diff_text(diff: str) -> Text:
    """A unified diff in colour; no character of it can steer the terminal."""
    text = Text()
    for line in split_lines(diff):
        text.append(printable(line), style=_diff_style(line))
        text.append("\n")
    text.right_crop(1)
    return text


def _diff_style(line: str) -> str:
    if line.startswith(("diff ", "--- ", "+++ ")):
        return "bold"
    styles = {"@": "cyan", "+": "green", "-": "red"}
    return styles.get(line[:1], "")


def render_summary(details: RunDetails, code: ExitCode) -> RenderableType:
    """What failed, where it was, what was changed, what it cost, and how far to trust it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in summary_rows(details):
        grid.add_row(name, Text(value))
    headline = describe_end(details.run, code)
    style = "bold green" if code is ExitCode.OK else "bold yellow"
    return Group(Text(headline, style=style), grid)


def describe_end(run: RepairRun, code: ExitCode) -> str:
    """The headline: what the search came to."""
    name = one_line(run.bug.name) or "the bug"
    if run.patches:
        return f"{count(len(run.patches), 'plausible patch', 'plausible patches')} for {name}"
    if code is ExitCode.BUDGET:
        return f"the budget ended before a plausible patch for {name} was found"
    if run.status is RunStatus.EXHAUSTED:
        why = " (nothing is left to try)" if run.message == "exhausted" else ""
        return f"no plausible patch for {name} was found{why}"
    return f"{run.status.value}: {one_line(run.message)}" if run.message else run.status.value


def summary_rows(details: RunDetails) -> Iterator[Row]:
    """The lines of the summary, in order."""
    run = details.run
    if details.baseline is not None:
        yield from _failing_rows(details.baseline)
        yield from _flaky_rows(details.baseline)
    if run.patches:
        yield from _patch_rows(details, run.patches[0])
    else:
        yield from _attempt_rows(details)
    if details.behaviour is not None:
        yield from _behaviour_rows(details.behaviour)
    refused = sum(_is_tampered(node) for node in details.tree.nodes)
    if refused:
        yield "refused", f"{count(refused, 'candidate')} that tampered with the tests"
    yield "search", describe_usage(run)
    if run.patches:
        yield "trust", describe_trust(details)
    yield "run", run.id
    yield "next", _next_commands(run)


def _failing_rows(baseline: Baseline) -> Iterator[Row]:
    for index, result in enumerate(baseline.failing[:SHOWN_TESTS]):
        said = first_line(result.message)
        said = f": {shorten(said, _MESSAGE_LENGTH)}" if said else ""
        yield "" if index else "failed", one_line(result.test) + said
    more = len(baseline.failing) - SHOWN_TESTS
    if more > 0:
        yield "", f"and {count(more, 'more test')}"


def _is_tampered(node: SearchNode) -> bool:
    """Whether the node's patch worked on its referee instead of the bug."""
    return node.report is not None and node.report.verdict is Verdict.TAMPERED


def _flaky_rows(baseline: Baseline) -> Iterator[Row]:
    for index, test in enumerate(baseline.flaky[:SHOWN_TESTS]):
        passed = f"passed {baseline.passes.get(test, 0)} of {baseline.repeats} times"
        yield "" if index else "flaky", f"{one_line(test)}: {passed}"
    more = len(baseline.flaky) - SHOWN_TESTS
    if more > 0:
        yield "", f"and {count(more, 'more test')}"


def _patch_rows(details: RunDetails, patch: RankedPatch) -> Iterator[Row]:
    node = details.node(patch)
    if node is not None:
        yield "where", ", ".join(_describe_places(details, node))
    yield "change", one_line(patch.origin)
    report = node.report if node is not None else None
    if report is not None:
        before = f"{report.triggers_total:,} failing, {report.regressions_total:,} passing"
        after = f"{report.triggers_passed + report.regressions_run:,} passing"
        yield "tests", f"before: {before}; after: {after}"
        if report.confirmations:
            times = count(report.confirmations, "fresh sandbox", "fresh sandboxes")
            told = ", known from an earlier run" if report.from_cache else ""
            yield "confirmed", f"in {times}{told}"
        if report.flaky:
            yield "left out", f"{', '.join(map(one_line, report.flaky))}: flaky without the patch"


def _behaviour_rows(behaviour: Behaviour) -> Iterator[Row]:
    """Which patches behave alike, and what a developer would have to decide."""
    if len(behaviour.clusters) == 1:
        inputs = count(behaviour.executions, "input")
        alike = name_patches(behaviour.clusters[0].patches)
        yield "behave", f"{alike} alike, as far as {inputs} can tell ({one_line(behaviour.reason)})"
    for index, cluster in enumerate(behaviour.clusters if len(behaviour.clusters) > 1 else ()):
        agreement = f"{100 * cluster.agreement:.0f} % agree"
        yield "" if index else "behave", f"{name_patches(cluster.patches)} ({agreement})"
    for index, choice in enumerate(behaviour.choices[:SHOWN_CHOICES]):
        yield "" if index else "choose", f"{index + 1}. {one_line(choice.question)}"
    if behaviour.left_out:
        yield "", f"{count(behaviour.left_out, 'more patch', 'more patches')} not compared"


def _describe_places(details: RunDetails, node: SearchNode) -> Iterator[str]:
    for place in changed_places(node):
        inside = [
            suspect.function
            for suspect in details.locations
            if suspect.function
            and suspect.location.path == place.path
            and suspect.location.first <= place.last
            and place.first <= suspect.location.last
        ]
        yield one_line(f"{place} in {inside[0]}" if inside else str(place))


def _attempt_rows(details: RunDetails) -> Iterator[Row]:
    if details.locations:
        yield "suspects", ", ".join(one_line(s.location) for s in details.locations[:SHOWN_TESTS])
    best = details.best_node
    report = best.report if best is not None else None
    if best is not None and report is not None:
        passed = f"{report.triggers_passed} of {report.triggers_total} trigger tests pass"
        what = f"{report.verdict.value}, {passed}"
        yield "closest", f"node {best.id}, {one_line(best.origin)}: {what}"


def describe_usage(run: RepairRun) -> str:
    """Candidates, seconds, seed, and money if any was spent."""
    usage = run.usage
    rate = f" ({usage.candidates / usage.seconds:.0f}/s)" if usage.seconds > 0 else ""
    cost = f", {usage.cost_usd:.4f} USD" if usage.cost_usd else ""
    candidates = count(usage.candidates, "candidate")
    return f"{candidates} in {duration(usage.seconds)}{rate}{cost}, seed {run.seed}"


def describe_trust(details: RunDetails) -> str:
    """How far the best patch can be trusted: as far as the tests reach."""
    node = details.node(details.run.patches[0])
    report = node.report if node is not None else None
    total = report.triggers_total + report.regressions_total if report is not None else 0
    tests = "the only test passes" if total == 1 else f"all {total:,} tests pass"
    left = list(_not_covered(details.baseline)) if details.baseline is not None else []
    apart = f" ({', '.join(left)} aside)" if left else ""
    return f"plausible: {tests}{apart}; not proven correct, so read it"


def _not_covered(baseline: Baseline) -> Iterator[str]:
    for number, kind in (
        (len(baseline.flaky), "flaky"),
        (len(baseline.skipped), "skipped"),
        (len(baseline.other_failing), "other failing"),
    ):
        if number:
            yield f"{number:,} {kind}"


def _next_commands(run: RepairRun) -> str:
    commands = [f"apr show {run.id}", f"apr tree {run.id}"]
    if run.patches:
        commands.append(f"apr show {run.id} --format diff | git apply")
    return "; ".join(commands)
