"""How long a repair model takes for the candidates of one hunk, and what it needs.

    python benchmarks/repair_model_latency.py --bundle DIR --data python-dev.jsonl [--beams 100]

The hunks are those of HumanEvalFix's Python bugs, as the generator shows them to the model. Prints
the median and the slowest, the tokens that were read, the seconds of loading and the memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from hunk_verdicts import find_hunk

from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch
from apr.datasets import humanevalfix
from apr.generation.retrieval import index_lines
from apr.generation.seq2seq.format import render_within
from apr.generation.seq2seq.model import RepairModel, load
from apr.generation.seq2seq.sites import find_sites, show_site
from apr.source.statements import index_source


def main() -> None:
    arguments = parse_arguments()
    started = time.perf_counter()
    model = load(arguments.bundle, arguments.threads)
    loading = time.perf_counter() - started
    sources = list(hunks(arguments.data, model))[: arguments.hunks]
    model.search(sources[:1], arguments.beams)  # what is only done once is done now
    seconds, answers = [], []
    for source in sources:
        started = time.perf_counter()
        (guesses,) = model.search([source], arguments.beams)
        seconds.append(time.perf_counter() - started)
        answers.append(len(guesses))
    print(f"model: {model.facts.title}, loaded in {loading:.2f} s")
    print(f"hunks: {len(sources)}, {arguments.beams} beams, {statistics.median(answers)} answers")
    tokens = statistics.median(map(model.count_tokens, sources))
    print(f"seconds a hunk: median {statistics.median(seconds):.2f}, most {max(seconds):.2f}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"tokens of an input: median {tokens:.0f}; memory: {memory} MiB")


def hunks(data: Path, model: RepairModel):
    """What the model is shown of each bug's hunk."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = humanevalfix.load(data, Path(folder))
        for bug in dataset.bugs:
            text = (Path(bug.subject) / "solution.py").read_text()
            right = dataset.reference_program(bug).source.rstrip() + "\n"
            place = SuspiciousLocation(Location("m.py", *find_hunk(text, right)), 1.0, "given")
            site = find_sites({"m.py": text}, [place], Patch(), 1)[0]
            lines = index_lines({"m.py": text})
            shown = show_site(site, text, index_source("m.py", text), lines)
            rendering = render_within(shown, model.count_tokens)
            if rendering is not None:
                yield rendering.source


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--beams", type=int, default=100)
    parser.add_argument("--hunks", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
