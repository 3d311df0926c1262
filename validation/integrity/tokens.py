"""Words and texts of C, Java and JavaScript source, comments left out; no grammar needed.

Escapes with which a name can be disguised are undone first: line splices in C, `\\uXXXX` in Java
and JavaScript. In JavaScript `x["name"]` reads as `x.name`, and texts joined by `+` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a text (its content, with `is_text`) or a single sign; `line` is 1-based."""

    value: str
    line: int
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Lexis:
    """What differs between the languages."""

    splices_lines: bool = False
    has_unicode_escapes: bool = False
    has_templates: bool = False
    has_triple_quotes: bool = False
    has_raw_strings: bool = False
    hash_comments: bool = False


C = Lexis(splices_lines=True, has_raw_strings=True)
JAVA = Lexis(has_unicode_escapes=True, has_triple_quotes=True)
JAVASCRIPT = Lexis(has_unicode_escapes=True, has_templates=True)
PYTHON = Lexis(splices_lines=True, has_triple_quotes=True, hash_comments=True)

_ESCAPE = re.compile(r"\\u+(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))")
_PATTERNS: dict[Lexis, re.Pattern[str]] = {}


def tokens(text: str, lexis: Lexis) -> list[Token]:
    """The tokens in order; an unfinished comment or text ends with the file."""
    if lexis.splices_lines:
        text = re.sub(r"\\\r?\n", "", text)
    if lexis.has_unicode_escapes:
        text = _ESCAPE.sub(_unescape, text)
    found = list(_scan(text, lexis))
    return _joined(found) if lexis.has_templates else found


def _unescape(found: re.Match[str]) -> str:
    code = int(found[1] or found[2], 16)
    # A line end or a quote that is only written as an escape must not move what follows.
    return chr(code) if chr(code).isidentifier() or chr(code).isdigit() else " "


def _pattern(lexis: Lexis) -> re.Pattern[str]:
    if lexis not in _PATTERNS:
        parts = [r"(?P<space>\s+)"]
        if lexis.hash_comments:
            parts.append(r"(?P<comment>\#[^\n\r]*)")
        else:
            parts.append(r"(?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?(?:\*/|\Z))")
        if lexis.has_raw_strings:
            parts.append(r'(?P<raw>R"(?P<mark>[^\s()\\]{0,16})\(.*?(?:\)(?P=mark)"|\Z))')
        if lexis.has_triple_quotes:
            parts.append(r'(?P<triple>"""(?:\\.|.)*?(?:"""|\Z)|\'\'\'(?:\\.|.)*?(?:\'\'\'|\Z))')
        if lexis.has_templates:
            parts.append(r"(?P<template>`(?:\\.|[^`\\])*(?:`|\Z))")
        parts.append(r"""(?P<text>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)""")
        parts.append(r"(?P<word>[^\W\d][\w$]*|\$[\w$]*)")
        parts.append(r"(?P<number>\d[\w.]*)")
        parts.append(r"(?P<sign>\#\#|.)")
        _PATTERNS[lexis] = re.compile("|".join(parts), re.DOTALL)
    return _PATTERNS[lexis]


def _scan(text: str, lexis: Lexis) -> Iterator[Token]:
    line = 1
    for found in _pattern(lexis).finditer(text):
        value, kind = found.group(), found.lastgroup
        if kind == "word" or kind == "sign":
            yield Token(value, line)
        elif kind in ("text", "triple", "raw", "mark"):
            yield Token(_content(value), line, is_text=True)
        elif kind == "template":
            yield from _template(value, line, lexis)
        line += value.count("\n")


def _content(quoted: str) -> str:
    if quoted.startswith('R"'):
        return quoted.partition("(")[2].rpartition(")")[0]
    for quote in ('"""', "'''", '"', "'"):
        if quoted.startswith(quote):
            inner = quoted[len(quote) :].removesuffix(quote)
            break
    else:
        inner = quoted
    return _HEX.sub(lambda found: chr(int(found[1] or found[2], 16 if found[1] else 8)), inner)


_HEX = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-3]?[0-7]{1,2}))")


def _template(quoted: str, line: int, lexis: Lexis) -> Iterator[Token]:
    """A template literal: a text when it is constant, else its texts and the code in it."""
    inner = quoted[1:].removesuffix("`")
    if "${" not in inner:
        yield Token(inner, line, is_text=True)
        return
    for part in re.split(r"\$\{", inner):
        code, closed, text = part.rpartition("}")
        if closed:
            for token in _scan(code, lexis) if "`" not in code else ():
                yield Token(token.value, line, token.is_text)
        yield Token(text, line, is_text=True)


def _joined(found: list[Token]) -> list[Token]:
    """Texts joined by `+` as one, and `["name"]` after something as `.name`."""
    merged: list[Token] = []
    for token in found:
        if token.is_text and len(merged) > 1 and merged[-1].value == "+" and merged[-2].is_text:
            merged.pop()
            merged[-1] = Token(merged[-1].value + token.value, merged[-1].line, is_text=True)
        else:
            merged.append(token)
    flat: list[Token] = []
    position = 0
    while position < len(merged):
        window = merged[position : position + 3]
        if (
            len(window) == 3
            and window[0].value == "["
            and not window[0].is_text
            and window[1].is_text
            and window[2].value == "]"
            and flat
            and (flat[-1].value[-1:].isalnum() or flat[-1].value in (")", "]", "$", "_"))
        ):
            flat.append(Token(".", window[0].line))
            flat.append(Token(window[1].value, window[1].line))
            position += 3
            continue
        flat.append(merged[position])
        position += 1
    return flat
