"""`apr bench` with variants, seeds and workers: stopped, resumed, and compared."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from support.e2e import Apr

WRONG, RIGHT = "    return a if a < b else b\n", "    return a if a > b else b\n"
BUGS = {
    "T/0": ("larger", WRONG, RIGHT, "(2, 1) == 2"),
    "T/1": ("last", "    return a - 2\n", "    return a * 3 + b * 5 - 1\n", "(2, 1) == 10"),
}
LIMIT_S = 120


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file in HumanEvalFix's form with two bugs; the second one no template can mend."""
    lines = []
    for task, (name, wrong, right, check) in BUGS.items():
        test = f"def check({name}):\n    assert {name}{check}\n    assert {name}(0, 0) in (0, -1)\n"
        fields = {
            "task_id": task,
            "declaration": f"def {name}(a: int, b: int):\n",
            "buggy_solution": wrong,
            "canonical_solution": right,
            "test": f"{test}\n\ncheck({name})\n",
            "entry_point": name,
        }
        lines.append(json.dumps(fields) + "\n")
    path = tmp_path / "bugs.jsonl"
    path.write_text("".join(lines))
    return path


def command(data: Path, output: Path, *more: object) -> tuple[object, ...]:
    words = ("bench", "humanevalfix", "--data", data, "--output", output, "--candidates", 4)
    return (*words, "--compare", "mcts,enumerate", "--format", "json", *more)


def processes_of(folder: Path) -> set[int]:
    """The processes that have the folder in their command line or environment."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if entry.name.isdigit() and str(folder).encode() in told:
            found.add(int(entry.name))
    return found - {os.getpid()}


def records(output: Path) -> list[dict]:
    texts = [file.read_text() for file in sorted(output.glob("*.jsonl"))]
    lines = [line for text in texts for line in text.splitlines(keepends=True)]
    return [json.loads(line)["record"] for line in lines if line.endswith("\n")]


def test_workers_find_what_one_process_finds(apr: Apr, data: Path, tmp_path: Path) -> None:
    one = ("--only", "T/0")
    alone = apr(*command(data, tmp_path / "alone", "--jobs", 1, *one))
    assert alone.returncode == 0, alone.stderr
    together = apr(*command(data, tmp_path / "together", "--workers", 2, *one))
    assert together.returncode == 0, together.stderr
    first, second = (json.loads(done.stdout) for done in (alone, together))
    for document in (first, second):
        for summary in document["summaries"]:
            summary["spent"].pop("seconds")
    assert first == second
    assert [each["variant"] for each in first["summaries"]] == ["mcts", "enumerate"]
    assert first["summaries"][0]["plausible"]["value"] == 1
    assert first["contrasts"][0]["differences"][0]["measure"] == "plausible"
    again = apr("bench", "compare", tmp_path / "together", "--first", "mcts", "--format", "json")
    assert json.loads(again.stdout)["contrasts"] == json.loads(together.stdout)["contrasts"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_benchmark_leaves_nothing_and_goes_on(
    apr: Apr, data: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    output = tmp_path / "kept"
    words = command(data, output, "--workers", 2, "--reuse-verdicts")
    assert apr.stop_after(lambda: len(records(output)) > 0, number, *words) == status
    deadline = time.monotonic() + LIMIT_S
    while processes_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(tmp_path) == set()
    kept = records(output)
    assert 0 < len(kept) < 4
    runs = json.loads(apr("runs", "--format", "json").stdout)["runs"]
    assert not {run["status"] for run in runs} & {"running", "failed"}
    done = apr(*words)
    assert done.returncode == 0, done.stderr
    assert len(records(output)) == 4
    assert all(record in records(output) for record in kept)
    assert done.stderr.count(" candidates, ") == 4 - len(kept)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--compare", "mcts+judge=0.5"), "judge needs a language model"),
        (("--compare", "tree"), "begins with no policy"),
        (("--compare", "mcts", "--policy", "mcts"), "--policy contradicts --compare"),
        (("--seeds", "1-"), "--seeds 1-"),
        (("--seeds", "1", "--seed", 1), "--seed contradicts --seeds"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_bad_input(
    apr: Apr, data: Path, more: tuple[object, ...], said: str
) -> None:
    done = apr("bench", "humanevalfix", "--data", data, *more)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
