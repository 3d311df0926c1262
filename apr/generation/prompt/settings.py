"""What a prompt may hold and how answers are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AnswerFormat(StrEnum):
    """The form in which the model is asked to answer; whatever it sends, all are understood."""

    FUNCTION = "function"  # the whole corrected function: what small models do best
    SEARCH_REPLACE = "search-replace"
    DIFF = "diff"


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """Sizes are in tokens, estimated from bytes.

    `prompt_tokens` bounds a whole prompt; what is least needed is left out first. `functions` is
    how many of the most suspicious functions are asked about, one in each prompt. `tests` is the
    number of failing tests shown. `corrections` is how often an answer that cannot be applied is
    sent back with the reason. `temperature`, `presence_penalty` and `frequency_penalty` are those
    of the released APRMCTS.
    """

    answer_format: AnswerFormat = AnswerFormat.FUNCTION
    prompt_tokens: int = 4000
    answer_tokens: int = 1500
    functions: int = 5
    tests: int = 3
    feedback: bool = True
    reasoning: bool = True
    corrections: int = 1
    temperature: float = 0.95
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
