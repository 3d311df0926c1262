"""Candidates that are one program written in different ways, so that one of them need be judged.

Two texts of a file count as one when a normal form says so, in which nothing is left but what
a program can behave by. Where a program may look at its own text (its source, its line numbers,
its compiled code), or a test may, only equal texts are equal.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping
from types import CodeType

from apr.core.patch import Patch

MAX_CHARACTERS = 400_000
"""Larger files take longer to normalize than their patches are likely to save."""

_READS_SOURCE = re.compile(
    r"getsource|findsource|linecache|getlines|tokenize|\bco_(?:code|consts|lines|lnotab)\b"
)
"""In any file of the subject: looks at the text or code of whatever it is handed."""

_LOOKS_AT_ITSELF = re.compile(
    rf"{_READS_SOURCE.pattern}|lineno|\b(?:co|f|tb)_\w|__file__|__LINE__|__line__"
    r"|\b(?:inspect|traceback|dis|ast|symtable|warnings|_getframe|stack_info|findCaller)\b"
    r"|getStackTrace|getLineNumber|StackWalker|\bassert\s*\("
)
"""In a patched file. A warning is shown once per line, and C's `assert` prints its own."""

_EXPECTS_TEXT = re.compile(
    rf"{_READS_SOURCE.pattern}|lineno|\b[Ll]ine \d|\b(?:inspect|dis|ast|traceback)\b"
    r"""|\.(?:py|java|c|h)["']"""
)
"""In a test: expects a line number, or names a source file that it may read."""

_ABSENT = "absent"
_ENCODING = re.compile(r"[ \t\f]*#.*?coding[:=]")
_TOKENIZED = (".java", ".c", ".h")
_UNCLEAR = re.compile(r'\\\r?\n|"""|\?\?[=/\'()!<>-]|\bR"', re.ASCII)
_TOKEN = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)"
    r"|(?P<directive>^[ \t]*\#[^\n]*)"
    r"""|(?P<token>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w.$]+|[^\w\s.$"'/]+|/|["'])""",
    re.DOTALL | re.MULTILINE,
)


class NormalForms:
    """The normal forms of patches against one base.

    `sources` are the base's files that a patch may touch, `tests` its test files, both by path.
    """

    def __init__(self, sources: Mapping[str, str], tests: Mapping[str, str]) -> None:
        self._sources = sources
        self._is_exact = any(_EXPECTS_TEXT.search(text) for text in tests.values()) or any(
            _READS_SOURCE.search(text) for text in sources.values()
        )
        self._base: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def of(self, patch: Patch) -> str:
        """A digest that equal programs share; empty for the base's own.

        Raises:
            PatchDoesNotApplyError: when the patch does not fit the base.
        """
        digest = patch.digest
        if digest not in self._known:
            self._known[digest] = self._digest(patch)
        return self._known[digest]

    def _digest(self, patch: Patch) -> str:
        sha = hashlib.sha256()
        is_base = True
        for path, text in sorted(patch.apply(self._sources).items()):
            form = _ABSENT if text is None else self._normalize(path, text)
            if form != self._base_form(path):
                is_base = False
                sha.update(f"{path}\0{form}\0".encode("utf-8", "surrogateescape"))
        return "" if is_base else sha.hexdigest()

    def _base_form(self, path: str) -> str:
        if path not in self._base:
            text = self._sources.get(path)
            self._base[path] = _ABSENT if text is None else self._normalize(path, text)
        return self._base[path]

    def _normalize(self, path: str, text: str) -> str:
        form = None
        if not self._is_exact and len(text) <= MAX_CHARACTERS:
            form = normal_form(path, text)
        if form is None:
            return f"text {hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
        return form


def exact_digest(patch: Patch, sources: Mapping[str, str]) -> str:
    """A digest of the patched texts, whichever hunks lead to them.

    Raises:
        PatchDoesNotApplyError: when the patch does not fit the base.
    """
    sha = hashlib.sha256()
    for path, text in sorted(patch.apply(sources).items()):
        data = b"" if text is None else text.encode("utf-8", "surrogateescape")
        size = _ABSENT if text is None else str(len(data))
        sha.update(f"{path}\0{size}\0".encode("utf-8", "surrogateescape") + data)
    return sha.hexdigest()


def normal_form(path: str, text: str) -> str | None:
    """What a file says regardless of its layout and comments; None: only its text will do."""
    if _LOOKS_AT_ITSELF.search(text):
        return None
    if path.endswith(".py"):
        return _python_form(text)
    return _token_form(text) if path.endswith(_TOKENIZED) else None


def _python_form(text: str) -> str | None:
    """The bytecode without positions, as this Python compiles it, asserts and docstrings included.

    Layout, comments, parentheses, folded constants and code that cannot be reached are gone. A
    file that does not compile has none: another version of Python may well accept it. Nor has one
    that names an encoding, since Python would read its bytes in another way than we do.
    """
    if any(_ENCODING.match(line) for line in text.split("\n", 2)[:2]):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(text, "", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    sha = hashlib.sha256()
    _digest_code(code, sha.update)
    return f"code {sha.hexdigest()}"


def _digest_code(code: CodeType, update: Callable[[bytes], None]) -> None:
    pending = [code]
    while pending:
        code = pending.pop()
        signature = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        variables = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        shape = (code.co_qualname, code.co_flags, signature, variables, code.co_exceptiontable)
        update(code.co_code)
        update(repr(shape).encode("utf-8", "surrogatepass"))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                pending.append(constant)
            elif isinstance(constant, frozenset):
                update(repr(sorted(map(repr, constant))).encode("utf-8", "surrogatepass"))
            else:
                update(repr(constant).encode("utf-8", "surrogatepass"))
            update(b"\0")


def _token_form(text: str) -> str | None:
    """The tokens of each line that has any; preprocessor directives as they stand.

    What white space separates stays apart, and so do lines: `+ +` is not `++`.
    """
    if _UNCLEAR.search(text):
        return None
    bare = _TOKEN.sub(lambda match: " " if match["comment"] else match.group(), text)
    lines = (
        line.strip() if line.lstrip().startswith("#") else " ".join(_tokens(line))
        for line in bare.split("\n")
    )
    return "tokens " + "\n".join(line for line in lines if line)


def _tokens(line: str) -> list[str]:
    return [match.group() for match in _TOKEN.finditer(line)]
