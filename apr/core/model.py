"""Language models as the search sees them: requests, replies, and what they cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Protocol

from apr.core.run import Usage


class Role(StrEnum):
    """Who says a message of a chat."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model draws its answers.

    `n` answers of at most `max_tokens` tokens each. `seed` makes equal requests distinct (and
    reproducible, where the server honours it).
    """

    temperature: float = 0.95
    top_p: float = 1.0
    max_tokens: int = 1024
    n: int = 1
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is asked: a chat, or a text to be continued."""

    prompt: tuple[Message, ...] | str
    sampling: Sampling = Sampling()

    @property
    def prompt_bytes(self) -> int:
        """UTF-8 bytes of the prompt: no byte-level tokenizer makes more tokens of the text."""
        if isinstance(self.prompt, str):
            return len(self.prompt.encode("utf-8", "replace"))
        return sum(len(message.content.encode("utf-8", "replace")) for message in self.prompt)

    @property
    def digest(self) -> str:
        """SHA-256 of the request: equal requests have equal digests."""
        document = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(document.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one reply; `cached` are those of the prompt that the server had seen before.

    `is_estimate` says that the server did not count, so that bytes were divided instead.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    is_estimate: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Answer:
    """One sampled text; `finish_reason` is the server's (`stop`, `length`…)."""

    text: str
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class ModelReply:
    """The answers to one request, their tokens and price in US dollars.

    A reply from the cache cost nothing now: its `cost_usd` is 0, its `usage` what it once took.
    No answers: the budget had no room for this request, though it had for others beside it.
    """

    answers: tuple[Answer, ...]
    usage: TokenUsage = TokenUsage()
    cost_usd: float = 0.0
    from_cache: bool = False


Arrived = Callable[[int, ModelReply], None]
"""Told at once of every reply, with the position of its request; from any thread."""


class ModelClient(Protocol):
    """Answers requests; `name` is the model's, as shown to users and kept with each patch."""

    name: str

    def complete(
        self, requests: Sequence[ModelRequest], arrived: Arrived | None = None
    ) -> Sequence[ModelReply]:
        """One reply per request, in order; they are asked for side by side.

        An error is raised only when every request has come to an end, so that `arrived` has
        heard of all that was paid for.

        Raises:
            BudgetExhaustedError: when the caps of the run leave no room for any of them.
            ModelError: when the endpoint gives no usable reply in spite of retries.
            PromptTooLongError: when a prompt does not fit into the model's context.
            ModelRefusedError: when it knows neither the key nor the model.
        """
        ...


class Purse(Protocol):
    """A run's budget as a model client needs it; `apr.search.budget.BudgetMeter` is one."""

    @property
    def caps_money(self) -> bool:
        """Whether there is a limit in dollars."""
        ...

    def reserve(self, amount: Usage) -> None:
        """Raises BudgetExhaustedError when a cap would be overshot; nothing is taken then."""
        ...

    def settle(self, reserved: Usage, spent: Usage) -> None:
        """Replace a reservation by what it really cost."""
        ...


class ReplyStore(Protocol):
    """Keeps encoded replies by key, across runs."""

    def load_reply(self, key: str) -> bytes | None: ...

    def save_reply(self, key: str, reply: bytes) -> None: ...
