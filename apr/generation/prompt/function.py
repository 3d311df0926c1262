"""Puts a function that a model wrote in the place of the one it was asked about."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Sequence

from apr.generation.prompt.matching import indent_of
from apr.source.functions import Function
from apr.source.statements import index_source

PYTHON = (".py", ".pyi", ".pyw")
IMPORTS = ("import ", "from ")
_HEAD = re.compile(r"\s*(async\s+)?def\s+(?P<name>\w+)\s*\(")
_SCOPE = re.compile(r"\s*(async\s+)?(def|class)\s+(?P<name>\w+)")


def splice_function(block: str, text: str, path: str, first: int, last: int) -> str | None:
    """`text` with lines `first`..`last` (1-based) replaced by the function in `block`.

    A block may hold more than was asked for: the class around the function or the whole file, of
    which only the function is taken, and for Python the imports that `text` lacks. None when the
    block does not hold the function.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    wanted = _at(path, "\n".join(lines), first, last)
    written = textwrap.dedent(block).strip("\n").split("\n")
    function = written if wanted is None else _extract(written, path, wanted.name)
    if function is None:
        return None
    indent = indent_of(next((line for line in lines[first - 1 : last] if line.strip()), ""))
    body = textwrap.dedent("\n".join(function)).split("\n")
    imports = _missing_imports(written, lines) if path.endswith(PYTHON) else []
    lines[first - 1 : last] = [indent + line if line.strip() else line for line in body]
    at = _first_import(lines)
    lines[at:at] = imports
    return ending.join(lines)


def _at(path: str, text: str, first: int, last: int) -> Function | None:
    functions = index_source(path, text).functions
    return next((f for f in functions if (f.first, f.last) == (first, last)), None)


def _extract(written: list[str], path: str, name: str) -> list[str] | None:
    """The lines of the function with the same last name, preferring the same full name."""
    functions = index_source(path, "\n".join(written) + "\n").functions
    if not functions:
        # Grammars read a method without its class as something else, and no parser reads prose.
        is_python = path.endswith(PYTHON)
        return _extract_block(written, name) if is_python else _extract_method(written, path, name)
    best = _namesake([f.name for f in functions], name)
    return None if best is None else written[functions[best].first - 1 : functions[best].last]


def _namesake(names: Sequence[str], wanted: str) -> int | None:
    """The position of the name that means `wanted`: the last that is equal, or stands alone.

    A method may stand alone or in a class of another name; a function is never a method.
    """
    scope, _, last = wanted.rpartition(".")
    alike = [n for n, name in enumerate(names) if name.rpartition(".")[2] == last]
    equal = [n for n in alike if names[n] == wanted]
    alone = [n for n in alike if "." not in names[n]]
    found = equal or alone or (alike if scope and len(alike) == 1 else [])
    return found[-1] if found else None


def _extract_block(written: list[str], name: str) -> list[str] | None:
    """A Python function among lines that do not parse, by its indentation."""
    heads = [(n, match) for n, line in enumerate(written) if (match := _HEAD.match(line))]
    best = _namesake([_scoped(written, n, match["name"]) for n, match in heads], name)
    if best is None:
        return None
    first = heads[best][0]
    indent = len(indent_of(written[first]))
    end = first + 1
    while end < len(written) and _continues(written[end], indent):
        end += 1
    while not written[end - 1].strip():
        end -= 1
    while first and written[first - 1].startswith(" " * indent + "@"):
        first -= 1
    return written[first:end]


def _scoped(written: list[str], at: int, name: str) -> str:
    """The name of the function whose head is at line `at` (0-based), with those around it."""
    indent = len(indent_of(written[at]))
    for line in reversed(written[:at]):
        outer = len(indent_of(line))
        if line.strip() and outer < indent:
            indent = outer
            if match := _SCOPE.match(line):
                name = f"{match['name']}.{name}"
    return name


def _continues(line: str, indent: int) -> bool:
    """Whether a line still belongs to a function whose head has this indentation."""
    return not line.strip() or len(indent_of(line)) > indent or line.lstrip()[0] in ")]}"


def _extract_method(written: list[str], path: str, name: str) -> list[str] | None:
    owner = ["class Owner {", *written, "}"]
    functions = index_source(path, "\n".join(owner) + "\n").functions
    last = name.rpartition(".")[2]
    for function in functions:
        if function.name.rpartition(".")[2] == last:
            return owner[function.first - 1 : function.last]
    return None


def _missing_imports(written: list[str], lines: list[str]) -> list[str]:
    """One-line imports of the block that the file has nowhere; those that do not parse are left."""
    known = {line.strip() for line in lines}
    offered = (line.rstrip() for line in written if line.startswith(IMPORTS))
    new = (line for line in offered if line not in known)
    fit = (line for line in new if "__future__" not in line and _syntax_error(line) is None)
    return list(dict.fromkeys(fit))


def _first_import(lines: list[str]) -> int:
    """Where an import may be added: before the first one of the file, or else before all code."""
    for number, line in enumerate(lines):
        if line.startswith(IMPORTS) and "__future__" not in line:
            return number
    code = (n for n, line in enumerate(lines) if line.startswith(("def ", "class ", "async ", "@")))
    return next(code, 0)


def syntax_complaint(path: str, new: str, old: str) -> str:
    """Why a Python text does not parse, though the one before it did; empty when it does."""
    if not path.endswith(PYTHON) or _syntax_error(old) is not None:
        return ""
    error = _syntax_error(new)
    if error is None:
        return ""
    lines = new.split("\n")
    number = error.lineno or 0
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return f"the code does not compile: {error.msg}, at the line {line!r}"


def _syntax_error(text: str) -> SyntaxError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "answer", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error))
    return None
