"""What the words for statuses, verdicts and outcomes mean, and the mark that each is shown with.

A mark is a shape of its own, so that nobody needs the colour.
"""

from __future__ import annotations

from apr.core.report import TestOutcome, Verdict
from apr.core.run import RunStatus

STATUS_MARKS = {
    RunStatus.QUEUED: "◌",
    RunStatus.RUNNING: "◐",
    RunStatus.SUCCEEDED: "●",
    RunStatus.EXHAUSTED: "○",
    RunStatus.FAILED: "✕",
    RunStatus.INTERRUPTED: "‖",
    RunStatus.CANCELLED: "⊘",
}

STATUS_MEANINGS = {
    RunStatus.QUEUED: "It waits for its turn.",
    RunStatus.RUNNING: "It is being worked on.",
    RunStatus.SUCCEEDED: "A patch was found that passes every test.",
    RunStatus.EXHAUSTED: "The budget, or what could be tried, ended before a patch was found.",
    RunStatus.FAILED: "The question could not be asked: this is no statement about the bug.",
    RunStatus.INTERRUPTED: "It was stopped. Nothing is lost: resuming goes on where it was.",
    RunStatus.CANCELLED: "A user ended it.",
}

VERDICT_MARKS = {
    Verdict.PLAUSIBLE: "✓",
    Verdict.REGRESSES: "▲",
    Verdict.STILL_FAILS: "×",
    Verdict.DOES_NOT_BUILD: "◇",
    Verdict.DOES_NOT_APPLY: "◇",
    Verdict.TAMPERED: "‼",
    Verdict.INCONCLUSIVE: "?",
}

VERDICT_MEANINGS = {
    Verdict.PLAUSIBLE: "Every failing test passes and no test that passed fails, confirmed in"
    " fresh sandboxes. That is not proof that it is correct.",
    Verdict.REGRESSES: "The failing tests pass, but a test that passed before fails now.",
    Verdict.STILL_FAILS: "At least one of the failing tests goes on failing.",
    Verdict.DOES_NOT_BUILD: "The patched program does not compile.",
    Verdict.DOES_NOT_APPLY: "The patch does not fit the program.",
    Verdict.TAMPERED: "The patch worked on its referee instead of the bug, and was refused.",
    Verdict.INCONCLUSIVE: "The machinery failed, or a test is flaky: nothing is known.",
}

OUTCOME_MARKS = {
    TestOutcome.PASSED: "✓",
    TestOutcome.FAILED: "×",
    TestOutcome.ERROR: "!",
    TestOutcome.SKIPPED: "–",
    TestOutcome.XFAILED: "–",
    TestOutcome.TIMEOUT: "◷",
    TestOutcome.MISSING: "∅",
}
