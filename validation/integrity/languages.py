"""What an edit newly reaches for, by the file's language; and which edits need no reading."""

from __future__ import annotations

import ast
import re
import threading
import warnings
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol

from apr.core.patch import Hunk
from validation.integrity import python_names, token_rules, tokens
from validation.integrity.python_reach import Names, is_main_guard, read_python, walk
from validation.integrity.reach import Reach, Reaches, TestNames, newly
from validation.integrity.token_rules import Rules
from validation.integrity.tokens import Lexis
from validation.integrity.violation import ViolationKind

_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^\W\d]\w*")
_TEXT = re.compile(r"\"[^\"\n]*\"?|'[^'\n]*'?")
_CODING = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PLAIN_CODINGS = frozenset(
    {
        "utf-8",
        "utf8",
        "utf-8-sig",
        "ascii",
        "us-ascii",
        "latin-1",
        "latin1",
        "iso-8859-1",
        "iso-8859-15",
        "cp1252",
    }
)
_ODD_SHAPE = re.compile(r"^\s*\.|\bopen\s*\(\s*\d", re.MULTILINE)
"""A line that goes on with the value of the line before, and a descriptor that is opened."""
_warnings_lock = threading.Lock()


class Original(Protocol):
    """An unpatched file, and what is remembered of it."""

    def is_plain_edit(self, edits: Sequence[Hunk]) -> bool:
        """Whether the edits certainly bring nothing new, told from their own lines alone."""
        ...

    def newly(self, text: str) -> list[tuple[Reach, int]]:
        """What the patched text reaches for and the original did not, in order of lines."""
        ...


def read_original(path: str, text: str, own: Collection[str], tests: TestNames) -> Original | None:
    """The reader for the file, by its suffix; None: nothing is known of its language."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".py":
        return PythonFile(text, own, tests)
    if suffix in _BY_WORDS:
        return WordsFile(text, *_BY_WORDS[suffix], tests)
    return None


_BY_WORDS: dict[str, tuple[Lexis, Rules]] = {
    **dict.fromkeys((".java", ".kt", ".scala", ".groovy"), (tokens.JAVA, token_rules.JAVA)),
    **dict.fromkeys(
        (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".mts", ".cts"),
        (tokens.JAVASCRIPT, token_rules.JAVASCRIPT),
    ),
    **dict.fromkeys(
        (".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".m", ".inl"),
        (tokens.C, token_rules.C),
    ),
}


class PythonFile:
    """A Python file, read as a syntax tree; word by word where it is no Python of our version."""

    def __init__(self, text: str, own: Collection[str], tests: TestNames) -> None:
        self._text = text
        self._own = own
        self._tests = tests
        self._words = WordsFile(text, tokens.PYTHON, token_rules.PYTHON, tests)

    @cached_property
    def _tree(self) -> ast.Module | None:
        return parse(self._text)

    @cached_property
    def _names(self) -> Names:
        return Names(walk(self._tree) if self._tree is not None else ())

    @cached_property
    def _reaches(self) -> Reaches:
        if self._tree is None:
            return {}
        return read_python(self._tree, self._own, self._tests, self._names.bound)

    @cached_property
    def _delicate(self) -> tuple[range, ...]:
        """Lines where taking something away can be an attack."""
        return tuple(_delicate_lines(self._tree)) if self._tree is not None else ()

    @cached_property
    def _watched(self) -> frozenset[str]:
        return _WATCHED | self._names.aliases_of(_WATCHED_MODULES)

    def is_plain_edit(self, edits: Sequence[Hunk]) -> bool:
        """See `Original.is_plain_edit`."""
        if self._tree is None:
            return False
        new = "".join(line for hunk in edits for line in hunk.new)
        old = "".join(line for hunk in edits for line in hunk.old)
        if not new.isascii() or "\\" in new or any(quote in new + old for quote in ('"""', "'''")):
            return False
        words = _WORD.findall(new)
        if not self._watched.isdisjoint(words) or any(map(_is_hook, words)):
            return False
        if _ODD_SHAPE.search(new):
            return False
        if any(text not in self._text for text in _TEXT.findall(new)):
            return False
        return not any(_touches(hunk, lines) for hunk in edits for lines in self._delicate)

    def newly(self, text: str) -> list[tuple[Reach, int]]:
        """See `Original.newly`."""
        encoding = _odd_encoding(text)
        if encoding is not None and encoding != _odd_encoding(self._text):
            reach = Reach(ViolationKind.REFLECTION, f"the source encoding {encoding}")
            return [(reach, 1)]
        tree = parse(text)
        if tree is None or (self._tree is None and self._text):
            return self._words.newly(text)
        changed = read_python(tree, self._own, self._tests, self._names.bound)
        return newly(changed, self._reaches)


def _touches(hunk: Hunk, lines: range) -> bool:
    return hunk.first <= lines.stop and lines.start <= hunk.first + len(hunk.old)


def parse(text: str) -> ast.Module | None:
    """The tree of the text, or None where this interpreter sees no Python in it."""
    try:
        # Filters of warnings belong to the process, and patches are judged in several threads.
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(_SURROGATE.sub("?", text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _odd_encoding(text: str) -> str | None:
    """A declared encoding in which the text would mean something else than what is read here."""
    for line in text.split("\n", 2)[:2]:
        found = _CODING.match(line)
        if found and found[1].lower().replace("_", "-") not in _PLAIN_CODINGS:
            return found[1]
    return None


def _delicate_lines(tree: ast.Module) -> Iterable[range]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_delicate = node.name in python_names.COMPARISONS
        else:
            is_delicate = isinstance(node, ast.If) and is_main_guard(node)
        if isinstance(node, ast.ExceptHandler) or (isinstance(node, ast.stmt) and is_delicate):
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _is_hook(word: str) -> bool:
    """Whether a function of that name would be called by the runner."""
    return word.startswith("pytest_")


def _submodules(table: Iterable[str]) -> set[str]:
    """Names under which a listed module is had from one that is imported; else it is imported."""
    return {part for name in table for part in name.split(".")[1:]}


_WATCHED_MODULES = python_names.GUARDED_MODULES | {
    name.partition(".")[0] for name in (*python_names.CALLABLES, *python_names.IMPORTED_TOGETHER)
}
_WATCHED = frozenset(
    {
        *_WATCHED_MODULES,
        *(f"_{name}" for name in python_names.GUARDED_MODULES),
        *python_names.SYNONYMS,
        *_submodules(python_names.MODULES),
        *python_names.ATTRIBUTES,
        *python_names.STORED_NAMES,
        *python_names.STORED_ATTRIBUTES,
        *python_names.COMPARISONS,
        *python_names.BUILTINS,
        *python_names.PLAIN_READERS,
        *python_names.PLAIN_WRITERS,
        *("import", "except", "SystemExit", "KeyboardInterrupt", "coding"),
        *("__dict__", "__file__", "__self__"),
    }
)  # fmt: skip
"""Words without which nothing that is listed can be reached in Python."""


class WordsFile:
    """A file of any language that is read word by word."""

    def __init__(self, text: str, lexis: Lexis, rules: Rules, tests: TestNames) -> None:
        self._text = text
        self._lexis = lexis
        self._rules = rules
        self._tests = tests

    @cached_property
    def _reaches(self) -> Reaches:
        return self._read(self._text)

    def is_plain_edit(self, edits: Sequence[Hunk]) -> bool:
        """See `Original.is_plain_edit`; every file is read, which takes little."""
        return not edits

    def newly(self, text: str) -> list[tuple[Reach, int]]:
        """See `Original.newly`."""
        return newly(self._read(text), self._reaches)

    def _read(self, text: str) -> Reaches:
        return token_rules.read_tokens(text, self._lexis, self._rules, self._tests)
