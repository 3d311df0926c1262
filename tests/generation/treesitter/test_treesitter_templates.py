"""Each template, in each language it serves, produces the fix that it exists for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apr.generation.template.edits import Ingredients, Language
from apr.generation.template.treesitter import LANGUAGES

JAVA, JAVASCRIPT, C = LANGUAGES


def java(body: str, parameters: str = "int a, int b, int[] xs, String s, boolean flag") -> str:
    return f"class A {{\n    int f({parameters}) {{\n        {body}\n    }}\n}}\n"


def javascript(body: str, parameters: str = "a, b, xs, s, flag") -> str:
    return f"function f({parameters}) {{\n    {body}\n}}\n"


def c(body: str, parameters: str = "int a, int b, int *xs, char *s") -> str:
    return f"int f({parameters}) {{\n    {body}\n}}\n"


EVERY_LANGUAGE = [
    ("comparison-swap", "if (a < b) return a; return b;", "if (a <= b) return a; return b;"),
    ("comparison-swap", "if (a == b) return a; return b;", "if (a != b) return a; return b;"),
    ("operator-swap", "return a + b;", "return a - b;"),
    ("operator-swap", "if (a > 0 && b > 0) a = 1;", "if (a > 0 || b > 0) a = 1;"),
    ("operator-swap", "if (a && b && !a) a = 1;", "if (a || b || !a) a = 1;"),
    ("constant", 'g("abbc");', 'g("abc");'),
    ("side-swap", "return a - b;", "return b - a;"),
    ("drop-operand", "if (a > 0 && b > 0) a = 1;", "if (a > 0) a = 1;"),
    ("drop-operand", "return a + b;", "return b;"),
    ("regroup", "return a - b - 1;", "return a - (b - 1);"),
    ("regroup", "return a + b * 2;", "return (a + b) * 2;"),
    ("assignment-swap", "a = b;", "a += b;"),
    ("assignment-swap", "a += b;", "a -= b;"),
    ("update-swap", "a++;", "a--;"),
    ("drop-unary", "if (!(a > b)) a = 1;", "if ((a > b)) a = 1;"),
    ("negate-condition", "if (a > b) a = 1;", "if (!(a > b)) a = 1;"),
    ("constant", "return 3;", "return 4;"),
    ("constant", "return 3;", "return 0;"),
    ("constant", 'g("x"); g("y");', 'g("y"); g("y");'),
    ("off-by-one", "return xs[a];", "return xs[a - 1];"),
    ("off-by-one", "while (a < b) a++;", "while (a < b + 1) a++;"),
    ("off-by-one", "return g(a);", "return g(a + 1);"),
    ("wrong-variable", "return xs[a];", "return xs[b];"),
    ("wrong-variable", "a += 1;", "b += 1;"),
    ("wrong-method", "g(a); h(b);", "h(a); h(b);"),
    ("swap-arguments", "g(a, b);", "g(b, a);"),
    ("drop-argument", "g(a, b);", "g(b);"),
    ("add-argument", "g(a); g(a, b);", "g(a, b); g(a, b);"),
    ("drop-call", "a = g(b);", "a = b;"),
    ("wrap-in-call", "g(a); b = a + b;", "g(a); b = g(a + b);"),
    ("wrong-expression", "a = xs[0]; b = xs[1];", "a = xs[1]; b = xs[1];"),
    ("element", "g(xs[a]);", "g(a);"),
    ("fixed-condition", "if (a > b) a = 1;", None),
    (
        "add-condition",
        "if (a > b) g(a); if (b > 7) h(b);",
        "if (a > b && b > 7) g(a); if (b > 7) h(b);",
    ),
    ("replace-condition", "if (a > b) g(a); if (b > 7) h(b);", "if (b > 7) g(a); if (b > 7) h(b);"),
    ("guard-statement", "g(a); if (b > 7) h(b);", "if (b > 7) g(a); if (b > 7) h(b);"),
    (
        "leave-early",
        "while (b > 7) { g(a); a++; }",
        "while (b > 7) { if (b > 7) break; g(a); a++; }",
    ),
    ("turn-ternary", "return a > b ? a : b;", "return a > b ? b : a;"),
    ("turn-ternary", "return a > b ? a : b;", "return b;"),
    ("delete-statement", "g(a); a++;", "a++;"),
    ("insert-statement", "g(a); if (b > 7) { a = 2; }", "g(a); if (b > 7) { g(a); a = 2; }"),
    (
        "insert-statement",
        "for (; a < b; a++) { g(xs[a]); } h(b);",
        "for (; a < b; a++) { g(xs[a]); } g(xs[b]); h(b);",
    ),
    ("expression-for-variable", "b = xs[a]; g(a);", "b = xs[a]; g(xs[a]);"),
    ("replace-statement", "g(a); a = 2;", "a = 2; a = 2;"),
    ("swap-statements", "g(a); h(b);", "h(b); g(a);"),
    ("move-statement", "while (a > 0) { a--; g(b); } h(b);", "while (a > 0) { a--; } g(b); h(b);"),
    ("move-statement", "while (a > 0) { a--; } g(b);", "while (a > 0) { a--; g(b); }"),
    ("unwrap", "if (a > b) g(a);", "g(a);"),
    ("drop-else", "if (a > b) { g(a); } else { h(b); }", "if (a > b) { g(a); }"),
    (
        "swap-branches",
        "if (a > b) { g(a); } else { h(b); }",
        "if (a > b) { h(b); } else { g(a); }",
    ),
    ("else-if", "if (a > 1) g(a); if (a > 2) g(b);", "if (a > 1) g(a); else if (a > 2) g(b);"),
    ("else-if", "if (a > 1) g(a); else if (a > 2) g(b);", "if (a > 1) g(a); if (a > 2) g(b);"),
    ("add-else", "if (a > b) { g(a); } h(b);", "if (a > b) { g(a); } else { h(b); }"),
    (
        "jump",
        "while (a > b) { if (a > 1) break; a--; }",
        "while (a > b) { if (a > 1) continue; a--; }",
    ),
    (
        "jump",
        "switch (a) { case 1: g(b); case 2: h(b); }",
        "switch (a) { case 1: g(b); break; case 2: h(b); }",
    ),
    ("return-value", "return g(a);", "return 0;"),
    ("add-return", "g(a);", "return g(a);"),
]
TYPED = [
    ("variable-for-constant", "return 3;", "return b;"),
    ("constant-for-expression", "return a;", "return 0;"),
    ("variable-for-expression", "return a + 1;", "return b;"),
    ("add-term", "return a;", "return a + b;"),
    ("constant-for-expression", "a = b + 7; return b;", "a = 7 + 7; return b;"),
    ("add-term", "return a + b;", "return (a + b) / 2;"),
    ("negate-number", "return a;", "return -a;"),
    ("initial-value", "int i = 0; return i;", "int i = a + 1; return i;"),
    ("update-variable", "g(a);", "g(a); a++;"),
    ("division", "return a / b;", "return (double) a / b;"),
    ("declared-type", "int i = 0; return i;", "long i = 0; return i;"),
    ("cast", "return a * b;", "return (long) a * b;"),
    ("cast", "return (int) a / b;", "return (int) (a / b);"),
]
ONLY_JAVA = [
    ("truth", "flag = true;", "flag = false;"),
    ("negate", "if (flag) a = 1;", "if (!flag) a = 1;"),
    ("fixed-condition", "if (flag) a = 1;", "if (true) a = 1;"),
    ("guard-statement", "s.trim();", "if (s != null) s.trim();"),
    ("leave-early", "s.trim();", "if (s == null) return 0; s.trim();"),
    ("initial-value", "int i = 0;", "int i = Integer.MIN_VALUE;"),
    ("length-bound", "while (a < xs.length) a++;", "while (a < xs.length / 2) a++;"),
    ("off-by-one", "return xs.length;", "return xs.length - 1;"),
    ("wrong-method", "return Math.min(a, b);", "return Math.max(a, b);"),
    ("wrong-method", "s.trim(); s.strip();", "s.strip(); s.strip();"),
    (
        "insert-statement",
        "for (int i = 0; i < a - 1; i++) { g(xs[i]); } return a;",
        "for (int i = 0; i < a - 1; i++) { g(xs[i]); } g(xs[a - 1]); return a;",
    ),
    ("order-elements", "return xs[0];", "java.util.Arrays.sort(xs); return xs[0];"),
    ("constant", 'g(" I");', 'g("I ");'),
    ("part-of-text", "g(s);", "g(s.substring(a));"),
    ("swap-receiver", "return s.compareTo(t);", "return t.compareTo(s);"),
    ("drop-call", "return s.trim().length();", "return s.length();"),
    ("chain-call", "String t = s; s.strip();", "String t = s.strip(); s.strip();"),
    ("wrap-in-call", "return a - b;", "return Math.abs(a - b);"),
    ("equality-kind", "if (s == t) a = 1;", "if (s.equals(t)) a = 1;"),
    ("equality-kind", "if (s != t) a = 1;", "if (!s.equals(t)) a = 1;"),
    ("equality-kind", "if (s.equals(t)) a = 1;", "if (s == t) a = 1;"),
    ("guard-value", "return s.length();", "return s == null ? 0 : s.length();"),
    ("wrong-field", "g(p.left); h(p.right);", "g(p.right); h(p.right);"),
]
ONLY_JAVASCRIPT = [
    ("equality-kind", "if (a == b) a = 1;", "if (a === b) a = 1;"),
    ("equality-kind", "if (a !== b) a = 1;", "if (a != b) a = 1;"),
    ("guard-statement", "s.trim();", "if (s != null) s.trim();"),
    ("leave-early", "s.trim();", "if (s == null) return null; s.trim();"),
    ("wrong-method", "return Math.min(a, b);", "return Math.max(a, b);"),
    ("wrong-method", "xs.push(a);", "xs.unshift(a);"),
    ("division", "return a / b;", "return Math.floor(a / b);"),
    ("order-elements", "return xs[0];", "xs.sort((a, b) => a - b); return xs[0];"),
    ("part-of-text", "g(s);", "g(s.slice(1));"),
    (
        "leave-early",
        "if (a) { throw new Error('a'); } s.trim();",
        "if (a) { throw new Error('a'); } if (s == null) throw new Error('a'); s.trim();",
    ),
    ("constant", "return { a: 1 };", "return { a: 2 };"),
    ("member-access", "return a.b;", "return a?.b;"),
    ("convert", "return a + b;", "return Number(a) + b;"),
    ("initial-value", "let i = 0;", "let i = -Infinity;"),
    ("negate", "if (flag) a = 1;", "if (!flag) a = 1;"),
    ("return-value", "return xs;", "return [];"),
    ("field-or-variable", "this.q = a; g(q);", "this.q = a; g(this.q);"),
]
ONLY_C = [
    ("guard-statement", "s[0] = 'a';", "if (s) s[0] = 'a';"),
    ("leave-early", "s[0] = 'a';", "if (s == NULL) return -1; s[0] = 'a';"),
    ("pointer", "return *xs;", "return xs;"),
    ("pointer", "g(a);", "g(&a);"),
    ("pointer", "g(s);", "g(*s);"),
    ("member-access", "return p.next;", "return p->next;"),
    ("check-allocation", "s = malloc(a);", "s = malloc(a); if (s == NULL) return -1;"),
    ("allocation-size", "s = malloc(strlen(s));", "s = malloc(strlen(s) + 1);"),
    ("allocation-size", "xs = malloc(a);", "xs = malloc((a) * sizeof(*xs));"),
    ("release", "char *t = malloc(a); return 0;", "char *t = malloc(a); free(t); return 0;"),
    ("terminate-text", "while (a) a--;", "while (a) a--; s[a] = '\\0';"),
    ("wrong-method", "strcpy(s, s);", "strncpy(s, s);"),
]


def results(language: Language, text: str, template: str) -> set[str | None]:
    edits = language.edits(text, None, Ingredients())
    return {language.normalise(e.apply(text)) for e in edits if e.template == template}


@pytest.mark.parametrize(("template", "buggy", "fixed"), EVERY_LANGUAGE)
@pytest.mark.parametrize(("language", "wrap"), [(JAVA, java), (JAVASCRIPT, javascript), (C, c)])
def test_template_of_every_language(
    language: Language, wrap: Callable[[str], str], template: str, buggy: str, fixed: str | None
) -> None:
    fixed = fixed or f"if ({'0' if language is C else 'false'}) a = 1;"
    assert language.normalise(wrap(fixed)) in results(language, wrap(buggy), template)


@pytest.mark.parametrize(("template", "buggy", "fixed"), TYPED)
@pytest.mark.parametrize(("language", "wrap"), [(JAVA, java), (C, c)])
def test_template_that_needs_declared_types(
    language: Language, wrap: Callable[[str], str], template: str, buggy: str, fixed: str
) -> None:
    assert language.normalise(wrap(fixed)) in results(language, wrap(buggy), template)


@pytest.mark.parametrize(("template", "buggy", "fixed"), ONLY_JAVA)
def test_template_for_java(template: str, buggy: str, fixed: str) -> None:
    def wrap(body: str) -> str:
        return java(body, "int a, int b, int[] xs, String s, String t, Node p, boolean flag")

    assert JAVA.normalise(wrap(fixed)) in results(JAVA, wrap(buggy), template)


@pytest.mark.parametrize(("template", "buggy", "fixed"), ONLY_JAVASCRIPT)
def test_template_for_javascript(template: str, buggy: str, fixed: str) -> None:
    expected = JAVASCRIPT.normalise(javascript(fixed))
    assert expected in results(JAVASCRIPT, javascript(buggy), template)


@pytest.mark.parametrize(("template", "buggy", "fixed"), ONLY_C)
def test_template_for_c(template: str, buggy: str, fixed: str) -> None:
    assert C.normalise(c(fixed)) in results(C, c(buggy), template)


def test_a_void_function_is_left_without_a_value() -> None:
    before = "void f(char *s) { while (1) { s[0] = 0; } }"
    after = "void f(char *s) { while (1) { if (s == NULL) return; s[0] = 0; } }"
    assert C.normalise(after) in results(C, before, "leave-early")
