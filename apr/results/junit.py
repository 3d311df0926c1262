"""A run as a JUnit report: the trigger tests as the best patch leaves them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from apr.core.report import TestOutcome, TestResult
from apr.results.details import RunDetails

SUITE = "apr"
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold, not even escaped."""


def render_run_junit(details: RunDetails) -> str:
    """One case for each trigger test: passed when the run has a patch that makes it pass."""
    failing = details.baseline.failing if details.baseline is not None else ()
    is_repaired = bool(details.run.patches)
    failures = 0 if is_repaired else len(failing)
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(failing)),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{details.run.usage.seconds:.3f}",
    )
    for result in failing:
        _add_case(suite, result, is_repaired=is_repaired)
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suite, "unicode")}\n'


def _add_case(suite: ElementTree.Element, result: TestResult, *, is_repaired: bool) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=SUITE, name=xml_text(result.test), time="0"
    )
    if is_repaired:
        return
    told = ElementTree.SubElement(case, "failure", type=result.outcome.value)
    told.set("message", "no plausible patch was found")
    told.text = xml_text(result.message) or TestOutcome.FAILED.value


def xml_text(text: str) -> str:
    """The text without what XML cannot hold: a test's words may be anything."""
    return _FORBIDDEN.sub("\ufffd", text)
