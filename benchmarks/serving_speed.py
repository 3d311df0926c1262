"""Tokens a second of the engine behind `apr serve`, with and without speculation, side by side.

    python benchmarks/serving_speed.py MODEL --device cuda --batches 1 8 32 128 --tokens 256

The prompts ask for a function of this repository to be written again with its bug mended, which is
what repair asks. `copy` rows take the likeliest tokens, `samples` rows draw eight answers a prompt
at temperature 0.8, `prose` rows ask for an explanation, which copies little: the control. Each
figure is the median of `--repeats` runs after one that is thrown away; a run begins with all
prompts in the cache, so that it is decoding that is measured. `equal` counts the answers whose
token ids are the same with and without speculation.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from apr.serving.engine import Engine, Tally  # noqa: E402
from apr.serving.loading import Loaded, Placement, load_engine, make_engine  # noqa: E402
from apr.serving.sequence import Sampling, Sequence  # noqa: E402

MEND = "This function has a bug. Write the whole function again with the bug fixed.\n\n{code}"
EXPLAIN = "Explain in plain English, without any code, what this function is for.\n\n{code}"
LINES = range(12, 60)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked: a prompt's wording, answers a prompt, and their temperature."""

    name: str
    wording: str
    answers: int
    temperature: float


WORKLOADS = (
    Workload("copy", MEND, 1, 0.0),
    Workload("samples", MEND, 8, 0.8),
    Workload("prose", EXPLAIN, 1, 0.0),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of decoding: medians over the runs, and the texts of the last."""

    tokens_per_s: float
    step_ms: float
    share_accepted: float
    tokens_per_row_step: float
    texts: list[list[int]]


def functions() -> Iterator[str]:
    """The source of functions of this repository, in a fixed order."""
    for path in sorted((ROOT / "apr").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.col_offset == 0:
                code = ast.get_source_segment(text, node) or ""
                if code.count("\n") in LINES:
                    yield code


def prompts(loaded: Loaded, wording: str, count: int, room: int) -> list[tuple[int, ...]]:
    """Different prompts that fit."""
    vocabulary = loaded.checkpoint.vocabulary
    found: list[tuple[int, ...]] = []
    for code in functions():
        asked = [{"role": "user", "content": wording.format(code=code)}]
        ids = vocabulary.encode(vocabulary.render_chat(asked), is_rendered=True)
        if len(ids) <= room:
            found.append(tuple(ids))
        if len(found) == count:
            return found
    raise SystemExit(f"only {len(found)} of {count} functions fit into {room} tokens")


def measure(
    engine: Engine, given: Listing[tuple[int, ...]], workload: Workload, tokens: int, repeats: int
) -> Measured:
    """Run the workload; every run has families of its own, to copy from no earlier run."""
    rates, steps = [], []
    before, sequences = Tally(0), []
    for run in range(repeats + 1):
        sequences = [
            Sequence(
                prompt,
                Sampling(tokens, workload.temperature, seed=100 * i + j),
                family=f"{workload.name}-{run}-{i}",
            )
            for i, prompt in enumerate(given)
            for j in range(workload.answers)
        ]
        before = copy_of(engine.tally)
        began = time.perf_counter()
        engine.run(sequences)
        seconds = time.perf_counter() - began
        if run:
            rates.append((engine.tally.tokens - before.tokens) / seconds)
            steps.append(1000 * seconds / (engine.tally.steps - before.steps))
    drafted = engine.tally.drafted - before.drafted
    accepted = engine.tally.accepted - before.accepted
    written = engine.tally.tokens - before.tokens
    return Measured(
        statistics.median(rates),
        statistics.median(steps),
        accepted / drafted if drafted else 0.0,
        written / (written - accepted),
        [sequence.tokens for sequence in sequences],
    )


def copy_of(tally: Tally) -> Tally:
    """The counters as they stand."""
    return Tally(
        tally.slots,
        steps=tally.steps,
        tokens=tally.tokens,
        drafted=tally.drafted,
        accepted=tally.accepted,
    )


def main() -> None:
    """Print one line for each workload and batch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workloads", nargs="+", default=[one.name for one in WORKLOADS])
    asked = parser.parse_args()
    slots = max(asked.batches)
    placement = Placement(asked.device, asked.dtype, slots, asked.length, is_speculative=False)
    loaded = load_engine(asked.model, placement)
    device, dtype = loaded.decoder.device, loaded.decoder.dtype
    print(f"{loaded.checkpoint.name} on {device} in {dtype}, torch {torch.__version__}")
    print(f"{slots} slots of {asked.length}, {asked.tokens} new tokens, {asked.repeats} repeats")
    print(
        "workload  batch | plain tok/s  step ms | drafts tok/s  step ms  tok/row-step  accepted |"
        "  ratio  equal",
        flush=True,
    )
    for workload in WORKLOADS:
        if workload.name not in asked.workloads:
            continue
        for batch in asked.batches:
            if batch % workload.answers:
                continue
            report(loaded, workload, batch, asked)


def report(loaded: Loaded, workload: Workload, batch: int, asked: argparse.Namespace) -> None:
    """Measure one line and print it."""
    room = asked.length - asked.tokens
    given = prompts(loaded, workload.wording, batch // workload.answers, room)
    found = []
    for is_speculative in (False, True):
        engine = make_engine(
            loaded.decoder, loaded.checkpoint.vocabulary, batch, asked.length, is_speculative
        )
        found.append(measure(engine, given, workload, asked.tokens, asked.repeats))
        del engine
        if loaded.decoder.device.type == "cuda":
            torch.cuda.empty_cache()
    plain, fast = found
    equal = sum(a == b for a, b in zip(plain.texts, fast.texts, strict=True))
    print(
        f"{workload.name:8} {batch:6} | {plain.tokens_per_s:11.1f} {plain.step_ms:8.2f} |"
        f" {fast.tokens_per_s:12.1f} {fast.step_ms:8.2f} {fast.tokens_per_row_step:13.2f}"
        f" {fast.share_accepted:9.2f} | {fast.tokens_per_s / plain.tokens_per_s:6.2f}"
        f"  {equal}/{len(plain.texts)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
