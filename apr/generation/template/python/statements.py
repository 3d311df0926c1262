"""Whole statements: deleted, moved, swapped, copied with variables adapted, or synthesised."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from apr.generation.template.python.registry import (
    COMPOUND_STATEMENTS,
    SIMPLE_STATEMENTS,
    STATEMENTS,
    Rewrite,
    Site,
    template,
)
from apr.generation.template.python.scope import Kind
from apr.generation.template.python.source import first_line
from apr.generation.template.python.variables import BUILTINS, compatibility


@template("delete-statement", 0.2, *STATEMENTS)
def delete(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    source = site.source
    weight = 0.5 if isinstance(node, COMPOUND_STATEMENTS) else 1.0
    if isinstance(node, ast.Pass):
        return
    if len(source.block(node)) == 1:
        yield from site.replace_statement(node, "pass", weight * 0.6)
    elif source.is_own_line(node) and not _is_elif(site, node):
        yield from site.splice(*source.lines_span(node), "", weight)


@template("swap-statements", 0.12, *STATEMENTS)
def swap(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """The statement and its successor change places."""
    source = site.source
    block = source.block(node)
    index = block.index(node)
    if index + 1 >= len(block) or not all(map(source.is_own_line, block[index : index + 2])):
        return
    following = block[index + 1]
    (start, middle), (second, end) = source.lines_span(node), source.lines_span(following)
    text = source.text
    if (middle <= second and not text.endswith(text[second:end])) or (
        middle <= second and text.endswith(("\n", "\r"))
    ):
        yield from site.splice(
            start, end, text[second:end] + text[middle:second] + text[start:middle]
        )


@template("move-out", 0.12, *STATEMENTS)
def move_out(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """The last statement of a block moves behind the block, the first one before it."""
    source, parent = site.source, site.parent
    code = site.statement_text(node)
    block = source.block(node)
    if not isinstance(parent, COMPOUND_STATEMENTS) or code is None or len(block) < 2:
        return
    if not source.is_own_line(node) or not source.is_own_line(parent) or _is_elif(site, parent):
        return
    moved = Site(site.around, parent).indented(parent, code)
    start, end = source.lines_span(node)
    text = source.text
    if node is block[-1] and text.endswith(("\n", "\r")):
        after = source.lines_span(parent)[1]
        yield from site.splice(start, after, text[end:after] + moved)
    if node is block[0]:
        before = source.line_start(first_line(parent))
        yield from site.splice(before, end, moved + text[before:start], 0.6)


@template("move-into", 0.12, *STATEMENTS)
def move_into(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """The statement after a block becomes the block's last one, or its `else`."""
    source = site.source
    block = source.block(node)
    index = block.index(node)
    code = site.statement_text(node)
    if index == 0 or code is None or not source.is_own_line(node):
        return
    previous = block[index - 1]
    if not isinstance(previous, COMPOUND_STATEMENTS) or not source.is_own_line(previous):
        return
    start, end = source.lines_span(node)
    for inner in _tails(previous):
        text = Site(site.around, inner).indented(inner, code)
        yield from site.splice(start, end, text)
    if isinstance(previous, (ast.If, ast.For, ast.While)) and not previous.orelse:
        shifted = "\n".join("\t" + line for line in code.split("\n"))
        yield from site.splice(start, end, site.indented(node, f"else:\n{shifted}"), 0.8)


def _tails(node: ast.stmt) -> list[ast.stmt]:
    """The last statements of the open blocks at the end of a compound statement."""
    found: list[ast.stmt] = []
    current: ast.stmt = node
    while isinstance(current, COMPOUND_STATEMENTS):
        blocks = [getattr(current, name, []) for name in ("finalbody", "orelse", "body")]
        current = next(block for block in blocks if block)[-1]
        found.append(current)
    return found


@template("unwrap-block", 0.06, ast.If, ast.While, ast.For, ast.With, ast.Try)
def unwrap(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Execute a compound statement's body unconditionally."""
    body = getattr(node, "body", [])
    texts = [site.statement_text(each) for each in body]
    if all(text is not None for text in texts) and not _is_elif(site, node):
        code = "\n".join(text for text in texts if text is not None)
        yield from site.replace_statement(node, code)


@template("if-while", 0.1, ast.If, ast.While)
def exchange_keyword(site: Site, node: ast.If | ast.While) -> Iterator[Rewrite]:
    """`if` and `while`, or `if` and `elif` after another `if`, are confused."""
    start, _ = site.source.span(node)
    if _is_elif(site, node):
        yield from site.splice(start, start + 4, "if", 0.8)
        return
    old, new = ("if", "while") if isinstance(node, ast.If) else ("while", "if")
    if not node.orelse or isinstance(node, ast.While):
        yield from site.splice(start, start + len(old), new)
    block = site.source.block(node)
    index = block.index(node)
    if isinstance(node, ast.If) and index and isinstance(block[index - 1], ast.If):
        yield from site.splice(start, start + 2, "elif", 1.0)


def _is_elif(site: Site, node: ast.stmt) -> bool:
    start = site.source.span(node)[0]
    return isinstance(node, ast.If) and site.source.text.startswith("elif", start)


@template("exit-statement", 0.12, ast.Return, ast.Break, ast.Continue, ast.Pass, ast.Raise)
def exchange_exit(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """`break`, `continue`, `return` and `pass` are confused."""
    words = ["pass", "return"]
    if site.source.loop(node) is not None:
        words = ["break", "continue", *words]
    for word in words:
        if site.text(node) != word:
            yield from site.replace_statement(node, word, 0.6 if word == "pass" else 1.0)


@template("insert-exit", 0.08, *SIMPLE_STATEMENTS, ast.If)
def insert_exit(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """A jump is missing after the last statement of a block."""
    if isinstance(node, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
        return
    if node is site.source.block(node)[-1]:
        if site.source.loop(node) is not None:
            yield from site.insert_after(node, "break")
            yield from site.insert_after(node, "continue", 0.6)
        if site.around.function is not None:
            yield from site.insert_after(node, "return", 0.4)


@template("insert-call", 0.12, *STATEMENTS)
def insert_call(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert an update of a collection in scope: `xs.append(x)`, `seen.add(x)`, `xs.pop()`."""
    scope, near = site.scope, site.around.near
    for name in scope.of_kind(Kind.COLLECTION)[:5]:
        sure = 1.0 if scope.kind(name) is Kind.COLLECTION else 0.3
        for value in scope.variables[:8]:
            if value != name and scope.kind(value) is not Kind.CALLABLE:
                for method, base in (("append", 0.7), ("add", 0.7)):
                    used = 1.0 if method in near.calls else 0.6
                    yield from _insert(site, node, f"{name}.{method}({value})", base * used * sure)
        for other in scope.of_kind(Kind.COLLECTION)[:3]:
            if other != name and "append" in near.calls:
                yield from _insert(site, node, f"{name}.append({other}[-1])", 0.25 * sure)
        yield from _insert(site, node, f"{name}.pop()", 0.4 * sure)


@template("insert-assignment", 0.1, *STATEMENTS)
def insert_assignment(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert `x = y`, `x += 1`, `x -= 1` with variables in scope."""
    scope = site.scope
    assigned = [name for name in scope.local if scope.kind(name) is not Kind.CALLABLE][:7]
    for target in assigned:
        kind = scope.kind(target)
        if kind in (Kind.NUMBER, Kind.UNKNOWN):
            sure = 1.0 if kind is Kind.NUMBER else 0.4
            yield from _insert(site, node, f"{target} += 1", 0.8 * sure)
            yield from _insert(site, node, f"{target} -= 1", 0.6 * sure)
        for value in scope.variables[:7]:
            if value != target:
                weight = 0.6 * compatibility(scope, kind, value)
                yield from _insert(site, node, f"{target} = {value}", weight)


def _insert(site: Site, node: ast.stmt, code: str, weight: float) -> Iterator[Rewrite]:
    """Before the statement; also behind it when it ends its block."""
    yield from site.insert_before(node, code, weight)
    is_exit = isinstance(node, (ast.Return, ast.Break, ast.Continue, ast.Raise))
    if node is site.source.block(node)[-1] and not is_exit:
        yield from site.insert_after(node, code, weight)


@template("insert-donor", 0.15, *STATEMENTS)
def insert_donor(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Insert a statement of this function, or one like this from elsewhere, adapted."""
    for code, weight in _donors(site, node):
        yield from _insert(site, node, code, weight)


@template("replace-donor", 0.12, *SIMPLE_STATEMENTS)
def replace_donor(site: Site, node: ast.stmt) -> Iterator[Rewrite]:
    """Replace the statement by a similar one, adapted."""
    own = site.text(node)
    for code, weight in _donors(site, node):
        if code != own:
            yield from site.replace_statement(node, code, weight)


def _query(site: Site, node: ast.stmt) -> str:
    """The statement's first line and that of its predecessor, which a donor may continue."""
    block = site.source.block(node)
    index = block.index(node)
    lines = [site.text(each).split("\n")[0] for each in block[max(index - 1, 0) : index + 1]]
    return "\n".join(lines)


def _donors(site: Site, node: ast.stmt) -> list[tuple[str, float]]:
    """Adapted donors for this place with weights in (0, 1], the best 40."""
    known = site.around.cache.setdefault("donors", {})
    if node not in known:
        known[node] = _find_donors(site, node)
    return list(known[node])


def _find_donors(site: Site, node: ast.stmt) -> list[tuple[str, float]]:
    own = site.text(node)
    found: dict[str, float] = {}
    for code in list(site.around.near.statements)[:12]:
        if code != own:
            found[code] = 1.0
            for variant in _adapted(site, code, 6):
                found.setdefault(variant, 0.3)
    for code, likeness in site.around.project.donors.nearest(_query(site, node), 12):
        if code != own and code not in found:
            for variant in _adapted(site, code, 2, only_foreign=True):
                found.setdefault(variant, 0.6 * likeness)
    return sorted(found.items(), key=lambda item: -item[1])[:40]


@template("add-else", 0.15, ast.If)
def add_else(site: Site, node: ast.If) -> Iterator[Rewrite]:
    """The other case is missing: an `else` with the body's own statement, adapted."""
    last = node.body[-1]
    if node.orelse or len(node.body) > 1 or not site.source.is_own_line(last):
        return
    if not isinstance(last, SIMPLE_STATEMENTS) or not site.source.is_own_line(node):
        return
    for code in _adapted(site, site.text(last), 6):
        yield from site.insert_after(node, f"else:\n\t{code}")
    for code, weight in _donors(site, last)[:12]:
        yield from site.insert_after(node, f"else:\n\t{code}", 0.5 * weight)


_MOST_VARIABLES = 20
_NAME = re.compile(r"(?<![\w.'\"])[A-Za-z_]\w*")


def _adapted(site: Site, code: str, most: int, only_foreign: bool = False) -> Iterator[str]:
    """`code` with one of its names replaced by a variable in scope.

    Names out of scope must go; code that has more than one of them is no donor.
    """
    scope = site.scope
    known = {*scope.variables, *scope.callables, *scope.module, *BUILTINS}
    names = [name for name in dict.fromkeys(_NAME.findall(code)) if name not in _WORDS]
    foreign = [name for name in names if name not in known]
    if len(foreign) > 1:
        return
    if only_foreign and not foreign:
        yield code
        return
    for name in foreign or [each for each in names if each in scope.local]:
        pattern = re.compile(rf"(?<![\w.'\"]){name}(?!\w)")
        others = [each for each in scope.variables[:_MOST_VARIABLES] if each != name]
        others.sort(key=lambda each: -compatibility(scope, scope.kind(name), each))
        for other in others[:most]:
            yield pattern.sub(other, code, count=0 if foreign else 1)


_WORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "for",
        "return",
        "raise",
        "lambda",
        "None",
        "True",
        "False",
        "await",
        "yield",
        "from",
        "del",
        "assert",
        "import",
        "as",
    ]
)
