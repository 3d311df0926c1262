"""The words with which a model is asked for a patch."""

from __future__ import annotations

from apr.core.model import Message, Role
from apr.core.patch import split_lines
from apr.generation.prompt.evidence import estimate_tokens, fenced, fitting, gather, label_of
from apr.generation.prompt.hunks import mark_hunk
from apr.generation.prompt.settings import AnswerFormat, PromptSettings
from apr.generation.prompt.situation import Situation
from apr.source.statements import index_source

SYSTEM = (
    "You repair programs. You are shown code with a bug and what its failing tests say. "
    "You find the cause and correct it with the smallest change that is right for every input, "
    "not only for the tests."
)
REASONING = "First say in one sentence which line is wrong and what it has to be instead. Then "
ASK = {
    AnswerFormat.FUNCTION: "write the whole corrected {what} in one code block.",
    AnswerFormat.SEARCH_REPLACE: (
        "write each change as a block of this form, with lines copied exactly from the code:\n\n"
        "{path}\n<<<<<<< SEARCH\nthe lines to be replaced\n=======\nthe lines to stand there "
        "instead\n>>>>>>> REPLACE"
    ),
    AnswerFormat.DIFF: "write the change as a unified diff of {path} in one code block.",
    AnswerFormat.HUNK: (
        "write the lines that have to stand between the two marks instead, and no others, in one"
        " code block; leave the block empty if they have to go."
    ),
}


def repair_prompt(situation: Situation, settings: PromptSettings) -> tuple[Message, ...]:
    """The chat that asks for a corrected version of the focused code."""
    code, task = _introduction(situation), _task(situation, settings)
    evidence = _evidence(situation, settings, (SYSTEM, code, task))
    text = "\n\n".join([code, *evidence, task])
    return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, text))


def completion_prompt(situation: Situation, settings: PromptSettings) -> tuple[str, str]:
    """A text for a base model to continue, and its end, with which the answer begins.

    The text breaks off inside a code block, after the head of the corrected function.
    """
    code = _introduction(situation)
    opening = f"```{label_of(situation.focus.path)}\n{_head(situation)}"
    last = f"The corrected {situation.what}, with the bug mended:\n\n"
    evidence = _evidence(situation, settings, (code, last, opening))
    return "\n\n".join([code, *evidence, last]) + opening, opening


def _introduction(situation: Situation) -> str:
    code = fenced(_shown(situation), situation.focus.path)
    return f"The {situation.what} in `{situation.focus.path}` has a bug.\n\n{code}"


def _shown(situation: Situation) -> str:
    """The focused code, with marks around the hunk if one is asked for."""
    if situation.hunk is None:
        return situation.focused_code
    lines = split_lines(situation.focused_code + "\n")
    focus = situation.focus
    return "".join(mark_hunk(lines, focus.first, situation.hunk, focus.path)).rstrip()


def _evidence(situation: Situation, settings: PromptSettings, needed: tuple[str, ...]) -> list[str]:
    room = settings.prompt_tokens - sum(map(estimate_tokens, needed))
    return fitting(gather(situation, settings), room)


def _head(situation: Situation) -> str:
    """The lines of the focused function before its body; empty when it is no function."""
    focus = situation.focus
    index = index_source(focus.path, situation.sources[focus.path])
    if not focus.name:
        return ""
    header = index.statement_at(focus.first)
    last = header.last if header is not None else focus.first
    shown = split_lines(situation.focused_code + "\n")[: last - focus.first + 1]
    return "".join(shown)


def _task(situation: Situation, settings: PromptSettings) -> str:
    form = settings.answer_format
    if form is AnswerFormat.HUNK and situation.hunk is None:
        form = AnswerFormat.FUNCTION
    ask = ASK[form].format(what=situation.what, path=situation.focus.path)
    text = REASONING + ask if settings.reasoning else ask[0].upper() + ask[1:]
    return text + "\n\nWrite no tests."


def correction_prompt(
    asked: tuple[Message, ...], answer: str, reason: str, *, repeat: bool
) -> tuple[Message, ...]:
    """The chat with what was wrong with the answer.

    Without `repeat` the answer itself is left out: a small model that has lost its way finds it
    more easily when it does not see where it went.
    """
    text = f"That cannot be used: {reason}. Please answer again, in the form asked for."
    if repeat:
        return (*asked, Message(Role.ASSISTANT, answer), Message(Role.USER, text))
    question = asked[-1]
    told = f"{question.content}\n\nWrite nothing but that: an earlier answer could not be used,"
    return (*asked[:-1], Message(question.role, f"{told} since {reason}."))
