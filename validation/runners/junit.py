"""Outcomes from JUnit XML, the one report format that nearly every test tool writes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from pathlib import Path

from apr.core.bug import RunnerKind, TestId
from apr.core.errors import BadInputError
from apr.core.report import TestOutcome, TestResult

MAX_MESSAGE = 4096


def read_junit(reports: Iterable[bytes]) -> list[TestResult]:
    """Every test case of the given reports, in their order; unreadable ones are passed over.

    A test that appears more than once (a parametrized Java test, a retry) counts by its worst
    outcome.
    """
    results: dict[TestId, TestResult] = {}
    for report in reports:
        for result in _read_report(report):
            known = results.get(result.test)
            if known is None or _SEVERITY[result.outcome] > _SEVERITY[known.outcome]:
                results[result.test] = result
    return list(results.values())


def read_failing(report: bytes, subject: Path, kind: RunnerKind) -> tuple[TestId, ...]:
    """The failing tests of a report, called as the subject's own runner calls them.

    Raises:
        BadInputError: when the report cannot be read.
    """
    results = read_junit([report])
    if not results:
        raise BadInputError("the JUnit report cannot be read, or has no test in it")
    failing = (result.test for result in results if result.outcome.is_failure)
    if kind is not RunnerKind.PYTEST:
        return tuple(failing)
    return tuple(_node_id(test, subject) for test in failing)


def _node_id(test: TestId, subject: Path) -> TestId:
    """pytest's own name for what its report calls `package.module.Class.name`."""
    dotted, bracket, parameters = test.partition("[")
    parts = dotted.split(".")
    for size in range(len(parts) - 1, 0, -1):
        path = "/".join(parts[:size]) + ".py"
        if ".." not in parts and (subject / path).is_file():
            return TestId("::".join((path, *parts[size:])) + bracket + parameters)
    return test


_SEVERITY = {
    TestOutcome.PASSED: 0,
    TestOutcome.SKIPPED: 1,
    TestOutcome.FAILED: 2,
    TestOutcome.ERROR: 3,
}


def _read_report(data: bytes) -> Iterator[TestResult]:
    # Declared entities can grow without bound.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        return  # also: an encoding that nobody knows
    for case in root.iter("testcase"):
        yield _read_case(case)


def _read_case(case: ElementTree.Element) -> TestResult:
    owner, name = case.get("classname", ""), case.get("name", "")
    outcome, message = TestOutcome.PASSED, ""
    for tag, meaning in _TAGS.items():
        element = case.find(tag)
        if element is not None:
            outcome = meaning
            message = f"{element.get('message') or ''}\n{element.text or ''}".strip()
            break
    return TestResult(
        test=TestId(f"{owner}.{name}" if owner else name),
        outcome=outcome,
        duration_s=_seconds(case.get("time", "0")),
        message=message[:MAX_MESSAGE],
    )


_TAGS = {
    "error": TestOutcome.ERROR,
    "failure": TestOutcome.FAILED,
    "skipped": TestOutcome.SKIPPED,
}


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text.replace(",", "")))
    except ValueError:
        return 0.0
