"""Archives, bundles, patches and paths that are too large, or want to be elsewhere."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import httpx

from apr.storage.sources import Source
from support.attacks.base import World, attack, plain_file, tar_of

OUTSIDE, BOMB, CODE = "leaving the folder", "bombs", "code outside of the sandbox"
MIB = 1024 * 1024


def _upload(world: World, data: bytes, kind: str = "archive") -> httpx.Response:
    return world.attacker.post(f"/sources/{kind}", content=data)


def _taken(world: World, response: httpx.Response) -> Path:
    """Where the project lies that was taken in."""
    assert response.status_code == 201, response.text
    found = world.server.site.sources.find(response.json()["source"])
    assert isinstance(found, Source)
    return Path(found.folder)


def _special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def _zip(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


@attack(OUTSIDE, "a tar with ../")
def tar_climbs(world: World) -> object:
    return _upload(world, tar_of(plain_file("a/../../../evil.py")))


@attack(OUTSIDE, "a tar with an absolute path")
def tar_absolute(world: World) -> object:
    return _upload(world, tar_of(plain_file("/tmp/evil.py")))


@attack(OUTSIDE, "a tar that writes through its own symbolic link")
def tar_through_link(world: World) -> str:
    outside = world.folder / "outside"
    outside.mkdir(exist_ok=True)
    members = _special("link", tarfile.SYMTYPE, str(outside)), plain_file("link/evil.py")
    _upload(world, tar_of(*members))
    assert not (outside / "evil.py").exists()
    return "links are left out"


@attack(OUTSIDE, "a tar with a symbolic link to a secret")
def tar_link(world: World) -> str:
    data = tar_of(plain_file("a.py"), _special("secret.py", tarfile.SYMTYPE, "/etc/passwd"))
    assert not os.path.lexists(_taken(world, _upload(world, data)) / "secret.py")
    return "left out"


@attack(OUTSIDE, "a tar with a hard link to a secret")
def tar_hard_link(world: World) -> str:
    data = tar_of(plain_file("a.py"), _special("secret.py", tarfile.LNKTYPE, "/etc/passwd"))
    assert not os.path.lexists(_taken(world, _upload(world, data)) / "secret.py")
    return "left out"


@attack(OUTSIDE, "a tar with a device and a pipe")
def tar_device(world: World) -> str:
    pipe, device = _special("pipe.py", tarfile.FIFOTYPE), _special("disk.py", tarfile.BLKTYPE)
    folder = _taken(world, _upload(world, tar_of(plain_file("a.py"), pipe, device)))
    assert [path.name for path in folder.iterdir()] == ["a.py"]
    return "left out"


@attack(OUTSIDE, "a zip with ../")
def zip_climbs(world: World) -> object:
    return _upload(world, _zip(("../../evil.py", b"x")))


@attack(OUTSIDE, "a zip with backslashes")
def zip_backslash(world: World) -> object:
    return _upload(world, _zip(("..\\..\\evil.py", b"x")))


@attack(OUTSIDE, "a zip with a symbolic link")
def zip_link(world: World) -> str:
    link = zipfile.ZipInfo("secret.py")
    link.external_attr = 0o120777 << 16
    folder = _taken(world, _upload(world, _zip(("a.py", b"x"), (link, b"/etc/passwd"))))
    assert not os.path.lexists(folder / "secret.py")
    return "left out"


@attack(OUTSIDE, "a path outside of the allowed folders")
def path_outside(world: World) -> object:
    return world.attacker.post("/sources", json={"kind": "path", "path": "/etc"})


@attack(OUTSIDE, "a path that climbs out of an allowed folder")
def path_climbs(world: World) -> object:
    path = str(world.folder / "allowed" / ".." / "..")
    return world.attacker.post("/sources", json={"kind": "path", "path": path})


@attack(OUTSIDE, "a symbolic link in an allowed folder that leads out")
def path_link(world: World) -> object:
    allowed = world.folder / "allowed"
    allowed.mkdir(exist_ok=True)
    if not (allowed / "out").is_symlink():
        (allowed / "out").symlink_to("/etc")
    asked = {"kind": "path", "path": str(allowed / "out")}
    return world.attacker.post("/sources", json=asked)


@attack(OUTSIDE, "a path with a NUL")
def path_nul(world: World) -> object:
    return world.attacker.post("/sources", json={"kind": "path", "path": "/etc\0/x"})


def _patched(world: World, diff: str) -> httpx.Response:
    base = _upload(world, tar_of(plain_file("calc.py"))).json()["source"]
    return world.attacker.post("/sources", json={"kind": "patch", "base": base, "diff": diff})


@attack(OUTSIDE, "a patch of a file outside")
def patch_climbs(world: World) -> object:
    return _patched(world, "--- /dev/null\n+++ b/../../evil.py\n@@ -0,0 +1 @@\n+x\n")


@attack(OUTSIDE, "a patch of an absolute path")
def patch_absolute(world: World) -> str:
    found = _patched(world, "--- /dev/null\n+++ /tmp/evil.py\n@@ -0,0 +1 @@\n+x\n")
    assert list(_taken(world, found).rglob("evil.py")) and not Path("/tmp/evil.py").exists()
    return "taken as a path inside, as git does"


@attack(BOMB, "a gzipped tar that grows a hundred times")
def tar_bomb(world: World) -> object:
    return _upload(world, tar_of(plain_file("zeros.py", bytes(8 * MIB))))


@attack(BOMB, "a zip that grows a thousand times")
def zip_bomb(world: World) -> object:
    return _upload(world, _zip(("zeros.py", bytes(8 * MIB))))


@attack(BOMB, "a zip that lies about its size")
def zip_lies(world: World) -> object:
    data = bytearray(_zip(("zeros.py", bytes(8 * MIB))))
    for sign, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(sign) + offset
        data[at : at + 4] = (100).to_bytes(4, "little")
    return _upload(world, bytes(data))


@attack(BOMB, "a tar with a thousand files")
def many_files(world: World) -> object:
    return _upload(world, tar_of(*(plain_file(f"{i}.py", b"") for i in range(1000))))


@attack(BOMB, "a tar with folders in folders")
def deep_folders(world: World) -> object:
    return _upload(world, tar_of(plain_file("/".join("a" * 200) + "/x.py")))


@attack(BOMB, "a truncated archive")
def truncated(world: World) -> object:
    return _upload(world, tar_of(plain_file("a.py", os.urandom(9000)))[:500])


@attack(BOMB, "an encrypted zip")
def encrypted(world: World) -> object:
    data = bytearray(_zip(("a.py", b"x" * 100)))
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + offset] |= 1
    return _upload(world, bytes(data))


@attack(BOMB, "random bytes as an archive")
def garbage(world: World) -> object:
    return _upload(world, os.urandom(2000))


@attack(BOMB, "random bytes as a bundle")
def garbage_bundle(world: World) -> object:
    return _upload(world, os.urandom(2000), "bundle")


@attack(BOMB, "no bytes at all")
def nothing(world: World) -> object:
    return _upload(world, b"")


class _Repository:
    """A bare repository in which an attacker writes what git itself would not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--bare")

    def git(self, *words: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, input=given, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", given=content)

    def tree(self, *entries: tuple[str, str, str]) -> str:
        lines = "".join(
            f"{mode} {'tree' if mode == '40000' else 'commit' if mode == '160000' else 'blob'}"
            f" {identity}\t{name}\n"
            for mode, identity, name in entries
        )
        return self.git("mktree", "--missing", given=lines.encode())

    def bundle(self, tree: str) -> bytes:
        author = ("-c", "user.name=x", "-c", "user.email=x@x")
        commit = self.git(*author, "commit-tree", tree, "-m", "x")
        self.git("update-ref", "refs/heads/main", commit)
        self.git("symbolic-ref", "HEAD", "refs/heads/main")
        self.git("bundle", "create", "--quiet", "x.bundle", "HEAD", "main")
        return (self.folder / "x.bundle").read_bytes()


@attack(BOMB, "a bundle of 11 trees that names ten thousand million files")
def git_bomb(world: World) -> object:
    repository = _Repository(world.folder / "bomb")
    tree = repository.tree(("100644", repository.blob(b"x"), "x.py"))
    for _ in range(10):
        tree = repository.tree(*(("40000", tree, f"d{i}") for i in range(10)))
    return _upload(world, repository.bundle(tree), "bundle")


@attack(BOMB, "a bundle with a file that grows a thousand times")
def git_blob_bomb(world: World) -> object:
    repository = _Repository(world.folder / "blob")
    blob = repository.blob(bytes(8 * MIB))
    return _upload(world, repository.bundle(repository.tree(("100644", blob, "z.py"))), "bundle")


@attack(OUTSIDE, "a bundle with a symbolic link to a secret")
def bundle_link(world: World) -> str:
    repository = _Repository(world.folder / "link")
    link, code = repository.blob(b"/etc/passwd"), repository.blob(b"x = 1\n")
    tree = repository.tree(("120000", link, "secret.py"), ("100644", code, "a.py"))
    folder = _taken(world, _upload(world, repository.bundle(tree), "bundle"))
    assert not (folder / "secret.py").is_symlink()
    return "checked out as plain text"


@attack(OUTSIDE, "a bundle with a tree called .git")
def bundle_dot_git(world: World) -> object:
    repository = _Repository(world.folder / "dotgit")
    hook = repository.tree(("100755", repository.blob(b"touch owned"), "post-checkout"))
    inner = repository.tree(("40000", hook, "hooks"))
    return _upload(world, repository.bundle(repository.tree(("40000", inner, ".git"))), "bundle")


@attack(CODE, "a bundle with a submodule that names a command")
def bundle_submodule(world: World) -> str:
    repository = _Repository(world.folder / "module")
    owned = world.folder / "owned-by-submodule"
    modules = f'[submodule "x"]\npath = x\nurl = ext::sh -c "touch {owned}"\nupdate = !touch\n'
    code = repository.blob(b"x = 1\n")
    tree = repository.tree(
        ("100644", repository.blob(modules.encode()), ".gitmodules"),
        ("100644", code, "a.py"),
        ("160000", "1" * 40, "x"),
    )
    _upload(world, repository.bundle(tree), "bundle")
    assert not owned.exists()
    return "submodules are not touched"


@attack(CODE, "a repository's own .git folder with hooks, in an archive")
def git_folder(world: World) -> str:
    hook = plain_file(".git/hooks/post-checkout", b"#!/bin/sh\n")
    folder = _taken(world, _upload(world, tar_of(plain_file("a.py"), hook)))
    assert not (folder / ".git").exists()
    return "left out"


@attack(CODE, "an interpreter in the project's .venv")
def interpreter(world: World) -> str:
    python, _ = plain_file(".venv/bin/python")
    python.mode = 0o755
    response = _upload(
        world, tar_of(plain_file("a.py"), (python, b"#!/bin/sh\ntouch /tmp/owned\n"))
    )
    assert not (_taken(world, response) / ".venv").exists()
    return "left out"


@attack(CODE, "an interpreter in an environment of another name")
def hidden_interpreter(world: World) -> str:
    python, _ = plain_file("env/bin/python")
    python.mode = 0o755
    data = tar_of(plain_file("a.py"), plain_file("env/pyvenv.cfg"), (python, b"#!/bin/sh\n"))
    assert not (_taken(world, _upload(world, data)) / "env").exists()
    return "left out"


@attack(CODE, "a test command that names the project's own interpreter")
def named_interpreter(world: World) -> str:
    python, _ = plain_file("bin/python")
    python.mode = 0o755
    response = _upload(world, tar_of(plain_file("a.py"), (python, b"#!/bin/sh\n")))
    folder = _taken(world, response)
    asked = {"source": response.json()["source"], "test": f"{folder}/bin/python -m pytest"}
    run = world.attacker.post("/runs", json=asked).json()["run"]
    command = world.server.site.service.get_run(run).bug.test_command
    assert command.python == world.server.site.settings.python
    return "the server's own interpreter is taken"
