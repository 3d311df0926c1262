"""Finished benchmarks are read back from their files, and never mixed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from apr.bench.finished import load_trials
from apr.bench.records import BugRecord, Protocol, RecordFile
from apr.core.errors import BadInputError
from apr.core.run import Budget
from apr.settings import RunSettings

PLAIN = Protocol(RunSettings(policy="enumerate"), Budget(100, 5.0), 0)
TREE = Protocol(RunSettings(), Budget(100, 5.0), 0, "mcts+depth=2")
FIXED = BugRecord("gcd", "plausible", first_plausible=3)
FAILED = BugRecord("gcd", "none")


def write(path: Path, protocol: Protocol, *records: BugRecord) -> Path:
    file = RecordFile(path, protocol)
    for record in records:
        file.add(record)
    return path


def test_a_folder_holds_variants_by_name_and_seed(tmp_path: Path) -> None:
    write(tmp_path / "q.a.jsonl", TREE, FIXED)
    write(tmp_path / "q.b.jsonl", replace(TREE, seed=4), FAILED)
    write(tmp_path / "q.jsonl", PLAIN, FAILED, FIXED)
    trials, budget = load_trials([str(tmp_path)])
    assert budget == 100
    assert {each.variant: each.records for each in trials} == {
        "mcts+depth=2": {0: {"gcd": FIXED}, 4: {"gcd": FAILED}},
        "enumerate": {0: {"gcd": FIXED}},  # the last record of a bug counts
    }


def test_labels_tell_equal_variants_apart(tmp_path: Path) -> None:
    before = write(tmp_path / "before" / "q.jsonl", PLAIN, FAILED)
    after = write(tmp_path / "after" / "q.jsonl", PLAIN, FIXED)
    with pytest.raises(BadInputError, match="both hold gcd of enumerate, seed 0"):
        load_trials([str(before), str(after)])
    trials, _ = load_trials([f"old={before}", f"new={after.parent}"])
    assert [(each.variant, each.records[0]["gcd"]) for each in trials] == [
        ("old", FAILED),
        ("new", FIXED),
    ]


def test_bugs_of_several_benchmarks_are_one_set(tmp_path: Path) -> None:
    write(tmp_path / "quixbugs.x.jsonl", PLAIN, FIXED)
    write(tmp_path / "humanevalfix.x.jsonl", PLAIN, FAILED)
    (trials,), _ = load_trials([str(tmp_path)])
    assert sorted(trials.records[0]) == ["humanevalfix/gcd", "quixbugs/gcd"]


def test_a_line_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", PLAIN, FIXED)
    path.write_text(path.read_text() + '{"record": {"bug": "lis"')
    (trials,), _ = load_trials([str(path)])
    assert list(trials.records[0]) == ["gcd"]


def test_what_cannot_be_compared_is_bad_input(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", PLAIN, FIXED)
    write(tmp_path / "r.jsonl", replace(PLAIN, budget=Budget(200, 5.0)), FIXED)
    with pytest.raises(BadInputError, match="one budget of candidates compare, not 100, 200"):
        load_trials([str(tmp_path)])
    with pytest.raises(BadInputError, match=r"there is no .*nowhere"):
        load_trials([str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="holds no benchmark records"):
        load_trials([str(tmp_path / "empty")])
    (tmp_path / "r.jsonl").write_text("{}\n")
    with pytest.raises(BadInputError, match="no benchmark record"):
        load_trials([str(tmp_path / "r.jsonl")])
