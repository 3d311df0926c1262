"""The console script `apr`: its commands, their help, and the signals it understands."""

from __future__ import annotations

import inspect
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from apr import __version__
from apr.cli import (
    answer,
    bench,
    ci,
    diff,
    doctor,
    evaluate,
    fix,
    gc,
    localize,
    runs,
    sandbox,
    serve,
    token,
    train,
    tree,
    validate,
    web,
    worker,
)
from apr.cli.guard import complain, guarded

REPAIR, LOOK, MACHINE, BENCHMARKS = "Repair", "Look", "Machine", "Benchmarks"

ABOUT = """Repair a bug: find where it is, search for a patch, prove it in a sandbox.

Try [bold]apr fix PATH[/bold] on a project with a failing test. Your files are never touched unless you say --apply. The result goes to stdout, everything else to stderr."""  # noqa: E501 - Typer keeps line ends

EXIT_CODES = "\n".join(
    (
        "[bold]Exit codes[/bold]",
        " [cyan]  0[/cyan]  a plausible patch was found, or the command did what it was asked",
        " [cyan]  1[/cyan]  no plausible patch was found",
        " [cyan]  2[/cyan]  bad input",
        " [cyan]  3[/cyan]  this machine cannot run it",
        " [cyan]  4[/cyan]  a time or money cap was reached before a verdict",
        " [cyan]130[/cyan]  interrupted: the run is saved, and apr resume continues it",
        "Runs are kept in the user's data folder (APR_DATA_DIR), or in any SQLAlchemy URL given"
        " as APR_DATABASE_URL. NO_COLOR turns colours off.",
    )
)


class AprGroup(TyperGroup):
    """Commands whose errors become one sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit."""
        words = list(sys.argv[1:] if args is None else args)
        sys.exit(guarded(partial(self._run, words)))

    def _run(self, words: list[str]) -> None:
        with self.make_context("apr", words) as context:
            self.invoke(context)


app = typer.Typer(
    cls=AprGroup,
    help=ABOUT,
    epilog=EXIT_CODES,
    add_completion=False,
    invoke_without_command=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("fix", REPAIR, fix.fix),
    ("resume", REPAIR, runs.resume),
    ("answer", REPAIR, answer.answer),
    ("cancel", REPAIR, runs.cancel),
    ("ci", REPAIR, ci.ci),
    ("localize", REPAIR, localize.localize),
    ("validate", REPAIR, validate.validate),
    ("diff", REPAIR, diff.diff),
    ("runs", LOOK, runs.list_runs),
    ("show", LOOK, runs.show),
    ("tree", LOOK, tree.tree),
    ("doctor", MACHINE, doctor.doctor),
    ("gc", MACHINE, gc.gc),
    ("serve", MACHINE, serve.serve),
    ("web", MACHINE, web.web),
    ("worker", MACHINE, worker.worker),
)


def _help(function: Callable[..., None]) -> str:
    """The docstring with its paragraphs unwrapped, since Typer keeps their line ends."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for _name, _panel, _function in COMMANDS:
    app.command(_name, help=_help(_function), rich_help_panel=_panel)(_function)
app.command(
    "train", help=_help(train.train), rich_help_panel=MACHINE, context_settings=train.PASSED_ON
)(train.train)
app.add_typer(sandbox.app, name="sandbox", rich_help_panel=MACHINE)
app.add_typer(token.app, name="token", rich_help_panel=MACHINE)
app.command("evaluate", help=_help(evaluate.evaluate), rich_help_panel=BENCHMARKS)(
    evaluate.evaluate
)
app.add_typer(bench.app, name="bench", rich_help_panel=BENCHMARKS)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"apr {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    complain(f"warning: {message}")


def run() -> None:
    """The console script."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: saved
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    run()
