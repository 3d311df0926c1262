"""The words with which a model is asked for a patch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from apr.core.model import Message, Role
from apr.core.patch import Patch, render_diff, split_lines
from apr.core.report import TestResult, ValidationReport, Verdict
from apr.generation.prompt.answer import Focus
from apr.generation.prompt.matching import indent_of
from apr.generation.prompt.settings import AnswerFormat, PromptSettings
from apr.source.statements import index_source

BYTES_PER_TOKEN = 3.5
MAX_MESSAGE_LINES = 25
MAX_TEST_LINES = 60
_LABELS = {".py": "python", ".java": "java", ".js": "javascript", ".c": "c", ".h": "c"}

SYSTEM = (
    "You repair programs. You are shown code with a bug and what its failing tests say. "
    "You find the cause and correct it with the smallest change that is right for every input, "
    "not only for the tests."
)
REASONING = "First explain in two or three sentences what goes wrong and how to mend it. Then "
ASK = {
    AnswerFormat.FUNCTION: "write the whole corrected {what} in one code block.",
    AnswerFormat.SEARCH_REPLACE: (
        "write each change as a block of this form, with lines copied exactly from the code:\n\n"
        "{path}\n<<<<<<< SEARCH\nthe lines to be replaced\n=======\nthe lines to stand there "
        "instead\n>>>>>>> REPLACE"
    ),
    AnswerFormat.DIFF: "write the change as a unified diff of {path} in one code block.",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a prompt is made of: the code as `patch` leaves it, and what its tests said.

    `base` and `sources` are the texts without and with `patch`; `report` judges it (None at the
    root, where `failures` are the baseline's).
    """

    focus: Focus
    base: Mapping[str, str]
    sources: Mapping[str, str]
    patch: Patch
    report: ValidationReport | None
    failures: Sequence[TestResult]
    tests: Mapping[str, str]
    issue: str | None = None


def repair_prompt(situation: Situation, settings: PromptSettings) -> tuple[Message, ...]:
    """The chat that asks for a corrected version of the focused code."""
    focus = situation.focus
    code = focused_code(situation)
    what = f"function `{focus.name}`" if focus.name else "code"
    needed = [
        f"The {what} in `{focus.path}` has a bug.\n\n{fenced(code, focus.path)}",
        _task(situation, settings, what),
    ]
    room = settings.prompt_tokens - sum(map(estimate_tokens, (SYSTEM, *needed)))
    optional = _fitting(_evidence(situation, settings), room)
    text = "\n\n".join([needed[0], *optional, needed[1]])
    return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, text))


def focused_code(situation: Situation) -> str:
    """The lines of the focus, without the indentation that all of them share."""
    focus = situation.focus
    lines = split_lines(situation.sources[focus.path])[focus.first - 1 : focus.last]
    indent = indent_of(next((line for line in lines if line.strip()), ""))
    return "".join(line.removeprefix(indent) for line in lines).rstrip()


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def _fitting(sections: Sequence[tuple[int, str]], room: int) -> list[str]:
    """The sections that fit, the most important taken first, in their given order."""
    kept: set[int] = set()
    for position in sorted(range(len(sections)), key=lambda i: sections[i][0]):
        size = estimate_tokens(sections[position][1])
        if size <= room:
            kept.add(position)
            room -= size
    return [sections[position][1] for position in sorted(kept)]


def _evidence(situation: Situation, settings: PromptSettings) -> list[tuple[int, str]]:
    """Sections as (importance, text), 0 being the most important."""
    sections: list[tuple[int, str]] = []
    if situation.issue:
        sections.append((2, f"Somebody reported:\n\n{situation.issue.strip()}"))
    if settings.feedback:
        sections += _feedback(situation, settings)
    else:
        sections += _failing_tests(situation, situation.failures[: settings.tests])
    outline = _surroundings(situation)
    if outline:
        path = situation.focus.path
        sections.append((3, f"Elsewhere in `{path}`:\n\n{fenced(outline, path)}"))
    return sections


def _feedback(situation: Situation, settings: PromptSettings) -> list[tuple[int, str]]:
    """What was tried on the way here, and what its tests said."""
    report = situation.report
    if report is None or not situation.patch.hunks:
        return _failing_tests(situation, situation.failures[: settings.tests])
    diff = render_diff(situation.patch, situation.base).rstrip()
    sections = [(1, f"It already holds this change, which is not enough:\n\n{fenced(diff, '')}")]
    if report.verdict is Verdict.DOES_NOT_BUILD:
        return [*sections, (0, f"It does not even compile:\n\n{fenced(_cut(report.message), '')}")]
    failed = [result for result in report.results if result.outcome.is_failure]
    return sections + _failing_tests(situation, failed[: settings.tests])


def _failing_tests(situation: Situation, failed: Sequence[TestResult]) -> list[tuple[int, str]]:
    sections = []
    for number, result in enumerate(failed):
        source = test_source(result, situation.tests)
        shown = f"\n\n{fenced(source, result.test.partition('::')[0])}" if source else ""
        said = fenced(_cut(result.message or result.outcome.value), "")
        text = f"The test `{result.test}` fails{':' if shown else ''}{shown}\n\nIt says:\n\n{said}"
        sections.append((number, text))
    return sections


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


def _surroundings(situation: Situation) -> str:
    """The heads of the file's other functions, and its imports: what the code may use."""
    focus = situation.focus
    text = situation.sources[focus.path]
    lines = split_lines(text)
    heads = [line.rstrip() for line in lines if line.startswith(("import ", "from ", "#include"))]
    for function in index_source(focus.path, text).functions:
        if not focus.first <= function.first <= focus.last:
            heads.append(lines[function.first - 1].rstrip())
    return "\n".join(heads)


def _task(situation: Situation, settings: PromptSettings, what: str) -> str:
    ask = ASK[settings.answer_format].format(what=what, path=situation.focus.path)
    text = REASONING + ask if settings.reasoning else ask[0].upper() + ask[1:]
    return text + "\n\nDo not change or mention the tests in the code."


def correction_prompt(asked: tuple[Message, ...], answer: str, reason: str) -> tuple[Message, ...]:
    """The chat goes on: what was wrong with the form of the answer."""
    text = f"That cannot be used: {reason}. Please answer again, in the form asked for."
    return (*asked, Message(Role.ASSISTANT, answer), Message(Role.USER, text))


def fenced(text: str, path: str) -> str:
    """A Markdown code block, labelled by the language of `path`."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{_LABELS.get(PurePosixPath(path).suffix, '')}\n{text}\n{fence}"


def _cut(text: str) -> str:
    """The beginning and the end of a long message."""
    lines = text.strip().split("\n")
    if len(lines) <= MAX_MESSAGE_LINES:
        return "\n".join(line[:400] for line in lines)
    half = MAX_MESSAGE_LINES // 2
    return "\n".join(line[:400] for line in [*lines[:half], "[...]", *lines[-half:]])
