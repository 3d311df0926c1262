"""URLs that lead inside: clones and webhooks that a server is talked into."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.attacks.base import World, attack
from web.intake.addresses import resolve
from web.intake.bounds import Bounds, RefusedSourceError
from web.intake.repository import check_revision, clone

KIND = "SSRF"


def _clone(name: str, url: str) -> None:
    @attack(KIND, f"cloning {name}")
    def refused(world: World) -> object:
        return world.attacker.post("/sources", json={"kind": "url", "url": url})


_clone("a local file", "file:///etc/passwd")
_clone("through a shell (ext::)", "ext::sh -c 'touch /tmp/owned'")
_clone("over ssh", "ssh://git@git.example.org/team/x")
_clone("over git's own protocol", "git://git.example.org/team/x")
_clone("without encryption", "http://git.example.org/team/x")
_clone("a URL that is an option", "--upload-pack=touch /tmp/owned")
_clone("what only begins like an allowed URL", "https://git.example.org/team-evil/x")
_clone("an allowed name as a user", "https://git.example.org@evil.example/team/x")
_clone("out of the allowed folder", "https://git.example.org/team/../other/x")
_clone("out of the allowed folder, encoded", "https://git.example.org/team/%2e%2e/other/x")
_clone("with a password", "https://user:secret@git.example.org/team/x")
_clone("with a line end", "https://git.example.org/team/x\r\nHost: evil.example")
_clone("a host that does not exist", "https://git.example.org/team/x")


def _hook(name: str, url: str) -> None:
    @attack(KIND, f"a webhook to {name}")
    def refused(world: World) -> object:
        return world.attacker.post("/webhooks", json={"url": url})


_hook("loopback", "https://127.0.0.1/")
_hook("localhost", "https://localhost/")
_hook("loopback with a dot", "https://localhost./")
_hook("loopback in IPv6", "https://[::1]/")
_hook("IPv4 inside of IPv6", "https://[::ffff:127.0.0.1]/")
_hook("IPv4 behind NAT64", "https://[64:ff9b::7f00:1]/")
_hook("IPv4 behind 6to4", "https://[2002:7f00:1::]/")
_hook("a cloud's metadata", "https://169.254.169.254/latest/meta-data/")
_hook("a private network", "https://10.0.0.1/")
_hook("a shared network", "https://100.64.0.1/")
_hook("no address at all", "https://0.0.0.0/")
_hook("loopback as one number", "https://2130706433/")
_hook("loopback in octal", "https://0177.0.0.1/")
_hook("loopback in hexadecimal", "https://0x7f000001/")
_hook("a link-local address with a zone", "https://[fe80::1%25lo]/")
_hook("a multicast address", "https://224.0.0.1/")
_hook("a server without encryption", "http://1.1.1.1/")
_hook("a port that is none", "https://1.1.1.1:99999/")


@attack(KIND, "a revision that is an option of git")
def revision_option(world: World) -> str:
    with pytest.raises(RefusedSourceError, match="is no revision"):
        check_revision("--upload-pack=touch /tmp/owned")
    return "refused"


@attack(KIND, "a repository that redirects inside")
def redirected_clone(world: World) -> str:
    """A real git meets a real server that redirects it."""
    import http.server
    import threading

    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            port = self.server.server_address[1]
            self.send_header("Location", f"http://127.0.0.1:{port}/inside{self.path}")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/x"
    place = resolve(url, schemes=("http",), allow_private=True)
    with pytest.raises(RefusedSourceError):
        clone(place, None, Path(world.folder) / "redirected", Bounds(10, 10_000), 10)
    server.shutdown()
    server.server_close()
    assert asked and not any(path.startswith("/inside") for path in asked)
    return "not followed"
