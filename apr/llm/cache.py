"""Replies kept by content: what was asked before with the same seed costs nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict

from apr.core.errors import BudgetExhaustedError
from apr.core.model import (
    Answer,
    Arrived,
    ModelClient,
    ModelReply,
    ModelRequest,
    ReplyStore,
    TokenUsage,
)

NO_REPLY = ModelReply(())


class CachingClient:
    """A `ModelClient` in front of another one.

    The key is the SHA-256 of `scope` (the endpoint's address), the model's name and the request.
    Requests without a seed and with a temperature are meant to differ each time and pass through.
    A reply is kept as soon as it is there, so that no interruption makes it be paid for twice.
    `asked` and `answered` count requests, and those among them that the store could answer.
    """

    def __init__(self, client: ModelClient, store: ReplyStore, scope: str) -> None:
        self.name = client.name
        self.asked = 0
        self.answered = 0
        self._client = client
        self._store = store
        self._scope = scope

    def complete(
        self, requests: Sequence[ModelRequest], arrived: Arrived | None = None
    ) -> list[ModelReply]:
        """See `ModelClient.complete`; equal requests of one call are asked for once."""
        keys: list[Hashable] = [
            self._key(request) or position for position, request in enumerate(requests)
        ]
        replies = {key: reply for key in keys if (reply := self._load(key)) is not None}
        self.asked += len(keys)
        self.answered += sum(key in replies for key in keys)
        missing = {
            key: request for key, request in zip(keys, requests, strict=True) if key not in replies
        }
        replies |= self._ask(missing, has_others=bool(replies))
        if arrived is not None:
            for position, key in enumerate(keys):
                arrived(position, replies[key])
        return [replies[key] for key in keys]

    def _ask(
        self, missing: Mapping[Hashable, ModelRequest], *, has_others: bool
    ) -> dict[Hashable, ModelReply]:
        if not missing:
            return {}
        keys = list(missing)

        def keep(position: int, reply: ModelReply) -> None:
            key = keys[position]
            if isinstance(key, str) and reply.answers:
                self._store.save_reply(key, encode_reply(reply))

        try:
            replies = self._client.complete(list(missing.values()), keep)
        except BudgetExhaustedError:
            if not has_others:
                raise
            replies = [NO_REPLY] * len(keys)
        return dict(zip(keys, replies, strict=True))

    def _key(self, request: ModelRequest) -> str | None:
        if request.sampling.seed is None and request.sampling.temperature > 0:
            return None
        text = f"{self._scope}\0{self.name}\0{request.digest}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _load(self, key: Hashable) -> ModelReply | None:
        data = self._store.load_reply(key) if isinstance(key, str) else None
        return None if data is None else decode_reply(data)


def encode_reply(reply: ModelReply) -> bytes:
    """A reply as JSON."""
    return json.dumps(asdict(reply), ensure_ascii=True).encode()


def decode_reply(data: bytes) -> ModelReply | None:
    """The inverse of `encode_reply`, marked as taken from the cache and free of charge.

    None for what another version has written.
    """
    try:
        document = json.loads(data)
        answers = tuple(Answer(**answer) for answer in document["answers"])
        usage = TokenUsage(**document["usage"])
    except (ValueError, KeyError, TypeError):
        return None
    return ModelReply(answers, usage, from_cache=True)
