"""`apr runs`, `show`, `tree` and `resume` on a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import Result

from apr.bootstrap import bootstrap
from apr.core.oracle import Oracle
from apr.core.report import Verdict
from apr.core.run import RepairRun
from apr.core.tree import SearchNode
from apr.results.details import RunDetails
from apr.storage.oracle import encode_oracle

Cli = Callable[..., Result]
MakeRun = Callable[..., RepairRun]


@pytest.fixture
def stored(apr: Cli, details: RunDetails, make_run: MakeRun) -> str:
    """The id of a finished run in the store, the newest of two."""
    service = bootstrap()
    assert details.baseline is not None
    earlier = details.run.created_at - timedelta(hours=1)
    service.store.create_run(make_run(id="260101-110000-123456", created_at=earlier))
    service.store.create_run(replace(details.run, patches=()))
    service.store.save_nodes(details.run.id, details.tree.nodes)
    service.store.save_patches(details.run.id, details.run.patches)
    oracle = Oracle(details.baseline, None, details.locations, "digest")
    service.store.save_artifact(details.run.id, "oracle", encode_oracle(oracle))
    return details.run.id


def read_json(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["schema_version"] == 1
    return document


def test_runs_come_newest_first(apr: Cli, stored: str) -> None:
    result = apr("runs")
    assert result.exit_code == 0
    assert result.stdout.index(stored) < result.stdout.index("260101-110000-123456")
    document = read_json(apr("runs", "--format", "json", "--limit", "1"))
    assert [run["run"] for run in document["runs"]] == [stored]


def test_without_runs_stdout_stays_empty(apr: Cli) -> None:
    result = apr("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "apr fix PATH" in result.stderr
    assert read_json(apr("runs", "--format", "json"))["runs"] == []


@pytest.mark.parametrize("name", ["last", "260101-12", "260101-120000-abcdef"])
def test_show_finds_a_run_by_prefix_or_as_the_last(apr: Cli, stored: str, name: str) -> None:
    result = apr("show", name)
    assert result.exit_code == 0
    for words in (stored, "t.py::a", "m.py:2 in f", "+    if a < 3:", "formula=ochiai", "seed 3"):
        assert words in result.stdout


def test_show_tells_what_the_verdict_rests_on(apr: Cli, stored: str) -> None:
    shown = apr("show", stored).stdout
    for words in (
        "t.py::flaky: passed 3 of 5 times",
        "in 2 fresh sandboxes",
        "t.py::late: flaky without the patch",
    ):
        assert words in shown
    assert "tampered" not in shown
    document = read_json(apr("show", stored, "--json"))
    assert document["baseline"]["flaky_passes"] == {"t.py::flaky": 3}
    tests = document["patches"][0]["tests"]
    assert (tests["confirmations"], tests["flaky"]) == (2, ["t.py::late"])


def test_tampering_candidates_are_counted_and_drawn(
    apr: Cli, stored: str, node: Callable[..., SearchNode]
) -> None:
    nodes = [node(n, 0, Verdict.TAMPERED) for n in (4, 5)]
    bootstrap().store.save_nodes(stored, nodes)
    assert "2 candidates that tampered with the tests" in apr("show", stored).stdout
    assert apr("tree", stored).stdout.count("tampered") == 2


def test_show_gives_the_very_diff(apr: Cli, stored: str, details: RunDetails) -> None:
    assert apr("show", stored, "--format", "diff").stdout == details.run.patches[0].diff
    document = read_json(apr("show", stored, "--json"))
    assert document["patches"][0]["diff"] == details.run.patches[0].diff
    assert document["locations"][0]["function"] == "f"


@pytest.mark.parametrize("command", ["show", "tree", "resume"])
@pytest.mark.parametrize(("name", "words"), [("zzz", "zzz"), ("260101", "260101")])
def test_an_unknown_or_ambiguous_run_is_bad_input(
    apr: Cli, stored: str, command: str, name: str, words: str
) -> None:
    result = apr(command, name)
    assert result.exit_code == 2
    assert result.stderr.startswith("apr: ")
    assert words in result.stderr


@pytest.mark.parametrize("command", ["show", "tree", "resume"])
def test_the_last_of_no_runs_is_bad_input(apr: Cli, command: str) -> None:
    result = apr(command, "last")
    assert result.exit_code == 2
    assert "there is no run yet" in result.stderr


def test_the_tree_of_a_run_in_every_format(apr: Cli, stored: str) -> None:
    assert "template-3" in apr("tree", stored).stdout
    assert apr("tree", "last", "--format", "dot").stdout.startswith("digraph")
    document = read_json(apr("tree", "last", "--format", "json"))
    assert (document["winner"], len(document["nodes"])) == (3, 4)


def test_resuming_a_run_that_succeeded_shows_its_result_again(
    apr: Cli, stored: str, details: RunDetails
) -> None:
    result = apr("resume", stored)
    assert result.exit_code == 0
    assert result.stdout == details.run.patches[0].diff
    assert "has ended already" in result.stderr


def test_colours_are_used_when_forced_and_never_with_no_color(
    apr: Cli, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in apr("show", stored).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "")
    assert "\x1b[32m+    if a < 3:" in apr("show", stored).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    plain = apr("show", stored).stdout
    assert "\x1b[32m" not in plain
    assert "+    if a < 3:" in plain
