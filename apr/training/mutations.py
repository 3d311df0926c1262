"""Bugs to inject into working code: small changes of tokens and lines, in any of the languages.

A mutator is given a function and proposes changes; what undoes a change is what a model is to
learn. The catalogue follows the slips that fix commits show, not the repertoire of our own
templates. What only Python's syntax tree can say is in `python_mutations`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from apr.training.tokens import Token, arguments, closing, tokenize


@dataclass(frozen=True, slots=True)
class Change:
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


@dataclass(slots=True)
class Code:
    """A working function; `elsewhere` are names that the rest of its file calls or reads."""

    text: str
    language: str
    elsewhere: tuple[str, ...] = ()
    tokens: list[Token] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = tokenize(self.text, self.language)

    def at(self, position: int) -> str:
        """The text of the token at `position`, empty outside."""
        return self.tokens[position].text if 0 <= position < len(self.tokens) else ""


Mutator = Callable[[Code, Random], Iterator[Change]]

_KEYWORD_LIST = """
    and as assert async await boolean break byte case catch char class const continue def
    default del delete do double elif else enum except extends extern False false final finally
    float for from function global goto if implements import in inline instanceof int interface
    is lambda let long new None nonlocal not NULL null of or pass private protected public raise
    register return self short signed sizeof static struct super switch synchronized this throw
    throws True true try typedef typeof undefined union unsigned var void volatile while with
    yield
"""
_KEYWORDS = frozenset(_KEYWORD_LIST.split())
_OPERATORS = {
    "<": "<= > >=", "<=": "< >=", ">": ">= < <=", ">=": "> <=", "==": "!= >= <=", "!=": "==",
    "===": "!== ==", "!==": "===", "+": "- *", "-": "+", "*": "+ / **", "/": "* // %",
    "//": "/ %", "%": "// / *", "**": "*", "<<": ">>", ">>": "<<", "&": "| ^", "|": "& ^",
    "^": "| &", "&&": "|| &", "||": "&& |", "++": "--", "--": "++", "+=": "-= =", "-=": "+= =",
    "*=": "+= =", "/=": "*=", "|=": "&= =", "&=": "|=", "->": ".",
}  # fmt: skip
_WORDS = {
    "and": "or", "or": "and", "True": "False None", "False": "True None", "None": "False 0 ''",
    "true": "false", "false": "true", "null": "undefined 0", "NULL": "0", "break": "continue",
    "continue": "break pass", "is": "==", "min": "max", "max": "min", "any": "all", "all": "any",
    "append": "extend add", "extend": "append", "first": "last", "last": "first", "left": "right",
    "right": "left", "start": "end", "end": "start", "lower": "upper", "upper": "lower",
    "floor": "ceil", "ceil": "floor", "push": "unshift pop", "pop": "shift", "shift": "pop",
    "while": "if", "elif": "if", "sorted": "list", "startswith": "endswith",
    "endswith": "startswith", "indexOf": "lastIndexOf", "width": "height", "height": "width",
    "row": "col", "col": "row", "startsWith": "endsWith", "length": "size",
    "keys": "values items", "items": "keys values", "int": "long float", "long": "int",
    "float": "int", "let": "const", "public": "private",
}  # fmt: skip
"""What takes the place of what, apart at blanks."""
_EXCEPTIONS = {
    "python": "ValueError TypeError KeyError IndexError AttributeError RuntimeError OSError"
    " Exception StopIteration",
    "java": "IllegalArgumentException IllegalStateException NullPointerException IOException"
    " Exception RuntimeException Throwable",
    "javascript": "Error TypeError RangeError SyntaxError",
    "c": "",
}  # fmt: skip


def _operators(code: Code, random: Random) -> Iterator[Change]:
    for position, token in enumerate(code.tokens):
        others = _OPERATORS.get(token.text, "").split() if token.kind == "operator" else []
        if others and position and _is_binary(code, position):
            yield Change(token.start, token.end, random.choice(others))


def _is_binary(code: Code, position: int) -> bool:
    before = code.tokens[position - 1]
    is_value = before.kind in ("number", "string") or before.text in (")", "]")
    return is_value or (before.kind == "name" and before.text not in _KEYWORDS - {"self", "this"})


def _words(code: Code, random: Random) -> Iterator[Change]:
    for token in code.tokens:
        if token.kind == "name" and token.text in _WORDS:
            yield Change(token.start, token.end, random.choice(_WORDS[token.text].split()))


def _constants(code: Code, random: Random) -> Iterator[Change]:
    for token in code.tokens:
        if token.kind == "number" and token.text.isdigit() and len(token.text) < 9:
            value = int(token.text)
            others = {value + 1, abs(value - 1), 0, 1, value * 2, value * 10} - {value}
            yield Change(token.start, token.end, str(random.choice(sorted(others))))
        elif token.kind == "number" and re.fullmatch(r"\d+\.\d+", token.text):
            yield Change(token.start, token.end, token.text.split(".")[0])


def _off_by_one(code: Code, random: Random) -> Iterator[Change]:
    for position, token in enumerate(code.tokens):
        text, after = token.text, code.at(position + 1)
        if (
            text in "+-"
            and after == "1"
            and code.at(position + 2) not in (".", "*")
            and _is_binary(code, position)
        ):
            yield Change(code.tokens[position - 1].end, code.tokens[position + 1].end, "")
        elif after in (")", "]", ",", ";", ":") and (
            text in (")",) or _is_variable(code, position)
        ):
            yield Change(token.end, token.end, random.choice((" + 1", " - 1")))


def _is_variable(code: Code, position: int) -> bool:
    token = code.tokens[position]
    return (
        token.kind == "name"
        and token.text not in _KEYWORDS
        and code.at(position + 1) not in ("(", "=", ":")
        and not (code.at(position - 1) == "(" and code.at(position - 2) in ("catch", "def"))
    )


def _variables(code: Code, random: Random) -> Iterator[Change]:
    """Another variable of the same function."""
    places = [
        n
        for n in range(len(code.tokens))
        if _is_variable(code, n) and code.at(n - 1) not in (".", "->")
    ]
    names = sorted({code.tokens[n].text for n in places})
    for position in places:
        token = code.tokens[position]
        others = [name for name in names if name != token.text]
        if others:
            similar = [
                name for name in others if name[0] == token.text[0] or name[-2:] == token.text[-2:]
            ]
            chosen = random.choice(similar if similar and random.random() < 0.5 else others)
            yield Change(token.start, token.end, chosen)


def _attributes(code: Code, random: Random) -> Iterator[Change]:
    """Another attribute or method, or none at all."""
    places = [
        n
        for n in range(1, len(code.tokens))
        if code.tokens[n].kind == "name" and code.at(n - 1) in (".", "->")
    ]
    names = sorted({code.tokens[n].text for n in places} | set(code.elsewhere))
    for position in places:
        token = code.tokens[position]
        others = [name for name in names if name != token.text]
        if others:
            yield Change(token.start, token.end, random.choice(others))
        if code.at(position + 1) not in ("(", "=") and code.at(position - 2) not in (
            "self",
            "this",
        ):
            yield Change(code.tokens[position - 1].start, token.end, "")


def _calls(code: Code, random: Random) -> Iterator[Change]:
    """Another function called, or the call left out: f(x) becomes x, x.f() becomes x."""
    places = [
        n
        for n, t in enumerate(code.tokens)
        if t.kind == "name" and code.at(n + 1) == "(" and t.text not in _KEYWORDS
    ]
    names = sorted({code.tokens[n].text for n in places} | set(code.elsewhere))
    for position in places:
        token, is_method = code.tokens[position], code.at(position - 1) == "."
        others = [name for name in names if name != token.text]
        if others and not is_method:
            yield Change(token.start, token.end, random.choice(others))
        end, parts = closing(code.tokens, position + 1), arguments(code.tokens, position + 1)
        if end is None:
            continue
        if is_method:
            yield Change(code.tokens[position - 1].start, code.tokens[end].end, "")
        elif len(parts) == 1 and code.at(position - 1) not in ("def", "function", "new", "async"):
            yield Change(token.start, code.tokens[end].end, code.text[parts[0][0] : parts[0][1]])


def _argument_lists(code: Code, random: Random) -> Iterator[Change]:
    """Arguments exchanged, left out, or doubled."""
    for position, token in enumerate(code.tokens):
        if token.text not in ("(", "[") or token.kind != "operator":
            continue
        parts = arguments(code.tokens, position)
        if len(parts) < 2 or len(parts) > 8:
            continue
        at = random.randrange(len(parts) - 1)
        (first, first_end), (second, second_end) = parts[at], parts[at + 1]
        swapped = (
            code.text[second:second_end] + code.text[first_end:second] + code.text[first:first_end]
        )
        yield Change(first, second_end, swapped)
        yield Change(first_end, second_end, "")
        if not at:
            yield Change(first, second, "")


def _negations(code: Code, random: Random) -> Iterator[Change]:
    sign = "not " if code.language == "python" else "!"
    for position, token in enumerate(code.tokens):
        if token.text in ("not", "!") and code.at(position + 1) not in ("in", "="):
            after = (
                code.tokens[position + 1].start if position + 1 < len(code.tokens) else token.end
            )
            yield Change(token.start, after, "")
        if token.text == "not" and code.at(position + 1) == "in":
            yield Change(token.start, code.tokens[position + 1].start, "")
        opens = (
            token.text in ("if", "while", "elif")
            if code.language == "python"
            else (token.text == "(" and code.at(position - 1) in ("if", "while"))
        )
        if opens and position + 1 < len(code.tokens) and code.at(position + 1) not in ("not", "!"):
            start = code.tokens[position + 1].start
            yield Change(start, start, sign)
        if token.text == "in" and code.at(position - 2) not in ("for", ","):
            yield Change(token.start, token.start, "not ")


def _conditions(code: Code, random: Random) -> Iterator[Change]:
    """A part of a condition left out."""
    for position, token in enumerate(code.tokens):
        if token.text not in ("and", "or", "&&", "||"):
            continue
        first, last = _operand(code, position, -1), _operand(code, position, 1)
        if first < position < last:
            yield Change(code.tokens[first].start, code.tokens[position + 1].start, "")
            yield Change(code.tokens[position - 1].end, code.tokens[last].end, "")


def _operand(code: Code, position: int, direction: int) -> int:
    """Where the operand beside a logical operator ends."""
    depth, at = 0, position + direction
    while 0 <= at < len(code.tokens):
        text = code.at(at)
        if code.tokens[at].kind == "operator":
            depth += ((text in "([{") - (text in ")]}")) * direction
        if depth < 0 or (
            not depth
            and text
            in {
                "and",
                "or",
                "&&",
                "||",
                "if",
                "elif",
                "while",
                "return",
                ":",
                ";",
                "=",
                ",",
                "?",
                "else",
            }
        ):
            return at - direction
        at += direction
    return position


def _removed_parentheses(code: Code, random: Random) -> Iterator[Change]:
    for position, token in enumerate(code.tokens):
        before = code.tokens[position - 1] if position else None
        if token.text != "(" or before is None or before.kind == "name" or before.text in ")]":
            continue
        end = closing(code.tokens, position)
        if end is not None and code.at(end + 1) not in ("{", "->", "=>"):
            inner = code.text[token.end : code.tokens[end].start]
            yield Change(token.start, code.tokens[end].end, inner)


def _subscripts(code: Code, random: Random) -> Iterator[Change]:
    for position, token in enumerate(code.tokens):
        if token.text != "[" or not position or not _is_binary(code, position):
            continue
        end = closing(code.tokens, position)
        if end is None or end == position + 1:
            continue
        stop = code.tokens[end]
        yield Change(token.start, stop.end, "")
        inner = code.text[token.end : stop.start]
        other = {"0": "1", "1": "0", "-1": "0"}.get(inner, inner + random.choice((" + 1", " - 1")))
        yield Change(token.end, stop.start, other)
        if ":" in inner and code.language == "python":
            yield Change(
                token.end,
                stop.start,
                random.choice((inner + "1", "1" + inner, ":".join(reversed(inner.split(":"))))),
            )


def _exceptions(code: Code, random: Random) -> Iterator[Change]:
    known = _EXCEPTIONS[code.language].split()
    for token in code.tokens:
        if token.kind == "name" and token.text in known:
            yield Change(
                token.start, token.end, random.choice([e for e in known if e != token.text])
            )


def _defaults(code: Code, random: Random) -> Iterator[Change]:
    """Another default value, or another value of a keyword argument."""
    for position, token in enumerate(code.tokens):
        if (
            token.text == "="
            and code.at(position + 2) in (",", ")")
            and code.at(position - 2) in ("(", ",", ":")
        ):
            value = code.tokens[position + 1]
            yield Change(
                value.start,
                value.end,
                random.choice(("None", "0", "1", "True", "False", "''", "[]")),
            )


def _returns(code: Code, random: Random) -> Iterator[Change]:
    for position, token in enumerate(code.tokens[:-1]):
        after = code.tokens[position + 1]
        if token.text in (
            "return",
            "await",
            "yield",
            "new",
            "throw",
            "raise",
            "static",
            "const",
            "unsigned",
        ):
            yield Change(token.start, after.start, "")
        if token.text == "return" and after.kind != "operator":
            yield Change(
                after.start,
                after.end,
                random.choice(
                    ("None", "0", "True", "False")
                    if code.language == "python"
                    else ("null", "0", "false", "true")
                ),
            )


def _pointers(code: Code, random: Random) -> Iterator[Change]:
    """C's signs before a name: an address or a value too many or too few."""
    for position, token in enumerate(code.tokens):
        if (
            token.text in ("&", "*")
            and position
            and not _is_binary(code, position)
            and code.at(position + 1).isidentifier()
        ):
            yield Change(token.start, token.end, "")
        elif _is_variable(code, position) and code.at(position - 1) in ("(", ","):
            yield Change(token.start, token.start, random.choice("&*"))


def _typos(code: Code, random: Random) -> Iterator[Change]:
    """A name misspelt, where the right spelling is in sight."""
    seen: set[str] = set()
    for position, token in enumerate(code.tokens):
        if token.kind != "name" or len(token.text) < 5 or token.text in _KEYWORDS:
            continue
        if token.text in seen and position:
            at = random.randrange(1, len(token.text) - 1)
            text = token.text
            other = random.choice(
                (
                    text[:at] + text[at + 1 :],
                    text[:at] + text[at + 1] + text[at] + text[at + 2 :],
                    text + "s",
                )
            )
            if other != text:
                yield Change(token.start, token.end, other)
        seen.add(token.text)


def _lines_of(code: Code) -> list[tuple[int, int, str]]:
    """Start, end (line end included) and text of the lines inside the function that stand alone."""
    found, start = [], 0
    strings = [token for token in code.tokens if token.kind == "string" and "\n" in token.text]
    for number, line in enumerate(code.text.split("\n")):
        end = start + len(line) + 1
        is_quoted = any(token.start < end and start < token.end for token in strings)
        if (
            number
            and end <= len(code.text)
            and not is_quoted
            and _stands_alone(line, code.language)
        ):
            found.append((start, end, line))
        start = end
    return found


def _stands_alone(line: str, language: str) -> bool:
    text = line.strip()
    if not text or not (text[0].isalpha() or text[0] in "_*"):
        return False
    ends_open = text.endswith((":", ",", "\\", "(", "[", "{"))
    is_plain = text.endswith(";") or (language == "python" and not ends_open)
    return is_plain and all(line.count(a) == line.count(b) for a, b in ("()", "[]", "{}"))


def _dropped_lines(code: Code, random: Random) -> Iterator[Change]:
    for start, end, line in _lines_of(code):
        replacement = ""
        if code.language == "python" and not _has_sibling(code, start, end, line):
            replacement = line[: len(line) - len(line.lstrip())] + "pass\n"
        yield Change(start, end, replacement)


def _has_sibling(code: Code, start: int, end: int, line: str) -> bool:
    """Whether a line before or after it is as deep."""
    depth = len(line) - len(line.lstrip())
    before, after = (
        code.text[:start].rstrip("\n").rsplit("\n", 1)[-1],
        code.text[end:].split("\n", 1)[0],
    )
    return any(
        other.strip() and len(other) - len(other.lstrip()) == depth for other in (before, after)
    )


def _moved_lines(code: Code, random: Random) -> Iterator[Change]:
    """Two lines that follow each other, exchanged, or one doubled."""
    lines = _lines_of(code)
    for (start, end, one), (after, after_end, other) in pairwise(lines):
        same = len(one) - len(one.lstrip()) == len(other) - len(other.lstrip())
        if end == after and same:
            yield Change(start, after_end, other + "\n" + one + "\n")
    for start, _, line in random.sample(lines, min(len(lines), 2)):
        yield Change(start, start, line + "\n")


def _depth(code: Code, random: Random) -> Iterator[Change]:
    """Python: a line inside a block that should be after it, or the other way round."""
    if code.language != "python":
        return
    for start, _, line in _lines_of(code):
        depth = len(line) - len(line.lstrip())
        before = code.text[:start].rstrip("\n").rsplit("\n", 1)[-1]
        before_depth = len(before) - len(before.lstrip())
        if before_depth > depth:
            yield Change(start, start, " " * (before_depth - depth))
        elif depth >= 8 and before_depth == depth and not before.rstrip().endswith(":"):
            yield Change(start, start + 4, "")


def _guards(code: Code, random: Random) -> Iterator[Change]:
    """A short conditional block left out."""
    lines = code.text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for number in range(1, len(lines) - 2):
        text = lines[number].strip()
        if not re.match(r"(?:\} *else *)?(?:if|elif|else|for|while)\b", text):
            continue
        depth = len(lines[number]) - len(lines[number].lstrip())
        end = number + 1
        while (
            end < len(lines) - 1
            and end - number < 5
            and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth)
        ):
            end += 1
        if end - number > 4 or end - number < 2:
            continue
        if code.language != "python" and text.endswith("{"):
            if lines[end].strip() != "}":
                continue
            end += 1
        yield Change(starts[number], starts[end], "")
        if not text.startswith("el") and code.language != "python" and text.endswith("{"):
            yield Change(starts[number], starts[end], "\n".join(lines[number + 1 : end - 1]) + "\n")


CATALOGUE: dict[str, tuple[Mutator, float]] = {
    "operator": (_operators, 1.6),
    "word": (_words, 1.0),
    "constant": (_constants, 1.0),
    "off by one": (_off_by_one, 0.9),
    "variable": (_variables, 1.6),
    "attribute": (_attributes, 0.9),
    "call": (_calls, 1.2),
    "arguments": (_argument_lists, 1.1),
    "negation": (_negations, 0.8),
    "condition": (_conditions, 1.0),
    "parentheses": (_removed_parentheses, 0.4),
    "subscript": (_subscripts, 0.7),
    "exception": (_exceptions, 0.4),
    "default": (_defaults, 0.4),
    "return": (_returns, 0.5),
    "pointer": (_pointers, 0.3),
    "typo": (_typos, 0.25),
    "dropped line": (_dropped_lines, 1.3),
    "moved line": (_moved_lines, 0.6),
    "depth": (_depth, 0.5),
    "guard": (_guards, 0.9),
}
"""Every mutator with how often it is asked, by name."""
ONLY = {"pointer": ("c",), "depth": ("python",)}


def mutate(code: Code, random: Random, names: tuple[str, ...] = ()) -> tuple[str, Change] | None:
    """One bug for a function, and its kind; None when the chosen kind finds no place."""
    usable = [n for n in names or CATALOGUE if code.language in ONLY.get(n, (code.language,))]
    name = random.choices(usable, [CATALOGUE[n][1] for n in usable])[0]
    head = code.text.find("\n") if code.language != "python" or name != "default" else 0
    changes = [change for change in CATALOGUE[name][0](code, random) if change.start > head]
    if not changes:
        return None
    change = random.choice(changes)
    return (name, change) if code.text[change.start : change.end] != change.text else None


def apply(text: str, change: Change) -> str:
    """The text after a change."""
    return text[: change.start] + change.text + text[change.end :]
