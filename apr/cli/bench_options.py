"""What all benchmarks are asked alike: budgets, seeds, variants, workers, and where to keep it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apr.cli import options as o
from apr.core.errors import BadInputError


class BenchFormat(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this bug; repeatable."),
]
BenchSecondsOption = Annotated[
    float, typer.Option("--seconds", metavar="S", min=0.1, help="Seconds of search for each bug.")
]
RowsOption = Annotated[
    Path, typer.Option("--dataset", metavar="FILE", help="SWE-bench: JSON(L) or parquet.")
]
PythonOption = Annotated[
    str | None,
    typer.Option(
        "--python",
        metavar="FILE",
        help="An interpreter that has all that the tests need (default: one is built).",
    ),
]
RepositoriesOption = Annotated[
    Path,
    typer.Option(
        "--repositories",
        metavar="DIR",
        help="Clones of the repositories, named OWNER__NAME, OWNER/NAME or NAME.",
    ),
]
DivergenceOption = Annotated[
    float,
    typer.Option(
        "--divergence",
        metavar="S",
        min=0.0,
        rich_help_panel=o.RESULT,
        help="Compare every plausible patch with the reference version by behaviour, for so many"
        " seconds. Default: 0, the code alone is compared.",
    ),
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="DIR",
        help="Keep a record of each bug here; the same command again goes on where it stopped.",
    ),
]
RedoOption = Annotated[
    bool, typer.Option("--redo", help="Run the bugs again that have a record in --output.")
]
CompareOption = Annotated[
    str | None,
    typer.Option(
        "--compare",
        metavar="A,B,C",
        rich_help_panel=o.SEARCH,
        help="Run these variants on the same bugs and compare the first with the others. A variant"
        " is a policy with settings: mcts, mcts+judge=0.5, mcts+no-feedback, mcts+depth=1,"
        " trial-and-error.",
    ),
]
SeedsOption = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="0,1,2",
        rich_help_panel=o.SEARCH,
        help="Run every bug with each of these seeds; 0-4 means five.",
    ),
]
BenchSeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        rich_help_panel=o.SEARCH,
        help="The same seed gives the same search. Default: 0.",
    ),
]
BenchPolicyOption = Annotated[
    o.Policy | None,
    typer.Option(
        "--policy",
        rich_help_panel=o.SEARCH,
        help="Tree search, or a search without rewards. Default: mcts.",
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes that run bugs side by side; --jobs is then 1 by default.",
    ),
]
BaselineOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        rich_help_panel=o.TESTS,
        help="Measure every run's baseline anew, not once for all runs of a bug.",
    ),
]
ReuseOption = Annotated[
    bool,
    typer.Option(
        "--reuse-verdicts",
        rich_help_panel=o.TESTS,
        help="Judge equal programs once for all runs. Candidates are counted as before, but"
        " seconds no longer compare.",
    ),
]
BenchFormatOption = Annotated[
    BenchFormat, typer.Option("--format", rich_help_panel=o.RESULT, help="What stdout carries.")
]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What all benchmarks are asked alike."""

    candidates: o.CandidatesOption = None
    seconds: BenchSecondsOption = 120.0
    seed: BenchSeedOption = None
    seeds: SeedsOption = None
    policy: BenchPolicyOption = None
    localization: o.LocalizationOption = None
    compare: CompareOption = None
    workers: WorkersOption = 1
    no_cache: BaselineOption = False
    reuse_verdicts: ReuseOption = False
    test_timeout: o.TestTimeoutOption = 30.0
    sandbox: o.SandboxOption = o.Sandbox.AUTO
    jobs: o.JobsOption = None
    only: OnlyOption = None
    divergence: DivergenceOption = 0.0
    output: DirectoryOption = None
    redo: RedoOption = False
    form: BenchFormatOption = BenchFormat.TEXT
    quiet: o.QuietOption = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The bugs asked for; None: all."""
        return tuple(self.only) if self.only else None

    @property
    def is_comparison(self) -> bool:
        """Whether variants or seeds are compared, rather than bugs listed."""
        return self.compare is not None or self.seeds is not None

    @property
    def chosen_localization(self) -> str | None:
        """How the suspects are found; None: as the benchmark usually has it.

        Raises:
            BadInputError: when it would need a place.
        """
        if self.localization is o.Localization.GIVEN:
            raise BadInputError("--localization given names a place; benchmarks have many bugs")
        return None if self.localization is None else self.localization.value

    def chosen_seeds(self) -> tuple[int, ...]:
        """The seeds asked for.

        Raises:
            BadInputError: when they make no sense.
        """
        from apr.cli.trials import parse_seeds

        if self.seeds is None:
            return (self.seed or 0,)
        if self.seed is not None:
            raise BadInputError("--seed contradicts --seeds: give one of them")
        return parse_seeds(self.seeds)
