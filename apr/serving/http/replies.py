"""Answers in the words of OpenAI's protocol: whole, or piece by piece."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass, field
from typing import Any

from apr.serving.http.odds import chat_odds, text_odds
from apr.serving.sequence import Event, Finish, Odds, Sequence
from apr.serving.weights.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all pieces of one reply have in common."""

    model: str
    vocabulary: Vocabulary
    is_chat: bool
    is_echo: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, texts: Mapping[Sequence, str], usage: object) -> dict[str, Any]:
        """The reply at once."""
        choices = []
        for i, (sequence, text) in enumerate(texts.items()):
            said = self._said(self._echo(sequence) + text, "message")
            finish = sequence.finish or Finish.CANCELLED
            odds = self._odds(sequence, sequence.odds, 0)
            choices.append(self._choice(i, finish, odds, **said))
        return self._wrap(choices, is_piece=False) | {"usage": usage}

    def openings(self, sequences: Listing[Sequence]) -> str:
        """What comes before the first piece of all answers: who speaks, or the prompt's echo."""
        said: list[dict[str, Any]]
        if self.is_chat:
            said = [{"delta": {"role": "assistant", "content": ""}} for _ in sequences]
        else:
            said = [{"text": echo} for one in sequences if (echo := self._echo(one))]
        return "".join(self._line([self._choice(i, None, **one)]) for i, one in enumerate(said))

    def piece(self, index: int, event: Event) -> str:
        """A piece of an answer."""
        said = self._said(event.text, "delta")
        odds = self._odds(event.sequence, event.odds, event.told)
        return self._line([self._choice(index, event.finish, odds, **said)])

    def closing(self, usage: object) -> str:
        """The piece that tells the tokens used."""
        return _event(self._wrap([], is_piece=True) | {"usage": usage})

    def _said(self, text: str, name: str) -> dict[str, Any]:
        if not self.is_chat:
            return {"text": text}
        role = {"role": "assistant"} if name == "message" else {}
        return {name: {**role, "content": text}}

    def _echo(self, sequence: Sequence) -> str:
        return self.vocabulary.text(sequence.prompt) if self.is_echo else ""

    def _odds(self, sequence: Sequence, fresh: Listing[Odds], told: int) -> dict[str, Any] | None:
        if sequence.sampling.odds is None:
            return None
        if self.is_chat:
            return chat_odds(fresh, self.vocabulary)
        earlier = (self.vocabulary.text([one.token]) for one in sequence.odds[:told])
        return text_odds(fresh, self.vocabulary, sum(map(len, earlier)))

    def _choice(
        self, index: int, finish: Finish | None, odds: object = None, **said: Any
    ) -> dict[str, Any]:
        return {"index": index, **said, "logprobs": odds, "finish_reason": finish}

    def _line(self, choices: list[dict[str, Any]]) -> str:
        return _event(self._wrap(choices, is_piece=True))

    def _wrap(self, choices: list[dict[str, Any]], *, is_piece: bool) -> dict[str, Any]:
        chat = "chat.completion.chunk" if is_piece else "chat.completion"
        return {
            "id": f"{'chatcmpl' if self.is_chat else 'cmpl'}-{self.id}",
            "object": chat if self.is_chat else "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


DONE = "data: [DONE]\n\n"


def failed_piece(message: str, kind: str) -> str:
    """The last piece of a stream that breaks off."""
    return _event(failure(message, kind))


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document)}\n\n"


def count_usage(prompts: Listing[Listing[int]], sequences: Listing[Sequence]) -> dict[str, Any]:
    """Tokens of the prompts, each counted once however many answers it gets, and of the answers."""
    prompt = sum(map(len, prompts))
    completion = sum(len(sequence.tokens) for sequence in sequences)
    step = len(sequences) // len(prompts)
    cached = sum(sequence.cached_tokens for sequence in sequences[::step])
    accepted = sum(sequence.accepted for sequence in sequences)
    drafted = sum(sequence.drafted for sequence in sequences)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {
            "accepted_prediction_tokens": accepted,
            "rejected_prediction_tokens": drafted - accepted,
        },
    }


def failure(message: str, kind: str) -> dict[str, Any]:
    """An error, as clients expect it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
