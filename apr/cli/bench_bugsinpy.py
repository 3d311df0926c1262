"""`apr bench bugsinpy`: repairs real bugs of Python projects."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli.bench_options import BenchOptions, RepositoriesOption
from apr.cli.groups import grouped
from apr.cli.model_options import ModelOptions

if TYPE_CHECKING:
    from apr.datasets.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Places:
    """Where the metadata, the projects and what their tests need are."""

    framework: Annotated[
        Path, typer.Option("--framework", metavar="DIR", help="A checkout of BugsInPy.")
    ]
    repositories: RepositoriesOption
    projects: Annotated[
        str | None,
        typer.Option("--projects", metavar="A,B", help="These projects. Default: all of BugsInPy."),
    ] = None
    python: Annotated[
        Path | None,
        typer.Option(
            "--python",
            metavar="FILE",
            help="An interpreter that has all that the tests need. Default: APR's own.",
        ),
    ] = None

    def loader(self, names: Sequence[str] | None) -> Callable[[Path], Dataset]:
        """What loads the bugs, or those named, once the folder for their subjects is known."""

        def load(work: Path) -> Dataset:
            from apr.datasets import bugsinpy as dataset

            return dataset.load(
                self.framework,
                self.repositories,
                work,
                names,
                self.projects.split(",") if self.projects else None,
                str((self.python or Path(sys.executable)).absolute()),
            )

        return load


@grouped
def bugsinpy(places: Places, options: BenchOptions, language_model: ModelOptions) -> None:
    """Repair bugs of BugsInPy (Widyasari et al. 2020): real ones, of Python projects."""
    from apr.cli.bench import run_benchmark

    run_benchmark("bugsinpy", places.loader(options.names), options, language_model)
