"""What a prompt may hold and how answers are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AnswerFormat(StrEnum):
    """The form in which the model is asked to answer; whatever it sends, all are understood."""

    FUNCTION = "function"  # the whole corrected function: what small models do best
    SEARCH_REPLACE = "search-replace"
    DIFF = "diff"
    HUNK = "hunk"  # the lines between two marks: the hunk that a repair model would be given


class Interface(StrEnum):
    """How the model is spoken to."""

    CHAT = "chat"
    COMPLETIONS = "completions"  # a text to be continued: base models know nothing else


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """Sizes are in tokens, estimated from bytes.

    `prompt_tokens` bounds a whole prompt; what is least needed is left out first. `functions` is
    how many of the most suspicious functions are asked about, one in each prompt. `tests` is the
    number of failing tests shown, `neighbours` that of callers and of callees, `similar_lines`
    that of lines from elsewhere. `corrections` is how often an answer that cannot be applied is
    sent back with the reason. `joint` draws all answers of a question with one request, so that
    its prompt is paid for once. `temperature`, `presence_penalty` and `frequency_penalty` are
    those of the released APRMCTS.
    """

    answer_format: AnswerFormat = AnswerFormat.FUNCTION
    interface: Interface = Interface.CHAT
    prompt_tokens: int = 4000
    answer_tokens: int = 1500
    functions: int = 5
    tests: int = 3
    neighbours: int = 3
    similar_lines: int = 5
    feedback: bool = True
    reasoning: bool = True
    corrections: int = 1
    joint: bool = True
    temperature: float = 0.95
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
