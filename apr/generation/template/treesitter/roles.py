"""Which part a syntax node plays: expression, operand, call, statement, condition."""

from __future__ import annotations

from dataclasses import dataclass

from apr.generation.template.treesitter.grammar import Grammar, kinds
from apr.generation.template.treesitter.syntax import Node

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "===", "!=="})
CONNECTIVES = frozenset({"&&", "||"})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "**"})
_NAME_ROLES = frozenset({"name", "field", "property", "declarator", "key", "label", "constructor"})
_NAME_HOLDERS = kinds(
    "ERROR concatenated_string preproc_if preproc_elif "
    "formal_parameters inferred_parameters scoped_identifier marker_annotation "
    "annotation array_pattern object_pattern rest_pattern assignment_pattern "
    "import_declaration package_declaration import_specifier export_specifier "
    "import_clause enumerator class_heritage preproc_defined method_reference "
    "namespace_import"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call in parts; `receiver` is what the method is called on, None for a plain function."""

    node: Node
    receiver: Node | None
    name: Node
    arguments: tuple[Node, ...]
    argument_list: Node


class Roles:
    """Questions about nodes that the grammar table alone can answer."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self._expressions = grammar.expressions
        self._literals = grammar.literals

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

    def is_last(self, node: Node) -> bool:
        """Whether no statement follows the node in its block."""
        return node.parent is not None and node.parent.named_children[-1] is node

    def ends_function(self, node: Node) -> bool:
        """Whether the node is what a function, when it comes that far, ends with."""
        function = self.function_of(node)
        return function is not None and node.parent is function.part("body") and self.is_last(node)

    def conditions(self, node: Node) -> Node | None:
        """The bare condition of an if, loop or ternary."""
        condition = node.part("condition")
        if node.kind.startswith("preproc"):
            return None
        if condition is None or not condition.named or node.kind.startswith("switch"):
            return None
        if condition.kind == "empty_statement":
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

    def function_name(self, function: Node) -> str:
        """The name of a function definition, empty for an anonymous one."""
        name = function.part("name")
        current = function.part("declarator")
        while name is None and current is not None:
            if current.kind in self.grammar.identifiers:
                name = current
            current = current.part("declarator")
        return name.text if name is not None else ""
