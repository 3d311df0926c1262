"""Which of the protocol's options an endpoint takes: servers refuse what they do not know."""

from __future__ import annotations

import re
from typing import Any

from apr.core.model import ModelRequest

LENGTH, LENGTH_NOW = "max_tokens", "max_completion_tokens"
_OPTIONAL = frozenset(
    {"seed", "top_p", "stop", "n", "presence_penalty", "frequency_penalty", "temperature"}
    | {"stream_options"}
)


class Dialect:
    """Learns from refusals; what an endpoint has refused once it is not sent again."""

    def __init__(self) -> None:
        self._refused: set[str] = set()
        self._length = LENGTH

    def refuse(self, name: str) -> None:
        """Do not send this option again."""
        self._refused.add(name)

    def takes(self, name: str) -> bool:
        """Whether the option has not been refused yet."""
        return name not in self._refused

    def translate(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options that this endpoint is known or hoped to take, under its names."""
        kept = {name: value for name, value in options.items() if name not in self._refused}
        if self._length in kept or LENGTH not in kept:
            return kept
        length = kept.pop(LENGTH)
        return kept | {self._length: length}

    def learn(self, options: dict[str, Any], message: str, named: str | None) -> bool:
        """Whether a refusal of `options` can be avoided the next time.

        `named` is the parameter that the server says it is about, if it says so.
        """
        if self._length == LENGTH and LENGTH in options and LENGTH_NOW in message:
            self._length = LENGTH_NOW
            return True
        news = {
            name
            for name in _OPTIONAL & options.keys() - self._refused
            if name == named or _mentions(message, name)
        }
        self._refused |= news
        return bool(news)


def _mentions(message: str, name: str) -> bool:
    """Whether a sentence is about the option; one letter must stand in quotation marks."""
    quoted = rf"""['"`]{name}['"`]"""
    pattern = quoted if len(name) == 1 else rf"(?<![\w-]){name}(?![\w-])"
    return re.search(pattern, message) is not None


def make_options(request: ModelRequest, model: str, *, stream: bool) -> dict[str, Any]:
    """The sampling as the protocol has it; what is at its default is left to the server."""
    sampling = request.sampling
    options: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        LENGTH: sampling.max_tokens,
    }
    wanted = {
        "top_p": (sampling.top_p, 1.0),
        "n": (sampling.n, 1),
        "stop": (list(sampling.stop), []),
        "presence_penalty": (sampling.presence_penalty, 0.0),
        "frequency_penalty": (sampling.frequency_penalty, 0.0),
        "seed": (sampling.seed, None),
        "stream": (stream, False),
    }
    options |= {name: value for name, (value, default) in wanted.items() if value != default}
    return options | ({"stream_options": {"include_usage": True}} if stream else {})
