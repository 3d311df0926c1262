"""The model is T5, packing changes nothing, and it comes back whole from its pieces."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from apr.core.errors import BadInputError
from apr.training.batches import Repairs, Room, pack, plan_rows
from apr.training.commands import main
from apr.training.corpus import load_fixes
from apr.training.export import MANIFEST, export, join, load_folder, save_folder
from apr.training.loop import Plan, train
from apr.training.t5 import T5, Shape
from support.tiny_training import ROOM, SHAPE


def tensors(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def pairs(count: int, length: int = 40) -> list[Any]:
    random = np.random.default_rng(3)
    return [(random.integers(120, 200, length), random.integers(120, 200, 9)) for _ in range(count)]


@pytest.mark.parametrize("gated", [True, False])
def test_the_loss_is_that_of_transformers(gated: bool, tmp_path: Path, tokenizer: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = T5(replace(SHAPE, gated=gated))
    save_folder(model, tokenizer, tmp_path)
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    batch = tensors(pack([pairs(1, 150)], Room(1, 151, 10)))
    loss, _ = model(batch)
    same = theirs(
        input_ids=batch["source"].long(),
        decoder_input_ids=batch["inputs"].long(),
        labels=batch["labels"].long(),
    )
    assert float(loss.detach()) / 10 == pytest.approx(float(same.loss.detach()), rel=1e-4)
    again = load_folder(tmp_path)
    assert again.shape == model.shape
    assert torch.equal(again.shared.weight, model.shared.weight)


def test_examples_of_one_row_do_not_see_each_other() -> None:
    model, both = T5(SHAPE), pairs(2)
    packed, _ = model(tensors(pack([both], Room(1, 100, 32))))
    alone = sum(float(model(tensors(pack([[one]], Room(1, 100, 32))))[0].detach()) for one in both)
    assert float(packed.detach()) == pytest.approx(alone, rel=1e-5)


def test_an_epoch_has_every_example_and_mined_ones_more_often(data: Path) -> None:
    fixes = load_fixes(data, "train")
    rows = plan_rows(fixes, ROOM, seed=0, weight=3)
    seen = np.bincount([example for row in rows for example in row])
    assert set(seen[fixes.facts[:, 1] == 1]) == {1}
    assert set(seen[fixes.facts[:, 1] == 0]) == {3}
    for row in rows:
        assert (fixes.lengths[row].astype(int) + 1).sum(axis=0).tolist() <= [
            ROOM.source,
            ROOM.target,
        ]


def test_a_batch_is_a_function_of_its_number(data: Path) -> None:
    fixes = load_fixes(data, "train")
    one, other = Repairs(fixes, ROOM, seed=5), Repairs(fixes, ROOM, seed=5)
    other.batch(0)
    assert all((one.batch(7)[name] == other.batch(7)[name]).all() for name in one.batch(7))
    assert (one.batch(7)["source"] != one.batch(8)["source"]).any()


def test_more_tokens_than_two_bytes_count_are_found(data: Path) -> None:
    fixes = load_fixes(data, "train")
    wide = replace(fixes, starts=fixes.starts + 70_000, tokens=np.tile(fixes.tokens, 100))
    assert len(wide.pair(39)[1]) == 3


@pytest.mark.parametrize("precision, error", [("float32", 0.0), ("float16", 1e-3), ("int8", 2e-2)])
def test_a_model_comes_back_from_its_pieces(
    make_plan: Callable[..., Plan],
    make_model: Callable[[], T5],
    tmp_path: Path,
    precision: str,
    error: float,
) -> None:
    plan = make_plan("run", steps=1)
    train(plan, make_model)
    manifest = export(plan.output, tmp_path / "out", precision)
    model, again = join(tmp_path / "out")
    trained, _ = join_float(plan, tmp_path)
    assert manifest == again and again["parameters"] == sum(p.numel() for p in model.parameters())
    for name, weight in trained.state_dict().items():
        worst = weight.abs().max() * error
        assert (model.state_dict()[name] - weight).abs().max() <= worst, name


def join_float(plan: Plan, tmp_path: Path) -> tuple[T5, dict[str, Any]]:
    export(plan.output, tmp_path / "float", "float32")
    return join(tmp_path / "float")


def test_a_spoilt_piece_is_refused(
    make_plan: Callable[..., Plan], make_model: Callable[[], T5], tmp_path: Path
) -> None:
    plan = make_plan("run", steps=1)
    train(plan, make_model)
    (name,) = export(plan.output, tmp_path / "out")["pieces"]
    piece = tmp_path / "out" / name
    piece.write_bytes(piece.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInputError, match="do not belong together"):
        join(tmp_path / "out")


def test_a_folder_of_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bart"}))
    with pytest.raises(BadInputError, match="holds a bart"):
        load_folder(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_trained_model_searches_on_the_cpu(
    make_plan: Callable[..., Plan], tmp_path: Path, tokenizer: Path
) -> None:
    pytest.importorskip("ctranslate2")
    pytest.importorskip("transformers")
    from apr.generation.seq2seq.model import load

    plan = make_plan("run", steps=1)
    train(plan, lambda: T5(Shape(400, 32, 2, 16, 48, 2, 2)))
    export(plan.output, tmp_path / "out")
    words = ["bundle", str(tmp_path / "out"), str(tokenizer), str(tmp_path / "bundle")]
    assert main(words) == 0
    model = load(tmp_path / "bundle", threads=1)
    assert model.facts.training["parameters"] > 0
    source = "<python><retrieved><before>def f(x):\n<buggy>    return x\n<after>"
    (guesses,) = model.search([source], beams=4)
    assert all(guess.score <= 0 for guess in guesses)


def test_exact_match_is_measured(
    make_plan: Callable[..., Plan], make_model: Callable[[], T5], data: Path, tokenizer: Path
) -> None:
    pytest.importorskip("transformers")
    from apr.training.evaluation import rank_of

    (data / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    plan = make_plan("run", steps=1)
    train(plan, make_model)
    result = data / "result.json"
    words = ["evaluate", str(plan.output), str(data), str(result), "--count", "3", "--beams", "2"]
    assert main(words) == 0
    document = json.loads(result.read_text())
    assert [row["examples"] for row in document["table"] if row["group"] == "all"] == [3]
    assert (data / MANIFEST).exists() is False
    assert rank_of(np.array([4, 5]), [[4], [4, 5]]) == 2
    assert rank_of(np.array([4, 5]), [[4], [5]]) is None
