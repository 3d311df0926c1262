"""Hostile words: names, messages, paths and diffs that try to become markup or steer terminals."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from support.attacks.base import ANSI, RUN_ID, SCRIPT, World, attack

KIND = "hostile text"


def _page(world: World) -> str:
    page = world.artifact("report.html")
    assert page.status_code == 200
    return page.text


@attack(KIND, "a script in a bug's name, a test's name, a message and a diff, in the HTML report")
def script_in_page(world: World) -> str:
    page = _page(world)
    assert SCRIPT not in page and "&lt;script&gt;" in page
    return "escaped"


@attack(KIND, "an event handler in a message, in the HTML report")
def handler_in_page(world: World) -> str:
    assert "<img" not in _page(world)
    return "escaped"


@attack(KIND, "a diff that closes its <pre>, in the HTML report")
def closing_pre(world: World) -> str:
    assert "</pre>\udcff" not in _page(world) and "&lt;/pre&gt;" in _page(world)
    return "escaped"


@attack(KIND, "terminal sequences in the HTML report")
def ansi_in_page(world: World) -> str:
    assert "\x1b" not in _page(world) and "\x07" not in _page(world)
    return "replaced"


@attack(KIND, "the HTML report opened as a page of the server")
def page_is_saved(world: World) -> str:
    headers = world.artifact("report.html").headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"].startswith("sandbox")
    return "saved, and sandboxed by its policy"


@attack(KIND, "a test's name with backticks that end its code, in the Markdown summary")
def backticks_in_summary(world: World) -> str:
    lines = world.artifact("summary.md").text.splitlines()
    named = next(line for line in lines if "test_" in line)
    assert named.startswith("- ``") and SCRIPT in named
    return "in a longer fence"


@attack(KIND, "a diff that ends its block, in the Markdown summary")
def fence_in_summary(world: World) -> str:
    text = world.artifact("summary.md").text
    assert "````diff\n" in text and text.count("````") == 2
    return "in a longer fence"


@attack(KIND, "characters that no XML may have, in the JUnit report")
def junit_is_xml(world: World) -> str:
    suite = ElementTree.fromstring(world.artifact("junit.xml").content)
    assert suite.find("testcase") is not None
    return "replaced"


@attack(KIND, "lone surrogates in a diff, in SARIF")
def sarif_is_json(world: World) -> str:
    log = json.loads(world.artifact("run.sarif").content)
    change = log["runs"][0]["results"][0]["fixes"][0]["artifactChanges"][0]
    assert change["artifactLocation"]["uri"].startswith("a%22%27%3E%3Csvg")
    return "replaced; the path is a quoted URI"


@attack(KIND, "lone surrogates everywhere, in JSON")
def json_is_unicode(world: World) -> str:
    for path in ("", "/candidates", "/candidates/1", "/tree", "/artifacts/run.json"):
        found = world.victim.get(f"/runs/{RUN_ID}{path}")
        assert found.status_code == 200, (path, found.text[:200])
        json.loads(found.content.decode("utf-8"))
    return "replaced"


@attack(KIND, "markup in JSON sniffed as a page by a browser")
def json_is_not_sniffed(world: World) -> str:
    found = world.victim.get(f"/runs/{RUN_ID}")
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"
    return "typed, and not to be sniffed"


@attack(KIND, "terminal sequences in the log")
def ansi_in_log(world: World) -> str:
    log = world.victim.get(f"/runs/{RUN_ID}/log")
    assert ANSI not in log.text and "\x1b" not in log.text
    assert log.headers["content-type"].startswith("text/plain")
    return "escaped"


@attack(KIND, "line ends in an event that begin an event of their own")
def forged_event(world: World) -> str:
    stream = world.victim.get(f"/runs/{RUN_ID}/events").text
    assert "\ndata: forged" not in stream and "end" in stream
    return "escaped"


@attack(KIND, "a script in the path of a problem")
def script_in_problem(world: World) -> object:
    found = world.attacker.get(f"/runs/{SCRIPT}")
    assert found.headers["content-type"] == "application/problem+json"
    return found


@attack(KIND, "a script that another origin, or an inline tag, would bring into a page")
def strict_policy(world: World) -> str:
    policy = world.victim.get("/runs").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy and "http" not in policy
    return "policy forbids it"
