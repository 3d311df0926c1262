"""Answers in the words of OpenAI's protocol: whole, or piece by piece."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence as Listing
from dataclasses import dataclass, field
from typing import Any

from apr.serving.sequence import Event, Finish, Sequence


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all pieces of one reply have in common."""

    model: str
    is_chat: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(
        self, texts: Listing[str], finishes: Listing[Finish], usage: object
    ) -> dict[str, Any]:
        """The reply at once."""
        choices = [
            self._choice(i, finish, **self._said(text, "message"))
            for i, (text, finish) in enumerate(zip(texts, finishes, strict=True))
        ]
        return self._wrap(choices, is_piece=False) | {"usage": usage}

    def opening(self, index: int) -> str:
        """The first piece of a chat's answer: who speaks."""
        delta = {"role": "assistant", "content": ""}
        return self._line([self._choice(index, None, delta=delta)])

    def piece(self, index: int, event: Event) -> str:
        """A piece of an answer."""
        said = self._said(event.text, "delta")
        return self._line([self._choice(index, event.finish, **said)])

    def closing(self, usage: object) -> str:
        """The piece that tells the tokens used."""
        return _event(self._wrap([], is_piece=True) | {"usage": usage})

    def _said(self, text: str, name: str) -> dict[str, Any]:
        if not self.is_chat:
            return {"text": text}
        role = {"role": "assistant"} if name == "message" else {}
        return {name: {**role, "content": text}}

    def _choice(self, index: int, finish: Finish | None, **said: Any) -> dict[str, Any]:
        return {"index": index, **said, "logprobs": None, "finish_reason": finish}

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
