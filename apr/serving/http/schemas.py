"""What clients may ask: the part of OpenAI's protocol that a decoder can answer.

Unknown fields are ignored, as clients send many that change nothing here.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, model_validator

from apr.serving.sampling import MOST_ALTERNATIVES

MOST_ANSWERS = 1024
MOST_STOPS = 16


class StreamOptions(BaseModel):
    """How a stream ends."""

    include_usage: bool = False
    """Whether a last piece tells the tokens used."""


class AnyRequest(BaseModel):
    """What both kinds of request share."""

    model: str = ""
    """Must be the model that is served, if given."""

    n: int | None = Field(default=None, ge=1, le=MOST_ANSWERS)
    """Answers to the same prompt; None: 1."""

    temperature: float | None = Field(default=None, ge=0, le=10)
    """0 takes the likeliest token; None: 1."""

    top_p: float | None = Field(default=None, gt=0, le=1)
    """Only the likeliest tokens that together reach this probability; None: all."""

    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    """The same seed gives the same answers; None: drawn at random."""

    stop: str | list[str] | None = None
    """Strings that end an answer, and are no part of it."""

    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Taken from the score of every token already in the answer; None: 0."""

    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Taken from a token's score for each time it is in the answer; None: 0."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Length of an answer; None: as long as fits."""

    stream: bool = False
    """Whether the answer comes piece by piece, as server-sent events."""

    stream_options: StreamOptions | None = None

    @property
    def odds(self) -> int | None:
        """How many of the likeliest tokens are to be told beside each chosen one; None: nothing."""
        return None

    prompt_cache_key: str = ""
    """Requests of one key, such as a bug, copy from each other's answers; "": those of equal
    prompt. It decides the speed, never the text."""

    @property
    def answers(self) -> int:
        """How many answers are wanted."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings; empty ones would end everything."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(word for word in given if word)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the tokens used."""
        return self.stream_options is not None and self.stream_options.include_usage


class Message(BaseModel):
    """One turn of a conversation."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The content; of parts, the text."""
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content)
        return self.content or ""


class ChatRequest(AnyRequest):
    """`POST /v1/chat/completions`."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    """The newer name of `max_tokens`."""

    logprobs: bool | None = None
    """Whether each token's log-probability is told."""

    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_ALTERNATIVES)
    """How many of the likeliest tokens are told beside each one."""

    @model_validator(mode="after")
    def _check(self) -> ChatRequest:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs to be true")
        return self

    @property
    def odds(self) -> int | None:
        """See `AnyRequest`."""
        return (self.top_logprobs or 0) if self.logprobs else None


class CompletionRequest(AnyRequest):
    """`POST /v1/completions`: text, token ids, or several of either."""

    prompt: str | list[str] | list[int] | list[list[int]]
    echo: bool = False
    """Whether an answer begins with its prompt."""

    logprobs: int | None = Field(default=None, ge=0, le=MOST_ALTERNATIVES)
    """Tells each token's log-probability, and those of so many of the likeliest."""

    @model_validator(mode="after")
    def _check(self) -> CompletionRequest:
        if self.echo and self.logprobs is not None:
            raise ValueError(
                "a prompt's tokens are not weighed: echo and logprobs exclude each other"
            )
        return self

    @property
    def odds(self) -> int | None:
        """See `AnyRequest`."""
        return self.logprobs
