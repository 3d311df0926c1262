"""Measures PatchDiff on pairs of programs of which it is known whether they differ.

    python benchmarks/patchdiff_planted.py --quixbugs CHECKOUT --humanevalfix BUGS.jsonl
        --sdists FOLDER --output DIR --jobs 2

`planted_programs.py` and `planted_packages.py` say where the pairs come from. Positives are mutants
that survive the tests of their program and that other tests or inputs show to differ; what nothing
shows to differ may be equivalent and is left out. Negatives are rewritings that keep the behaviour
by construction. DIR keeps the pairs and a record of each; the same command goes on where it was.
With --model and --base-url a language model writes tests of each pair too, and the records say
what these find by themselves.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from planted_packages import load_packages
from planted_pairs import Pair, Planted
from planted_programs import load_programs

from apr.bench.journal import ERROR, Journal, whole_lines
from apr.cli.author_options import AuthorOptions
from apr.core.bug import RunnerKind, TestCommand
from apr.core.errors import AprError
from validation.patchdiff.engine import Subject, compare_versions
from validation.patchdiff.model import DiffReport, DiffSettings, DiffVerdict
from validation.patchdiff.sessions import Place, Version
from validation.patchdiff.written import Author
from validation.runners.base import RunLimits
from validation.runners.python import toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox

KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Row:
    """What was found out about one pair, which `pair` names by its key."""

    pair: str
    program: str
    change: str
    differs: bool
    verdict: str
    reason: str = ""
    question: str = ""
    proven: bool = False
    executions: int = 0
    first_s: float | None = None
    duration_s: float = 0.0
    written: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What makes it the same question."""
        return self.pair


def judge(
    pair: Pair,
    program: Planted,
    place: Place,
    settings: DiffSettings,
    work: Path,
    author: Author | None = None,
) -> Row:
    """Run the engine on the pair, as `apr diff` does."""
    started = time.monotonic()
    sources = program.sources
    texts = (sources[pair.path], pair.text)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        roots = [Path(folder) / name / "subject" for name in ("left", "right")]
        for root, text in zip(roots, texts, strict=True):
            program.write(root, pair, text)
        subject = Subject(
            (Version("left", roots[0]), Version("right", roots[1])),
            tuple({pair.path: text} for text in texts),
            None,
            sources,
            place,
            RunLimits(test_s=5.0, total_s=60.0),
        )
        report = compare_versions(subject, settings, author=author)
    return _row(pair, report, time.monotonic() - started)


def _row(pair: Pair, report: DiffReport, seconds: float) -> Row:
    found = report.discrepancies[0] if report.discrepancies else None
    witness = found.witness if found is not None else None
    return Row(
        pair.key,
        pair.program,
        pair.change,
        pair.differs,
        KILLED if report.suite else report.verdict.value,
        report.reason,
        found.question if found is not None else "",
        witness is not None and witness.is_proven,
        report.executions,
        report.first_s,
        seconds,
        dict(report.written.counts) if report.written is not None else {},
    )


def summarise(rows: Sequence[Row]) -> str:
    """The tables of verdicts, recall, false alarms and times."""
    lines = []
    for differs, title in ((True, "positives"), (False, "negatives")):
        chosen = [row for row in rows if row.differs is differs and row.verdict != KILLED]
        counts = Counter(row.verdict for row in chosen)
        told = ", ".join(f"{verdict} {number}" for verdict, number in sorted(counts.items()))
        name = "recall" if differs else "false alarms"
        lines.append(f"{title}: {len(chosen)} ({told}); {name} {_share(chosen)}")
        for source in sorted({_source(row) for row in chosen}):
            lines.append(f"  {source}: {_share([r for r in chosen if _source(r) == source])}")
    killed = sum(row.verdict == KILLED for row in rows)
    firsts = [row.first_s for row in rows if row.differs and row.first_s is not None]
    proven = [row for row in rows if row.verdict == DiffVerdict.DIVERGENT.value]
    lines.append(f"left out, since the suite itself tells them apart: {killed}")
    if firsts:
        lines.append(f"median seconds to the first discrepancy: {statistics.median(firsts):.1f}")
    lines.append(f"median seconds a pair: {statistics.median(r.duration_s for r in rows):.1f}")
    lines.append(f"proven tests: {sum(row.proven for row in proven)} of {len(proven)}")
    lines += _written(rows)
    for kind in sorted({row.change for row in rows}):
        chosen = [row for row in rows if row.change == kind and row.verdict != KILLED]
        lines.append(f"  {kind}: {_share(chosen)}")
    return "\n".join(lines)


def _written(rows: Sequence[Row]) -> Iterator[str]:
    """What the tests of a model come to, and what they alone and the engine alone have found."""
    chosen = [row for row in rows if row.written and row.verdict != KILLED]
    if not chosen:
        return
    counts = sum((Counter(row.written) for row in chosen), Counter())
    told = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    yield f"tests that the model wrote for {len(chosen)} pairs: {told}"
    for differs, title in ((True, "positives"), (False, "negatives")):
        those = [row for row in chosen if row.differs is differs]
        by_test = sum(row.written.get("differs", 0) > 0 for row in those)
        yield f"  {title}: {by_test} of {len(those)} told apart by such a test itself"


def _share(rows: Sequence[Row]) -> str:
    hits = sum(row.verdict == DiffVerdict.DIVERGENT.value for row in rows)
    return f"{hits}/{len(rows)} = {100 * hits / max(len(rows), 1):.1f} % divergent"


def _source(row: Row) -> str:
    name = row.program.partition("/")[0]
    return name.lower() if "/" in row.program else "packages"


_programs: list[Planted] = []
"""For the processes of a pool, which are forked from this one: programs cannot be pickled."""


def _may_have_children() -> None:
    multiprocessing.current_process()._config["daemon"] = False


def _make_pairs_of(work: tuple[int, int, int]) -> tuple[str, list[Pair]]:
    index, count, seed = work
    program = _programs[index]
    return program.name, program.make_pairs(count, Random(f"{seed} {program.name}"))


def load_pairs(
    programs: Sequence[Planted], kept: Path, count: int, seed: int, jobs: int
) -> list[Pair]:
    """The pairs of all programs; those that the file holds already are not made again."""
    kept.touch()
    made: dict[str, list[Pair]] = {}
    for line in whole_lines(kept.read_text(encoding="utf-8")):
        entry = json.loads(line)
        pairs = [Pair(**{**each, "hidden": tuple(each["hidden"])}) for each in entry["pairs"]]
        made[entry["program"]] = pairs
    _programs.extend(programs)
    work = [(i, count, seed) for i, program in enumerate(programs) if program.name not in made]
    with multiprocessing.Pool(jobs, initializer=_may_have_children) as pool:
        for name, pairs in pool.imap_unordered(_make_pairs_of, work):
            made[name] = pairs
            entry = {"program": name, "pairs": [asdict(pair) for pair in pairs]}
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            print(f"{name}: {len(pairs)} pairs", file=sys.stderr, flush=True)
    return [pair for program in programs for pair in made[program.name]]


def load_all(options: argparse.Namespace, work: Path) -> list[Planted]:
    """All programs and packages that the options name."""
    programs: list[Planted] = [*load_programs(options.quixbugs, options.humanevalfix, work)]
    if options.sdists is not None:
        programs += load_packages(options.sdists, work)
    return programs


def add_subject_options(parser: argparse.ArgumentParser) -> None:
    """Where programs come from, and how many pairs are made of them."""
    parser.add_argument("--quixbugs", type=Path)
    parser.add_argument("--humanevalfix", type=Path)
    parser.add_argument("--sdists", type=Path, help="a folder of source distributions")
    parser.add_argument("--output", type=Path, required=True, help="keeps pairs and records")
    parser.add_argument("--per-program", type=int, default=2, help="negatives, half the positives")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)


def open_place(stack: ExitStack) -> Place:
    """Where all versions run: the strongest sandbox here, with this interpreter."""
    readable = (*python_readable_paths(sys.executable), str(HARNESS_ROOT), str(toolbox()))
    sandbox = stack.enter_context(
        closing(open_sandbox("auto", SandboxPolicy(readable_paths=readable)))
    )
    return Place(sandbox, TestCommand(RunnerKind.PYTEST, (), sys.executable))


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a pair and the totals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_subject_options(parser)
    parser.add_argument("--inputs", type=int, default=1200, help="of one function, at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, help="judge only so many pairs, chosen by the seed")
    parser.add_argument("--positives", action="store_true", help="judge only pairs that differ")
    parser.add_argument("--model", help="a model that writes tests")
    parser.add_argument("--base-url", help="its server")
    options = parser.parse_args(argv)
    settings = replace(
        DiffSettings(wanted=1),
        seconds=options.seconds,
        seed=options.seed,
        repeats=options.repeats,
        inputs=options.inputs,
    )
    protocol = {"seconds": options.seconds, "inputs": options.inputs, "repeats": options.repeats}
    options.output.mkdir(parents=True, exist_ok=True)
    name = "rows.jsonl" if options.model is None else "rows-model.jsonl"
    journal = Journal(options.output / name, protocol, parse_row)
    writer = AuthorOptions(model=options.model, base_url=options.base_url)
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        place = open_place(stack)
        programs = load_all(options, Path(work))
        pairs = load_pairs(
            programs,
            options.output / "pairs.jsonl",
            options.per_program,
            options.seed,
            options.jobs,
        )
        positives = sum(pair.differs for pair in pairs)
        print(
            f"{len(programs)} programs, {positives} positives, {len(pairs) - positives} negatives"
        )
        # In random order what is there when it is stopped is a fair sample.
        Random(options.seed).shuffle(pairs)
        wanted = [pair for pair in pairs if pair.differs or not options.positives][: options.limit]
        author = stack.enter_context(
            writer.author(writer.make_purse(), ("left", "right"), "", options.seed)
        )

        def run(pair: Pair) -> Row:
            program = next(each for each in programs if each.name == pair.program)
            return judge(pair, program, place, settings, Path(work), author)

        run_missing(wanted, run, journal, options.jobs)
    rows = [journal.done[pair.key] for pair in wanted]
    print(f"sandbox: {place.sandbox.name}; {len(rows)} pairs")
    print(summarise(rows))
    return 0


def parse_row(fields: Mapping[str, Any]) -> Row:
    """A row as the journal keeps it."""
    return Row(**fields)


def run_missing(
    pairs: Sequence[Pair], run: Callable[[Pair], Row], journal: Journal[Row], jobs: int
) -> None:
    """Judge what has no row yet."""

    def attempt(pair: Pair) -> Row:
        try:
            return run(pair)
        except AprError as error:
            return Row(pair.key, pair.program, pair.change, pair.differs, ERROR, str(error))

    todo = [pair for pair in pairs if not journal.has_verdict(pair.key)]
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(attempt, pair) for pair in todo]):
            row = future.result()
            journal.add(row)
            sign, told = "+" if row.differs else "-", row.question or row.reason
            print(f"{sign} {row.program} [{row.change}] {row.verdict}: {told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
