"""What generated tests find in the pairs on which PatchDiff is measured.

    python benchmarks/patchdiff_generated_tests.py --tool ghostwriter --python VENV/bin/python
        --quixbugs CHECKOUT --humanevalfix BUGS.jsonl --sdists FOLDER --output DIR --limit 100

DIR is that of `patchdiff_planted.py`, whose pairs are taken in the same random order. The tools
need interpreters of their own: `pip install "hypothesis[ghostwriter]" pytest` in one, and
`pip install pynguin pytest` in one of Python 3.10, which pynguin asks for. Both run in the sandbox.
Ghostwriter writes a test that both versions of the function are equivalent, which looks for
inputs for `--seconds`; pynguin writes tests of the left version in as many seconds, and a
difference is one that passes on the left and fails on the right version.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from patchdiff_planted import add_subject_options, load_all, load_pairs
from planted_pairs import Pair, Planted

from apr.bench.journal import ERROR, Journal
from apr.core.errors import SandboxDiedError
from apr.core.ports import Sandbox
from validation.patchdiff.engine import _module_of
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox

CHILD = Path(__file__).with_name("generated_tests_child.py")
FOUND, MISSED, NOT_APPLICABLE = "found", "missed", "not applicable"
PATIENCE = 6
"""A tool is ended after so many times the seconds that it was given."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a tool has found out about one pair."""

    pair: str
    program: str
    differs: bool
    verdict: str
    why: str = ""
    seconds: float = 0.0

    @property
    def key(self) -> str:
        """What makes it the same question."""
        return self.pair


def ask(
    pair: Pair, program: Planted, tool: str, python: str, seconds: float, sandbox: Sandbox
) -> Row:
    """Run the tool on the pair."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pair"
        root.mkdir()
        for name, text in (("left", program.sources[pair.path]), ("right", pair.text)):
            program.write(root / name, pair, text)
        shutil.copy(CHILD, root)
        request = {
            "tool": tool,
            "module": _module_of(pair.path),
            "function": pair.function,
            "seconds": seconds,
        }
        told = _last_line([python, CHILD.name, json.dumps(request)], root, sandbox, seconds)
    answer = json.loads(told) if told.startswith("{") else {"applies": False, "why": "it died"}
    verdict = NOT_APPLICABLE
    if answer["applies"]:
        verdict = FOUND if answer["found"] else MISSED
    why, took = answer.get("why", ""), answer.get("seconds", 0.0)
    return Row(pair.key, pair.program, pair.differs, verdict, why, took)


def _last_line(argv: Sequence[str], root: Path, sandbox: Sandbox, seconds: float) -> str:
    deadline = time.monotonic() + PATIENCE * seconds + 60
    line = b""
    with sandbox.start(argv, str(root), writable=True, environment={}) as process:
        try:
            while True:
                line = process.receive_line(max(0.001, deadline - time.monotonic())) or line
        except (SandboxDiedError, TimeoutError):
            return line.decode("utf-8", "replace").strip()


def summarise(rows: Sequence[Row], tool: str) -> str:
    """How many of each kind of pair the tool tells apart."""
    lines = [f"{tool}: {len(rows)} pairs"]
    for differs, title in ((True, "positives"), (False, "negatives")):
        chosen = [row for row in rows if row.differs is differs]
        counts = Counter(row.verdict for row in chosen)
        applicable = counts[FOUND] + counts[MISSED]
        lines.append(
            f"{title}: found {counts[FOUND]} of {len(chosen)}, of {applicable} to which it applies"
        )
    for why, number in Counter(row.why for row in rows if row.why).most_common(5):
        lines.append(f"  {number} times: {why}")
    times = [row.seconds for row in rows if row.seconds]
    if times:
        lines.append(f"median seconds where it applies: {statistics.median(times):.1f}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a pair and the totals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_subject_options(parser)
    parser.add_argument("--tool", choices=("ghostwriter", "pynguin"), required=True)
    parser.add_argument("--python", required=True, help="an interpreter that has the tool")
    parser.add_argument("--limit", type=int, help="so many pairs, chosen by the seed")
    options = parser.parse_args(argv)
    journal = Journal(
        options.output / f"{options.tool}.jsonl", {"seconds": options.seconds}, parse_row
    )
    policy = SandboxPolicy(readable_paths=tuple(python_readable_paths(options.python)))
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        sandbox = stack.enter_context(closing(open_sandbox("auto", policy)))
        programs = {program.name: program for program in load_all(options, Path(work))}
        made = options.output / "pairs.jsonl"
        pairs = load_pairs(
            list(programs.values()), made, options.per_program, options.seed, options.jobs
        )
        Random(options.seed).shuffle(pairs)
        wanted = pairs[: options.limit]

        def run(pair: Pair) -> Row:
            try:
                program = programs[pair.program]
                return ask(pair, program, options.tool, options.python, options.seconds, sandbox)
            except SandboxDiedError as error:
                return Row(pair.key, pair.program, pair.differs, ERROR, str(error))

        with ThreadPoolExecutor(options.jobs) as pool:
            todo = [pair for pair in wanted if not journal.has_verdict(pair.key)]
            for future in as_completed([pool.submit(run, pair) for pair in todo]):
                row = future.result()
                journal.add(row)
                print(f"{row.program} {row.verdict} {row.why}", flush=True)
    print(summarise([journal.done[pair.key] for pair in wanted], options.tool))
    return 0


def parse_row(fields: Mapping[str, Any]) -> Row:
    """A row as the journal keeps it."""
    return Row(**fields)


if __name__ == "__main__":
    sys.exit(main())
