"""Continuous batching: what a sequence says depends on nothing around it."""

from __future__ import annotations

from random import Random

import pytest

from apr.serving.engine import Engine
from apr.serving.network import Decoder
from apr.serving.sequence import Finish, Sampling, Sequence, Transcript
from apr.serving.weights.checkpoint import Checkpoint
from support.wild_drafts import again, draw_sequences, write_plainly

PROMPT = tuple(range(60, 100))


def make(decoder: Decoder, checkpoint: Checkpoint, slots: int) -> Engine:
    return Engine(decoder, checkpoint.vocabulary, slots, 128)


def written(engine: Engine, **sampling: object) -> Sequence:
    sequence = Sequence(PROMPT, Sampling(**{"max_tokens": 30, **sampling}))  # type: ignore[arg-type]
    engine.run([sequence])
    return sequence


@pytest.mark.parametrize("is_pipelined", [False, True])
@pytest.mark.parametrize("slots", [3, 16])
def test_a_text_is_the_same_alone_and_in_any_batch(
    decoder: Decoder, checkpoint: Checkpoint, slots: int, is_pipelined: bool
) -> None:
    sequences = draw_sequences(Random(slots), 40, decoder.shape.vocabulary, most=16)
    alone = write_plainly(make(decoder, checkpoint, 1), sequences)
    order = Random(1).sample(sequences, len(sequences))
    vocabulary = checkpoint.vocabulary
    Engine(decoder, vocabulary, slots, 128, is_pipelined=is_pipelined).run(order)
    assert [sequence.tokens for sequence in sequences] == alone


def test_seeds_differ_and_repeat(engine: Engine) -> None:
    texts = [tuple(written(engine, temperature=1.0, seed=seed).tokens) for seed in (1, 2, 1)]
    assert texts[0] == texts[2] != texts[1]


def test_a_prompt_is_read_once_for_all_its_samples_and_for_those_that_begin_alike(
    engine: Engine,
) -> None:
    samples = [Sequence(PROMPT, Sampling(2, 1.0, seed=seed)) for seed in range(4)]
    longer = Sequence((*PROMPT, 1, 2, 3), Sampling(2, 0.0))
    other = Sequence((7, *PROMPT), Sampling(2, 0.0))
    engine.run([*samples, longer, other])
    known = len(PROMPT) - 1
    assert [sample.cached_tokens for sample in samples] == [0, known, known, known]
    assert longer.cached_tokens >= known
    assert other.cached_tokens == 0


def test_an_answer_that_goes_on_from_an_earlier_one_is_not_read_again(
    engine: Engine, decoder: Decoder, checkpoint: Checkpoint
) -> None:
    first = written(engine, temperature=0.0)
    follow_up = Sequence((*PROMPT, *first.tokens, 5, 6), Sampling(10, 0.0))
    engine.run([follow_up])
    assert follow_up.cached_tokens == len(PROMPT) + len(first.tokens) - 1
    fresh = again(follow_up)
    make(decoder, checkpoint, 1).run([fresh])
    assert follow_up.tokens == fresh.tokens


def test_a_stop_string_ends_an_answer_and_is_no_part_of_it(
    engine: Engine, checkpoint: Checkpoint
) -> None:
    free = written(engine, temperature=1.0, seed=3)
    letters = [checkpoint.vocabulary.pieces[token] for token in free.tokens]
    at = next(i for i in range(2, 28) if (letters[i] + letters[i + 1]).isascii())
    stop = (letters[at] + letters[at + 1]).decode()
    stopped = Sequence(PROMPT, Sampling(30, 1.0, seed=3, stop=(stop, "never comes")))
    engine.submit([stopped])
    events = []
    while not engine.is_idle:
        events += engine.turn()
    assert events[-1].finish is Finish.STOP
    assert events[-1].text == b"".join(letters).partition(stop.encode())[0].decode(errors="replace")
    assert len(stopped.tokens) <= at + 2


def test_an_answer_ends_at_its_length(engine: Engine) -> None:
    assert written(engine, max_tokens=1, temperature=0.0).finish is Finish.LENGTH
    assert len(written(engine, max_tokens=7, temperature=0.0).tokens) == 7


def test_a_slot_is_used_to_its_last_place(decoder: Decoder, checkpoint: Checkpoint) -> None:
    wide, narrow = (Engine(decoder, checkpoint.vocabulary, 2, length) for length in (256, 70))
    sequences = [Sequence(PROMPT, Sampling(70 - len(PROMPT), 0.0)) for _ in range(2)]
    wide.run(sequences[:1])
    narrow.run(sequences[1:])
    assert sequences[0].tokens == sequences[1].tokens
    assert sequences[0].finish is Finish.LENGTH


def test_cancelling_frees_the_slot_and_silences_the_sequence(
    decoder: Decoder, checkpoint: Checkpoint
) -> None:
    engine = make(decoder, checkpoint, 1)
    long, short = Sequence(PROMPT, Sampling(80, 0.0)), Sequence(PROMPT, Sampling(3, 0.0))
    waiting = Sequence(PROMPT, Sampling(3, 0.0))
    engine.submit([long, waiting, short])
    engine.turn()
    engine.cancel([long, waiting])
    events = []
    while not engine.is_idle:
        events += engine.turn()
    assert [event.sequence for event in events] == [short]
    assert long.finish is waiting.finish is Finish.CANCELLED
    assert len(long.tokens) < 3


def test_penalties_keep_tokens_from_coming_again(engine: Engine) -> None:
    free = written(engine, temperature=0.0, max_tokens=60).tokens
    penalised = written(engine, temperature=0.0, max_tokens=60, frequency_penalty=2.0).tokens
    assert len(set(penalised)) > len(set(free))


def test_half_a_character_and_half_a_stop_string_are_held_back() -> None:
    transcript = Transcript(("END",))
    taken = []
    for piece in (b"caf", "é".encode()[:1], "é".encode()[1:], b" E", b"N", b"DER", b"x"):
        is_stopped = transcript.push(piece)
        taken.append(transcript.take(is_final=is_stopped))
        if is_stopped:
            break
    assert "".join(taken) == "café "
    assert taken[-1] == ""
    assert "�" not in "".join(taken)
