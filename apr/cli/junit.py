"""Verdicts on patches as a JUnit report, for programs that show such reports."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from apr.cli.text import one_line
from apr.core.report import ValidationReport, Verdict

SUITE = "apr validate"


def render_junit(judged: Sequence[tuple[str, ValidationReport]]) -> str:
    """One test case for each patch: passed when it is plausible, an error without a verdict."""
    unclear = [r for _, r in judged if r.verdict is Verdict.INCONCLUSIVE]
    bad = [r for _, r in judged if not r.is_plausible]
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(judged)),
        failures=str(len(bad) - len(unclear)),
        errors=str(len(unclear)),
        skipped="0",
        time=f"{sum(report.duration_s for _, report in judged):.3f}",
    )
    for name, report in judged:
        seconds = f"{report.duration_s:.3f}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=SUITE, name=one_line(name), time=seconds
        )
        if not report.is_plausible:
            kind = "error" if report.verdict is Verdict.INCONCLUSIVE else "failure"
            told = ElementTree.SubElement(case, kind, type=report.verdict.value)
            told.set("message", one_line(report.message) or report.verdict.value)
            told.text = "\n".join(
                one_line(f"{result.test}: {result.outcome.value}")
                for result in report.results
                if result.outcome.is_failure
            )
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suite, "unicode")}\n'
