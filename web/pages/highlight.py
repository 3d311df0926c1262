"""Source text with its syntax marked by classes, line by line, with Pygments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound

from apr.core.patch import split_lines
from web.pages.words import safe_text

LONGEST = 400_000
"""Characters beyond which a text is shown without colours, so that no file keeps a page waiting."""
_CLASSES = (
    (Token.Comment, "c"),
    (Token.Literal.String, "s"),
    (Token.Literal.Number, "n"),
    (Token.Keyword, "k"),
    (Token.Operator.Word, "k"),
    (Token.Name.Function, "f"),
    (Token.Name.Class, "f"),
    (Token.Name.Decorator, "d"),
    (Token.Name.Builtin, "b"),
    (Token.Name.Exception, "b"),
)
Span = tuple[int, int]
"""From one character of a line up to another, as in a slice."""


def highlight_lines(
    path: str, lines: Sequence[str], changed: Sequence[Span | None] = ()
) -> list[Markup]:
    """Each line as markup, without its end; `changed` names the part of a line to be stressed."""
    texts = [safe_text(line.rstrip("\r\n")) for line in lines]
    spans = [*changed, *[None] * (len(texts) - len(changed))]
    pieces = _pieces(path, texts)
    return [_line(found, span) for found, span in zip(pieces, spans, strict=True)]


@lru_cache(maxsize=32)
def highlight_file(path: str, text: str) -> Sequence[Markup]:
    """The lines of a whole file: a page shows the same ones again and again while a run goes on."""
    return tuple(highlight_lines(path, split_lines(text)))


def _pieces(path: str, texts: Sequence[str]) -> list[list[tuple[str, str]]]:
    """The (class, text) pieces of each line."""
    if sum(map(len, texts)) > LONGEST:
        return [[("", text)] for text in texts]
    lines: list[list[tuple[str, str]]] = [[]]
    for kind, value in _lexer(PurePosixPath(path).name).get_tokens("\n".join(texts)):
        name = _class(kind)
        first, *others = value.split("\n")
        lines[-1].append((name, first))
        lines += [[(name, text)] for text in others]
    return (lines + [[] for _ in texts])[: len(texts)]


@lru_cache(maxsize=256)
def _class(kind: _TokenType) -> str:
    return next((name for token, name in _CLASSES if kind in token), "")


@lru_cache(maxsize=64)
def _lexer(name: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    try:
        return get_lexer_for_filename(name, **options)
    except ClassNotFound:
        return TextLexer(**options)


def _line(pieces: Sequence[tuple[str, str]], span: Span | None) -> Markup:
    if span is None:
        return Markup("".join(_marked(name, text) for name, text in pieces))
    start, end = span
    parts: list[str] = []
    place = 0
    for name, text in pieces:
        for is_changed, part in _cut(text, start - place, end - place):
            shown = _marked(name, part)
            parts.append(f"<mark>{shown}</mark>" if is_changed else shown)
        place += len(text)
    return Markup("".join(parts))


def _marked(name: str, text: str) -> str:
    """The text as markup; plain strings, since `Markup.format` takes most of a page's time."""
    shown = str(escape(text))
    return f'<i class="{name}">{shown}</i>' if name and text else shown


def _cut(text: str, start: int, end: int) -> Iterator[tuple[bool, str]]:
    """The parts of a text before, in and after a span of it, empty ones left out."""
    first, last = max(0, start), max(0, end)
    parts = ((False, text[:first]), (True, text[first:last]), (False, text[max(first, last) :]))
    return ((is_changed, part) for is_changed, part in parts if part)
