"""Being the one searcher of a run: the lease, and whatever may make its owner stop."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from apr.core.errors import (
    LeaseLostError,
    RunCancelledError,
    RunElsewhereError,
    RunHandedBackError,
    StoreError,
)
from apr.core.ports import RunStore
from apr.core.run import RunStatus
from validation.sandbox.switch import Switch

LEASE_S = 15.0
WATCH_S = 0.5
"""How soon a cancelled run, or one that is wanted back, ends what it runs."""

HandBack = Callable[[], str | None]
"""Why the run is to go back to the queue; None: it is not."""


def keep() -> str | None:
    """Never hand a run back."""
    return None


@dataclass(frozen=True, slots=True)
class Ownership:
    """A run that is ours until `switch` is off; `store` refuses to write when it is not ours."""

    store: RunStore
    switch: Switch


@contextmanager
def owning(
    store: RunStore,
    run_id: str,
    lease_s: float = LEASE_S,
    *,
    patience_s: float = 0.0,
    hand_back: HandBack = keep,
) -> Iterator[Ownership]:
    """Own the run within the block, at the end of which its sandboxes' processes are gone.

    `lease_s`: how long we may be silent. `patience_s`: how long to wait for another owner's
    lease to run out.

    Raises:
        RunElsewhereError: when another process owns the run.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    _claim(store, run_id, owner, lease_s, patience_s)
    switch = Switch()
    watch = _Watch(store, run_id, owner, lease_s, switch, hand_back)
    try:
        with watching(switch, watch.look):
            yield Ownership(store.fenced(owner), switch)
    finally:
        with suppress(StoreError):  # it runs out by itself
            store.release(run_id, owner)


@contextmanager
def watching(switch: Switch, look: Callable[[], None]) -> Iterator[None]:
    """Look twice a second, in a thread, until the block ends or the switch is off.

    A database that does not answer changes nothing: without the lease nothing can be written.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(WATCH_S) and switch.reason is None:
            with suppress(StoreError):
                look()

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def stop_if_cancelled(store: RunStore, run_id: str, switch: Switch) -> None:
    """Turn the switch off when the run was cancelled."""
    if store.status(run_id) is RunStatus.CANCELLED:
        switch.turn_off(RunCancelledError(f"run {run_id} was cancelled"))


def _claim(store: RunStore, run_id: str, owner: str, lease_s: float, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not store.claim(run_id, owner, lease_s):
        if time.monotonic() >= deadline:
            raise RunElsewhereError(f"run {run_id} is being executed by another process")
        time.sleep(0.5)


class _Watch:
    """Renews the lease, and turns the switch off when the run is not to go on here."""

    def __init__(
        self,
        store: RunStore,
        run_id: str,
        owner: str,
        lease_s: float,
        switch: Switch,
        hand_back: HandBack,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._owner = owner
        self._lease_s = lease_s
        self._switch = switch
        self._hand_back = hand_back
        self._renew_at = time.monotonic() + self._lease_s / 3

    def look(self) -> None:
        """Look at everything that may end this ownership."""
        reason = self._hand_back()
        if reason is not None:
            self._switch.turn_off(RunHandedBackError(reason))
            return
        try:
            if time.monotonic() >= self._renew_at:
                self._store.renew(self._run_id, self._owner, self._lease_s)
                self._renew_at = time.monotonic() + self._lease_s / 3
        except LeaseLostError as error:
            self._switch.turn_off(error)
            return
        stop_if_cancelled(self._store, self._run_id, self._switch)
