"""Plain decoding against speculation with drafts of every kind, on a tiny model in float32.

    python benchmarks/speculation_fuzz.py --sequences 10000

Random, wrong, right, half-right and end-bearing drafts; bursts of arrivals, cancellations, shared
prompts, stop strings, penalties, seeds; 1 to 40 slots, read at once or a step late. Every token of
every sequence is compared with what an engine without drafts writes in another batch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402

from apr.serving.engine import Engine  # noqa: E402
from apr.serving.network import Decoder  # noqa: E402
from apr.serving.weights.checkpoint import Checkpoint, open_checkpoint  # noqa: E402
from support.tiny_model import load_decoder, save_tiny_model  # noqa: E402
from support.wild_drafts import (  # noqa: E402
    WildDrafts,
    draw_sequences,
    storm,
    write_plainly,
)

KINDS = ("qwen2", "llama", "qwen3")
ROUND = 250
LENGTH = 128


@dataclass
class Totals:
    """What the rounds have added up to."""

    sequences: int = 0
    tokens: int = 0
    drafted: int = 0
    accepted: int = 0
    cancelled: int = 0
    differences: int = 0
    drafts: Counter[str] = field(default_factory=Counter)


def play(checkpoint: Checkpoint, decoder: Decoder, rng: Random, most: int, totals: Totals) -> None:
    """One round: the same sequences plainly, then with wild drafts."""
    vocabulary = decoder.shape.vocabulary
    sequences = draw_sequences(rng, ROUND, vocabulary, most)
    plain = Engine(decoder, checkpoint.vocabulary, rng.choice((24, 32, 48)), LENGTH)
    truth = dict(zip(sequences, write_plainly(plain, sequences), strict=True))
    drafts = WildDrafts(rng, vocabulary, checkpoint.vocabulary.ends[0], truth)
    slots, late = rng.choice((1, 7, 16, 33, 40)), rng.random() < 0.5
    wild = Engine(decoder, checkpoint.vocabulary, slots, LENGTH, drafts, is_pipelined=late)
    cancelled = storm(wild, sequences, rng)
    for sequence, tokens in truth.items():
        expected = tokens[: len(sequence.tokens)] if sequence in cancelled else tokens
        totals.differences += sequence.tokens != expected
        totals.tokens += len(sequence.tokens)
        totals.drafted += sequence.drafted
        totals.accepted += sequence.accepted
    totals.sequences += len(sequences)
    totals.cancelled += len(cancelled)
    totals.drafts += drafts.used


def main() -> int:
    """Play rounds and print what they add up to; 1 when any token differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--most", type=int, default=24, help="tokens of the longest answer")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    began, totals = time.monotonic(), Totals()
    with tempfile.TemporaryDirectory() as folder:
        models = [open_checkpoint(save_tiny_model(Path(folder) / kind, kind)) for kind in KINDS]
        decoders = [load_decoder(model) for model in models]
        rounds = -(-asked.sequences // ROUND)
        for number in range(rounds):
            rng = Random(f"{asked.seed}-{number}")
            chosen = number % len(models)
            play(models[chosen], decoders[chosen], rng, asked.most, totals)
            print(f"\r{totals.sequences} sequences", end="", file=sys.stderr, flush=True)
    print(f"\n{totals}\n{time.monotonic() - began:.0f} s")
    return int(totals.differences > 0)


if __name__ == "__main__":
    raise SystemExit(main())
