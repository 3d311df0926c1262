"""The example of an issue as a test: whoever reports an exception often shows how to get it.

No model is needed. The test only demands that the example runs to its end, which is less than
what the reporter wants, and so a patch that passes it deserves to be read closely.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence

MOST = 8
_FENCE = re.compile(r"^\s*(?P<fence>```+|~~~+)\s*(?P<label>[\w+-]*)")
_NO_CODE = frozenset(
    {"sh", "shell", "bash", "console", "text", "output", "traceback", "diff", "ini", "toml"}
    | {"yaml", "json"}
)
_PROMPT = re.compile(r"^\s*(?P<prompt>>>>|In \[\d+\]:) ?(?P<code>.*)$")
_CONTINUED = re.compile(r"^\s*(?:\.\.\.|   \.\.\.:) ?(?P<code>.*)$")


def draft_tests(issue: str, package: str) -> list[str]:
    """Test files with one test each that runs an example of the issue, the likeliest first.

    Examples are tried alone, then all together, since a later one often needs the names of an
    earlier one. Those typed into an interpreter may have all names of `package` there.
    """
    examples = list(dict.fromkeys(_examples(issue)))
    together = ["\n".join(examples)] if len(examples) > 1 else []
    openings = ("", f"from {package} import *\n" if package.isidentifier() else "")
    drafts = [
        draft
        for opening in dict.fromkeys(openings)
        for example in [*examples, *together]
        if (draft := _as_test(example, opening)) is not None
    ]
    return list(dict.fromkeys(drafts))[:MOST]


def _examples(issue: str) -> Iterator[str]:
    """What of the issue is Python: in an interpreter's transcript, or in a block of code."""
    outside: list[str] = []
    block: list[str] | None = None
    label = ""
    for line in issue.replace("\r\n", "\n").split("\n"):
        fence = _FENCE.match(line)
        if fence and block is None:
            block, label = [], fence["label"].lower()
        elif fence and block is not None:
            yield from _code_in(block, label)
            block = None
        elif block is not None:
            block.append(line)
        else:
            outside.append(line)
    yield from _typed(outside)


def _code_in(block: Sequence[str], label: str) -> Iterator[str]:
    typed = list(_typed(block))
    if typed:
        yield from typed
    elif label not in _NO_CODE:
        text = textwrap.dedent("\n".join(block)).strip("\n")
        if _parses(text):
            yield text


def _typed(lines: Sequence[str]) -> Iterator[str]:
    """The statements of a transcript, without the prompts and without what was answered."""
    code: list[str] = []
    for line in lines:
        first = _PROMPT.match(line)
        more = _CONTINUED.match(line) if code and first is None else None
        found = first or more
        if found:
            code.append(found["code"])
    text = "\n".join(code)
    if text.strip() and _parses(text):
        yield text


def _parses(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _as_test(example: str, opening: str) -> str | None:
    """The example as the body of a test; None when it cannot stand there.

    Imports of all names of a module are allowed at a file's top only.
    """
    tree = ast.parse(example)
    above = [node for node in tree.body if _imports_all(node)]
    body = [node for node in tree.body if not _imports_all(node)]
    if not body or any(isinstance(node, ast.Return | ast.Await) for node in ast.walk(tree)):
        return None
    test = ast.parse("def test_issue():\n    pass").body[0]
    test.body = body  # type: ignore[attr-defined]
    return opening + ast.unparse(ast.Module([*above, test], [])) + "\n"


def _imports_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
