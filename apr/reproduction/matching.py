"""Whether a test fails for the reason that an issue gives: pure, from what the test said.

A test that somebody, or something, wrote after reading an issue may fail for many reasons of its
own: a name that it forgot to import, an argument that does not exist, a wrong expectation. What
counts is an exception that the issue names, with words that it has, or an assertion about
something that it names.
"""

from __future__ import annotations

import re

from apr.core.report import TestOutcome, TestResult
from apr.source.words import words_of

OWN_MISTAKES = frozenset(
    {"NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError"}
    | {"UnboundLocalError", "FileNotFoundError", "TabError"}
)
"""Exceptions that speak of the test, unless the issue is about them and the subject raised them."""
SHARED = 0.5
"""The share of an exception's words that the issue must have."""

_RAISED = re.compile(r"^(?:E\s+)?(?P<name>[A-Za-z_][\w.]*)(?::\s*(?P<text>.*))?$")
_IS_EXCEPTION = re.compile(r"(?:\w*(?:Error|Exception|Warning|Exit|Interrupt|Failed|Timeout))$")


def raised_by(result: TestResult) -> tuple[str, str]:
    """The exception that ended a failing test, without its module, and what it said."""
    for line in reversed(result.message.strip().splitlines()):
        found = _RAISED.match(line.strip())
        if found:
            name = found["name"].rpartition(".")[2]
            if _IS_EXCEPTION.match(name):
                return name, found["text"] or ""
    return "", ""


def why_not(result: TestResult, test: str, issue: str) -> str:
    """Why a test's outcome on the buggy program is not what the issue reports; empty: it is."""
    if result.outcome not in (TestOutcome.FAILED, TestOutcome.ERROR):
        return f"it {result.outcome.value}" if result.outcome.is_failure else "it does not fail"
    name, text = raised_by(result)
    if not name or name in ("AssertionError", "Failed"):
        return "" if _is_about(test, issue) else "it asserts nothing about what the issue names"
    if not re.search(rf"\b{re.escape(name)}\b", issue):
        return f"it raises {name}, which the issue does not name"
    if name in OWN_MISTAKES and not result.frames:
        return f"it raises {name} itself"
    words = set(words_of(text))
    shared = len(words & set(words_of(issue)))
    if words and shared < SHARED * len(words):
        return f"its {name} says something else than the issue's"
    return ""


def likeness(result: TestResult, issue: str) -> float:
    """How many of the words of a failure the issue has, in [0, 1]."""
    words = set(words_of(" ".join(raised_by(result))))
    return len(words & set(words_of(issue))) / len(words) if words else 0.0


def _is_about(test: str, issue: str) -> bool:
    """Whether the test calls something that the issue spells out."""
    called = {name.rpartition(".")[2] for name in re.findall(r"([A-Za-z_][\w.]*)\s*\(", test)}
    spelled = set(re.findall(r"[A-Za-z_]\w{2,}", issue))
    return bool({name for name in called if not name.startswith("test")} & spelled)
