"""What is shown around the code: callers, callees, outlines, similar lines, and where it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apr.core.bug import TestId
from apr.core.patch import Patch, diff_texts
from apr.core.report import Frame, Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.generation.prompt.answer import Focus
from apr.generation.prompt.diagnosis import build_error_place, failing_line, shorten
from apr.generation.prompt.evidence import estimate_tokens, outline
from apr.generation.prompt.neighbours import Project
from apr.generation.prompt.prompts import completion_prompt, repair_prompt
from apr.generation.prompt.settings import PromptSettings
from apr.generation.prompt.situation import Situation

PRICES = '''\
"""Prices."""
import decimal
from shop.rates import vat_rate

ROUNDING = 2


class Basket:
    currency = "EUR"

    def __init__(self, items):
        self.items = items

    def total(self):
        return add_vat(sum(self.items))


def add_vat(price):
    return round(price - price * vat_rate("standard"), ROUNDING)
'''
RATES = """\
def vat_rate(kind):
    known = {"standard": 0.2}
    return known[kind]


def vat_of_import(price):
    return round(price * vat_rate("standard"), 2)
"""
SHOP = """\
from shop.prices import add_vat


def receipt(prices):
    return [add_vat(price) for price in prices]
"""
SOURCES = {"shop/prices.py": PRICES, "shop/rates.py": RATES, "shop/till.py": SHOP}
VAT = Focus("shop/prices.py", 18, 19, "add_vat")
CODE = "\n".join(PRICES.split("\n")[17:19])


def result(message: str, *frames: Frame, name: str = "test_vat") -> TestResult:
    test = TestId(f"test_prices.py::{name}")
    return TestResult(test, TestOutcome.FAILED, message=message, frames=frames)


def situation(*failures: TestResult, report: ValidationReport | None = None) -> Situation:
    return Situation(
        focus=VAT,
        base=SOURCES,
        sources=SOURCES,
        patch=Patch(),
        report=report,
        failures=failures or (result("assert 80 == 120"),),
        tests={"test_prices.py": "def test_vat():\n    assert add_vat(100) == 120\n"},
        project=Project(SOURCES),
    )


def test_what_it_calls_is_found_in_other_files() -> None:
    [callee] = Project(SOURCES).callees(VAT, CODE, 3)
    assert (callee.path, callee.name) == ("shop/rates.py", "vat_rate")
    assert callee.code == "\n".join(RATES.split("\n")[:3])


def test_what_calls_it_is_found_the_other_files_first() -> None:
    callers = Project(SOURCES).callers(VAT, 3)
    assert [(c.path, c.name) for c in callers] == [
        ("shop/till.py", "receipt"),
        ("shop/prices.py", "Basket.total"),
    ]


def test_a_name_of_several_functions_elsewhere_is_nobody() -> None:
    sources = {**SOURCES, "other.py": "def vat_rate(x):\n    return x\n"}
    assert Project(sources).callees(VAT, CODE, 3) == []


def test_a_long_caller_is_cut_around_the_call() -> None:
    filler = "".join(f"    step_{n}()\n" for n in range(40))
    text = f"def long(price):\n{filler}    add_vat(price)\n{filler}"
    [caller, *_] = Project({"a.py": text, VAT.path: PRICES}).callers(VAT, 2)
    lines = caller.code.split("\n")
    assert lines[:2] == ["def long(price):", "    ..."]
    assert "    add_vat(price)" in lines
    assert lines[-1] == "    ..."
    assert len(lines) < 30


@pytest.mark.parametrize(
    ("path", "text", "focus", "callee"),
    [
        ("A.java", "class A {\n  int f() { return g(); }\n  int g() { return 1; }\n}\n", 2, "A.g"),
        ("a.js", "function f() { return g(); }\nfunction g() { return 1; }\n", 1, "g"),
        ("a.c", "int g(void) { return 1; }\nint f(void) { return g(); }\n", 2, "g"),
    ],
)
def test_other_languages_have_neighbours_too(path: str, text: str, focus: int, callee: str) -> None:
    code = text.split("\n")[focus - 1]
    found = Project({path: text}).callees(Focus(path, focus, focus, "f"), code, 3)
    assert [neighbour.name for neighbour in found] == [callee]


def test_an_outline_has_all_but_the_insides_of_functions() -> None:
    assert outline(situation()).split("\n") == [
        "import decimal",
        "from shop.rates import vat_rate",
        "ROUNDING = 2",
        "class Basket:",
        '    currency = "EUR"',
        "    def __init__(self, items):",
        "    def total(self):",
    ]


def test_a_question_holds_the_context_in_the_room_there_is() -> None:
    def ask(tokens: int) -> str:
        return repair_prompt(situation(), PromptSettings(prompt_tokens=tokens))[1].content

    text = ask(4000)
    for part in (CODE, "assert add_vat(100) == 120", "assert 80 == 120", "known = {", "receipt"):
        assert part in text
    assert "round(price * vat_rate" in text, "a line that resembles it"
    sizes = [estimate_tokens(ask(tokens)) for tokens in (250, 350, 450, 4000)]
    assert sizes == sorted(sizes)
    assert all(size <= tokens for size, tokens in zip(sizes, (250, 350, 450), strict=False))
    assert "assert 80 == 120" in ask(250), "the failure is the last thing to go"
    assert "receipt" not in ask(250)


def test_equal_failures_are_shown_once() -> None:
    many = [result("assert 80 == 120", name=f"test_vat[{n}]") for n in range(9)]
    text = repair_prompt(situation(*many, result("assert 1 == 2")), PromptSettings())[1].content
    assert text.count("assert 80 == 120") == 1
    assert text.count("assert add_vat(100) == 120") == 1
    assert "assert 1 == 2" in text


def test_a_failure_is_shown_on_its_line() -> None:
    frames = Frame("test_prices.py", 2, "test_vat"), Frame("shop/prices.py", 19, "add_vat")
    told = failing_line(result("TypeError", *frames), SOURCES)
    assert told == f"It happens in `add_vat`, on the line `{CODE.splitlines()[1].strip()}`"
    assert failing_line(result("x", Frame("shop/prices.py", 99, "f")), SOURCES) == ""
    assert failing_line(result("x", frames[0]), SOURCES) == ""


@pytest.mark.parametrize(
    "message",
    [
        "SyntaxError: unmatched ')' (prices.py, line 19)",
        "shop/prices.py:19: error: ';' expected",
    ],
)
def test_what_does_not_compile_is_shown_on_its_line(message: str) -> None:
    assert build_error_place(message, SOURCES).endswith(f"{CODE.splitlines()[1]}    <-- here")
    assert build_error_place("no place", SOURCES) == ""
    report = ValidationReport(Verdict.DOES_NOT_BUILD, Stage.COMPILE, message=message)
    patch = diff_texts(SOURCES, {VAT.path: PRICES.replace("price - price", "(price")})
    asked = replace(situation(report=report), patch=patch)
    text = repair_prompt(asked, PromptSettings())[1].content
    assert message in text
    assert "<-- here" in text


def test_the_same_failure_has_the_same_words_in_every_run() -> None:
    one = "<generator object f at 0x7f2c4776a890> != 1; [<generator o...7f2c4776a7a0>]"
    two = "<generator object f at 0x7f99aa10bbb0> != 1; [<generator o...7f99aa10bc20>]"
    assert shorten(one) == shorten(two)
    times = [f"TestTimeoutError: the test ran longer than {s} s" for s in ("5.01", "2.5")]
    assert shorten(times[0]) == shorten(times[1])
    assert shorten("assert 0x12 == 0xff") == "assert 0x12 == 0xff"


def test_a_long_message_keeps_its_ends() -> None:
    text = shorten("\n".join(f"line {n}" for n in range(100)))
    assert text.startswith("line 0\n")
    assert text.endswith("\nline 99")
    assert "[...]" in text


def test_a_base_model_is_left_inside_the_function() -> None:
    text, opening = completion_prompt(situation(), PromptSettings())
    assert opening == "```python\ndef add_vat(price):\n"
    assert text.endswith(f"\n\n{opening}")
    assert text.count(CODE) == 1
