"""What a language model was asked and answered for a patch, kept beside its replies, for readers.

Kept by the bug, the seed, the model's settings and the patch: runs that are alike in these ask the
same questions. Like replies, those unused for longest are forgotten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from apr.core.bug import Bug
from apr.core.model import Message, ReplyStore, Role
from apr.settings import ModelSettings
from apr.storage import codec


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and the answer to it; one message of a user where the model continues a text."""

    prompt: tuple[Message, ...]
    answer: str


class ExchangeBook:
    """Writes down the exchanges of runs of one bug with one seed and model."""

    def __init__(self, store: ReplyStore, bug: Bug, seed: int, model: ModelSettings) -> None:
        self._store = store
        self._about = (bug, seed, model)

    def keep(self, patch_digest: str, prompt: Sequence[Message] | str, answer: str) -> None:
        """Keep what has led to a patch."""
        said = (Message(Role.USER, prompt),) if isinstance(prompt, str) else tuple(prompt)
        exchange = Exchange(said, answer)
        document = json.dumps(asdict(exchange), ensure_ascii=True).encode()
        self._store.save_reply(exchange_key(*self._about, patch_digest), document)


def exchange_key(bug: Bug, seed: int, model: ModelSettings, patch_digest: str) -> str:
    """SHA-256 in hexadecimal, apart from those of replies."""
    asked = codec.document_digest({"model": model.model_dump(mode="json"), "seed": seed})
    subject = codec.document_digest(codec.encode_bug(bug))
    return hashlib.sha256(f"exchange\0{subject}\0{asked}\0{patch_digest}".encode()).hexdigest()


def decode_exchange(document: bytes) -> Exchange | None:
    """An exchange as it was kept; None for what another version has written."""
    try:
        fields = json.loads(document)
        prompt = tuple(Message(Role(each["role"]), each["content"]) for each in fields["prompt"])
        return Exchange(prompt, fields["answer"])
    except (ValueError, KeyError, TypeError):
        return None
