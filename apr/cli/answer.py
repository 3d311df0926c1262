"""`apr answer`: which of two behaviours is right, said once and searched for from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apr.cli import options as o
from apr.cli.execution import choose_format, execute, exit_code, report
from apr.cli.output import check_output, err_console
from apr.cli.request import find_run_id, open_service
from apr.core.errors import BadInputError


def answer(
    run: o.RunArgument,
    question: Annotated[
        int | None,
        typer.Argument(metavar="QUESTION", min=1, help="The number of the question, from 1."),
    ] = None,
    patch: Annotated[
        int | None,
        typer.Argument(metavar="PATCH", min=1, help="The number of a patch that is right there."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="No patch is right: demand this test instead."),
    ] = None,
    form: o.PatchFormatOption = None,
    json: o.JsonOption = False,
    output: o.OutputOption = None,
    quiet: o.QuietOption = False,
) -> None:
    """Answer a question of a run: the answer becomes a test, and the search goes on with it.

    Runs that find several patches (apr fix --patches N) ask in what they differ; apr show lists
    the questions. A new run begins with the bug, settings and budget of the other, and whatever
    it finds passes the test too. The project itself is not changed: the test is in apr show.
    """
    from apr.answers import choose_test

    chosen = choose_format(form, json=json, output=output)
    check_output(output)
    service = open_service()
    run_id = find_run_id(service, run)
    if test is not None:
        if question is not None:
            raise BadInputError("--test is an answer of its own: drop QUESTION and PATCH")
        text, fails = _read_test(test), False
    elif question is None or patch is None:
        raise BadInputError("say which QUESTION and which PATCH is right, or give --test FILE")
    else:
        behaviour = service.behaviour(run_id)
        if behaviour is None:
            raise BadInputError(f"run {run_id} asks no question: it has not compared any patches")
        text, fails = choose_test(behaviour.choices, question, patch)
    submitted = service.answer(run_id, text, fails=fails)
    if not quiet:
        err_console().print(f"the search of {run_id} goes on as {submitted.id}")
    found = execute(service, submitted.id, quiet=quiet)
    report(service, found, chosen, output, quiet=quiet)
    raise typer.Exit(int(exit_code(found)))


def _read_test(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"--test {path} cannot be read: {error}") from error
