"""EQSPEC and EXSPEC write what transformers writes plainly at batch 1."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers")

from apr.serving.baselines.speculative import (  # noqa: E402
    Decoding,
    Goal,
    eqspec,
    exspec,
    model_drafter,
)
from support.tiny_model import save_tiny_model  # noqa: E402

NEW_TOKENS, BATCH = 16, 3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A target, and a draft model that is the same but for noise, so that it is right at times."""
    folder = save_tiny_model(tmp_path_factory.mktemp("models") / "target", "qwen2")
    load = transformers.AutoModelForCausalLM.from_pretrained
    target, draft = load(folder, dtype=torch.float32), load(folder, dtype=torch.float32)
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in draft.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=noise)
    return target, draft


def prompts() -> list[list[int]]:
    rng = Random(2)
    lengths = (2, 9, 9, 9, 30, 4, 9)
    return [[rng.randrange(256) for _ in range(length)] for length in lengths]


def plain(target: Any, prompt: list[int], ends: frozenset[int]) -> list[int]:
    """Greedy decoding, one text at a time."""
    (end,) = ends
    given = torch.tensor([prompt])
    whole = target.generate(
        given,
        attention_mask=torch.ones_like(given),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        eos_token_id=end,
        pad_token_id=end,
    )
    return whole[0, len(prompt) :].tolist()


@pytest.mark.parametrize("decode", [eqspec, exspec])
def test_published_methods_write_what_plain_decoding_writes(
    models: tuple[Any, Any], decode: Any
) -> None:
    target, draft = models
    ends = frozenset({plain(target, prompts()[1], frozenset({259}))[5]})
    expected = [plain(target, prompt, ends) for prompt in prompts()]
    decoding = Decoding(target, model_drafter(draft), Goal(NEW_TOKENS, ends, draft_length=4))
    assert decode(decoding, prompts(), BATCH) == expected
    assert min(map(len, expected)) < NEW_TOKENS
    assert 0 < decoding.counts.accepted < decoding.counts.drafted
    assert decoding.counts.grouped <= decoding.counts.steps


@pytest.mark.parametrize("decode", [eqspec, exspec])
def test_wrong_drafts_cost_time_and_no_token(models: tuple[Any, Any], decode: Any) -> None:
    target, _ = models
    ends = frozenset({259})
    goal = Goal(NEW_TOKENS, ends, draft_length=3)
    wrong = Decoding(target, lambda texts, count: [[7] * count for _ in texts], goal)
    assert decode(wrong, prompts(), BATCH) == [plain(target, one, ends) for one in prompts()]
