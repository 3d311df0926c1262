"""What the web server keeps, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.patch import Hunk, Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode
from apr.storage.accounts import Accounts, AuditEntry, Token
from apr.storage.catalog import Order, RunCatalog, RunQuery
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
from apr.storage.sources import REPLAY_FOR, Replay, Replays, Source, Sources
from apr.storage.store import SqlRunStore
from apr.storage.webhooks import Webhook, Webhooks

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/w.db" if is_sqlite else request.getfixturevalue("postgres_url")
    made = make_engine(url)
    ensure_schema(made)
    yield made
    made.dispose()


def make_run(run_id: str, name: str, minutes: int, candidates: int = 0) -> RepairRun:
    bug = Bug(f"/p/{name}", TestCommand(RunnerKind.PYTEST), name=name)
    begun = NOW + timedelta(minutes=minutes)
    usage = Usage(candidates=candidates)
    return RepairRun(run_id, bug, {}, 0, RunStatus.EXHAUSTED, Budget(), usage, begun)


def test_runs_are_found_by_owner_text_and_status(engine: Engine) -> None:
    store, catalog = SqlRunStore(engine), RunCatalog(engine)
    for index, name in enumerate(("Alpha_1", "beta", "alpha%2")):
        store.create_run(make_run(f"r{index}", name, index, candidates=10 - index))
    catalog.set_owner("r0", "ada")
    catalog.set_owner("r1", "bob")

    def ids(**wanted: object) -> list[str]:
        page = catalog.list_runs(RunQuery(**wanted))  # type: ignore[arg-type]
        assert page.total == len(page.runs)
        return [run.id for run in page.runs]

    assert ids() == ["r2", "r1", "r0"]
    assert ids(order=Order.CANDIDATES) == ["r0", "r1", "r2"]
    assert ids(text="ALPHA") == ["r2", "r0"]
    assert ids(text="%") == ["r2"], "wildcards are plain characters"
    assert ids(text="_") == ["r0"]
    assert ids(owner="ada") == ["r0"]
    assert ids(statuses=(RunStatus.QUEUED,)) == []
    found = catalog.list_runs(RunQuery(limit=1, offset=1))
    assert ([run.id for run in found.runs], found.total) == (["r1"], 3)
    assert catalog.find_run("r0", "bob") is None
    assert catalog.find_run("r0", "ada") == store.get_run("r0")
    assert catalog.find_run("r", None) is None, "no prefixes"


def test_nodes_are_told_without_their_reports(engine: Engine) -> None:
    store, catalog = SqlRunStore(engine), RunCatalog(engine)
    store.create_run(make_run("r", "x", 0))
    patches = [Patch((Hunk("m.py", 1, ("a\n",), (f"{i}\n",)),)) for i in range(3)]
    report = ValidationReport(Verdict.REGRESSES, Stage.FULL, triggers_passed=1, duration_s=2.0)
    nodes = [
        SearchNode(0, None, Patch()),
        SearchNode(1, 0, patches[0], 1, reward=0.5, report=report),
        SearchNode(2, 0, patches[1], 1, reward=0.9),
        SearchNode(3, 1, patches[2], 2, reward=0.5, report=report),
    ]
    store.save_nodes("r", nodes)
    assert catalog.count_nodes("r") == 4
    assert [node.verdict for node in catalog.nodes("r")] == [None, "regresses", None, "regresses"]
    assert [node.id for node in catalog.nodes("r", after=1, limit=1)] == [2]
    assert [node.id for node in catalog.best_nodes("r", 10)] == [2, 1, 3]
    found = catalog.node("r", 3)
    assert found is not None
    assert (found[1], found[2]) == (patches[2], report)
    assert catalog.node("r", 9) is None
    assert [node.id for node in catalog.lineage("r", 3)] == [0, 1, 3]
    assert [node.id for node in catalog.children("r", 0)] == [2, 1]
    assert catalog.patches("r", [0, 3, 9]) == {0: Patch(), 3: patches[2]}
    assert catalog.first_plausible("r") is None
    won = ValidationReport(Verdict.PLAUSIBLE, Stage.CONFIRM)
    store.save_nodes(
        "r", [SearchNode(4, 3, Patch((Hunk("m.py", 1, ("a\n",), ()),)), 3, report=won)]
    )
    assert catalog.first_plausible("r") == 4
    store.append_event("r", "phase", {"name": "a"})
    store.append_event("r", "phase", {"name": "b"})
    assert catalog.heads(["r", "gone"])["r"].last_event == 2


def test_tokens_end_and_take_their_sessions_along(engine: Engine) -> None:
    now = [NOW]
    accounts = Accounts(engine, lambda: now[0])
    for name in ("aa", "bb"):
        accounts.add_token(Token(name, name, "", "d", "read", NOW, NOW + timedelta(hours=5)))
        accounts.open_session(f"session-{name}", name, hours=2)
    found = accounts.find_session("session-aa")
    assert found is not None and found.user == "aa"
    assert not accounts.revoke_token("aa", "bb"), "not the user's"
    assert accounts.find_session("session-aa") is not None
    assert accounts.revoke_token("aa", "aa")
    assert accounts.find_session("session-aa") is None and accounts.find_token("aa") is None
    now[0] += timedelta(hours=3)
    assert accounts.find_session("session-bb") is None
    assert accounts.find_token("bb") is not None
    now[0] += timedelta(hours=3)
    assert accounts.find_token("bb") is None


def test_the_audit_log_is_read_page_by_page(engine: Engine) -> None:
    accounts = Accounts(engine)
    for index in range(3):
        accounts.log(AuditEntry(NOW, "ada", "here", f"a{index}"))
    (number, newest), *_ = accounts.audit(limit=1)
    assert newest.action == "a2"
    assert [entry.action for _, entry in accounts.audit(before=number)] == ["a1", "a0"]


def test_a_key_is_taken_once_and_freed_after_a_day(engine: Engine) -> None:
    now = [NOW]
    replays = Replays(engine, lambda: now[0])
    assert replays.begin("ada", "k", "x") is None
    assert replays.begin("ada", "k", "y") == Replay("x", None, b"")
    assert replays.begin("bob", "k", "x") is None
    replays.finish("ada", "k", 202, b"{}")
    assert replays.begin("ada", "k", "x") == Replay("x", 202, b"{}")
    now[0] += timedelta(hours=1)
    assert replays.begin("bob", "k", "x") is None, "its server was lost while it answered"
    now[0] += REPLAY_FOR
    assert replays.begin("ada", "k", "z") is None


def test_a_project_is_needed_while_a_run_is_about_it(engine: Engine) -> None:
    sources = Sources(engine)
    source = Source("src-1", "ada", "path", "o", "/p/x", None, 1, 1, NOW)
    sources.add(source)
    assert not sources.is_needed(source)
    SqlRunStore(engine).create_run(make_run("r", "x", 0))
    assert sources.is_needed(source)
    assert sources.find("src-1", "bob") is None and sources.find("src-1", "ada") == source
    sources.remove("src-1")
    assert sources.of() == []


def test_deliveries_are_taken_by_one_and_go_with_their_webhook(engine: Engine) -> None:
    now = [NOW]
    hooks, store = Webhooks(engine, lambda: now[0]), SqlRunStore(engine)
    store.create_run(make_run("r", "x", 0))
    RunCatalog(engine).set_owner("r", "ada")
    hooks.add(Webhook("h", "ada", "https://x", "s", ("ended",), NOW))
    hooks.add(Webhook("i", "bob", "https://y", "s", ("ended",), NOW))
    events = [("r", store.append_event("r", kind, {})) for kind in ("phase", "ended")]
    hooks.plan(events)
    [(webhook, delivery)] = hooks.take()
    assert (webhook.id, delivery.sequence) == ("h", 2)
    assert hooks.take() == []
    hooks.succeeded(delivery, "status 200")
    now[0] += timedelta(days=1)
    assert hooks.take() == []
    hooks.remove("h")
    assert hooks.deliveries("h") == []
