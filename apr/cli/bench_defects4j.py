"""`apr bench defects4j` and `apr bench check defects4j`: real bugs of Java projects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli.bench_check import CheckOptions, run_check
from apr.cli.bench_options import BenchOptions
from apr.cli.groups import grouped
from apr.cli.model_options import ModelOptions

if TYPE_CHECKING:
    from apr.datasets.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Places:
    """Where the metadata and the projects are."""

    framework: Annotated[
        Path, typer.Option("--framework", metavar="DIR", help="A checkout of Defects4J.")
    ]
    repositories: Annotated[
        Path | None,
        typer.Option(
            "--repositories",
            metavar="DIR",
            help="Clones of the projects, named OWNER__NAME, OWNER/NAME or NAME. Default: the"
            " program defects4j checks the bugs out.",
        ),
    ] = None
    projects: Annotated[
        str,
        typer.Option("--projects", metavar="A,B", help="These projects, as Defects4J calls them."),
    ] = "Lang"

    def load(self, work: Path, names: tuple[str, ...] | None) -> Dataset:
        """The bugs, with their subjects in a folder of ours."""
        from apr.datasets.defects4j import bugs

        return bugs.load(self.framework, self.repositories, work, self.projects.split(","), names)


@grouped
def defects4j(places: Places, options: BenchOptions, language_model: ModelOptions) -> None:
    """Repair bugs of Defects4J (Just et al. 2014): real ones, of Java projects."""
    from apr.cli.bench import run_benchmark

    run_benchmark(
        "defects4j", lambda work: places.load(work, options.names), options, language_model
    )


@grouped
def check_defects4j(places: Places, options: CheckOptions) -> None:
    """Check bugs of Defects4J."""
    run_check(lambda work: places.load(work, options.names), options)
