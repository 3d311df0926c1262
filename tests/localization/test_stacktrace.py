"""Evidence from stack traces, read from frames or from the text of a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.bug import TestId
from apr.core.location import Location, SuspiciousLocation
from apr.core.report import Frame, TestOutcome, TestResult
from apr.localization.stacktrace import collect_evidence, combine, rank_by_evidence
from apr.localization.traces import parse_trace


def failure(*frames: tuple[str, int], message: str = "") -> TestResult:
    found = tuple(Frame(path, line, "f") for path, line in frames)
    return TestResult(TestId("t"), TestOutcome.FAILED, frames=found, message=message)


def at(line: int, suspiciousness: float, formula: str = "ochiai") -> SuspiciousLocation:
    return SuspiciousLocation(Location("m.py", line, line), suspiciousness, formula)


def test_innermost_frame_counts_most_and_test_files_do_not() -> None:
    evidence = collect_evidence(
        [failure(("tests/test_m.py", 9), ("m.py", 1), ("m.py", 5), ("tests/util.py", 2))],
        ["m.py", "tests/test_m.py", "tests/util.py"],
    )
    assert evidence == {("m.py", 5): 1.0, ("m.py", 1): 0.5}


def test_evidence_is_the_mean_over_the_failures_that_show_a_frame() -> None:
    failures = [failure(("m.py", 1), ("m.py", 5)), failure(("m.py", 5)), failure()]
    assert collect_evidence(failures, ["m.py"]) == {("m.py", 5): 1.0, ("m.py", 1): 0.25}


def test_frames_from_the_tenth_on_count_a_tenth() -> None:
    evidence = collect_evidence([failure(*(("m.py", n) for n in range(12, 0, -1)))], ["m.py"])
    assert evidence["m.py", 9] == pytest.approx(1 / 9)
    assert [evidence["m.py", n] for n in (10, 11, 12)] == [0.1] * 3


def test_runaway_recursion_blames_the_recursion_not_where_the_stack_overflowed() -> None:
    frames = [("m.py", 1)] + [("m.py", 5)] * 60 + [("m.py", 2)]
    evidence = collect_evidence([failure(*frames)], ["m.py"])
    assert evidence == {("m.py", 5): 1.0, ("m.py", 2): 0.1, ("m.py", 1): 0.1}


def test_traced_lines_become_statements_and_lines_outside_the_source_vanish() -> None:
    sources = {"m.py": "def f(a):\n    return g(\n        a,\n    )\n"}
    ranking = rank_by_evidence({("m.py", 3): 1.0, ("m.py", 2): 0.5, ("m.py", 99): 1.0}, sources)
    assert ranking == (SuspiciousLocation(Location("m.py", 2, 4), 1.0, "stack-trace", "f"),)


def test_combination_is_a_weighted_mean_that_drops_nothing() -> None:
    ranking = (at(1, 1.0), at(2, 1.0), at(3, 0.5))
    combined = combine(ranking, (at(2, 1.0, "stack-trace"), at(9, 0.5, "stack-trace")), weight=0.2)
    assert [(s.location.first, s.formula) for s in combined] == [
        (2, "ochiai"),
        (1, "ochiai"),
        (3, "ochiai"),
        (9, "stack-trace"),
    ]
    assert [s.suspiciousness for s in combined] == pytest.approx([1.0, 0.8, 0.4, 0.1])


def test_without_evidence_the_ranking_is_untouched() -> None:
    assert combine((at(1, 0.3),), ()) == (at(1, 0.3),)


unit = st.floats(0, 1)


@given(
    spectrum=st.dictionaries(st.integers(1, 9), unit),
    evidence=st.dictionaries(st.integers(1, 9), unit, min_size=1),
    weight=unit,
)
def test_combination_keeps_the_range_and_every_location(
    spectrum: dict[int, float], evidence: dict[int, float], weight: float
) -> None:
    ranking = [at(line, value) for line, value in spectrum.items()]
    combined = combine(
        ranking, [at(n, v, "stack-trace") for n, v in evidence.items()], weight=weight
    )
    assert sorted(s.location.first for s in combined) == sorted({*spectrum, *evidence})
    assert all(0.0 <= s.suspiciousness <= 1.0 for s in combined)


JAVA = """\
java.lang.IllegalStateException: outer
\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)
\tat org.example.shop.Cart.total(Cart.java:40)
\tat org.example.shop.CartTest.adds(CartTest.java:12)
Caused by: java.lang.NullPointerException
\tat app//org.example.shop.Price$Rounding.apply(Price.java:17)
\tat org.example.shop.Price.<init>(Price.java:9)
\t... 3 more
"""


def test_java_trace_ends_in_the_innermost_frame_of_its_last_cause() -> None:
    paths = [
        "src/main/java/org/example/shop/Cart.java",
        "src/main/java/org/example/shop/Price.java",
        "src/main/java/org/example/other/Price.java",
    ]
    frames = parse_trace(JAVA, paths)
    assert [(f.path.rsplit("/", 2)[1:], f.line, f.function) for f in frames] == [
        (["shop", "Cart.java"], 40, "total"),
        (["shop", "Price.java"], 9, "<init>"),
        (["shop", "Price.java"], 17, "apply"),
    ]


def test_java_class_of_another_package_is_not_mistaken_for_the_subjects() -> None:
    assert parse_trace("\tat org.junit.Assert.fail(Assert.java:89)\n", ["Assert.java"]) == ()


def test_node_trace_is_mapped_by_the_end_of_its_absolute_paths() -> None:
    text = (
        "Error: boom\n"
        "    at Cart.total (/tmp/box/src/cart.js:12:9)\n"
        "    at async Promise.all (index 0)\n"
        "    at file:///tmp/box/src/main.mjs:3:1\n"
        "    at Object.<anonymous> (/tmp/box/node_modules/jest/src/cart.js:5:10)\n"
        "    at node:internal/main/run:2:1\n"
    )
    frames = parse_trace(text, ["src/cart.js", "src/main.mjs", "cart.js"])
    assert frames == (Frame("src/main.mjs", 3, ""), Frame("src/cart.js", 12, "Cart.total"))


def test_gdb_and_assertion_lines_of_c_are_read() -> None:
    text = (
        "prog: lib/list.c:44: pop: Assertion `n > 0' failed.\n"
        "#1  0x00005555 in pop (l=0x0) at ../lib/list.c:44\n"
        "#2  main () at main.c:7\n"
    )
    frames = parse_trace(text, ["lib/list.c", "src/main.c"])
    assert frames == (
        Frame("src/main.c", 7, "main"),
        Frame("lib/list.c", 44, "pop"),
        Frame("lib/list.c", 44, ""),
    )


def test_python_text_names_the_innermost_frame_last() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "/tmp/box/pkg/a.py", line 3, in <module>\n'
        '  File "/tmp/box/pkg/b.py", line 8, in run\n'
        '  File "/usr/lib/python3/site-packages/x/pkg/a.py", line 1, in y\n'
    )
    frames = parse_trace(text, ["pkg/a.py", "pkg/b.py"])
    assert frames == (Frame("pkg/a.py", 3, "<module>"), Frame("pkg/b.py", 8, "run"))


def test_file_that_fits_several_paths_is_left_out() -> None:
    assert parse_trace("list.c:4: error", ["a/list.c", "b/list.c"]) == ()


def test_message_is_read_only_when_there_are_no_frames() -> None:
    result = failure(("m.py", 1), message='  File "m.py", line 7, in f\n')
    assert collect_evidence([result], ["m.py"]) == {("m.py", 1): 1.0}
    textual = failure(message='  File "m.py", line 7, in f\n')
    assert collect_evidence([textual], ["m.py"]) == {("m.py", 7): 1.0}


@given(st.text(alphabet='at (.:)/1aJ#"File line,jsc \n$<>', max_size=80))
def test_any_text_can_be_read_as_a_trace(text: str) -> None:
    for frame in parse_trace(text, ["a.js", "a.c", "a.py"]):
        assert frame.line > 0
