"""The sections of a prompt beside the code itself: what failed, what was tried, what is around."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from apr.core.patch import render_diff, split_lines
from apr.core.report import TestResult, Verdict
from apr.generation.prompt.diagnosis import build_error_place, failing_line, shorten
from apr.generation.prompt.neighbours import Neighbour
from apr.generation.prompt.settings import PromptSettings
from apr.generation.prompt.situation import Situation
from apr.generation.retrieval import words_of
from apr.source.statements import SourceIndex, index_source

BYTES_PER_TOKEN = 3.5
MAX_TEST_LINES = 60
MAX_OUTLINE_LINES = 60
MAX_FAILURES = 50  # looked at for some that differ
_LABELS = {".py": "python", ".java": "java", ".js": "javascript", ".c": "c", ".h": "c"}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a prompt; among those that do not all fit, the lowest `rank` is kept."""

    rank: int
    text: str


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def fitting(sections: Sequence[Section], room: int) -> list[str]:
    """The sections that fit into so many tokens, in their given order."""
    kept: set[int] = set()
    for position in sorted(range(len(sections)), key=lambda i: sections[i].rank):
        size = estimate_tokens(sections[position].text)
        if size <= room:
            kept.add(position)
            room -= size
    return [sections[position].text for position in sorted(kept)]


def gather(situation: Situation, settings: PromptSettings) -> list[Section]:
    """All that may be worth showing, in the order in which it is shown."""
    sections: list[Section] = []
    if situation.issue:
        sections.append(Section(2, f"Somebody reported:\n\n{situation.issue.strip()}"))
    if settings.feedback:
        sections += _feedback(situation, settings)
    else:
        sections += _failing_tests(situation, situation.failures, settings.tests)
    return sections + _around(situation, settings)


def _feedback(situation: Situation, settings: PromptSettings) -> list[Section]:
    """What was tried on the way here, and what its tests said."""
    report = situation.report
    if report is None or not situation.patch.hunks:
        return _failing_tests(situation, situation.failures, settings.tests)
    diff = render_diff(situation.patch, situation.base).rstrip()
    tried = f"It already holds this change, which is not enough:\n\n{fenced(diff, '')}"
    sections = [Section(1, tried)]
    if report.verdict is Verdict.DOES_NOT_BUILD:
        return [*sections, Section(0, _build_error(situation, report.message))]
    failed = [result for result in report.results if result.outcome.is_failure]
    return sections + _failing_tests(situation, failed, settings.tests)


def _build_error(situation: Situation, message: str) -> str:
    place = build_error_place(message, situation.sources)
    shown = f"\n\n{fenced(place, situation.focus.path)}" if place else ""
    return f"It does not even compile:\n\n{fenced(shorten(message), '')}{shown}"


def _failing_tests(situation: Situation, failed: Sequence[TestResult], most: int) -> list[Section]:
    """The first `most` failures; those with the same test and the same words count as one."""
    sections: list[Section] = []
    shown: set[str] = set()
    seen: set[str] = set()
    for result in failed[:MAX_FAILURES]:
        source = test_source(result, situation.tests)
        failure = _failure(result, situation.sources)
        if source + failure in seen:
            continue
        name = result.test.rpartition("::")[2]
        is_news = bool(source) and source not in shown
        code = f":\n\n{fenced(source, result.test.partition('::')[0])}" if is_news else "."
        text = f"The test `{name}` fails{code}\n\n{failure}"
        sections.append(Section(len(sections), text))
        shown.add(source)
        seen.add(source + failure)
        if len(sections) >= most:
            break
    return sections


def _failure(result: TestResult, sources: Mapping[str, str]) -> str:
    """What a test says, and where it happened."""
    said = f"It says:\n\n{fenced(shorten(result.message or result.outcome.value), '')}"
    where = failing_line(result, sources)
    return f"{said}\n\n{where}" if where else said


def test_source(result: TestResult, tests: Mapping[str, str]) -> str:
    """The text of a failing test function; empty when it cannot be found."""
    parts = result.test.partition("[")[0].split("::")
    if len(parts) > 1:
        name, paths = ".".join(parts[1:]), [parts[0]]
    else:  # unittest's dotted names, JUnit's class and method
        name, paths = result.test.replace("#", ".").rpartition(".")[2], list(tests)
    for path in paths:
        text = tests.get(path, "")
        for function in index_source(path, text).functions:
            if function.name == name or function.name.endswith(f".{name}"):
                lines = split_lines(text)[function.first - 1 : function.last]
                return "".join(lines[:MAX_TEST_LINES]).rstrip()
    return ""


def _around(situation: Situation, settings: PromptSettings) -> list[Section]:
    """The rest of the file in outline, and what there is about the code in other places."""
    focus, code, project = situation.focus, situation.focused_code, situation.project
    sections: list[Section] = []
    if lines := outline(situation):
        sections.append(Section(3, f"Elsewhere in `{focus.path}`:\n\n{fenced(lines, focus.path)}"))
    if settings.neighbours:
        callees = project.callees(focus, code, settings.neighbours)
        callers = project.callers(focus, settings.neighbours)
        sections += [Section(4 + n, _shown("It calls", c)) for n, c in enumerate(callees)]
        sections += [Section(5 + n, _shown("It is called by", c)) for n, c in enumerate(callers)]
    similar = project.similar(focus, code, settings.similar_lines) if settings.similar_lines else []
    if similar:
        listed = "\n".join(place.text for place in similar)
        text = f"Lines elsewhere that resemble it:\n\n{fenced(listed, focus.path)}"
        sections.append(Section(20, text))
    return sections


def _shown(relation: str, neighbour: Neighbour) -> str:
    code = fenced(neighbour.code, neighbour.path)
    return f"{relation} `{neighbour.name}` in `{neighbour.path}`:\n\n{code}"


def outline(situation: Situation) -> str:
    """The file without the insides of its functions: imports, constants, classes, signatures.

    Of a long outline, the lines that share a word with the focused code.
    """
    focus = situation.focus
    text = situation.sources[focus.path]
    lines = split_lines(text)
    numbers = sorted(set(_outline_numbers(index_source(focus.path, text))))
    shown = [
        lines[n - 1].rstrip()
        for n in numbers
        if n <= len(lines) and not focus.first <= n <= focus.last
    ]
    if len(shown) > MAX_OUTLINE_LINES:
        used = set(words_of(situation.focused_code))
        shown = [line for line in shown if used & set(words_of(line))][:MAX_OUTLINE_LINES]
    return "\n".join(shown)


def _outline_numbers(index: SourceIndex) -> list[int]:
    """The lines outside functions, and the first lines of functions that are not inside others."""
    numbers: list[int] = []
    for statement in index.statements:
        if statement.function is None:
            numbers.extend(range(statement.first, statement.last + 1))
    inside = 0
    for function in index.functions:
        if function.first > inside:
            numbers.append(function.first)
            inside = function.last
    return numbers


def fenced(text: str, path: str) -> str:
    """A Markdown code block, labelled by the language of `path`."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{label_of(path)}\n{text}\n{fence}"


def label_of(path: str) -> str:
    """The name of a file's language, as Markdown has it."""
    return _LABELS.get(PurePosixPath(path).suffix, "")
