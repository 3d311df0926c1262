"""Every program is judged once, and nobody can tell from the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from apr.core.bug import TestId
from apr.core.patch import Hunk, Patch, diff_texts
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict
from validation.cache import CachingValidator, MemoryOutcomes, is_complete, is_lasting
from validation.equivalence import NormalForms
from validation.plan import ValidationSettings
from validation.validator import StagedValidator

SOURCE = "def add(a, b):\n    return a - b\n\n\ndef double(n):\n    return n * 2\n"
TESTS = """import calc


def test_sum():
    assert calc.add(1, 2) == 3


def test_double():
    assert calc.double(2) == 4
"""


class Refusing:
    """A gate that lets no patch with a comment through."""

    def check(self, patch: Patch) -> str | None:
        said = any("# no" in line for hunk in patch.hunks for line in hunk.new)
        return "a comment" if said else None


class Counting(StagedValidator):
    """Remembers which patches were really run."""

    judged: list[Patch]
    confirmed: list[Patch]

    def judge(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        self.judged.extend(patches)
        return super().judge(patches)

    def confirm(self, patch: Patch) -> ValidationReport:
        self.confirmed.append(patch)
        return super().confirm(patch)


@pytest.fixture(scope="module")
def opened(make_subject) -> Iterator[Counting]:
    subject = make_subject({"calc.py": SOURCE, "test_calc.py": TESTS})
    found = subject.reproduce()
    with Counting(
        subject.runner,
        subject.workspace.root,
        found.baseline,
        found.matrix,
        ValidationSettings(floor_s=1.0, confirmations=1),
        can_protect=subject.sandbox.name != "process",
        gate=Refusing(),
    ) as validator:
        yield validator


@pytest.fixture
def validator(opened: Counting) -> Counting:
    opened.judged, opened.confirmed = [], []
    return opened


def caching(validator: StagedValidator, store: MemoryOutcomes | None = None) -> CachingValidator:
    sources = {"calc.py": SOURCE}
    return CachingValidator(validator, NormalForms(sources, {}), sources, "scope", store)


def returning(expression: str) -> Patch:
    changed = SOURCE.replace("a - b", expression)
    return diff_texts({"calc.py": SOURCE}, {"calc.py": changed})


def plain(reports: Sequence[ValidationReport]) -> list[ValidationReport]:
    """The reports without what may differ between two executions."""
    return [replace(r, duration_s=0.0, message="", results=(), from_cache=False) for r in reports]


PATCHES = [
    returning("a + b"),
    returning("(a + b)"),
    returning("(a - b)"),  # the base
    returning("a * b"),
    returning("a  *  b"),
    returning("a +"),  # does not build
    returning("a  +"),
    returning("a + b # no"),  # refused
    Patch((Hunk("calc.py", 1, ("x\n",), ()),)),  # does not apply
    returning("(a + b)\n    return 0"),
]


def test_verdicts_are_those_of_a_validator_without_cache(validator) -> None:
    assert plain(caching(validator).validate(PATCHES)) == plain(validator.validate(PATCHES))


def test_one_of_several_equal_patches_is_run(validator) -> None:
    reports = caching(validator).validate(PATCHES)
    assert validator.judged == [PATCHES[n] for n in (0, 3, 5, 6, 8)]
    assert [n for n, report in enumerate(reports) if report.from_cache] == [1, 2, 4, 9]


def test_what_an_earlier_run_has_found_costs_nothing(validator) -> None:
    store = MemoryOutcomes()
    first = caching(validator, store).validate(PATCHES)
    validator.judged.clear()
    second = caching(validator, store).validate(PATCHES)
    assert validator.judged == [PATCHES[8]]
    assert plain(first) == plain(second)


def test_another_scope_knows_nothing(validator) -> None:
    store, sources = MemoryOutcomes(), {"calc.py": SOURCE}
    caching(validator, store).validate(PATCHES[:1])
    other = CachingValidator(validator, NormalForms(sources, {}), sources, "other", store)
    assert not other.validate(PATCHES[:1])[0].from_cache
    assert len(validator.judged) == 2


def test_only_a_confirmed_text_is_not_confirmed_again(validator) -> None:
    store = MemoryOutcomes()
    known = caching(validator, store)
    known.validate(PATCHES[:2])
    assert [known.confirm(PATCHES[n]).from_cache for n in (0, 1)] == [False, False]
    assert [caching(validator, store).confirm(PATCHES[n]).from_cache for n in (0, 1)] == [True] * 2
    assert len(validator.confirmed) == 2
    assert known.confirm(PATCHES[7]).verdict is Verdict.TAMPERED


def test_an_endless_loop_is_judged_each_time(validator) -> None:
    loop = returning("[0 for _ in iter(int, 1)]")
    known = caching(validator)
    for _ in range(2):
        (report,) = known.validate([loop])
        assert (report.verdict, report.from_cache) == (Verdict.STILL_FAILS, False)
    assert len(validator.judged) == 2


def failing(*outcomes: TestOutcome) -> tuple[TestResult, ...]:
    return tuple(TestResult(TestId(str(n)), outcome) for n, outcome in enumerate(outcomes))


FAILED = ValidationReport(
    Verdict.STILL_FAILS,
    Stage.TRIGGER,
    triggers_passed=1,
    triggers_total=2,
    results=failing(TestOutcome.FAILED),
)


@pytest.mark.parametrize(
    ("report", "lasting"),
    [
        (FAILED, True),
        (replace(FAILED, results=failing(TestOutcome.FAILED, TestOutcome.TIMEOUT)), False),
        (replace(FAILED, results=()), False),  # broken off
        (replace(FAILED, verdict=Verdict.INCONCLUSIVE), False),
        (replace(FAILED, verdict=Verdict.TAMPERED), False),
        (replace(FAILED, verdict=Verdict.PLAUSIBLE, results=()), True),
    ],
)
def test_what_depends_on_time_or_luck_is_not_kept(report: ValidationReport, lasting: bool) -> None:
    assert is_lasting(report) is lasting


def test_a_validation_that_stopped_early_depends_on_the_order_of_the_tests() -> None:
    assert is_complete(FAILED)
    assert not is_complete(replace(FAILED, triggers_total=3))
    assert not is_complete(replace(FAILED, results=failing(*[TestOutcome.FAILED] * 2)))
    regressed = replace(FAILED, verdict=Verdict.REGRESSES, regressions_total=5, regressions_run=5)
    assert is_complete(regressed)
    assert not is_complete(replace(regressed, regressions_run=4))


def test_the_memory_forgets_what_was_not_used_for_longest() -> None:
    memory = MemoryOutcomes(limit=2)
    memory.save_outcomes({"a": FAILED, "b": FAILED})
    memory.load_outcomes(["a"])
    memory.save_outcomes({"c": FAILED})
    assert list(memory.load_outcomes(["a", "b", "c"])) == ["a", "c"]
