"""`apr bench folder`: repairs any bugs that are described by a small file each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli.bench_options import BenchOptions
from apr.cli.groups import grouped
from apr.cli.model_options import ModelOptions

if TYPE_CHECKING:
    from apr.datasets.dataset import Dataset


@grouped
def folder(
    root: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder with a bug.toml or bug.json for each bug."),
    ],
    options: BenchOptions,
    language_model: ModelOptions,
) -> None:
    """Repair bugs of your own: a folder with a `bug.toml` for each."""
    from apr.cli.bench import run_benchmark

    def load(_work: Path) -> Dataset:
        from apr.datasets import folder as dataset

        return dataset.load(root, options.names)

    run_benchmark("folder", load, options, language_model)
