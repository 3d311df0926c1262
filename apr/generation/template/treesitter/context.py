"""What a template may ask about the source: roles of nodes, types, names in scope, donors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from apr.generation.template.edits import DonorIndex, Edit, Ingredients
from apr.generation.template.treesitter.grammar import Grammar
from apr.generation.template.treesitter.scope import (
    INTEGER,
    REAL,
    TEXT,
    TRUTH,
    UNKNOWN,
    Variable,
    family_of,
    scope_of,
)
from apr.generation.template.treesitter.syntax import Node

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "===", "!=="})
CONNECTIVES = frozenset({"&&", "||"})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "**"})
_NAME_ROLES = frozenset({"name", "field", "property", "declarator", "key", "label", "constructor"})
_NAME_HOLDERS = frozenset(
    [
        "formal_parameters",
        "inferred_parameters",
        "scoped_identifier",
        "marker_annotation",
        "annotation",
        "array_pattern",
        "object_pattern",
        "rest_pattern",
        "assignment_pattern",
        "import_declaration",
        "package_declaration",
        "import_specifier",
        "export_specifier",
        "import_clause",
        "enumerator",
        "class_heritage",
        "preproc_defined",
        "method_reference",
        "namespace_import",
    ]
)
_FREE_NAME = re.compile(r"(?<![\w$.>])[A-Za-z_$][\w$]*(?!\s*\(|[\w$])")
_ATOM = re.compile(r"[\w.$]+(?:\([^()]*\)|\[[^\[\]]*\]|\.[\w$]+)*")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_WORDS = frozenset(
    [
        "true",
        "false",
        "null",
        "undefined",
        "this",
        "super",
        "new",
        "return",
        "if",
        "else",
        "break",
        "continue",
        "throw",
        "instanceof",
        "typeof",
        "in",
        "of",
        "NULL",
        "sizeof",
        "int",
        "long",
        "double",
        "float",
        "char",
        "boolean",
        "void",
        "let",
        "const",
        "var",
        "final",
        "length",
        "await",
        "Infinity",
        "NaN",
    ]
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call in parts; `receiver` is what the method is called on, None for a plain function."""

    node: Node
    receiver: Node | None
    name: Node
    arguments: tuple[Node, ...]
    argument_list: Node


class Context:
    """One parsed source and the questions that templates ask about it."""

    def __init__(
        self,
        text: str,
        root: Node,
        grammar: Grammar,
        lines: frozenset[int] | None,
        ingredients: Ingredients,
    ) -> None:
        self.text = text
        self.root = root
        self.grammar = grammar
        self.ingredients = ingredients
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.nodes = tuple(root.walk())
        self._lines = lines
        self._scope = scope_of(root, grammar)
        self._expressions = grammar.expressions
        self._literals = grammar.literals
        self._visible: dict[int, tuple[Variable, ...]] = {}

    # -- where edits may go

    def line_of(self, node: Node) -> int | None:
        """The requested line an edit at `node` counts for: its own or its statement's."""
        if self._lines is None or node.line in self._lines:
            return node.line
        statement = self.statement_of(node)
        if statement is not None and statement.line in self._lines:
            return statement.line
        return None

    def edit(self, node: Node, replacement: str, template: str, prior: float) -> Iterator[Edit]:
        """Replace `node`, unless nothing changes or its line was not asked for."""
        if replacement != node.text:
            yield from self.splice(node, node.start, node.end, replacement, template, prior)

    def splice(
        self, at: Node, start: int, end: int, replacement: str, template: str, prior: float
    ) -> Iterator[Edit]:
        """Replace any span on behalf of the node `at`."""
        line = self.line_of(at)
        if line is not None:
            yield Edit(start, end, replacement, template, min(1.0, prior), line)

    def insert_before(self, node: Node, code: str, template: str, prior: float) -> Iterator[Edit]:
        """`code` on a line of its own before the statement `node`."""
        new = f"{code}{self.newline}{self.indent(node)}"
        yield from self.splice(node, node.start, node.start, new, template, prior)

    def insert_after(self, node: Node, code: str, template: str, prior: float) -> Iterator[Edit]:
        """`code` on a line of its own after the statement `node`."""
        new = f"{self.newline}{self.indent(node)}{code}"
        yield from self.splice(node, node.end, node.end, new, template, prior)

    def place(self, node: Node, code: str, *, loose: bool = True) -> str:
        """`code` as it may stand in place of `node`: parenthesised where it would bind wrongly."""
        parent = node.parent
        if not loose or parent is None or _ATOM.fullmatch(code):
            return code
        grammar = self.grammar
        if parent.kind in grammar.binaries:
            return code if self.operator(parent) in COMPARISONS and _is_sum(code) else f"({code})"
        binding = (
            parent.kind in grammar.unaries | grammar.casts | grammar.dereferences
            or (parent.kind in grammar.ternaries and node.field == "condition")
            or (node.field in (grammar.member_object, "function", "receiver"))
            or (node.field == grammar.subscript_object)
        )
        return f"({code})" if binding else code

    # -- roles of nodes

    def is_expression(self, node: Node) -> bool:
        """Whether the node has a value: a name only where it is used, not where it is declared."""
        if node.kind not in self._expressions or not node.named:
            return False
        if node.kind not in self.grammar.identifiers:
            return True
        parent = node.parent
        return parent is not None and not (
            node.field in _NAME_ROLES
            or parent.kind in _NAME_HOLDERS
            or (node.field == "function" and parent.kind in self.grammar.calls)
            or (node.field in ("parameter", "parameters"))
            or (node.field == "left" and parent.kind == "for_in_statement")
        )

    def is_variable(self, node: Node) -> bool:
        """Whether the node is the use of a plain name."""
        return node.kind in self.grammar.identifiers and self.is_expression(node)

    def is_target(self, node: Node) -> bool:
        """Whether the node is being assigned to."""
        parent = node.parent
        return parent is not None and (
            (node.field == "left" and parent.kind in self.grammar.assignments)
            or parent.kind in self.grammar.updates
        )

    def is_literal(self, node: Node) -> bool:
        """Whether the node is a constant."""
        return node.kind in self._literals and node.named

    def operator(self, node: Node) -> str:
        """The operator of a binary, unary, update or assignment expression."""
        found = self.operator_node(node)
        return found.text if found is not None else ""

    def operator_node(self, node: Node) -> Node | None:
        """The token that is the operator."""
        tagged = node.part("operator")
        return tagged or next((child for child in node.children if not child.named), None)

    def operand(self, node: Node) -> Node | None:
        """What a unary, update or cast expression is applied to."""
        tagged = node.part(self.grammar.negation_operand) or node.part("value")
        return tagged or next(iter(reversed(node.named_children)), None)

    def operands(self, node: Node) -> tuple[Node, str, Node] | None:
        """Left, operator and right of a binary expression or an assignment."""
        left, right = node.part("left"), node.part("right")
        if left is None or right is None:
            return None
        return left, self.operator(node), right

    def call(self, node: Node) -> Call | None:
        """The call in parts, or None when `node` is none."""
        arguments = node.part("arguments")
        if node.kind not in self.grammar.calls or arguments is None:
            return None
        parts = tuple(arguments.named_children)
        callee = node.part("function")
        if callee is None:
            name = node.part("name")
            return None if name is None else Call(node, node.part("object"), name, parts, arguments)
        if callee.kind in self.grammar.members:
            name = callee.part(self.grammar.member_name)
            receiver = callee.part(self.grammar.member_object)
            return None if name is None else Call(node, receiver, name, parts, arguments)
        return Call(node, None, callee, parts, arguments)

    def statement_of(self, node: Node) -> Node | None:
        """The nearest statement that is or holds `node`, but no `for` header."""
        current: Node | None = node
        while current is not None:
            if self.is_statement(current):
                return current
            current = current.parent
        return None

    def is_statement(self, node: Node) -> bool:
        """Whether the node stands for itself in a block or as a body."""
        parent = node.parent
        if node.kind not in self.grammar.statements or parent is None:
            return False
        header = (self.grammar.for_initializer, self.grammar.for_update)
        return not (parent.kind == "for_statement" and node.field in header)

    def in_block(self, node: Node) -> bool:
        """Whether statements can be added beside the node."""
        parent = node.parent
        return parent is not None and parent.kind in self.grammar.blocks | self.grammar.cases

    def conditions(self, node: Node) -> Node | None:
        """The bare condition of an if, loop or ternary."""
        condition = node.part("condition")
        if condition is None or not condition.named or node.kind.startswith("switch"):
            return None
        if condition.kind in self.grammar.parentheses:
            inner = condition.named_children
            return inner[0] if len(inner) == 1 else None
        return condition

    def function_of(self, node: Node) -> Node | None:
        """The nearest enclosing function with a name."""
        return node.enclosing(self.grammar.functions | self.grammar.lambdas)

    def in_loop(self, node: Node) -> bool:
        """Whether `continue` and `break` are allowed at the node."""
        for ancestor in node.ancestors():
            if ancestor.kind in self.grammar.functions | self.grammar.lambdas:
                return False
            if ancestor.kind in self.grammar.loops and ancestor.kind != "catch_clause":
                return True
        return False

    # -- types

    def family(self, node: Node) -> str:
        """The family of an expression's type, `UNKNOWN` when nothing nearby says."""
        grammar = self.grammar
        if node.kind in grammar.integers:
            return REAL if _is_real(node.text) else INTEGER
        if node.kind in grammar.floats:
            return REAL
        if node.kind in grammar.strings:
            return INTEGER if node.kind.startswith("char") else TEXT
        if node.kind in ("true", "false", "instanceof_expression"):
            return TRUTH
        if node.kind in grammar.identifiers:
            return self._scope.family(node.text, node.start)
        return self._family_of_compound(node)

    def _family_of_compound(self, node: Node) -> str:
        grammar = self.grammar
        if node.kind in grammar.binaries:
            return self._family_of_binary(node)
        if node.kind in grammar.parentheses | grammar.unaries | grammar.updates:
            operand = self.operand(node)
            is_not = self.operator(node) == "!"
            return TRUTH if is_not else self.family(operand) if operand is not None else UNKNOWN
        if node.kind in grammar.casts:
            spelled = node.part("type")
            return family_of(spelled.text) if spelled is not None else UNKNOWN
        if node.kind in grammar.ternaries:
            branch = node.part("consequence")
            return self.family(branch) if branch is not None else UNKNOWN
        if node.kind in grammar.subscripts:
            return self._family_of_element(node)
        return self._family_by_name(node)

    def _family_of_binary(self, node: Node) -> str:
        parts = self.operands(node)
        if parts is None:
            return UNKNOWN
        left, operator, right = parts
        if operator in COMPARISONS or operator in CONNECTIVES:
            return TRUTH
        families = {self.family(left), self.family(right)}
        for family in (TEXT, REAL):
            if family in families:
                return family
        return INTEGER if families == {INTEGER} else UNKNOWN

    def _family_of_element(self, node: Node) -> str:
        array = node.part(self.grammar.subscript_object)
        family = self.family(array) if array is not None else UNKNOWN
        for suffix in ("[]", "*"):
            if family.endswith(suffix):
                return family_of(family.removesuffix(suffix))
        return UNKNOWN

    def _family_by_name(self, node: Node) -> str:
        call = self.call(node)
        name = call.name.text if call is not None else ""
        if node.kind in self.grammar.members:
            part = node.part(self.grammar.member_name)
            name = part.text if part is not None else ""
            if name in self._fields:
                return self._fields[name]
        elif call is not None and name in self._returns:
            return self._returns[name]
        if name in ("length", "size", "indexOf", "strlen", "intValue", "compareTo"):
            return INTEGER
        if name in ("equals", "isEmpty", "contains", "startsWith", "endsWith", "includes"):
            return TRUTH
        if name in ("sqrt", "pow", "floor", "ceil", "doubleValue"):
            return REAL
        if name in ("substring", "toString", "toLowerCase", "toUpperCase", "trim"):
            return TEXT
        return UNKNOWN

    @cached_property
    def _returns(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.nodes:
            if node.kind in self.grammar.functions:
                name, spelled = self.function_name(node), node.part("type")
                if name and spelled is not None:
                    found.setdefault(name, family_of(spelled.text))
        return found

    @cached_property
    def _fields(self) -> dict[str, str]:
        return {v.name: v.family for v in self._scope.variables if v.is_field}

    def function_name(self, function: Node) -> str:
        """The name of a function definition, empty for an anonymous one."""
        name = function.part("name")
        current = function.part("declarator")
        while name is None and current is not None:
            if current.kind in self.grammar.identifiers:
                name = current
            current = current.part("declarator")
        return name.text if name is not None else ""

    def return_family(self, node: Node) -> str:
        """The declared return type's family at `node`; `void` where nothing is returned."""
        function = self.function_of(node)
        spelled = function.part("type") if function is not None else None
        if function is None or spelled is None:
            return "void" if function is not None and "constructor" in function.kind else UNKNOWN
        declarator = function.part("declarator")
        stars = "*" if declarator is not None and declarator.kind == "pointer_declarator" else ""
        return family_of(spelled.text + stars)

    # -- ingredients

    def variables(self, node: Node) -> tuple[Variable, ...]:
        """The variables in scope at the node, the nearest first."""
        found = self._visible.get(node.start)
        if found is None:
            found = self._visible[node.start] = tuple(self._scope.at(node.start))
        return found

    def fits(self, code: str, node: Node) -> bool:
        """Whether every free lower-case name in `code` is in scope at `node`."""
        names = {v.name for v in self.variables(node)}
        bare = _QUOTED.sub('""', code)
        return all(
            name in names or name in _WORDS or name[0].isupper() or name in self.function_names
            for name in _FREE_NAME.findall(bare)
        )

    def family_of_name(self, name: str, at: Node) -> str:
        """The family of the variable called `name` at a node."""
        return self._scope.family(name, at.start)

    def results(self, at: Node) -> list[tuple[str, float]]:
        """What the function around `at` could return, with priors, the likeliest first."""
        family = self.return_family(at)
        if family == "void":
            return []
        constants = {
            INTEGER: ("0", "1", "-1"),
            REAL: ("0", "1", "-1"),
            TRUTH: ("false", "true"),
            TEXT: ('""', self.grammar.null),
            UNKNOWN: ("false", "true", "0", "null", "[]", '""'),
        }.get(family, (self.grammar.null,))
        found = {code: 0.35 - 0.03 * rank for rank, code in enumerate(constants)}
        suited = [v.name for v in self.variables(at) if v.family == family]
        base = 0.28 if family else 0.19
        found.update({name: base - 0.02 * rank for rank, name in enumerate(suited[:8])})
        found.update(dict.fromkeys(self._returned_nearby(at), 0.4))
        return sorted(found.items(), key=lambda pair: -pair[1])

    def _returned_nearby(self, at: Node) -> list[str]:
        """The simple results that the function around `at` already returns somewhere."""
        function = self.function_of(at)
        codes = []
        for node in function.walk() if function is not None else ():
            value = node.named_children[:1] if node.kind == "return_statement" else []
            if value and _ATOM.fullmatch(value[0].text) and self.fits(value[0].text, at):
                codes.append(value[0].text)
        return codes

    @property
    def declared(self) -> tuple[Variable, ...]:
        """Every variable of the file."""
        return self._scope.variables

    @cached_property
    def donors(self) -> DonorIndex:
        """The project's statements."""
        return DonorIndex(self.ingredients.statements)

    @cached_property
    def function_names(self) -> tuple[str, ...]:
        """The names of the functions that the file defines, in order."""
        functions = (n for n in self.nodes if n.kind in self.grammar.functions)
        names = (self.function_name(node) for node in functions)
        return tuple(dict.fromkeys(name for name in names if name))

    def arities(self, name: str) -> list[int]:
        """How many parameters the file's functions called `name` have."""
        functions = (n for n in self.nodes if n.kind in self.grammar.functions)
        named = (n for n in functions if self.function_name(n) == name)
        lists = (n.part("parameters") or _declared_parameters(n) for n in named)
        return [len(found.named_children) for found in lists if found is not None]

    @cached_property
    def atomic_conditions(self) -> tuple[Node, ...]:
        """The file's conditions taken apart at their connectives, in order."""
        found: list[Node] = []
        for condition in (self.conditions(node) for node in self.nodes):
            stack = [condition] if condition is not None else []
            while stack:
                node = stack.pop()
                parts = self.operands(node) if self.operator(node) in CONNECTIVES else None
                stack.extend([parts[2], parts[0]] if parts is not None else [])
                if parts is None and node.kind not in self.grammar.truths and len(node.text) < 80:
                    found.append(node)
        return tuple(found)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call of the file, in order."""
        found = (self.call(node) for node in self.nodes)
        return tuple(call for call in found if call is not None)

    @cached_property
    def file_statements(self) -> tuple[Node, ...]:
        """Every simple one-line statement of the file that is no declaration."""
        simple = ("expression_statement", "return_statement", "throw_statement")
        return tuple(n for n in self.nodes if n.kind in simple and "\n" not in n.text)

    # -- layout

    def indent(self, node: Node) -> str:
        """The white space that the node's line begins with."""
        start = self.text.rfind("\n", 0, node.start) + 1
        line = self.text[start : node.start]
        return line[: len(line) - len(line.lstrip())]

    def whole_lines(self, node: Node) -> tuple[int, int]:
        """The node's span, with its line break when it has its lines for itself."""
        start = self.text.rfind("\n", 0, node.start) + 1
        end = self.text.find("\n", node.end)
        end = len(self.text) if end < 0 else end + 1
        if self.text[start : node.start].strip() or self.text[node.end : end].strip():
            return node.start, node.end
        return start, end


def _declared_parameters(function: Node) -> Node | None:
    declarator = function.part("declarator")
    while declarator is not None and declarator.part("parameters") is None:
        declarator = declarator.part("declarator")
    return declarator.part("parameters") if declarator is not None else None


def _is_sum(code: str) -> bool:
    return not any(token in code for token in ("<", ">", "=", "&", "|", "?", "^"))


def _is_real(number: str) -> bool:
    lowered = number.lower()
    return not lowered.startswith("0x") and ("." in lowered or lowered[-1] in "fd")
