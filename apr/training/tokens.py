"""Code in any of the four languages as tokens with their places; rough, but the same for all."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMENTS = {"python": r"\#[^\n]*", "braces": r"//[^\n]*|/\*.*?\*/|^[ \t]*\#[^\n]*"}
_REST = r"""
    |(?P<string>[rbfuRBFUL]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<operator>===|!==|>>>|\*\*=|//=|<<=|>>=|==|!=|<=|>=|&&|\|\||->|=>|\+\+|--|\+=|-=|\*=|/=|%=|&=|\|=|\^=|<<|>>|\*\*|//|::|\S)
"""
_PYTHON = re.compile(f"(?P<comment>{_COMMENTS['python']}){_REST}", re.X | re.S | re.M)
_BRACES = re.compile(f"(?P<comment>{_COMMENTS['braces']}){_REST}", re.X | re.S | re.M)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is comment, string, name, number or operator."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(text: str, language: str) -> list[Token]:
    """The tokens of some code without its comments."""
    pattern = _PYTHON if language == "python" else _BRACES
    return [
        Token(found.lastgroup or "", found[0], found.start(), found.end())
        for found in pattern.finditer(text)
        if found.lastgroup != "comment"
    ]


def closing(tokens: list[Token], opening: int) -> int | None:
    """The position of the bracket that closes the one at `opening`; None without one."""
    depth = 0
    for position in range(opening, len(tokens)):
        if tokens[position].kind == "operator":
            depth += (tokens[position].text in "([{") - (tokens[position].text in ")]}")
            if not depth:
                return position
    return None


def arguments(tokens: list[Token], opening: int) -> list[tuple[int, int]]:
    """From where to where, in characters, the parts between two brackets and their commas reach."""
    end = closing(tokens, opening)
    if end is None or end == opening + 1:
        return []
    parts, depth, first = [], 0, opening + 1
    for position in range(opening + 1, end + 1):
        text = tokens[position].text if tokens[position].kind == "operator" else ""
        if position == end or (text == "," and not depth):
            if position > first:
                parts.append((tokens[first].start, tokens[position - 1].end))
            first = position + 1
        elif text:
            depth += (text in "([{") - (text in ")]}")
    return parts
