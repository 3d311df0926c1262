"""Follows a run that is executed elsewhere, as if it were executed here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from apr.cli.progress import Listener, reporting
from apr.core.errors import AprError, ExitCode
from apr.core.run import RepairRun, RunEvent, RunStatus

if TYPE_CHECKING:
    from apr.service import Service

LOOK_EVERY_S = 0.25


class RunGoesOnError(AprError):
    """The user no longer watches a run that is executed elsewhere."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {run_id} goes on; apr resume --distributed {run_id} follows it,"
            f" apr cancel {run_id} ends it"
        )


class RunFailedElsewhereError(AprError):
    """A run could not be executed, for the reason that whoever tried has kept."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code)


def follow(service: Service, run_id: str, *, quiet: bool, after: int = 0) -> RepairRun:
    """Show the progress of a run from event number `after` until it has ended.

    Raises:
        RunGoesOnError: when the user stopped watching.
        RunFailedElsewhereError: when it could not be executed.
    """
    try:
        with reporting(quiet=quiet) as listener:
            return _follow(service, run_id, listener, after)
    except KeyboardInterrupt:
        raise RunGoesOnError(run_id) from None


def _follow(service: Service, run_id: str, listener: Listener, after: int) -> RepairRun:
    failure: RunEvent | None = None
    while True:
        run = service.get_run(run_id)  # before the events, so that the last ones are seen
        for event in service.store.events(run_id, after):
            after = event.sequence
            failure = event if event.kind == "failed" else failure
            listener(event.kind, event.data)
        if run.status.is_final:
            break
        time.sleep(LOOK_EVERY_S)
    if run.status is RunStatus.FAILED and failure is not None:
        raise RunFailedElsewhereError(failure.data["message"], failure.data["exit_code"])
    return run
