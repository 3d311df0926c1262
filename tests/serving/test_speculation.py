"""Drafts change how fast a text comes, and never the text."""

from __future__ import annotations

from random import Random

import pytest

from apr.serving.drafts.desk import Desk
from apr.serving.drafts.pace import Pace
from apr.serving.engine import Engine
from apr.serving.network import Decoder
from apr.serving.sequence import Sampling, Sequence
from apr.serving.weights.checkpoint import Checkpoint
from support.wild_drafts import KINDS, WildDrafts, again, draw_sequences, storm, write_plainly

LENGTH = 128


@pytest.mark.parametrize("is_pipelined", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_wild_drafts_refills_and_cancellations_change_no_token(
    decoder: Decoder, checkpoint: Checkpoint, engine: Engine, seed: int, is_pipelined: bool
) -> None:
    rng, vocabulary = Random(seed), decoder.shape.vocabulary
    sequences = draw_sequences(rng, 60, vocabulary, most=24)
    truth = dict(zip(sequences, write_plainly(engine, sequences), strict=True))
    drafts = WildDrafts(rng, vocabulary, checkpoint.vocabulary.ends[0], truth)
    slots = rng.randint(2, 12)
    wild = Engine(decoder, checkpoint.vocabulary, slots, LENGTH, drafts, is_pipelined=is_pipelined)
    cancelled = storm(wild, sequences, rng)
    for sequence, tokens in truth.items():
        expected = tokens[: len(sequence.tokens)] if sequence in cancelled else tokens
        assert sequence.tokens == expected
    assert set(drafts.used) == set(KINDS)
    assert sum(sequence.accepted for sequence in sequences) > 100


class Untimed(Pace):
    """Takes wider steps to cost no more, whatever a busy machine makes of them."""

    def measured(self, rows: int, width: int, seconds: float) -> None:
        """Is not told."""


def test_copying_drafts_are_accepted_and_change_no_token(
    decoder: Decoder, checkpoint: Checkpoint, engine: Engine
) -> None:
    # Siblings of one seed write the same: the second can copy all of what the first has written.
    prompt = tuple(range(40, 70))
    first = Sequence(prompt, Sampling(40, 1.0, seed=5))
    engine.run([first])
    fast = Engine(decoder, checkpoint.vocabulary, 1, LENGTH, Desk(Untimed((1, 2, 4, 8), 64)))
    copies = [again(first) for _ in range(3)]
    fast.run(copies)
    assert [copy.tokens for copy in copies] == [first.tokens] * 3
    assert copies[2].accepted > len(first.tokens) // 2
    assert copies[2].accepted <= copies[2].drafted


def test_nothing_is_drafted_beyond_the_last_token(
    decoder: Decoder, checkpoint: Checkpoint, engine: Engine
) -> None:
    sequences = draw_sequences(Random(7), 20, decoder.shape.vocabulary, most=3)
    truth = dict(zip(sequences, write_plainly(engine, sequences), strict=True))
    drafts = WildDrafts(Random(8), decoder.shape.vocabulary, checkpoint.vocabulary.ends[0], truth)
    Engine(decoder, checkpoint.vocabulary, 4, LENGTH, drafts).run(sequences)
    assert [sequence.tokens for sequence in sequences] == list(truth.values())
