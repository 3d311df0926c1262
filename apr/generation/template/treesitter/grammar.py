"""One table per language: which node kinds of its tree-sitter grammar play which role."""

from __future__ import annotations

from dataclasses import dataclass, field


def kinds(names: str) -> frozenset[str]:
    """The words of a blank-separated list."""
    return frozenset(names.split())


_STATEMENTS = kinds(
    "expression_statement return_statement break_statement continue_statement if_statement "
    "for_statement while_statement do_statement throw_statement try_statement switch_statement "
    "labeled_statement"
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """Node kinds and field names by role; templates know roles only, never kinds.

    Roles shared by all three grammars have defaults. `opaque` nodes are atoms whose inner white
    space matters. `zero` is the value a function of unknown type returns early. `preprocessed`
    sources may hold macros that the grammar cannot know. `pairs` are groups of library names
    that are easily confused with each other.
    """

    name: str
    module: str
    suffixes: tuple[str, ...]
    opaque: frozenset[str]
    comments: frozenset[str]
    calls: frozenset[str]
    creations: frozenset[str]
    members: frozenset[str]
    subscripts: frozenset[str]
    integers: frozenset[str]
    floats: frozenset[str]
    strings: frozenset[str]
    assignments: frozenset[str]
    ternaries: frozenset[str]
    blocks: frozenset[str]
    cases: frozenset[str]
    functions: frozenset[str]
    lambdas: frozenset[str]
    declarations: frozenset[str]
    loops: frozenset[str]
    types: frozenset[str]
    null: str
    zero: str
    equalities: tuple[tuple[str, str], ...]
    wrappers: tuple[str, ...]
    real_cast: str
    extremes: tuple[str, ...]
    pairs: tuple[tuple[str, ...], ...]
    preprocessed: bool = False
    negation_operand: str = "argument"
    member_object: str = "object"
    member_name: str = "property"
    subscript_object: str = "object"
    for_initializer: str = "initializer"
    for_update: str = "update"
    binaries: frozenset[str] = field(default=kinds("binary_expression"))
    unaries: frozenset[str] = field(default=kinds("unary_expression"))
    updates: frozenset[str] = field(default=kinds("update_expression"))
    parentheses: frozenset[str] = field(default=kinds("parenthesized_expression"))
    casts: frozenset[str] = field(default=kinds("cast_expression"))
    dereferences: frozenset[str] = field(default=frozenset())
    identifiers: frozenset[str] = field(default=kinds("identifier"))
    truths: frozenset[str] = field(default=kinds("true false"))
    nulls: frozenset[str] = field(default=kinds("null null_literal undefined"))
    other_expressions: frozenset[str] = field(default=kinds("this"))
    statements: frozenset[str] = field(default=_STATEMENTS)

    @property
    def literals(self) -> frozenset[str]:
        """Kinds of every constant."""
        return self.integers | self.floats | self.strings | self.truths | self.nulls

    @property
    def expressions(self) -> frozenset[str]:
        """Kinds of every node that has a value (identifiers only where they are used as one)."""
        return (
            self.literals
            | self.calls
            | self.creations
            | self.members
            | self.subscripts
            | self.assignments
            | self.ternaries
            | self.binaries
            | self.unaries
            | self.updates
            | self.parentheses
            | self.casts
            | self.dereferences
            | self.identifiers
            | self.lambdas
            | self.other_expressions
        )

    @property
    def scopes(self) -> frozenset[str]:
        """Kinds of the nodes that end the life of the names declared inside them."""
        return self.blocks | self.cases | self.functions | self.lambdas | self.loops


_COMMON_PAIRS = (
    ("min", "max"),
    ("floor", "ceil", "round", "trunc"),
    ("indexOf", "lastIndexOf"),
    ("startsWith", "endsWith", "includes", "contains", "equals"),
    ("toUpperCase", "toLowerCase"),
    ("sqrt", "abs", "cbrt", "pow"),
    ("sin", "cos", "tan"),
)

JAVA = Grammar(
    name="java",
    module="tree_sitter_java",
    suffixes=(".java",),
    opaque=kinds("string_literal character_literal"),
    comments=kinds("line_comment block_comment"),
    calls=kinds("method_invocation"),
    creations=kinds("object_creation_expression"),
    members=kinds("field_access"),
    subscripts=kinds("array_access"),
    integers=kinds(
        "decimal_integer_literal hex_integer_literal octal_integer_literal binary_integer_literal"
    ),
    floats=kinds("decimal_floating_point_literal hex_floating_point_literal"),
    strings=kinds("string_literal character_literal"),
    assignments=kinds("assignment_expression"),
    ternaries=kinds("ternary_expression"),
    blocks=kinds("block constructor_body program class_body enum_body interface_body"),
    cases=kinds("switch_block_statement_group"),
    functions=kinds("method_declaration constructor_declaration"),
    lambdas=kinds("lambda_expression"),
    declarations=kinds("local_variable_declaration"),
    loops=kinds(
        "for_statement enhanced_for_statement while_statement do_statement "
        "try_with_resources_statement catch_clause"
    ),
    types=kinds(
        "integral_type floating_point_type boolean_type type_identifier generic_type array_type"
    ),
    null="null",
    zero="null",
    equalities=(("==", "!="),),
    wrappers=("Math.abs", "!"),
    real_cast="(double) {}",
    extremes=("Integer.MIN_VALUE", "Integer.MAX_VALUE"),
    pairs=(
        *_COMMON_PAIRS,
        ("isUpperCase", "isLowerCase", "isLetter", "isDigit", "isLetterOrDigit"),
        ("add", "addAll", "addFirst", "addLast", "push", "offer"),
        ("add", "remove", "contains"),
        ("remove", "poll", "pop", "removeFirst", "removeLast", "pollLast", "pollFirst"),
        ("get", "getOrDefault", "remove", "containsKey"),
        ("contains", "containsKey", "containsValue"),
        ("put", "putIfAbsent", "putAll"),
        ("keySet", "values", "entrySet"),
        ("getKey", "getValue"),
        ("equals", "equalsIgnoreCase", "contains"),
        ("peek", "pop", "peekFirst", "peekLast"),
        ("append", "insert", "prepend"),
        ("length", "size"),
        ("print", "println"),
        ("intValue", "longValue", "doubleValue"),
        ("anyMatch", "allMatch", "noneMatch"),
        ("replace", "replaceAll", "replaceFirst"),
        ("hasNext", "hasPrevious"),
        ("next", "previous"),
        ("isEmpty", "isPresent", "isBlank"),
        ("floorKey", "ceilingKey", "lowerKey", "higherKey"),
    ),
    negation_operand="operand",
    member_name="field",
    subscript_object="array",
    for_initializer="init",
    statements=_STATEMENTS
    | kinds(
        "local_variable_declaration enhanced_for_statement switch_expression "
        "try_with_resources_statement synchronized_statement assert_statement yield_statement"
    ),
    other_expressions=kinds(
        "this instanceof_expression array_creation_expression method_reference"
    ),
)

JAVASCRIPT = Grammar(
    name="javascript",
    module="tree_sitter_javascript",
    suffixes=(".js", ".mjs", ".cjs", ".jsx"),
    opaque=kinds("string template_string regex jsx_text"),
    comments=kinds("comment html_comment"),
    calls=kinds("call_expression"),
    creations=kinds("new_expression"),
    members=kinds("member_expression"),
    subscripts=kinds("subscript_expression"),
    integers=kinds("number"),
    floats=frozenset(),
    strings=kinds("string"),
    assignments=kinds("assignment_expression augmented_assignment_expression"),
    ternaries=kinds("ternary_expression"),
    blocks=kinds("statement_block program class_body"),
    cases=kinds("switch_case switch_default"),
    functions=kinds(
        "function_declaration function_expression method_definition "
        "generator_function_declaration generator_function"
    ),
    lambdas=kinds("arrow_function"),
    declarations=kinds("lexical_declaration variable_declaration"),
    loops=kinds("for_statement for_in_statement while_statement do_statement catch_clause"),
    types=frozenset(),
    null="null",
    zero="undefined",
    equalities=(("===", "!=="), ("==", "!=")),
    wrappers=("Math.abs", "Math.floor", "!"),
    real_cast="Number({})",
    extremes=("-Infinity", "Infinity"),
    pairs=(
        *_COMMON_PAIRS,
        ("push", "unshift", "pop", "concat"),
        ("pop", "shift"),
        ("some", "every", "find", "filter"),
        ("map", "filter", "forEach", "flatMap"),
        ("find", "findIndex", "filter"),
        ("slice", "splice", "substring", "substr"),
        ("reduce", "reduceRight"),
        ("keys", "values", "entries"),
        ("get", "has", "delete"),
        ("set", "add"),
        ("parseInt", "parseFloat", "Number"),
        ("log", "log2", "log10"),
        ("charAt", "charCodeAt", "codePointAt"),
        ("trim", "trimStart", "trimEnd"),
        ("padStart", "padEnd"),
        ("replace", "replaceAll"),
        ("sort", "reverse"),
        ("length", "size"),
        ("resolve", "reject"),
        ("then", "catch"),
        ("call", "apply"),
    ),
    for_update="increment",
    statements=_STATEMENTS | kinds("lexical_declaration variable_declaration for_in_statement"),
    other_expressions=kinds(
        "this super array object template_string regex await_expression function_expression"
    ),
)

C = Grammar(
    name="c",
    module="tree_sitter_c",
    suffixes=(".c", ".h"),
    opaque=kinds("string_literal char_literal system_lib_string preproc_arg"),
    comments=kinds("comment"),
    calls=kinds("call_expression"),
    creations=frozenset(),
    members=kinds("field_expression"),
    subscripts=kinds("subscript_expression"),
    integers=kinds("number_literal"),
    floats=frozenset(),
    strings=kinds("string_literal char_literal"),
    assignments=kinds("assignment_expression"),
    ternaries=kinds("conditional_expression"),
    blocks=kinds("compound_statement translation_unit"),
    cases=kinds("case_statement"),
    functions=kinds("function_definition"),
    lambdas=frozenset(),
    declarations=kinds("declaration"),
    loops=kinds("for_statement while_statement do_statement"),
    types=kinds("primitive_type sized_type_specifier type_identifier"),
    null="NULL",
    zero="0",
    equalities=(("==", "!="),),
    wrappers=("abs", "!"),
    real_cast="(double) {}",
    extremes=("INT_MIN", "INT_MAX"),
    pairs=(
        ("fmin", "fmax"),
        ("floor", "ceil", "round", "trunc"),
        ("abs", "labs", "fabs", "sqrt"),
        ("malloc", "calloc", "realloc"),
        ("strcpy", "strncpy", "strcat", "strncat"),
        ("strcmp", "strncmp", "strcasecmp", "memcmp"),
        ("strchr", "strrchr", "strstr"),
        ("isupper", "islower", "isalpha", "isdigit", "isalnum", "isspace"),
        ("toupper", "tolower"),
        ("memcpy", "memmove", "memset"),
        ("sprintf", "snprintf"),
        ("strtol", "strtoul", "strtod", "atoi", "atof"),
        ("sin", "cos", "tan"),
        ("fgetc", "getc", "getchar"),
    ),
    preprocessed=True,
    subscript_object="argument",
    member_object="argument",
    member_name="field",
    statements=_STATEMENTS | kinds("declaration goto_statement"),
    dereferences=kinds("pointer_expression"),
    other_expressions=kinds("sizeof_expression compound_literal_expression"),
)

GRAMMARS: tuple[Grammar, ...] = (JAVA, JAVASCRIPT, C)
