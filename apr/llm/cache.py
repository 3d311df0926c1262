"""Replies kept by content: what was asked before with the same seed costs nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from apr.core.model import Answer, ModelClient, ModelReply, ModelRequest, ReplyStore, TokenUsage


class CachingClient:
    """A `ModelClient` in front of another one.

    The key is the SHA-256 of `scope` (the endpoint's address), the model's name and the request.
    Requests without a seed and with a temperature are meant to differ each time and pass through.
    """

    def __init__(self, client: ModelClient, store: ReplyStore, scope: str) -> None:
        self.name = client.name
        self._client = client
        self._store = store
        self._scope = scope

    def complete(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """See `ModelClient.complete`; equal requests of one call are asked for once."""
        keys = [self._key(request) for request in requests]
        known = {key: self._load(key) for key in keys if key is not None}
        missing: dict[object, ModelRequest] = {}
        for position, (key, request) in enumerate(zip(keys, requests, strict=True)):
            if key is None or known[key] is None:
                missing.setdefault(position if key is None else key, request)
        fresh = dict(zip(missing, self._ask(missing), strict=True))
        replies: list[ModelReply] = []
        for position, key in enumerate(keys):
            reply = None if key is None else known[key]
            replies.append(reply or fresh[position if key is None else key])
        return replies

    def _ask(self, missing: dict[object, ModelRequest]) -> list[ModelReply]:
        if not missing:
            return []
        replies = list(self._client.complete(list(missing.values())))
        for key, reply in zip(missing, replies, strict=True):
            if isinstance(key, str):
                self._store.save_reply(key, encode_reply(reply))
        return replies

    def _key(self, request: ModelRequest) -> str | None:
        if request.sampling.seed is None and request.sampling.temperature > 0:
            return None
        text = f"{self._scope}\0{self.name}\0{request.digest}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _load(self, key: str) -> ModelReply | None:
        data = self._store.load_reply(key)
        return None if data is None else decode_reply(data)


def encode_reply(reply: ModelReply) -> bytes:
    """A reply as JSON."""
    return json.dumps(asdict(reply), ensure_ascii=True).encode()


def decode_reply(data: bytes) -> ModelReply:
    """The inverse of `encode_reply`, marked as taken from the cache and free of charge."""
    document = json.loads(data)
    reply = ModelReply(
        answers=tuple(Answer(**answer) for answer in document["answers"]),
        usage=TokenUsage(**document["usage"]),
    )
    return replace(reply, from_cache=True)
