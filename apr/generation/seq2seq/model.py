"""A repair model on the CPU: CTranslate2 in int8, several inputs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.generation.seq2seq.bundle import TOKENIZER, Facts, read_facts
from apr.generation.seq2seq.format import END

if TYPE_CHECKING:
    from ctranslate2 import Translator
    from tokenizers import Tokenizer

BATCH = 4  # inputs decoded at once: more of them wait for the longest one
TOP_P = 0.98  # of the tokens, the likeliest that make up so much are drawn from
UNREADABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Guess:
    """An answer without END, and the natural logarithm of its probability."""

    answer: str
    score: float


class RepairModel(Protocol):
    """Answers inputs as `apr.generation.seq2seq.format` has them."""

    facts: Facts

    def count_tokens(self, text: str) -> int: ...

    def search(self, sources: Sequence[str], beams: int) -> Sequence[Sequence[Guess]]:
        """For each input the answers that beam search finds, the likeliest first."""
        ...

    def sample(self, sources: Sequence[str], n: int, seed: int) -> Sequence[Sequence[Guess]]:
        """For each input `n` answers drawn at random; equal seeds draw equal ones."""
        ...


class CTranslate2Model:
    """A `RepairModel` from a bundle."""

    def __init__(self, facts: Facts, translator: Translator, tokenizer: Tokenizer) -> None:
        self.facts = facts
        self._translator = translator
        self._tokenizer = tokenizer

    def count_tokens(self, text: str) -> int:
        """Those of a text, END not included."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def search(self, sources: Sequence[str], beams: int) -> list[list[Guess]]:
        """See `RepairModel.search`."""
        return self._answers(sources, beam_size=beams, num_hypotheses=beams)

    def sample(self, sources: Sequence[str], n: int, seed: int) -> list[list[Guess]]:
        """See `RepairModel.sample`."""
        import ctranslate2

        ctranslate2.set_random_seed(seed)
        return self._answers(
            sources, beam_size=1, num_hypotheses=n, sampling_topk=0, sampling_topp=TOP_P
        )

    def _answers(self, sources: Sequence[str], **how: float) -> list[list[Guess]]:
        """Distinct answers that were written to their end, the likeliest first."""
        results = self._translator.translate_batch(
            [self._tokens(source) for source in sources],
            max_batch_size=BATCH,
            length_penalty=0,  # so that a score is the whole answer's
            min_decoding_length=0,  # so that nothing, a deletion, is an answer
            max_decoding_length=self.facts.target_tokens,
            max_input_length=0,
            return_scores=True,
            return_end_token=True,
            **how,
        )
        return [self._read(result.hypotheses, result.scores) for result in results]

    def _tokens(self, source: str) -> list[str]:
        return [*self._tokenizer.encode(source, add_special_tokens=False).tokens, END]

    def _read(self, answers: Sequence[Sequence[str]], scores: Sequence[float]) -> list[Guess]:
        best: dict[str, float] = {}
        for tokens, score in sorted(zip(answers, scores, strict=True), key=lambda pair: -pair[1]):
            if tokens and tokens[-1] == END:
                best.setdefault(self._text(tokens[:-1]), score)
        return [Guess(answer, score) for answer, score in best.items() if UNREADABLE not in answer]

    def _text(self, tokens: Sequence[str]) -> str:
        found = (self._tokenizer.token_to_id(token) for token in tokens)
        ids = [number for number in found if number is not None]
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


def load(folder: Path, threads: int = 0) -> CTranslate2Model:
    """The model of a bundle; `threads` 0: as many as there are processors.

    Raises:
        EnvironmentUnusableError: when the packages for it are not installed.
        BadInputError: when the folder holds no model, or one that cannot be read.
    """
    facts = read_facts(folder)
    try:
        import ctranslate2
        import tokenizers
    except ImportError as error:
        raise EnvironmentUnusableError(
            f"the repair model needs packages that are missing ({error.name}):"
            " install the extra seq2seq"
        ) from error
    try:
        translator = ctranslate2.Translator(
            str(folder), device="cpu", compute_type="auto", intra_threads=threads
        )
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # neither library raises a narrower one
        raise BadInputError(f"the repair model in {folder} cannot be read: {error}") from error
    return CTranslate2Model(facts, translator, tokenizer)
