"""A run as Markdown for a pull request: what failed, what would repair it, what that is worth."""

from __future__ import annotations

import re

from apr.core.run import RepairRun
from apr.results.details import RunDetails

MARKER = "<!-- apr-summary -->"
"""Found again by whoever updates the comment in place."""
MOST_TESTS = 20
MOST_DIFF = 30_000


def render_markdown(details: RunDetails) -> str:
    """The summary; nothing that a test or a file says becomes markup."""
    run = details.run
    parts = [MARKER, f"### APR: {_verdict(run)}", ""]
    parts += _tests(details)
    if run.patches:
        parts += _patch(details)
    elif details.locations:
        parts += _suspects(details)
    parts += [_spent(run), ""]
    return "\n".join(parts)


def _verdict(run: RepairRun) -> str:
    if not run.patches:
        return f"no plausible patch found ({run.status.value})"
    more = f" (and {len(run.patches) - 1} more)" if len(run.patches) > 1 else ""
    return f"a plausible patch{more}"


def _tests(details: RunDetails) -> list[str]:
    failing = details.baseline.failing if details.baseline is not None else ()
    lines = [f"- {code(result.test)} ({result.outcome.value})" for result in failing[:MOST_TESTS]]
    if len(failing) > MOST_TESTS:
        lines.append(f"- … and {len(failing) - MOST_TESTS} more")
    return ["Failing tests:", "", *lines, ""] if lines else []


def _patch(details: RunDetails) -> list[str]:
    best = details.run.patches[0]
    if len(best.diff) > MOST_DIFF:
        shown = ["The patch is too large to be shown here; it is among the files of this job.", ""]
    else:
        shown = [fence(best.diff, "diff"), ""]
    return [
        *shown,
        "It makes the failing tests pass and no other fail, confirmed in a fresh sandbox. That"
        " does not make it correct: read it before you apply it.",
        "",
    ]


def _suspects(details: RunDetails) -> list[str]:
    lines = [
        f"- {code(str(suspect.location))} ({suspect.suspiciousness:.2f})"
        for suspect in details.locations[:5]
    ]
    return ["Most suspicious:", "", *lines, ""]


def _spent(run: RepairRun) -> str:
    usage = run.usage
    money = f", {usage.cost_usd:.4f} USD" if usage.cost_usd else ""
    tried = f"{usage.candidates:,} candidates in {usage.seconds:.0f} s{money}"
    return f"<sub>{tried}; run {code(run.id)}</sub>"


def code(text: str) -> str:
    """Text on one line as code, whatever backticks it holds."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(text: str, language: str) -> str:
    """A block of code that nothing in it can end."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    safe = text.encode("utf-8", "replace").decode()
    return f"{ticks}{language}\n{safe.rstrip()}\n{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
