"""Options about where a run is executed, and its execution there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli.execution import execute
from apr.cli.following import follow
from apr.cli.output import err_console
from apr.core.run import RepairRun

if TYPE_CHECKING:
    from apr.core.ports import JobQueue
    from apr.service import Service

PANEL = "Distribution"


@dataclass(frozen=True, slots=True)
class DistributionOptions:
    """Here, or by workers."""

    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            rich_help_panel=PANEL,
            help="Let workers do it (see apr worker), and follow them. Ctrl-C leaves them to it.",
        ),
    ] = False
    priority: Annotated[
        int,
        typer.Option(
            "--priority",
            metavar="0-9",
            min=0,
            max=9,
            rich_help_panel=PANEL,
            help="Which of the runs that wait for a worker comes first.",
        ),
    ] = 0

    def queue(self) -> JobQueue | None:
        """The queue that was asked for.

        Raises:
            BadInputError: when there is no broker.
        """
        if not self.distributed:
            return None
        from apr.settings import AppSettings
        from workers.deployment import make_queue

        return make_queue(AppSettings())

    def execute(
        self, service: Service, run_id: str, queue: JobQueue | None, *, quiet: bool
    ) -> RepairRun:
        """Execute a run, or go on with it; see `apr.cli.execution.execute`."""
        if queue is None:
            return execute(service, run_id, quiet=quiet)
        told = max((event.sequence for event in service.store.events(run_id)), default=0)
        is_waiting = service.store.submission(run_id) is not None
        if service.get_run(run_id).status.is_final or not is_waiting:
            service.enqueue_run(run_id, queue, self.priority)
        if not quiet:
            err_console().print(f"run {run_id} is in the queue", soft_wrap=True)
        return follow(service, run_id, quiet=quiet, after=told)
