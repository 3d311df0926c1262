"""Benchmark records survive a kill, labels come from the reference version, counts stay apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from typer.testing import Result

from apr.bench.records import BugRecord, Protocol, RecordFile
from apr.cli.bench_options import BenchFormat
from apr.cli.bench_records import describe_record, describe_totals, emit_records, record_cells
from apr.cli.benchmark import add_label, judge, make_record, run_bug, sandboxed, total
from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.core.run import Budget
from apr.datasets.cases import Case
from apr.datasets.dataset import Dataset, ReferenceProgram
from apr.datasets.differential import Comparison, Difference, Limits, compare_programs
from apr.results.details import RunDetails
from apr.settings import RunSettings

if TYPE_CHECKING:
    from apr.service import Service

SETTINGS = RunSettings(sandbox="process")
PROTOCOL = Protocol(SETTINGS, Budget(100, 5.0), 0)
DONE = BugRecord("gcd", "plausible", label="correct", candidates=8, first_plausible=3, seconds=1.5)
WRONG = BugRecord("sieve", "plausible", label="overfitting", candidates=20, first_plausible=8)
NOTHING = BugRecord("lis", "none", candidates=100, seconds=5.0)
BROKEN = BugRecord("knapsack", "error", message="no tests\nfound")


def test_records_are_read_back_and_the_last_one_of_a_bug_counts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "quixbugs.jsonl"
    file = RecordFile(path, PROTOCOL)
    for record in (DONE, BROKEN, replace(DONE, candidates=9)):
        file.add(record)
    again = RecordFile(path, PROTOCOL)
    assert again.done == {"gcd": replace(DONE, candidates=9), "knapsack": BROKEN}
    assert all(json.loads(line)["schema_version"] == 1 for line in path.read_text().splitlines())


def test_an_error_is_no_verdict_and_is_tried_again(tmp_path: Path) -> None:
    file = RecordFile(None, PROTOCOL)
    for record in (DONE, NOTHING, BROKEN):
        file.add(record)
    found = [file.has_verdict(name) for name in ("gcd", "lis", "knapsack", "unknown")]
    assert found == [True, True, False, False]


def test_a_line_cut_by_a_kill_is_forgotten_and_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "quixbugs.jsonl"
    RecordFile(path, PROTOCOL).add(DONE)
    whole = path.read_text()
    path.write_text(whole + whole[:40])
    file = RecordFile(path, PROTOCOL)
    assert list(file.done) == ["gcd"]
    file.add(NOTHING)
    assert list(RecordFile(path, PROTOCOL).done) == ["gcd", "lis"]


def test_results_of_other_settings_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "quixbugs.jsonl"
    RecordFile(path, PROTOCOL).add(DONE)
    other = replace(PROTOCOL, seed=1)
    with pytest.raises(BadInputError, match="other settings"):
        RecordFile(path, other)
    assert RecordFile(path, other, forget={"gcd", "lis"}).done == {}
    assert path.read_text() == ""


def test_only_the_bugs_that_are_run_again_lose_their_record(tmp_path: Path) -> None:
    path = tmp_path / "quixbugs.jsonl"
    file = RecordFile(path, PROTOCOL)
    for record in (DONE, WRONG, DONE):
        file.add(record)
    assert RecordFile(path, PROTOCOL, forget={"gcd"}).done == {"sieve": WRONG}
    assert RecordFile(path, PROTOCOL).done == {"sieve": WRONG}


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "quixbugs.jsonl"
    path.write_text('{"some": "thing"}\n')
    with pytest.raises(BadInputError, match="no benchmark record"):
        RecordFile(path, PROTOCOL)
    assert path.read_text() == '{"some": "thing"}\n'


def test_plausible_correct_and_overfitting_are_separate_counts() -> None:
    totals = total([DONE, WRONG, NOTHING, BROKEN])
    assert (totals.bugs, totals.plausible, totals.correct) == (4, 2, 1)
    assert (totals.overfitting, totals.errors, totals.candidates) == (1, 1, 128)
    assert totals.median_first == 5.5  # of 3 and 8
    assert describe_totals([DONE, WRONG, NOTHING, BROKEN]) == (
        "2 plausible of 4: 1 correct, 1 overfitting; 1 error; 128 candidates in 6.5 s of search;"
        " median to first 5.5"
    )
    assert total([NOTHING]).median_first is None
    unlabelled = replace(DONE, label="unknown")
    assert "0 correct, 0 overfitting, 1 not told apart;" in describe_totals([unlabelled])


def test_a_record_counts_candidates_up_to_the_first_plausible(details: RunDetails) -> None:
    record = make_record(details)
    assert (record.verdict, record.first_plausible, record.candidates) == ("plausible", 3, 12)
    assert record.baseline == {"failing": 2, "passing": 5, "flaky": 1, "skipped": 0}
    assert record.label == "unknown"
    lost = make_record(replace(details, run=replace(details.run, patches=())))
    assert (lost.verdict, lost.diff) == ("none", "")


def test_a_difference_makes_a_patch_overfitting() -> None:
    found = Difference(Case((1, [2])), "3", "raises KeyError")
    record = add_label(DONE, Comparison(8, 7, found))
    assert (record.label, record.agreed_inputs) == ("overfitting", 7)
    assert record.difference == {
        "input": "(1, [2])",
        "expected": "3",
        "actual": "raises KeyError",
    }
    assert add_label(DONE, Comparison(20, 20)).label == "correct"
    assert add_label(DONE, Comparison(3, 3)).label == "unknown"
    assert add_label(DONE, None) == DONE


def reference(source: str) -> Callable[[Bug], ReferenceProgram]:
    cases = (Case((number,)) for number in range(-20, 20))
    return lambda bug: ReferenceProgram("m.py", source, "f", lambda seed: cases)


@pytest.mark.parametrize(
    ("right", "label"),
    [
        # The patch of the details is `if a < 3: return 0` in place of `if a < 1`.
        ("def f(a):\n    return 0 if a <= 2 else a\n", "correct"),
        ("def f(a):\n    return 0 if a <= 4 else a\n", "overfitting"),
    ],
)
def test_a_repair_is_judged_in_a_sandbox(
    details: RunDetails, tmp_path: Path, source: str, right: str, label: str
) -> None:
    (tmp_path / "m.py").write_text(source)
    command = TestCommand(RunnerKind.PYTEST, (), sys.executable)
    bug = Bug(str(tmp_path), command, name="shop")
    judged = replace(details, run=replace(details.run, bug=bug))
    comparison = judge(judged, Dataset("d", (bug,), reference(right)), SETTINGS)
    assert add_label(DONE, comparison).label == label
    assert (tmp_path / "m.py").read_text() == source


def test_a_program_that_never_ends_is_cut_off() -> None:
    execute = sandboxed(sys.executable, SETTINGS)
    looping = "def f(a):\n    while a > 3: pass\n    return a\n"
    found = compare_programs(
        looping,
        "def f(a):\n    return a\n",
        "f",
        (Case((number,)) for number in range(6)),
        execute,
        limits=Limits(candidate_call_s=0.3),
    )
    assert found.agreed == 4
    assert found.first_difference is not None
    assert found.first_difference.actual == "does not end in time"


class _Unusable:
    def submit_run(self, *_: object) -> object:
        raise EnvironmentUnusableError("no interpreter")


def test_trouble_with_one_bug_is_recorded_and_stays_in_the_denominator() -> None:
    bug = Bug("/nowhere", TestCommand(RunnerKind.PYTEST), name="gcd")
    service = cast("Service", _Unusable())

    def ignore(kind: str, data: Any) -> None:
        raise AssertionError(kind)

    record = run_bug(service, Dataset("d", (bug,)), bug, PROTOCOL, ignore)
    assert (record.verdict, record.message) == ("error", "no interpreter")


def test_lines_and_cells_are_safe_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = replace(BROKEN, bug="a|b\x1b[2J")
    assert describe_record(hostile) == "a|b\\x1b[2J: error: no tests found"
    assert describe_record(DONE) == "gcd: plausible (correct), 8 candidates, 0.00 s"
    assert record_cells(NOTHING)[1:5] == ("none", "", "", "100")
    emit_records("quixbugs", [hostile, DONE], BenchFormat.MARKDOWN)
    out = capsys.readouterr().out
    assert "| a\\|b\\x1b[2J | error |" in out
    assert "1 plausible of 2" in out


def test_json_holds_totals_and_every_bug(capsys: pytest.CaptureFixture[str]) -> None:
    emit_records("quixbugs", [DONE, NOTHING], BenchFormat.JSON)
    document = json.loads(capsys.readouterr().out)
    assert document["totals"]["plausible"] == 1
    assert [bug["bug"] for bug in document["bugs"]] == ["gcd", "lis"]


@pytest.mark.parametrize(
    "args",
    [
        ("quixbugs", "--root", "/nonexistent"),
        ("humanevalfix", "--data", "/nonexistent.jsonl"),
        ("humanevalfix", "--data", "/nonexistent.jsonl", "--language", "cobol"),
    ],
)
def test_a_benchmark_that_is_not_there_is_bad_input(
    apr: Callable[..., Result], args: tuple[str, ...]
) -> None:
    result = apr("bench", *args)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
