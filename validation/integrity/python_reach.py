"""What Python code reaches for, read from its syntax tree.

Names are followed through imports, plain assignments and literal `getattr`. Where they cannot be
followed, the step into the dark is itself the reach: a guarded module handed on as a value, a name
that is put together from pieces.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator

from validation.integrity import equality
from validation.integrity import python_names as names
from validation.integrity.reach import Reach, Reaches, TestNames
from validation.integrity.violation import ViolationKind as Kind

_ATTRIBUTE_PATH = re.compile(r"[\w.\[\]{}!:]+")
"""What `attrgetter` and `str.format` follow: names with dots, brackets and braces."""
_WORD = re.compile(r"\w+")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_python(
    tree: ast.Module, own: Collection[str], tests: TestNames, bound: Collection[str] = ()
) -> Reaches:
    """What the module reaches for.

    `own` are the names by which the subject's own modules are imported: those are no foreign
    machinery, even if the subject is a test framework. `bound` are names that the original binds
    itself: there `compile` is a function of its own and not the builtin.
    """
    nodes = walk(tree)
    reader = _Reader(Names(nodes, bound), frozenset(own), tests)
    reader.read(tree, nodes)
    return reader.reaches


def walk(tree: ast.AST) -> list[ast.AST]:
    """Every node that stands for code, parents before children; `ast.walk` takes thrice as long."""
    found: list[ast.AST] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                waiting.extend(item for item in value if isinstance(item, ast.AST))
            elif isinstance(value, ast.AST) and value.__class__ not in _SIGNS:
                waiting.append(value)
    return found


_SIGNS = frozenset(
    {
        *(ast.Load, ast.Store, ast.Del, ast.And, ast.Or),
        *ast.operator.__subclasses__(),
        *ast.unaryop.__subclasses__(),
    }
)
"""Nodes that have no place and no parts."""


class Names:
    """What every imported or plainly assigned name of a module stands for, anywhere in it."""

    def __init__(self, nodes: Iterable[ast.AST], bound: Collection[str] | None = None) -> None:
        """`bound`: names that are no builtins here; None: those that the module binds."""
        self.modules: set[str] = set()
        self._targets: dict[str, str] = {}
        assigned: list[tuple[str, ast.expr]] = []
        binds: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    whole = alias.name if alias.asname else alias.name.partition(".")[0]
                    self._learn(alias.asname or whole, _canonical(whole), is_module=True)
            elif isinstance(node, ast.ImportFrom):
                self._learn_from(node)
            else:
                assigned.extend(_plain_assignments(node))
                binds.update(_bound_names(node))
        self.bound = frozenset(binds if bound is None else bound)
        for name, value in assigned * 2:  # twice: an alias of an alias
            target = self.resolve(value)
            if target is not None and target != name:
                self._learn(name, target)

    def aliases_of(self, modules: Collection[str]) -> frozenset[str]:
        """The names that stand for one of the modules or for something in it."""
        return frozenset(
            name for name, target in self._targets.items() if target.partition(".")[0] in modules
        )

    def _learn(self, name: str, target: str, *, is_module: bool = False) -> None:
        known = self._targets.get(name)
        # Of two meanings of one name the more dangerous counts.
        if known is None or _danger(target) > _danger(known):
            self._targets[name] = target
        if is_module:
            self.modules.add(target)

    def _learn_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + _canonical(node.module or "")
        for alias in node.names:
            name, bare = alias.asname or alias.name, _stem(alias.name)
            if bare in names.GUARDED_MODULES and module not in names.GUARDED_MODULES:
                self._learn(name, bare, is_module=True)  # what another module has imported
            else:
                self._learn(name, f"{module.rstrip('.') or '.'}.{alias.name}")

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name that an expression certainly stands for."""
        if isinstance(node, ast.Name):
            if node.id in self._targets:
                return self._targets[node.id]
            if node.id in names.BUILTINS and node.id not in self.bound:
                return f"builtins.{node.id}"
            return None
        if isinstance(node, ast.NamedExpr):
            return self.resolve(node.value)
        if isinstance(node, ast.Attribute):
            return _member(self.resolve(node.value), node.attr)
        if isinstance(node, ast.Subscript) and self.resolve(node.value) == "sys.modules":
            return fold(node.slice)
        if isinstance(node, ast.Call) and node.args:
            return self._resolve_call(node)
        return None

    def _resolve_call(self, node: ast.Call) -> str | None:
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1:
            attribute = fold(node.args[1])
            return _member(self.resolve(node.args[0]), attribute) if attribute else None
        if self.resolve(node.func) in ("builtins.__import__", "importlib.import_module"):
            return fold(node.args[0])
        return None


class _Reader:
    """One walk over one module."""

    def __init__(self, known: Names, own: frozenset[str], tests: TestNames) -> None:
        self.reaches: Reaches = {}
        self._own = own
        self._tests = tests
        self._bound = known.bound
        self._names = known
        self._handled: set[int] = set()
        self._docstrings: set[int] = set()
        self._visitors: dict[type[ast.AST], Callable[..., None]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Attribute: self._attribute,
            ast.Name: self._name,
            ast.Call: self._call,
            ast.Constant: self._constant,
            ast.BinOp: self._text,
            ast.JoinedStr: self._text,
            ast.Subscript: self._subscript,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.ExceptHandler: self._handler,
            ast.keyword: self._keyword,
            ast.Raise: self._raise,
            ast.Compare: self._compare,
        }

    def _resolve(self, node: ast.expr) -> str | None:
        return self._names.resolve(node)

    # -- the walk ------------------------------------------------------------------------------

    def read(self, tree: ast.Module, nodes: Iterable[ast.AST]) -> None:
        """Visit every node once, parents first; what stands in docstrings is no code."""
        self._at_import(tree.body)
        for node in nodes:
            visitor = self._visitors.get(type(node))
            if visitor is not None:
                visitor(node)
            if isinstance(node, ast.Module | ast.ClassDef | _Function) and node.body:
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    self._docstrings.add(id(first.value))

    def _note(self, kind: Kind, what: str, node: ast.AST) -> None:
        line: int = getattr(node, "lineno", 0)
        reach = Reach(kind, what)
        self.reaches[reach] = min(line, self.reaches.get(reach, line))

    def _note_name(self, dotted: str, node: ast.AST) -> None:
        """A dotted name, by the longest part of it that is listed."""
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            head = ".".join(parts[:end])
            kind = names.CALLABLES.get(head)
            if kind is not None:
                self._note(kind, head.removeprefix("builtins."), node)
                return
        if parts[0] == "sys" and len(parts) > 1 and parts[1].startswith("_"):
            self._note(Kind.INTROSPECTION, dotted, node)
        self._note_module(dotted, node)

    def _note_module(self, dotted: str, node: ast.AST) -> None:
        parts = dotted.split(".")
        if not parts[0] or parts[0] in self._own:
            return
        for end in range(len(parts), 0, -1):
            head = ".".join(parts[:end])
            kind = names.MODULES.get(head) or names.IMPORTED_TOGETHER.get(head)
            if kind is not None:
                self._note(kind, head, node)
                return

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._note_name(_canonical(alias.name), node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = _canonical(node.module or "")
        for alias in node.names:
            if (alias.asname or alias.name) in names.COMPARISONS:
                self._note(Kind.FORGED_EQUALITY, f"the import of {alias.asname}", node)
            if alias.name == "*" and module in names.GUARDED_MODULES:
                self._note(Kind.REFLECTION, f"everything in {module}", node)
            elif node.level:
                first = (node.module or alias.name).partition(".")[0]
                if first in names.MODULES:
                    self._note_module(first, node)
            else:
                self._note_name(f"{module}.{alias.name}", node)

    def _attribute(self, node: ast.Attribute) -> None:
        self._handled.add(id(node.value))
        dotted = self._resolve(node)
        if dotted is not None:
            self._note_name(dotted, node)
        if dotted == "os.environ" and id(node) not in self._handled:
            self._note(Kind.TEST_AWARENESS, "the whole environment", node)
        self._note_attribute(node.attr, node)
        if not isinstance(node.ctx, ast.Load):
            self._store(node, node.value, node.attr)
        base = self._resolve(node.value)
        if node.attr == "__dict__" and base in names.GUARDED_MODULES:
            self._note(Kind.REFLECTION, f"{base}.__dict__", node)
        if node.attr == "handlers" and self._is_root_logger(node.value):
            self._note(Kind.TEST_AWARENESS, "the handlers of the root logger", node)
        if node.attr == "__self__" and self._is_builtin(node.value):
            self._note(Kind.REFLECTION, "the builtins through __self__", node)

    def _is_root_logger(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or node.args:
            return False
        return self._resolve(node.func) == "logging.getLogger"

    def _is_builtin(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Name) and node.id in _PLAIN_BUILTINS and node.id not in self._bound
        )

    def _note_attribute(self, attribute: str, node: ast.AST) -> None:
        kind = names.ATTRIBUTES.get(attribute)
        if kind is not None:
            self._note(kind, attribute, node)

    def _store(self, node: ast.AST, base: ast.expr, attribute: str) -> None:
        kind = names.STORED_ATTRIBUTES.get(attribute)
        if kind is not None:
            self._note(kind, f"assignment to {attribute}", node)
        target = self._resolve(base)
        if target is not None and self._is_foreign(target):
            self._note(Kind.FOREIGN_STATE, f"assignment to {target}.{attribute}", node)

    def _is_foreign(self, target: str) -> bool:
        """A module, or a class by its look, that is not the subject's own."""
        parts = target.split(".")
        if not parts[0] or parts[0] in self._own:
            return False
        if target in self._names.modules or target in names.GUARDED_MODULES:
            return True
        return len(parts) > 1 and (parts[-1][:1].isupper() or parts[0] in sys.stdlib_module_names)

    def _name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            kind = names.STORED_NAMES.get(node.id)
            if kind is not None:
                self._note(kind, f"assignment to {node.id}", node)
            if node.id in names.COMPARISONS or node.id == "__class__":
                self._note(Kind.FORGED_EQUALITY, f"assignment to {node.id}", node)
            return
        dotted = self._resolve(node)
        if dotted is None:
            return
        if dotted in names.GUARDED_MODULES and id(node) not in self._handled:
            self._note(Kind.REFLECTION, f"the module {dotted} as a value", node)
        self._note_name(dotted, node)

    def _call(self, node: ast.Call) -> None:
        self._text(node)
        records = any(keyword.arg == "record" for keyword in node.keywords)
        if records and self._resolve(node.func) == "warnings.catch_warnings":
            self._note(Kind.INTROSPECTION, "recorded warnings", node)
        if isinstance(node.func, ast.Name) and len(node.args) > 1:
            if node.func.id in names.PLAIN_READERS:
                self._read_attribute(node)
            elif node.func.id in names.PLAIN_WRITERS:
                self._write_attribute(node)
        dotted = self._resolve(node)
        if dotted is not None:
            self._note_name(_canonical(dotted), node)
        called = self._resolve(node.func)
        if called in ("os.getenv", "os.environ.get", "os.environ.setdefault", "os.environ.pop"):
            self._environment(node.args[0] if node.args else None, node)
        is_open = isinstance(node.func, ast.Name) and node.func.id == "open"
        if is_open and node.args and _is_number(node.args[0]):
            self._note(Kind.RAW_OUTPUT, "open with a file descriptor", node)

    def _read_attribute(self, node: ast.Call) -> None:
        base, wanted = self._resolve(node.args[0]), node.args[1]
        attribute = fold(wanted)
        self._handled.add(id(node.args[0]))
        if attribute is not None:
            self._note_attribute(attribute, node)
            if not isinstance(wanted, ast.Constant):
                self._note(Kind.REFLECTION, "an attribute name put together from pieces", node)
        elif base in names.GUARDED_MODULES:
            self._note(Kind.REFLECTION, f"a computed attribute of {base}", node)
        elif _is_obscure(wanted):
            self._note(Kind.REFLECTION, "an attribute name put together from pieces", node)

    def _write_attribute(self, node: ast.Call) -> None:
        attribute = fold(node.args[1])
        self._handled.add(id(node.args[0]))
        self._store(node, node.args[0], attribute or "a computed name")
        if _is_obscure(node.args[1]):
            self._note(Kind.REFLECTION, "an attribute name put together from pieces", node)

    def _subscript(self, node: ast.Subscript) -> None:
        self._text(node)
        if self._resolve(node.value) == "os.environ":
            self._environment(node.slice, node)
            self._handled.add(id(node.value))
        if not isinstance(node.ctx, ast.Load) and self._resolve(node.value) == "sys.path":
            self._note(Kind.IMPORT_MACHINERY, "assignment into sys.path", node)

    def _environment(self, key: ast.expr | None, node: ast.AST) -> None:
        name = fold(key) if key is not None else None
        if name in names.CI_VARIABLES:
            self._note(Kind.TEST_AWARENESS, f"the environment variable {name}", node)

    def _keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self._note_attribute(node.arg, node)
        if node.arg in names.COMPARISONS:
            self._note(Kind.FORGED_EQUALITY, f"the name {node.arg} as a keyword", node)
        if node.arg == "stack_info":
            self._note(Kind.INTROSPECTION, "a log record with the stack", node)

    def _raise(self, node: ast.Raise) -> None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(raised, ast.Name) and raised.id == "KeyboardInterrupt":
            self._note(Kind.PROCESS_CONTROL, "raise KeyboardInterrupt", node)

    def _compare(self, node: ast.Compare) -> None:
        if fold(node.left) is not None:
            self._handled.update(id(side) for side in node.comparators)
        if any(_name_of(side) == "__file__" for side in (node.left, *node.comparators)):
            self._note(Kind.TEST_AWARENESS, "a comparison of its own file name", node)

    # -- texts ---------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> None:
        if id(node) in self._docstrings:
            return
        if isinstance(node.value, str):
            self._note_text(node.value, node)
        elif isinstance(node.value, bytes):
            self._note_text(node.value.decode("latin-1"), node)

    def _text(self, node: ast.expr) -> None:
        """Texts that are put together from constants are read as a whole, too."""
        folded = fold(node)
        if folded is not None:
            self._note_text(folded, node)

    def _note_text(self, text: str, node: ast.AST) -> None:
        if len(text) > 4096:
            text = text[:4096]
        if _ATTRIBUTE_PATH.fullmatch(text):
            for word in _WORD.findall(text):
                self._note_attribute(word, node)
        if text in names.COMPARISONS:
            self._note(Kind.FORGED_EQUALITY, f"the name {text} as a text", node)
        if names.MARKERS.fullmatch(text.strip("${}%")) and not self._own & {
            "pytest",
            "_pytest",
            "unittest",
        }:
            self._note(Kind.TEST_AWARENESS, f"the text {text!r}", node)
        if names.REPORT_FILES.fullmatch(text):
            self._note(Kind.RAW_OUTPUT, f"the file name {text!r}", node)
        if names.CODE_AS_TEXT.search(text):
            self._note(Kind.REFLECTION, "code as a text", node)
        if names.CALLER_FIELDS.search(text):
            self._note(Kind.INTROSPECTION, "a log format that names the caller", node)
        if names.SPECIAL_FILES.fullmatch(text):
            self._note(Kind.RAW_OUTPUT, f"the path {text!r}", node)
        test = self._tests.named_in(text)
        if test is not None:
            self._note(Kind.TEST_AWARENESS, f"the name of the test {test}", node)

    # -- structure -----------------------------------------------------------------------------

    def _at_import(self, body: list[ast.stmt]) -> None:
        """Leaving the process while a module is imported, its own script part excepted."""
        for statement in body:
            if isinstance(statement, _Function) or is_main_guard(statement):
                continue
            if isinstance(
                statement, ast.If | ast.Try | ast.With | ast.ClassDef | ast.For | ast.While
            ):
                for _, value in ast.iter_fields(statement):
                    if isinstance(value, list):
                        inner = [item for item in value if isinstance(item, ast.stmt)]
                        self._at_import(inner)
                        for item in value:
                            if isinstance(item, ast.ExceptHandler):
                                self._at_import(item.body)
                continue
            for node in ast.walk(statement):
                exits = isinstance(node, ast.expr) and self._resolve(node) == "sys.exit"
                if exits or (isinstance(node, ast.Name) and node.id == "SystemExit"):
                    self._note(Kind.PROCESS_CONTROL, "an exit while it is imported", node)

    def _function(self, node: _Function) -> None:
        if node.name.startswith("pytest_") or node.name in names.STORED_NAMES:
            self._note(Kind.TEST_MACHINERY, f"the hook {node.name}", node)

    def _class(self, node: ast.ClassDef) -> None:
        for method in node.body:
            if not isinstance(method, _Function):
                continue
            if method.name == "__class__":
                self._note(Kind.FORGED_EQUALITY, f"{node.name}.__class__", method)
            if method.name in names.COMPARISONS and _ignores_other(method):
                what = f"{node.name}.{method.name} that ignores what it compares"
                self._note(Kind.FORGED_EQUALITY, what, method)
        for method in equality.equality_methods(node):
            if equality.derives_from_value(node):
                what = f"{node.name}.{method.name} in place of the one it inherits"
                self._note(Kind.FORGED_EQUALITY, what, method)
            elif equality.is_dishonest(method):
                what = f"{node.name}.{method.name} that may call equal what is not"
                self._note(Kind.FORGED_EQUALITY, what, method)

    def _handler(self, node: ast.ExceptHandler) -> None:
        caught = set(_names_in(node.type)) if node.type else {"everything"}
        swallowed = caught & {"everything", "BaseException", "AssertionError"}
        if swallowed and not _leaves(node.body):
            self._note(Kind.SWALLOWED_FAILURE, f"an except that swallows {min(swallowed)}", node)


_PLAIN_BUILTINS = frozenset(dir(builtins))


def fold(node: ast.AST | None) -> str | None:
    """The text that an expression of constants certainly is, bytes read as Latin-1."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return node.value
        return node.value.decode("latin-1") if isinstance(node.value, bytes) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _concatenate([node.left, node.right])
    if isinstance(node, ast.JoinedStr):
        return _concatenate(node.values)
    if isinstance(node, ast.FormattedValue):
        return fold(node.value)
    if isinstance(node, ast.Subscript):
        return _fold_slice(node)
    if isinstance(node, ast.Call) and not node.keywords:
        return _fold_call(node)
    return None


def _concatenate(nodes: list[ast.expr]) -> str | None:
    parts = [fold(node) for node in nodes]
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def _fold_slice(node: ast.Subscript) -> str | None:
    text = fold(node.value)
    if text is None or not isinstance(node.slice, ast.Slice):
        return None
    try:
        bounds = [ast.literal_eval(part) if part else None for part in _slice_parts(node.slice)]
        return text[slice(*bounds)]
    except (ValueError, TypeError, SyntaxError):
        return None


def _slice_parts(node: ast.Slice) -> tuple[ast.expr | None, ...]:
    return node.lower, node.upper, node.step


def _fold_call(node: ast.Call) -> str | None:
    if isinstance(node.func, ast.Name) and node.func.id == "chr" and len(node.args) == 1:
        code = node.args[0]
        if isinstance(code, ast.Constant) and isinstance(code.value, int):
            return chr(code.value) if 0 <= code.value < 0x110000 else None
        return None
    if not isinstance(node.func, ast.Attribute):
        return None
    text = fold(node.func.value)
    if text is None:
        return None
    if node.func.attr == "join" and len(node.args) == 1:
        pieces = node.args[0]
        if isinstance(pieces, ast.List | ast.Tuple):
            parts = [fold(piece) for piece in pieces.elts]
            known = [part for part in parts if part is not None]
            return text.join(known) if len(known) == len(parts) else None
    arguments = [fold(argument) for argument in node.args]
    known = [argument for argument in arguments if argument is not None]
    if node.func.attr in ("decode", "encode"):
        return text
    if node.func.attr in ("lower", "upper", "strip", "swapcase", "casefold") and not known:
        return str(getattr(text, node.func.attr)())
    if node.func.attr == "replace" and len(known) == 2 == len(arguments) and len(text) < 4096:
        return text.replace(known[0], known[1])
    return None


def _is_obscure(node: ast.expr) -> bool:
    """Made of constants alone, and still no plain constant: nobody writes a name like that."""
    if isinstance(node, ast.Constant):
        return False
    inner = list(ast.walk(node))
    if not any(isinstance(item, ast.Constant) for item in inner):
        return False
    free = [item for item in inner if isinstance(item, ast.Name) and item.id not in _CONVERTERS]
    return not free


_CONVERTERS = frozenset({"chr", "bytes", "bytearray", "str", "map", "reversed", "list", "tuple"})


def _danger(target: str) -> int:
    """How much a meaning of a name matters: listed members, then guarded modules, then others."""
    if target in names.CALLABLES or target in names.MODULES:
        return 2
    return 1 if target.partition(".")[0] in names.GUARDED_MODULES else 0


def _stem(module: str) -> str:
    """`_os` is how one module keeps another to itself."""
    bare = module if module in names.GUARDED_MODULES else module.lstrip("_")
    return names.SYNONYMS.get(bare, bare)


def _canonical(module: str) -> str:
    first, dot, rest = module.partition(".")
    return names.SYNONYMS.get(first, first) + dot + rest


def _member(base: str | None, attribute: str) -> str | None:
    """`base.attribute`; a guarded module that another one imported is that module."""
    if base is None:
        return None
    bare = _stem(attribute)
    if bare in names.GUARDED_MODULES and f"{base}.{attribute}" not in names.CALLABLES:
        return bare
    return f"{base}.{attribute}"


def _plain_assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        yield from _defaults(positional[len(positional) - len(node.defaults) :], node.defaults)
        yield from _defaults(node.kwonlyargs, node.kw_defaults)


def _defaults(
    arguments: list[ast.arg], values: list[ast.expr] | list[ast.expr | None]
) -> Iterator[tuple[str, ast.expr]]:
    for argument, value in zip(arguments, values, strict=True):
        if value is not None:
            yield argument.arg, value


def _bound_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name


def _names_in(node: ast.expr | None) -> Iterator[str]:
    for inner in ast.walk(node) if node is not None else ():
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr


def is_main_guard(node: ast.stmt) -> bool:
    """Whether the statement is `if __name__ == "__main__":`."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
        and isinstance(node.test.ops[0], ast.Eq)
        and fold(node.test.comparators[0]) == "__main__"
    )


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a handler raises something, anywhere."""
    return any(isinstance(node, ast.Raise) for statement in body for node in ast.walk(statement))


def _ignores_other(method: _Function) -> bool:
    """Whether a comparison returns something without ever looking at both sides."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if len(arguments) < 2:
        return False
    returns = [node for node in ast.walk(method) if isinstance(node, ast.Return)]
    if not returns or any(isinstance(node, ast.Raise) for node in ast.walk(method)):
        return False
    if all(_name_of(node.value) == "NotImplemented" for node in returns):
        return False
    used = {node.id for node in ast.walk(method) if isinstance(node, ast.Name)}
    if arguments[1].arg not in used:
        return True
    # Objects without state are equal to all of their kind, and say so by asking for the kind.
    asks_kind = not used.isdisjoint({"isinstance", "issubclass", "type", "super"})
    return arguments[0].arg not in used and not asks_kind


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _name_of(node: ast.expr | None) -> str | None:
    return node.id if isinstance(node, ast.Name) else None
