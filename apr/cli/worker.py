"""`apr worker`: executes the runs that others submit."""

from __future__ import annotations

from typing import Annotated

import typer

from apr.cli.request import processors
from apr.core.errors import BadInputError


def worker(
    queues: Annotated[
        str,
        typer.Option("--queues", metavar="NAMES", help="Which queues to serve."),
    ] = "runs,validation",
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, help="Tasks at once; default: the cores."),
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(
            "--health-port",
            metavar="PORT",
            min=1,
            max=65535,
            help="Answer /health, /ready and /metrics on 127.0.0.1.",
        ),
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Execute runs that others submit with apr fix --distributed.

    The broker is named by APR_BROKER_URL, the database by APR_DATABASE_URL. SIGTERM hands what is
    under way back to the queue, and another worker goes on with it.
    """
    if log_level not in ("debug", "info", "warning", "error"):
        raise BadInputError(f"--log-level {log_level}: use debug, info, warning or error")
    try:
        from workers.main import WorkerOptions, run_worker
    except ImportError as error:
        raise BadInputError(
            f"a worker needs the Python package {error.name}: pip install 'apr[scale]'"
        ) from error
    from apr.settings import AppSettings

    names = tuple(name.strip() for name in queues.split(",") if name.strip())
    options = WorkerOptions(names, processes or processors(), health_port, log_level)
    run_worker(AppSettings(), options)
