"""What a benchmark has to run, in which order, and where the records lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.bench.records import BugRecord, Protocol
from apr.cli.trials import make_protocols, open_plan, parse_seeds, record_name
from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import BadInputError
from apr.core.run import Budget
from apr.datasets.dataset import Dataset
from apr.settings import RunSettings

SETTINGS, BUDGET = RunSettings(sandbox="process"), Budget(100, 5.0)
COMMAND = TestCommand(RunnerKind.PYTEST)
DATASET = Dataset("tiny", tuple(Bug("/nowhere", COMMAND, name=name) for name in ("gcd", "lis")))


@pytest.mark.parametrize(
    ("text", "seeds"), [("7", (7,)), ("0,1,2", (0, 1, 2)), ("0-2, 9", (0, 1, 2, 9)), ("4-4", (4,))]
)
def test_seeds_are_a_list_of_numbers_and_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "3-1", "0-100000", "1,1", "0-3,2", "1.5"])
def test_nonsense_is_no_seed(text: str) -> None:
    with pytest.raises(BadInputError, match="--seeds"):
        parse_seeds(text)


def test_every_variant_is_run_with_every_seed() -> None:
    protocols = make_protocols(SETTINGS, BUDGET, "mcts,enumerate", (0, 3))
    found = [(each.variant, each.settings.policy, each.seed) for each in protocols]
    assert found == [
        ("mcts", "mcts", 0),
        ("mcts", "mcts", 3),
        ("enumerate", "enumerate", 0),
        ("enumerate", "enumerate", 3),
    ]
    assert [each.variant for each in make_protocols(SETTINGS, BUDGET, None, (0, 3))] == ["", ""]


def test_what_is_missing_is_run_seed_by_seed_and_bug_by_bug(tmp_path: Path) -> None:
    protocols = make_protocols(SETTINGS, BUDGET, "mcts,enumerate", (0, 1))
    plan = open_plan(DATASET, protocols, tmp_path, (), apart=True)
    order = [(t.protocol.seed, t.bug.name, t.protocol.variant) for t in plan.missing]
    assert order[:4] == [
        (0, "gcd", "mcts"),
        (0, "gcd", "enumerate"),
        (0, "lis", "mcts"),
        (0, "lis", "enumerate"),
    ]
    assert (len(order), plan.total, plan.done) == (8, 8, 0)
    plan.keep(plan.missing[0], BugRecord("gcd", "plausible"))
    plan.keep(plan.missing[0], BugRecord("gcd", "error"))
    again = open_plan(DATASET, protocols, tmp_path, (), apart=True)
    assert (len(again.missing), again.done) == (7, 2)  # an error is recorded, and tried again


def test_each_variant_and_seed_has_a_file_of_its_own(tmp_path: Path) -> None:
    protocols = make_protocols(SETTINGS, BUDGET, "mcts+depth=2,enumerate", (0, 1))
    names = [record_name("tiny", protocol) for protocol in protocols]
    assert names[0] == "tiny.mcts+depth=2.seed-0.jsonl"
    assert len(set(names)) == 4
    odd = Protocol(SETTINGS, BUDGET, 0, "mcts+model=org/name")
    assert record_name("tiny", odd) == "tiny.mcts+model=org_name.seed-0.jsonl"


def test_trials_are_the_records_by_variant_and_seed() -> None:
    protocols = make_protocols(SETTINGS, BUDGET, "mcts", (0, 1))
    plan = open_plan(DATASET, protocols, None, (), apart=True)
    for task in plan.missing:
        plan.keep(task, BugRecord(task.bug.name, "none", candidates=task.protocol.seed))
    (trials,) = plan.trials()
    assert trials.variant == "mcts"
    assert {seed: r["lis"].candidates for seed, r in trials.records.items()} == {0: 0, 1: 1}
