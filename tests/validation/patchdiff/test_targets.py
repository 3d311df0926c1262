"""Which functions and lines versions do not have in common."""

from __future__ import annotations

from validation.patchdiff.targets import find_changes, list_functions

LEFT = """LIMIT = 3
OTHER = 4


def f(a, b=2):
    def inner(x):
        return x
    return inner(a)


class C:
    @property
    def size(self):
        return LIMIT

    def _hidden(self, n: int) -> int:
        return n


def far():
    return OTHER
"""


def names(left: str, right: str) -> set[str]:
    return {
        span.name for span in find_changes([{"m.py": left}, {"m.py": right}]).functions.values()
    }


def test_a_changed_line_belongs_to_every_function_around_it():
    right = LEFT.replace("        return x\n", "        return x + 1\n")
    assert names(LEFT, right) == {"f", "f.<locals>.inner"}


def test_a_constant_belongs_to_those_that_use_it():
    assert names(LEFT, LEFT.replace("LIMIT = 3", "LIMIT = 5")) == {"C.size"}


def test_an_added_line_is_a_change_on_both_sides():
    right = LEFT.replace("    return OTHER\n", "    print(1)\n    return OTHER\n")
    changes = find_changes([{"m.py": LEFT}, {"m.py": right}])
    assert set(changes.functions) == {"m.py:far"}
    assert [sorted(lines["m.py"]) for lines in changes.lines] == [[21], [21]]


def test_other_parameters_are_no_common_ground():
    right = LEFT.replace("def f(a, b=2)", "def f(a)")
    changes = find_changes([{"m.py": LEFT}, {"m.py": right}])
    assert "m.py:f" in changes.functions
    assert "m.py:f" not in changes.common


def test_a_function_that_one_version_lacks_is_no_common_ground():
    right = LEFT + "\n\ndef extra():\n    return 1\n"
    changes = find_changes([{"m.py": LEFT}, {"m.py": right}])
    assert set(changes.functions) == {"m.py:extra"}
    assert not changes.functions.keys() & changes.common


def test_a_file_that_one_version_lacks_is_compared_with_nothing():
    changes = find_changes([{"m.py": LEFT}, {"m.py": None}])
    assert "m.py:f" in changes.functions
    assert not changes.common


def test_text_that_does_not_parse_has_no_functions():
    assert not list(list_functions("m.py", "def f(:\n"))
    assert not names("def f(:\n", "def g(:\n")


def test_literals_of_changed_functions_are_collected():
    right = LEFT.replace("return n\n", "return n if n < 77 else 'seven'\n")
    constants = find_changes([{"m.py": LEFT}, {"m.py": right}]).constants
    assert set(constants) == {77, "seven"}


def test_equal_texts_have_no_changes():
    changes = find_changes([{"m.py": LEFT}, {"m.py": LEFT}])
    assert not changes.functions
    assert not any(numbers for lines in changes.lines for numbers in lines.values())
