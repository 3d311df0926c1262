"""A statement's lines, which a hunk never cuts in two."""

from __future__ import annotations

import pytest

from apr.source.spans import statement_lines

PYTHON = """def f(a,
      b):
    x = [
        a,
    ]

    return x
"""
JAVA = """class A {
    int f(int a,
          int b) {
        int x = g(a,
                  b);
        if (x > 0
                && a > 0) {
            x++;
        } else
            x--;
        for (int i = 0; i < x; i++)
            g(i,
              i);
        return x;
    }
}
"""
JAVASCRIPT = """const f = (a) => {
  const x = g(
    a,
  );
  return x ?
    1 : 2;
};
"""
C = """int f(int a)
{
    int x = g(a,
              a);
    while (x
           > 0)
        x--;
    return x;
}
"""


@pytest.mark.parametrize(
    ("path", "text", "line", "expected"),
    [
        ("a.py", PYTHON, 2, (1, 2)),
        ("a.py", PYTHON, 4, (3, 5)),
        ("a.py", PYTHON, 6, (6, 6)),
        ("a.py", PYTHON, 7, (7, 7)),
        ("A.java", JAVA, 3, (2, 3)),
        ("A.java", JAVA, 5, (4, 5)),
        ("A.java", JAVA, 7, (6, 7)),
        ("A.java", JAVA, 8, (8, 8)),
        ("A.java", JAVA, 10, (10, 10)),
        ("A.java", JAVA, 11, (11, 11)),
        ("A.java", JAVA, 13, (12, 13)),
        ("A.java", JAVA, 15, (15, 15)),
        ("a.js", JAVASCRIPT, 3, (2, 4)),
        ("a.js", JAVASCRIPT, 6, (5, 6)),
        ("a.c", C, 1, (1, 2)),
        ("a.c", C, 4, (3, 4)),
        ("a.c", C, 6, (5, 6)),
        ("a.c", C, 7, (7, 7)),
        ("a.txt", "one\ntwo\n", 2, (2, 2)),
        ("a.c", C, 40, (40, 40)),
    ],
)
def test_a_line_is_widened_to_its_statement(
    path: str, text: str, line: int, expected: tuple[int, int]
) -> None:
    assert statement_lines(path, text, line) == expected
