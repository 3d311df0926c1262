"""What the API promises to clients: the same answer twice, pages, conditions, streams, webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from apr.core.behaviour import Behaviour, Choice, Cluster
from apr.core.bug import RunnerKind, TestId
from apr.core.errors import BadInputError
from apr.core.run import RunStatus
from apr.service import BEHAVIOUR
from apr.serving.http.run import listen
from apr.storage.behaviour import encode_behaviour
from apr.storage.store import SqlRunStore
from apr.storage.webhooks import ATTEMPTS, Webhooks
from support.attacks.base import plain_file, tar_of
from support.web_server import WebServer
from validation.runners.junit import read_failing
from web.hooks.relay import Relay
from web.security.principal import Scope
from web.security.rate import Pace


@pytest.fixture
def client(server: WebServer) -> Iterator[httpx.Client]:
    with server.client("ada") as made:
        yield made


def submit(client: httpx.Client, archive: bytes, **asked: object) -> str:
    source = client.post("/sources/archive", content=archive).json()["source"]
    found = client.post("/runs", json={"source": source, **asked})
    assert found.status_code == 202, found.text
    run: str = found.json()["run"]
    return run


def test_a_request_that_is_sent_twice_is_done_once(client: httpx.Client, archive: bytes) -> None:
    source = client.post("/sources/archive", content=archive).json()["source"]
    key, asked = {"Idempotency-Key": "build-17"}, {"source": source, "name": "twice"}
    first = client.post("/runs", json=asked, headers=key)
    second = client.post("/runs", json=asked, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    assert client.get("/runs", params={"q": "twice"}).json()["total"] == 1
    other = client.post("/runs", json={**asked, "seed": 5}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:apr:problem:key-reused")


def test_a_refused_request_leaves_its_key_free(client: httpx.Client, archive: bytes) -> None:
    source = client.post("/sources/archive", content=archive).json()["source"]
    key = {"Idempotency-Key": "build-18"}
    wrong = client.post("/runs", json={"source": source, "model": "none"}, headers=key)
    assert wrong.status_code == 422
    assert client.post("/runs", json={"source": source}, headers=key).status_code == 202


def test_runs_are_listed_filtered_sorted_and_paged(client: httpx.Client, archive: bytes) -> None:
    ids = [submit(client, archive, name=f"paged-{letter}") for letter in "cab"]
    client.post(f"/runs/{ids[0]}/cancel")

    def names(**wanted: object) -> list[str]:
        found = client.get("/runs", params={"q": "paged", **wanted}).json()
        assert found["total"] == (1 if "status" in wanted else 3)
        return [run["name"][-1] for run in found["runs"]]

    assert names() == ["b", "a", "c"]
    assert names(order="oldest") == ["c", "a", "b"]
    assert names(order="name", limit=2) == ["a", "b"]
    assert names(order="name", limit=2, offset=2) == ["c"]
    assert names(status="cancelled") == ["c"]


def test_an_answer_that_is_still_right_is_not_sent_again(
    client: httpx.Client, archive: bytes
) -> None:
    path = f"/runs/{submit(client, archive)}"
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    client.post(f"{path}/cancel")
    assert client.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_a_stream_goes_on_where_it_was_left_and_ends_with_the_run(
    server: WebServer, client: httpx.Client, archive: bytes
) -> None:
    run, store = submit(client, archive), server.site.service.store
    store.append_event(run, "phase", {"name": "copy"})
    store.append_event(run, "phase", {"name": "search"})
    got: list[str] = []
    with client.stream("GET", f"/runs/{run}/events", headers={"Last-Event-ID": "1"}) as stream:
        for line in stream.iter_lines():
            got.append(line)
            if line == "id: 2":
                server.site.service.cancel_run(run)
    ids = [line for line in got if line.startswith("id: ")]
    assert ids == ["id: 2", "id: 3"]
    assert got[-3:] == ["event: end", 'data: {"status": "cancelled"}', ""]
    with client.stream("GET", f"/runs/{run}/events", headers={"Last-Event-ID": "99"}) as stream:
        assert "id: " not in "\n".join(stream.iter_lines())


def test_a_cancelled_run_can_be_resumed_and_a_queued_one_cannot(
    client: httpx.Client, archive: bytes
) -> None:
    run = submit(client, archive)
    assert client.post(f"/runs/{run}/resume").status_code == 409
    assert client.post(f"/runs/{run}/cancel").json()["status"] == "cancelled"
    assert client.post(f"/runs/{run}/cancel").status_code == 409
    resumed = client.post(f"/runs/{run}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (202, "queued")


def test_a_question_is_answered_by_a_run_with_one_test_more(
    server: WebServer, client: httpx.Client, archive: bytes
) -> None:
    run, store = submit(client, archive), server.site.service.store
    assert client.get(f"/runs/{run}/behaviour").status_code == 404
    test = "from calc import add\n\n\ndef test_it():\n    assert add(1, 1) == 2\n"
    choice = Choice("add(1, 1)", (((1,), "returns 2"), ((2,), "returns 0")), (test, ""), 1)
    behaviour = Behaviour((Cluster((1,), 1.0), Cluster((2,), 0.0)), (choice,), 9, 0, "")
    store.save_artifact(run, BEHAVIOUR, encode_behaviour(behaviour))
    [question] = client.get(f"/runs/{run}/behaviour").json()["questions"]
    assert question["answers"][0] == {"patches": [1], "outcome": "returns 2", "test": test}
    begun = client.post(f"/runs/{run}/answers", json={"question": 1, "patch": 1}).json()["run"]
    assert store.get_run(begun).bug.added_tests == (("test_answer_1.py", test),)
    assert server.site.catalog.owner(begun) == "ada"
    wrong = client.post(f"/runs/{run}/answers", json={"question": 1, "patch": 2})
    assert wrong.status_code == 422
    assert client.post(f"/runs/{run}/answers", json={}).status_code == 422


def test_a_bundle_is_checked_out_at_any_of_its_revisions(
    client: httpx.Client, tmp_path: Path, server: WebServer
) -> None:
    def git(*words: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for text in ("one", "two"):
        (tmp_path / "calc.py").write_text(f"x = {text!r}\n")
        git("add", "calc.py")
        git("commit", "-q", "-m", text)
    git("tag", "old", "HEAD~1")
    git("bundle", "create", "-q", "all.bundle", "--all", "HEAD")
    bundle = (tmp_path / "all.bundle").read_bytes()
    for revision, text in ((None, "two"), ("main", "two"), ("old", "one")):
        asked = {} if revision is None else {"revision": revision}
        made = client.post("/sources/bundle", content=bundle, params=asked).json()
        found = server.site.sources.find(made["source"])
        assert found is not None and len(found.commit or "") == 40
        assert Path(found.folder, "calc.py").read_text() == f"x = {text!r}\n"
        assert not Path(found.folder, ".git").exists()
    refused = client.post("/sources/bundle", content=bundle, params={"revision": "none"})
    assert refused.status_code == 422


def test_a_patched_project_is_another_project(client: httpx.Client, server: WebServer) -> None:
    base = client.post("/sources/archive", content=tar_of(plain_file("a/calc.py"))).json()
    diff = "--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    asked = {"kind": "patch", "base": base["source"], "diff": diff}
    made = client.post("/sources", json=asked).json()
    texts = [
        Path(found.folder, "calc.py").read_text()
        for identity in (base["source"], made["source"])
        if (found := server.site.sources.find(identity)) is not None
    ]
    assert texts == ["x = 1\n", "x = 2\n"]


def test_the_oldest_projects_that_no_run_needs_make_room(server: WebServer, archive: bytes) -> None:
    with server.client("hoarder") as client:
        needed = submit(client, archive)
        for _ in range(server.site.settings.max_sources + 1):
            client.post("/sources/archive", content=tar_of(plain_file("a.py")))
        kept = client.get("/sources").json()["sources"]
        assert len(kept) == server.site.settings.max_sources
        subject = server.site.service.get_run(needed).bug.subject
        assert Path(subject).is_dir()


def test_a_report_names_the_failing_tests_as_pytest_does(project: Path) -> None:
    report = (
        b'<testsuite><testcase classname="tests.test_calc" name="test_add[1.5-a]">'
        b'<failure/></testcase><testcase classname="tests.test_calc.TestX" name="test_b">'
        b'<error/></testcase><testcase classname="tests.test_calc" name="test_same"/></testsuite>'
    )
    found = read_failing(report, project, RunnerKind.PYTEST)
    assert found == (
        TestId("tests/test_calc.py::test_add[1.5-a]"),
        TestId("tests/test_calc.py::TestX::test_b"),
    )
    dotted = read_failing(report, project, RunnerKind.UNITTEST)
    assert dotted[1] == "tests.test_calc.TestX.test_b"
    with pytest.raises(BadInputError, match="cannot be read"):
        read_failing(b"no xml", project, RunnerKind.PYTEST)


@dataclass
class Receiver:
    """Takes webhooks and answers with the statuses that it was given, then with 200."""

    url: str
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append((headers, body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("Location", f"{receiver.url}/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_webhooks_are_signed_repeated_and_not_redirected(tmp_path: Path, archive: bytes) -> None:
    from support.web_server import web_server

    with (
        receiving() as receiver,
        web_server(tmp_path, allow_private_addresses=True) as server,
        server.client(None) as client,
    ):
        asked = {"url": f"{receiver.url}/hook?x=1", "kinds": ["ended"]}
        made = client.post("/webhooks", json=asked).json()
        receiver.statuses = [302, 503]
        run = submit(client, archive)
        client.post(f"/runs/{run}/cancel")
        now = [datetime.now(UTC)]
        engine = server.site.catalog._engine
        relay = Relay(SqlRunStore(engine), Webhooks(engine, lambda: now[0]), True)
        for _ in range(ATTEMPTS):
            while relay.plan():
                pass
            relay.deliver()
            now[0] += timedelta(hours=12)
        [delivery] = client.get(f"/webhooks/{made['webhook']}/deliveries").json()["deliveries"]
    assert len(receiver.got) == 3, "a redirect and a failure are tried again, a success is not"
    assert (delivery["attempts"], delivery["said"], delivery["due_at"]) == (3, "status 200", None)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    headers, body = receiver.got[-1]
    document = json.loads(body)
    assert document["type"] == "run.ended"
    assert document["data"]["status"] == "cancelled"
    assert document["data"]["run"]["run"] == run
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


def test_a_webhook_that_never_answers_is_given_up(server: WebServer, archive: bytes) -> None:
    with server.client("patient") as client:
        made = client.post("/webhooks", json={"url": "https://1.1.1.1/"}).json()["webhook"]
        run = submit(client, archive)
    engine = server.site.catalog._engine
    now = [datetime.now(UTC)]
    hooks = Webhooks(engine, lambda: now[0])
    event = server.site.service.store.append_event(run, "ended", {})
    hooks.plan([(run, event)])
    hooks.plan([(run, event)])
    waits = []
    for _ in range(ATTEMPTS):
        [(_, delivery)] = [pair for pair in hooks.take() if pair[0].id == made]
        assert [d for w, d in hooks.take() if w.id == made] == [], "nobody else gets it meanwhile"
        hooks.failed(delivery, "status 500")
        [kept] = hooks.deliveries(made)
        waits.append(None if kept.due_at is None else (kept.due_at - now[0]).total_seconds())
        now[0] += timedelta(days=1)
    assert waits == [5, 20, 80, 320, 1280, 5120, 20480, None]


def test_everything_that_changes_something_is_in_the_audit_log(
    server: WebServer, archive: bytes
) -> None:
    with server.client("auditee") as client, server.client("root", Scope.ADMIN) as admin:
        run = submit(client, archive)
        client.post(f"/runs/{run}/cancel")
        entries = admin.get("/audit").json()["entries"]
    mine = [entry["action"] for entry in entries if entry["user"] == "auditee"]
    assert mine == ["cancel", "submit", "add-source"]


def test_an_admin_sees_and_cancels_the_runs_of_all(server: WebServer, archive: bytes) -> None:
    with server.client("bob") as client, server.client("root", Scope.ADMIN) as admin:
        run = submit(client, archive)
        assert admin.get(f"/runs/{run}").json()["owner"] == "bob"
        assert admin.post(f"/runs/{run}/cancel").json()["status"] == RunStatus.CANCELLED.value


def test_a_token_that_was_made_works_until_it_is_revoked(server: WebServer) -> None:
    with server.client("root", Scope.ADMIN) as admin:
        made = admin.post("/tokens", json={"user": "new", "scope": "read", "days": 1}).json()
        headers = {"Authorization": f"Bearer {made['text']}"}
        session = f"{server.url}/api/v1/session"
        assert httpx.get(session, headers=headers).json()["user"] == "new"
        assert admin.delete(f"/tokens/{made['token']}").status_code == 204
        assert httpx.get(session, headers=headers).status_code == 401


def test_a_pace_lets_through_a_burst_and_then_so_many_a_second() -> None:
    now = [0.0]
    pace = Pace(2.0, 3, lambda: now[0])
    assert [pace.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert pace.take("b") == 0
    now[0] = 0.5
    assert [pace.take("a"), pace.take("a")] == [0, 0.5]


def test_no_piece_of_an_answer_waits_for_the_one_before_it() -> None:
    with listen("127.0.0.1", 0) as listener, socket.socket() as client:
        listener.listen()
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP, "asyncio then turns Nagle's algorithm off"
