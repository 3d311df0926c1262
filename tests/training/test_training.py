"""Training learns, goes on exactly where it was, and ends annealed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from apr.core.errors import BadInputError
from apr.training.checkpoint import load_checkpoint
from apr.training.commands import main
from apr.training.loop import LOG, Plan, train
from apr.training.schedule import Schedule, Sitting
from apr.training.t5 import T5

MakePlan = Callable[..., Plan]
MakeModel = Callable[[], T5]


def losses(plan: Plan) -> list[tuple[str, float]]:
    lines = (plan.output / LOG).read_text().splitlines()
    return [(line["phase"], line["loss"]) for line in map(json.loads, lines)]


def test_the_loss_falls_while_repairing(make_plan: MakePlan, make_model: MakeModel) -> None:
    plan = make_plan("one", steps=40, pretrain=0.0)
    train(plan, make_model)
    found = losses(plan)
    assert {phase for phase, _ in found} == {"repair"}
    assert found[-1][1] < 0.8 * found[0][1]


def test_two_sittings_are_the_same_as_one(make_plan: MakePlan, make_model: MakeModel) -> None:
    whole, parts = (
        make_plan("whole", steps=16, pretrain=0.5),
        make_plan("parts", steps=8, until=0.5),
    )
    train(whole, make_model)
    train(parts, make_model)
    half = load_checkpoint(parts.output)
    assert half is not None and half.progress.batches == {"pretrain": 8}
    rest = make_plan("parts", steps=8, pretrain=0.5)
    assert train(rest, make_model).batches == {"pretrain": 8, "repair": 8}
    one, other = load_checkpoint(whole.output), load_checkpoint(parts.output)
    assert one is not None and other is not None
    for name, weight in one.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name]), name
    assert losses(whole)[-1] == losses(rest)[-1]


def test_what_is_complete_is_not_trained_further(
    make_plan: MakePlan, make_model: MakeModel
) -> None:
    plan = make_plan("one", steps=1)
    train(plan, make_model)
    with pytest.raises(BadInputError, match=r"is at 1\.00 already"):
        train(plan, make_model)


def test_missing_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path), str(tmp_path / "out")]) == 2
    assert "holds no vocabulary.json" in capsys.readouterr().err


def test_a_sitting_ends_annealed_however_slow_it_is() -> None:
    schedule = Schedule(seconds=100, rate=1.0)
    for pace in (0.7, 9.0, 33.0):
        now = [0.0]
        sitting = Sitting(schedule, 0.0, lambda now=now: now[0])
        while not sitting.is_over:
            now[0] += pace
            sitting.step()
        assert now[0] < 100 + pace
        assert schedule.rate_at(sitting.reached) == pytest.approx(schedule.floor)


def test_compiling_is_no_progress() -> None:
    now = [0.0]
    sitting = Sitting(Schedule(seconds=100, until=0.5), 0.1, lambda: now[0])
    for seconds, reached in ((60.0, 0.1), (80.0, 0.3), (100.0, 0.5)):
        now[0] = seconds
        sitting.step()
        assert sitting.reached == pytest.approx(reached)
    assert sitting.is_over
