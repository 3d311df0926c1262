"""Drafts of every good and bad kind, and a driver that submits and cancels in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random

from apr.serving.drafts.desk import Plan
from apr.serving.engine import Engine
from apr.serving.sequence import Sampling, Sequence

KINDS = ("none", "random", "wrong", "oracle", "half", "end", "short")
Texts = Mapping[Sequence, list[int]]


class WildDrafts:
    """`Drafts` that guess at random; `truth` is what plain decoding writes."""

    widest = 9

    def __init__(self, rng: Random, vocabulary: int, end_token: int, truth: Texts) -> None:
        self.used: Counter[str] = Counter()
        self._rng = rng
        self._vocabulary = vocabulary
        self._end_token = end_token
        self._truth = truth

    def begin(self, sequence: Sequence) -> None:
        """Nothing to prepare."""

    def learn(self, sequence: Sequence, tokens: list[int], drafted: int) -> None:
        """Nothing is learned."""

    def end(self, sequence: Sequence) -> None:
        """Nothing to forget."""

    def measured(self, rows: int, width: int, seconds: float) -> None:
        """Time does not matter."""

    def is_promising(self, rows: int, sequences: Iterable[Sequence]) -> bool:
        """Now and then."""
        return self._rng.random() < 0.5

    def plan(self, rows: int, seats: Mapping[int, Sequence]) -> Plan:
        """A random width, and for each row a guess of a random kind."""
        width = self._rng.randint(1, self.widest)
        guesses = {}
        for slot, sequence in seats.items():
            most = min(width - 1, sequence.room - 1)
            if most > 0 and not sequence.sampling.needs.penalties:
                guesses[slot] = self._guess(sequence, most)
        return Plan(width, {slot: guess for slot, guess in guesses.items() if guess})

    def _guess(self, sequence: Sequence, most: int) -> list[int]:
        kind = self._rng.choice(KINDS)
        self.used[kind] += 1
        right = self._truth[sequence][len(sequence.tokens) :][:most]
        cut = self._rng.randint(0, len(right))
        guesses = {
            "none": [],
            "random": [self._rng.randrange(self._vocabulary) for _ in range(most)],
            "wrong": self._wrong(right),
            "oracle": right,
            "half": right[:cut] + self._wrong(right[cut:]),
            "end": [*right[:cut], self._end_token, *right[cut:]][:most],
            "short": right[:cut],
        }
        return guesses[kind]

    def _wrong(self, tokens: list[int]) -> list[int]:
        return [(token + 1) % self._vocabulary for token in tokens]


def draw_sequences(rng: Random, count: int, vocabulary: int, most: int) -> list[Sequence]:
    """Sequences of all lengths and manners of sampling; some share prompts or their beginnings."""
    prompts: list[tuple[int, ...]] = []
    for _ in range(count):
        fresh = tuple(rng.randrange(vocabulary) for _ in range(rng.randint(1, 48)))
        if prompts and rng.random() < 0.5:
            old = rng.choice(prompts)
            fresh = old if rng.random() < 0.5 else old[: rng.randint(1, len(old))] + fresh[:8]
        prompts.append(fresh)
    return [Sequence(prompt, _draw_sampling(rng, most)) for prompt in prompts]


def _draw_sampling(rng: Random, most: int) -> Sampling:
    return Sampling(
        max_tokens=rng.randint(1, most),
        temperature=rng.choice((0.0, 0.0, 0.7, 1.0)),
        top_p=rng.choice((1.0, 1.0, 0.9)),
        seed=rng.getrandbits(63),
        stop=rng.choice(((), (), ("e",), ("ab", "q"))),
        frequency_penalty=rng.choice((0.0,) * 9 + (0.5,)),
    )


def again(sequence: Sequence) -> Sequence:
    """The same request, not begun."""
    return Sequence(sequence.prompt, sequence.sampling)


def write_plainly(engine: Engine, sequences: Iterable[Sequence]) -> list[list[int]]:
    """The tokens of each, from an engine without drafts."""
    written = [again(sequence) for sequence in sequences]
    engine.run(written)
    return [sequence.tokens for sequence in written]


def storm(engine: Engine, sequences: list[Sequence], rng: Random) -> set[Sequence]:
    """Submit in bursts, cancel some under way; those that were cancelled."""
    waiting, cancelled = list(sequences), set()
    while waiting or not engine.is_idle:
        burst = rng.randint(0, 8) if rng.random() < 0.3 else 0
        engine.submit(waiting[:burst])
        if burst and rng.random() < 0.2:
            victims = [one for one in rng.sample(sequences, 2) if one not in waiting[burst:]]
            victims = [one for one in victims if one.finish is None]
            engine.cancel(victims)
            cancelled.update(victims)
        del waiting[:burst]
        engine.turn()
    return cancelled
