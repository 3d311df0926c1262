"""How likely the chosen tokens were: the model's own numbers, whatever else is asked for."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

from apr.serving.engine import Engine
from apr.serving.network import Decoder
from apr.serving.sequence import Sampling, Sequence
from apr.serving.slots import Passage, SlotCache
from apr.serving.weights.checkpoint import Checkpoint
from support.wild_drafts import WildDrafts, write_plainly

PROMPT = tuple(range(60, 90))
ODDS = ((0, 3), (1, None))


def recompute(decoder: Decoder, tokens: tuple[int, ...]) -> torch.Tensor:
    """The log-probabilities of what follows each token, from one pass over all of them."""
    cache = SlotCache(decoder.shape, 1, len(tokens), decoder.device, decoder.dtype)
    with torch.inference_mode():
        hidden = decoder.hidden(torch.tensor([tokens]), Passage(cache, 0, 0, len(tokens)))
        return decoder.logits(hidden)[0].float().log_softmax(-1)


@pytest.mark.parametrize("is_drafted", [False, True])
@pytest.mark.parametrize("hot", [{"temperature": 0.0}, {"temperature": 1.3, "top_p": 0.8}])
def test_odds_are_those_of_one_pass_over_the_whole_text(
    decoder: Decoder, checkpoint: Checkpoint, hot: dict[str, Any], is_drafted: bool
) -> None:
    pair = [Sequence(PROMPT, Sampling(20, seed=5 + i, odds=odds, **hot)) for i, odds in ODDS]
    truth = write_plainly(Engine(decoder, checkpoint.vocabulary, 1, 128), pair)
    texts = dict(zip(pair, truth, strict=True))
    end = checkpoint.vocabulary.ends[0]
    wild = WildDrafts(Random(1), decoder.shape.vocabulary, end, texts)
    Engine(decoder, checkpoint.vocabulary, 2, 128, wild if is_drafted else None).run(pair)
    asked, other = pair
    assert asked.tokens == truth[0]
    expected = recompute(decoder, (*PROMPT, *asked.tokens))[len(PROMPT) - 1 :]
    ends = set(checkpoint.vocabulary.ends)
    written = [token for token in asked.tokens if token not in ends]
    assert [one.token for one in asked.odds] == written
    for row, one in zip(expected, asked.odds, strict=False):
        assert one.logarithm == pytest.approx(row[one.token].item(), abs=1e-4)
        assert [value for _, value in one.likeliest] == pytest.approx(
            row.topk(3).values.tolist(), abs=1e-4
        )
        assert [row[token].item() for token, _ in one.likeliest] == pytest.approx(
            row.topk(3).values.tolist(), abs=1e-4
        )
    assert other.odds == []
