"""How likely tokens were, in the two forms that OpenAI's protocol has for it."""

from __future__ import annotations

from collections.abc import Sequence as Listing
from typing import Any

from apr.serving.sequence import Odds
from apr.serving.weights.vocabulary import Vocabulary

LEAST = -9999.0  # stands for what JSON has no number for, as with OpenAI


def chat_odds(odds: Listing[Odds], vocabulary: Vocabulary) -> dict[str, Any]:
    """The field `logprobs` of a chat's choice."""

    def described(token: int, logarithm: float) -> dict[str, Any]:
        piece = vocabulary.piece(token)
        text = piece.decode("utf-8", "replace")
        return {"token": text, "logprob": max(logarithm, LEAST), "bytes": list(piece)}

    return {
        "content": [
            described(one.token, one.logarithm)
            | {"top_logprobs": [described(*pair) for pair in one.likeliest]}
            for one in odds
        ],
        "refusal": None,
    }


def text_odds(odds: Listing[Odds], vocabulary: Vocabulary, before: int) -> dict[str, Any]:
    """The field `logprobs` of a completion's choice; `before`: the characters already told of."""
    found: dict[str, Any] = {
        "tokens": [vocabulary.text([one.token]) for one in odds],
        "token_logprobs": [max(one.logarithm, LEAST) for one in odds],
        "top_logprobs": [
            {vocabulary.text([token]): max(value, LEAST) for token, value in one.likeliest}
            for one in odds
        ],
        "text_offset": [],
    }
    for token in found["tokens"]:
        found["text_offset"].append(before)
        before += len(token)
    return found
