"""Guessing, stealing and stretching of rights; other users' things; other sites' pages."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

import httpx

from apr.storage.accounts import Token
from support.attacks.base import RUN_ID, World, attack
from support.web_server import WebServer
from web.security.principal import Scope
from web.security.tokens import make_token

CROSS, TOKEN, OTHERS = "other sites", "tokens", "other users"


def _with(world: World, header: str) -> httpx.Response:
    return httpx.get(f"{world.server.url}/api/v1/runs", headers={"Authorization": header})


def _session(world: World, user: str) -> tuple[httpx.Client, str]:
    """A browser of the user, and its CSRF token."""
    browser = world.browser()
    opened = browser.post("/session", json={"token": world.server.token(user)})
    assert opened.status_code == 201
    return browser, opened.json()["csrf"]


def _token(server: WebServer, *, days: int) -> tuple[str, str]:
    made, now = make_token(), server.accounts.now()
    token = Token(
        made.id, "attacker", "", made.digest, Scope.ADMIN, now, now + timedelta(days=days)
    )
    server.accounts.add_token(token)
    return made.id, made.text


@attack(TOKEN, "no token")
def no_token(world: World) -> object:
    return world.nobody.get("/runs")


@attack(TOKEN, "something that is no token")
def malformed_token(world: World) -> object:
    return _with(world, "Bearer ' OR 1=1 --")


@attack(TOKEN, "a victim's token id with another secret")
def wrong_secret(world: World) -> object:
    return _with(world, f"Bearer apr_{world.victim_token}_{secrets.token_urlsafe(32)}")


@attack(TOKEN, "an expired token")
def expired_token(world: World) -> object:
    return _with(world, f"Bearer {_token(world.server, days=-1)[1]}")


@attack(TOKEN, "a revoked token")
def revoked_token(world: World) -> object:
    identity, text = _token(world.server, days=1)
    assert _with(world, f"Bearer {text}").status_code == 200
    world.server.accounts.revoke_token(identity)
    return _with(world, f"Bearer {text}")


@attack(TOKEN, "a session whose token was revoked")
def session_of_revoked_token(world: World) -> object:
    identity, text = _token(world.server, days=1)
    browser = world.browser()
    assert browser.post("/session", json={"token": text}).status_code == 201
    assert browser.get("/runs").status_code == 200
    world.server.accounts.revoke_token(identity)
    return browser.get("/runs")


@attack(TOKEN, "a session's cookie after its log-out")
def session_after_log_out(world: World) -> object:
    browser, csrf = _session(world, "attacker")
    cookie = browser.cookies["apr_session"]
    assert browser.delete("/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    return httpx.get(f"{world.server.url}/api/v1/runs", headers={"Cookie": f"apr_session={cookie}"})


@attack(TOKEN, "a token in the query, where logs keep it")
def token_in_query(world: World) -> object:
    return world.nobody.get("/runs", params={"token": world.server.token("attacker")})


@attack(TOKEN, "a user's name and password")
def basic(world: World) -> object:
    return _with(world, "Basic YWRtaW46cGFzc3dvcmQ=")


@attack(TOKEN, "secrets in a stolen database")
def stolen_database(world: World) -> str:
    text = world.server.token("victim").split("_", 2)[2].encode()
    for file in Path(world.server.site.installation.data_dir).glob("apr.db*"):
        assert text not in file.read_bytes()
    return "only hashes are kept"


@attack(TOKEN, "submitting with the scope read")
def read_submits(world: World) -> object:
    return world.reader.post("/sources/archive", content=b"x")


@attack(TOKEN, "making an admin's token with the scope submit")
def submit_makes_tokens(world: World) -> object:
    return world.attacker.post("/tokens", json={"user": "attacker", "scope": "admin"})


@attack(TOKEN, "reading the audit log with the scope submit")
def submit_reads_audit(world: World) -> object:
    return world.attacker.get("/audit")


@attack(TOKEN, "reading everybody's statistics with the scope submit")
def submit_reads_statistics(world: World) -> object:
    return world.attacker.get("/statistics")


@attack(OTHERS, "a run of another user, told apart from none")
def others_run(world: World) -> object:
    found, none = world.attacker.get(f"/runs/{RUN_ID}"), world.attacker.get("/runs/260101-0-0")
    assert found.status_code == none.status_code == 404
    assert found.text.replace(RUN_ID, "") == none.text.replace("260101-0-0", "")
    return found


@attack(OTHERS, "a run by the beginning of its id")
def prefix_of_run(world: World) -> object:
    return world.victim.get(f"/runs/{RUN_ID[:8]}")


@attack(OTHERS, "a run in the list, by its text")
def others_in_list(world: World) -> str:
    assert world.attacker.get("/runs", params={"q": RUN_ID}).json()["total"] == 0
    return "not listed"


def _others(path: str, method: str = "GET", **body: object) -> None:
    @attack(OTHERS, f"{method} {path.replace('{}', 'RUN')} of another user")
    def others(world: World) -> object:
        where = f"/runs/{world.victim_run}{path.removeprefix('/runs/{}')}"
        return world.attacker.request(method, where, json=body or None)


_others("/runs/{}/artifacts/report.html")
_others("/runs/{}/tree")
_others("/runs/{}/candidates/0")
_others("/runs/{}/events")
_others("/runs/{}/log")
_others("/runs/{}/behaviour")
_others("/runs/{}/cancel", "POST")
_others("/runs/{}/resume", "POST")
_others("/runs/{}/answers", "POST", question=1, patch=1)
_others("/runs/{}/comparisons", "POST", right=1)


@attack(OTHERS, "a run about another user's project")
def others_source(world: World) -> object:
    return world.attacker.post("/runs", json={"source": world.victim_source})


@attack(OTHERS, "a patch of another user's project")
def others_base(world: World) -> object:
    asked = {"kind": "patch", "base": world.victim_source, "diff": "x"}
    return world.attacker.post("/sources", json=asked)


@attack(OTHERS, "removing another user's project")
def remove_others_source(world: World) -> object:
    return world.attacker.delete(f"/sources/{world.victim_source}")


@attack(OTHERS, "reading another user's deliveries")
def others_deliveries(world: World) -> object:
    return world.attacker.get(f"/webhooks/{world.victim_hook}/deliveries")


@attack(OTHERS, "removing another user's webhook")
def remove_others_webhook(world: World) -> object:
    return world.attacker.delete(f"/webhooks/{world.victim_hook}")


@attack(OTHERS, "revoking another user's token")
def revoke_others_token(world: World) -> object:
    return world.attacker.delete(f"/tokens/{world.victim_token}")


@attack(OTHERS, "an answer to another user's request, by its idempotency key")
def others_replay(world: World) -> object:
    key = {"Idempotency-Key": "release-1"}
    made = world.victim.post("/runs", json={"source": world.victim_source}, headers=key)
    assert made.status_code == 202
    return world.attacker.post("/runs", json={"source": world.victim_source}, headers=key)


def _as_page(world: World, **headers: str) -> httpx.Response:
    """What a page elsewhere makes a logged-in browser ask."""
    browser, _ = _session(world, "victim")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.post(f"/runs/{world.victim_run}/cancel", headers=named)


@attack(CROSS, "a request with another site's Origin")
def other_origin(world: World) -> object:
    return _as_page(world, Origin="https://evil.example")


@attack(CROSS, "a request with the Origin null of a sandboxed frame")
def null_origin(world: World) -> object:
    return _as_page(world, Origin="null")


@attack(CROSS, "a request that the browser calls cross-site")
def cross_site(world: World) -> object:
    return _as_page(world, Sec_Fetch_Site="cross-site")


@attack(CROSS, "a request that the browser calls same-site")
def same_site(world: World) -> object:
    return _as_page(world, Sec_Fetch_Site="same-site")


@attack(CROSS, "a cookie without the CSRF token")
def no_csrf(world: World) -> object:
    return _as_page(world)


@attack(CROSS, "a cookie with another session's CSRF token")
def other_csrf(world: World) -> object:
    return _as_page(world, X_CSRF_Token=_session(world, "attacker")[1])


@attack(CROSS, "a form that posts to the API with a cookie")
def form_post(world: World) -> object:
    browser, _ = _session(world, "victim")
    return browser.post("/runs", data={"source": world.victim_source})


@attack(CROSS, "reading from another origin (CORS)")
def preflight(world: World) -> object:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    found = world.nobody.request("OPTIONS", "/runs", headers=asked)
    assert "access-control-allow-origin" not in found.headers
    return found


@attack(CROSS, "a name that was re-bound to this server (DNS rebinding)")
def rebinding(world: World) -> object:
    return world.nobody.get("/health", headers={"Host": "evil.example"})


@attack(CROSS, "a page that frames this one")
def framing(world: World) -> str:
    headers = world.victim.get("/runs").headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    return "forbidden to browsers"


@attack(CROSS, "a script that reads the session's cookie")
def cookie_flags(world: World) -> str:
    browser = world.browser()
    cookie = browser.post("/session", json={"token": world.server.token("victim")}).headers[
        "set-cookie"
    ]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    return "HttpOnly, SameSite=Strict"
