"""Functions of other languages than Python."""

from __future__ import annotations

from apr.localization.given import parse_location
from apr.source.functions import find_functions
from apr.source.statements import index_source


def named(path: str, text: str) -> list[tuple[str, int, int]]:
    return [(f.name, f.first, f.last) for f in find_functions(path, text)]


JAVA = """\
package x;
class Cart {
  int n;
  Cart() { n = 1; }
  int total(int a) {
    return a;
  }
  static class Item {
    @Override
    public String toString() {
      return "";
    }
  }
}
"""


def test_java_methods_and_constructors_carry_their_classes() -> None:
    assert named("src/Cart.java", JAVA) == [
        ("Cart.Cart", 4, 4),
        ("Cart.total", 5, 7),
        ("Cart.Item.toString", 9, 12),
    ]


def test_javascript_functions_methods_and_arrows_are_found() -> None:
    text = (
        "function a() {\n  return 1;\n}\nconst b = (x) => {\n  return x;\n};\n"
        "class C {\n  m() { return 2; }\n}\nasync function* g() {\n  function h() {}\n}\n"
    )
    assert named("m.mjs", text) == [
        ("a", 1, 3),
        ("b", 4, 6),
        ("C.m", 8, 8),
        ("g", 10, 12),
        ("g.h", 11, 11),
    ]


def test_c_functions_are_found_behind_their_declarators() -> None:
    text = "static int *f(int a)\n{\n  return 0;\n}\nint g(void);\nint main() { return 1; }\n"
    assert named("m.c", text) == [("f", 1, 4), ("main", 6, 6)]


def test_broken_and_unknown_files_are_no_error() -> None:
    assert named("a.java", "class {{{ int )(") == []
    assert named("a.rb", "def f\nend\n") == []
    assert named("deep.c", "int f() { return " + "(" * 3000 + "1" + ")" * 3000 + "; }") == [
        ("f", 1, 1)
    ]


def test_lines_of_other_languages_know_their_function() -> None:
    statement = index_source("Cart.java", JAVA).statement_at(6)
    assert statement is not None
    assert statement.function == "Cart.total"


def test_function_of_another_language_can_be_given() -> None:
    found = parse_location("Cart.java::total", {"src/Cart.java": JAVA})
    assert [str(s.location) for s in found] == ["src/Cart.java:5", "src/Cart.java:6"]
