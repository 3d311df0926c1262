"""Exit codes, formats, and the documents and summaries of finished runs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from apr.cli.execution import choose_format, emit_result, exit_code
from apr.cli.output import PatchFormat, check_output, render_json
from apr.cli.runs import render_details, render_runs
from apr.cli.summary import describe_end, describe_trust, render_diff_text, summary_rows
from apr.core.errors import BadInputError, ExitCode
from apr.core.report import Baseline
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.results.details import RunDetails, run_document

MakeRun = Callable[..., RepairRun]


def shown(renderable: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.mark.parametrize(
    ("status", "message", "candidates", "code"),
    [
        (RunStatus.SUCCEEDED, "plausible", 12, ExitCode.OK),
        (RunStatus.EXHAUSTED, "exhausted", 12, ExitCode.NO_PATCH),
        (RunStatus.EXHAUSTED, "budget", 100, ExitCode.NO_PATCH),  # all candidates were tried
        (RunStatus.EXHAUSTED, "budget", 12, ExitCode.BUDGET),  # money, tokens or calls
        (RunStatus.EXHAUSTED, "seconds", 12, ExitCode.BUDGET),
        (RunStatus.INTERRUPTED, "", 12, ExitCode.INTERRUPTED),
        (RunStatus.FAILED, "no tests", 0, ExitCode.ENVIRONMENT),
        (RunStatus.CANCELLED, "cancelled", 12, ExitCode.NO_PATCH),
    ],
)
def test_the_end_of_a_run_decides_the_exit_code(
    make_run: MakeRun, status: RunStatus, message: str, candidates: int, code: ExitCode
) -> None:
    run = make_run(status=status, message=message, usage=Usage(candidates=candidates))
    assert exit_code(run) is code


def test_a_file_and_a_pipe_get_a_diff_unless_told_otherwise() -> None:
    assert choose_format(None, json=False, output=Path("x")) is PatchFormat.DIFF
    assert choose_format(None, json=False, output=None) is PatchFormat.DIFF  # no terminal here
    assert choose_format(PatchFormat.TEXT, json=False, output=None) is PatchFormat.TEXT
    assert choose_format(None, json=True, output=None) is PatchFormat.JSON
    with pytest.raises(BadInputError, match="contradicts"):
        choose_format(PatchFormat.DIFF, json=True, output=None)


def test_the_document_repeats_the_run_and_its_patches(details: RunDetails) -> None:
    document = json.loads(render_json(run_document(details)))
    assert document["schema_version"] == 1
    assert (document["run"], document["seed"]) == ("260101-120000-abcdef", 3)
    assert document["status"] == "succeeded"
    assert document["usage"]["candidates"] == 12
    assert document["baseline"]["passing"] == 5
    assert [f["test"] for f in document["baseline"]["failing"]] == ["t.py::a", "t.py::b\x1b[2J"]
    (patch,) = document["patches"]
    assert (patch["rank"], patch["origin"], patch["verdict"]) == (1, "template-3", "plausible")
    assert patch["label"] == "unknown"
    assert patch["files"] == ["m.py"]
    assert patch["tests"]["triggers_passed"] == 2
    assert patch["diff"] == details.run.patches[0].diff


def test_a_document_with_undecodable_text_is_valid_json() -> None:
    text = render_json({"diff": "-x = '\udcff'\n"})
    assert text.encode("utf-8")
    assert json.loads(text)["diff"] == "-x = '\udcff'\n"


def test_a_diff_reaches_a_file_byte_by_byte(details: RunDetails, tmp_path: Path) -> None:
    diff = "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = '\udcff'\r\n+x = 1\r\n"
    patch = replace(details.run.patches[0], diff=diff)
    changed = replace(details, run=replace(details.run, patches=(patch,)))
    emit_result(changed, PatchFormat.DIFF, tmp_path / "fix.diff")
    expected = b"--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = '\xff'\r\n+x = 1\r\n"
    assert (tmp_path / "fix.diff").read_bytes() == expected


def test_without_a_patch_the_output_file_is_left_alone(details: RunDetails, tmp_path: Path) -> None:
    nothing = replace(details, run=replace(details.run, patches=()))
    emit_result(nothing, PatchFormat.DIFF, tmp_path / "fix.diff")
    assert not (tmp_path / "fix.diff").exists()


def test_the_summary_says_what_where_and_how_far_to_trust_it(details: RunDetails) -> None:
    rows = [": ".join(row) for row in summary_rows(details)]
    assert "failed: t.py::a: AssertionError: 1 == 2" in rows
    assert "where: m.py:2 in f" in rows
    assert "change: template-3" in rows
    assert "tests: before: 2 failing, 5 passing; after: 7 passing" in rows
    assert "search: 12 candidates in 4.0 s (3/s), seed 3" in rows
    assert "trust: plausible: all 7 tests pass (1 flaky aside); not proven correct, so read it" in (
        rows
    )
    assert "run: 260101-120000-abcdef" in rows


def test_no_escape_sequence_of_the_subject_reaches_the_terminal(details: RunDetails) -> None:
    assert "\x1b" not in shown(render_details(details))
    assert "\\x1b[2J" in shown(render_details(details))


def test_a_diff_is_shown_line_by_line_with_escapes() -> None:
    assert render_diff_text("-a\x1b[2J\n+b\n").plain == "-a\\x1b[2J\n+b"


def test_a_search_without_a_patch_names_the_closest_candidate(details: RunDetails) -> None:
    failed = replace(details.run, patches=(), status=RunStatus.EXHAUSTED, message="seconds")
    nodes = replace(details, run=failed)
    nodes.tree.nodes.pop()
    rows = dict(summary_rows(nodes))
    assert rows["suspects"] == "m.py:2"
    assert rows["closest"] == "node 1, template-1: still-fails, 1 of 2 trigger tests pass"
    assert "trust" not in rows
    assert describe_end(failed, ExitCode.BUDGET).startswith("the budget ended before")


def test_a_single_test_is_not_called_all_tests(details: RunDetails) -> None:
    node = details.tree.nodes[3]
    assert node.report is not None
    node.report = replace(node.report, triggers_total=1, regressions_total=0)
    assert isinstance(details.baseline, Baseline)
    calm = replace(details, baseline=replace(details.baseline, flaky=()))
    assert describe_trust(calm).startswith("plausible: the only test passes; not proven")


def test_a_run_that_failed_early_still_has_a_summary(make_run: MakeRun, tree: object) -> None:
    from apr.core.tree import SearchTree

    run = make_run(status=RunStatus.FAILED, message="no tests\nwere found", usage=Usage())
    text = shown(render_details(RunDetails(run, None, (), SearchTree())))
    assert "failed: no tests were found" in text
    assert "0 candidates in 0.00 s" in text


def test_the_list_of_runs_keeps_ids_whole_on_a_narrow_terminal(make_run: MakeRun) -> None:
    runs = [make_run(bug=replace(make_run().bug, name="a-very-long-name" * 5))]
    lines = shown(render_runs(runs), width=70).splitlines()
    assert len(lines) == 2
    assert "260101-120000-abcdef" in lines[1]
    assert "exhausted" in lines[1]
    assert all(len(line) <= 70 for line in lines)


@pytest.mark.parametrize("name", [".", "missing/x.diff"])
def test_an_impossible_output_is_refused_before_the_search(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError, match="--output"):
        check_output(tmp_path / name)
    check_output(tmp_path / "new.diff")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_limits_says_so(make_run: MakeRun) -> None:
    from apr.core.tree import SearchTree

    run = make_run(budget=Budget(None, None), usage=Usage())
    text = shown(render_details(RunDetails(run, None, (), SearchTree())))
    assert "budget    none" in text
