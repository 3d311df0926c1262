"""From a request to the sequences that answer it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence as Listing
from dataclasses import dataclass

from apr.core.errors import BadInputError
from apr.serving.http.schemas import MOST_STOPS, AnyRequest, ChatRequest, CompletionRequest
from apr.serving.sequence import Sampling, Sequence
from apr.serving.weights.vocabulary import Vocabulary

SEED_STEP = 0x9E3779B97F4A7C15
WRAP = 1 << 64


@dataclass(frozen=True, slots=True)
class Order:
    """Prompts and the sequences to be written, `n` to each prompt, in the order of the choices."""

    prompts: tuple[tuple[int, ...], ...]
    sequences: tuple[Sequence, ...]


def order_chat(request: ChatRequest, vocabulary: Vocabulary, length: int) -> Order:
    """What a conversation asks for.

    Raises:
        BadInputError: when it makes no sense, or does not fit.
    """
    messages = [{"role": message.role, "content": message.text} for message in request.messages]
    prompt = vocabulary.encode(vocabulary.render_chat(messages), is_rendered=True)
    return _order(request, [prompt], request.max_completion_tokens or request.max_tokens, length)


def order_completion(request: CompletionRequest, vocabulary: Vocabulary, length: int) -> Order:
    """What a text asks for.

    Raises:
        BadInputError: when it makes no sense, or does not fit.
    """
    prompts = [
        vocabulary.encode(given) if isinstance(given, str) else given
        for given in _separate(request.prompt)
    ]
    return _order(request, prompts, request.max_tokens, length)


def _separate(prompt: str | list[str] | list[int] | list[list[int]]) -> list[str | list[int]]:
    """The prompts in a field that may hold one or several."""
    if isinstance(prompt, str):
        return [prompt]
    if prompt and isinstance(prompt[0], int):
        return [[token for token in prompt if isinstance(token, int)]]
    return [one for one in prompt if not isinstance(one, int)]


def _order(
    request: AnyRequest, prompts: Listing[Listing[int]], wanted: int | None, length: int
) -> Order:
    if len(request.stops) > MOST_STOPS:
        raise BadInputError(
            f"{len(request.stops)} stop strings are given, the most is {MOST_STOPS}"
        )
    if not prompts or not all(prompts):
        raise BadInputError("the prompt is empty")
    seed = secrets.randbits(63) if request.seed is None else request.seed
    sequences = [
        Sequence(
            tuple(prompt),
            _sampling(request, room, seed, i),
            is_streamed=request.stream,
            family=request.prompt_cache_key,
        )
        for prompt in prompts
        for room in [_room(len(prompt), wanted, length)]
        for i in range(request.answers)
    ]
    return Order(
        tuple(sequence.prompt for sequence in sequences[:: request.answers]), tuple(sequences)
    )


def _room(prompt: int, wanted: int | None, length: int) -> int:
    """How many tokens an answer gets.

    Raises:
        BadInputError: when prompt and answer are longer than the server's slots.
    """
    room = length - prompt
    if room < 1 or (wanted or 1) > room:
        asked = "" if wanted is None else f" and {wanted} of the answer"
        raise BadInputError(
            f"{prompt} tokens of the prompt{asked} exceed the context length of {length} tokens"
        )
    return wanted or room


def _sampling(request: AnyRequest, room: int, seed: int, index: int) -> Sampling:
    """The sampling of answer `index`; each has a seed of its own, the first the given one."""
    own = (seed + index * SEED_STEP) % WRAP
    return Sampling(
        max_tokens=room,
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        seed=own - WRAP if own >= WRAP // 2 else own,
        stop=request.stops,
        presence_penalty=request.presence_penalty or 0.0,
        frequency_penalty=request.frequency_penalty or 0.0,
        odds=request.odds,
    )
