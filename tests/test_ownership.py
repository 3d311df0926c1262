"""A run has one owner, and whoever is no longer it stops without a word."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import LeaseLostError, RunCancelledError, RunElsewhereError, RunHandedBackError
from apr.core.run import Budget, RunStatus, Usage
from apr.core.tree import SearchTree
from apr.ownership import owning
from apr.repair import Repair
from apr.search.loop import StopReason
from apr.service import Service
from apr.settings import RunSettings
from apr.storage.engine import make_engine
from apr.storage.memory import InMemoryRunStore
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore

BUG = Bug("/nowhere", TestCommand(RunnerKind.PYTEST))
OWNER = """
import sys, time
from apr.core.errors import LeaseLostError
from apr.ownership import owning
from apr.storage.engine import make_engine
from apr.storage.store import SqlRunStore

store = SqlRunStore(make_engine(sys.argv[1]))
try:
    with owning(store, sys.argv[2], 1.0) as own:
        for number in range(10_000):
            own.store.append_event(sys.argv[2], "old", {})
            print("written", flush=True)
            time.sleep(0.01)
except LeaseLostError:
    sys.exit(17)
"""


def submit(store: SqlRunStore | InMemoryRunStore) -> str:
    return Service(store, lambda *_: None).submit_run(BUG, RunSettings(), Budget(), 0).id  # type: ignore[arg-type, return-value]


def test_an_owner_suspended_beyond_its_lease_stops_before_it_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/apr.db"
    engine = make_engine(url)
    ensure_schema(engine)
    store = SqlRunStore(engine)
    run_id = submit(store)
    command = [sys.executable, "-c", OWNER, url, run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as old:
        assert old.stdout is not None
        old.stdout.readline()
        old.send_signal(signal.SIGSTOP)
        with owning(store, run_id, 30.0, patience_s=20) as own:
            own.store.append_event(run_id, "new", {})
            old.send_signal(signal.SIGCONT)
            old.stdout.read()
            assert old.wait(20) == 17
            own.store.append_event(run_id, "new", {})
    kinds = [event.kind for event in store.events(run_id)]
    assert kinds == sorted(kinds, reverse=True)  # all of the old owner's before the new one's
    assert kinds[-2:] == ["new", "new"]
    engine.dispose()


def test_a_second_owner_is_refused_until_the_first_is_done() -> None:
    store = InMemoryRunStore()
    run_id = submit(store)
    refused = pytest.raises(RunElsewhereError, match="another process")
    with owning(store, run_id), refused, owning(store, run_id):
        pass
    with owning(store, run_id):
        pass


def wait_for_reason(reasons: list[Exception | None], check: object) -> None:
    deadline = time.monotonic() + 5
    while check.reason is None and time.monotonic() < deadline:  # type: ignore[attr-defined]
        time.sleep(0.02)
    reasons.append(check.reason)  # type: ignore[attr-defined]


def test_the_switch_is_turned_off_for_what_ends_an_ownership() -> None:
    store = InMemoryRunStore()
    reasons: list[Exception | None] = []
    cancelled, wanted, lost = (submit(store) for _ in range(3))
    with owning(store, cancelled) as own:
        store.set_status(cancelled, RunStatus.CANCELLED)
        wait_for_reason(reasons, own.switch)
    with owning(store, wanted, hand_back=lambda: "wanted") as own:
        wait_for_reason(reasons, own.switch)
    with owning(store, lost, 1.0) as own:
        owner = own.store._owner  # type: ignore[attr-defined]
        store.release(lost, owner)
        wait_for_reason(reasons, own.switch)
        with pytest.raises(LeaseLostError):
            own.switch.check()
    kinds = [type(reason) for reason in reasons]
    assert kinds == [RunCancelledError, RunHandedBackError, LeaseLostError]


def test_a_run_stopped_at_its_last_writes_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    store = InMemoryRunStore()
    service = Service(store, lambda *_: None)  # type: ignore[arg-type, return-value]
    run_id = submit(store)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    found = Repair((), StopReason.PLAUSIBLE, SearchTree(), Usage())
    monkeypatch.setattr(Service, "_execute", lambda *_: found)
    monkeypatch.setattr(InMemoryRunStore, "save_patches", stop)
    with pytest.raises(KeyboardInterrupt):
        service.execute_run(run_id)
    assert store.status(run_id) is RunStatus.INTERRUPTED
