"""Checks out git bundles and clones, with git held on a short leash.

Nothing of the machine's configuration applies, no hook, filter, helper or submodule runs, redirects
are not followed, and what a tree would take is counted before it is checked out.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from web.intake.addresses import Destination
from web.intake.bounds import Bounds, RefusedSourceError, inner_path

REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,199}")
MEMORY_KIB = 2 * 1024 * 1024
_LEASH = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass=true"),
    *("-c", "credential.helper=", "-c", "http.followRedirects=false", "-c", "protocol.allow=never"),
    *("-c", "submodule.recurse=false", "-c", "transfer.fsckObjects=true", "-c", "gc.auto=0"),
    *("-c", "core.protectNTFS=true", "-c", "core.protectHFS=true", "-c", "core.symlinks=false"),
    *("-c", "core.bigFileThreshold=1m", "-c", "advice.detachedHead=false"),
)


@dataclass(frozen=True, slots=True)
class Git:
    """Runs git in one folder within a time, a memory and a size of files."""

    folder: Path
    timeout_s: float
    max_bytes: int

    def run(self, *words: str, options: Sequence[str] = ()) -> str:
        """What a git command prints.

        Raises:
            RefusedSourceError: when it fails or takes too long.
        """
        try:
            done = subprocess.run(
                self.command(*words, options=options),
                capture_output=True,
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RefusedSourceError(f"git took more than {self.timeout_s:g} s") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise RefusedSourceError(f"git: {said[-1][:300] if said else 'failed'}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def command(self, *words: str, options: Sequence[str] = ()) -> list[str]:
        """The command line, under limits that the shell sets."""
        limits = f"ulimit -v {MEMORY_KIB} && ulimit -f {self.max_bytes // 512 + 1}"
        return ["sh", "-c", f'{limits} && exec git "$@"', "git", *_LEASH, *options, *words]


def _environment() -> dict[str, str]:
    return {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", os.defpath),
    }


def check_revision(revision: str) -> str:
    """A name of a commit that git cannot take for an option or a range.

    Raises:
        RefusedSourceError: when it is none.
    """
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise RefusedSourceError(f"{revision[:100]!r} is no revision")
    return revision


def check_out_bundle(
    bundle: Path, revision: str | None, target: Path, bounds: Bounds, timeout_s: float
) -> str:
    """Check out a bundle's commit in a new folder; the commit's full name.

    Raises:
        RefusedSourceError: when the bundle cannot be read, or is too large.
    """
    git = _initialize(target, timeout_s, bounds)
    allow = ("-c", "protocol.file.allow=always")
    refs = ("+refs/*:refs/given/*", "+HEAD:refs/given/HEAD")
    git.run("fetch", "--quiet", "--no-tags", str(bundle), *refs, options=allow)
    wanted = "refs/given/HEAD" if revision is None else _named(git, check_revision(revision))
    return _check_out(git, wanted, target, bounds)


def clone(
    place: Destination, revision: str | None, target: Path, bounds: Bounds, timeout_s: float
) -> str:
    """Check out one commit of a remote repository in a new folder; the commit's full name.

    The connection goes to the address that was looked at, whatever the name means by now.

    Raises:
        RefusedSourceError: when it cannot be had, or is too large.
    """
    git = _initialize(target, timeout_s, bounds)
    pinned = f"http.curloptResolve={place.host}:{place.port}:{place.address}"
    allow = ("-c", f"protocol.{place.scheme}.allow=always", "-c", pinned, "-c", "http.proxy=")
    wanted = "HEAD" if revision is None else check_revision(revision)
    git.run("fetch", "--quiet", "--no-tags", "--depth=1", place.url, wanted, options=allow)
    return _check_out(git, "FETCH_HEAD", target, bounds)


def _initialize(target: Path, timeout_s: float, bounds: Bounds) -> Git:
    target.mkdir(parents=True)
    git = Git(target, timeout_s, bounds.max_bytes)
    git.run("init", "--quiet", "--template=")
    return git


def _named(git: Git, revision: str) -> str:
    for name in (f"refs/given/heads/{revision}", f"refs/given/tags/{revision}", revision):
        try:
            return git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        except RefusedSourceError:
            continue
    raise RefusedSourceError(f"the bundle has no revision {revision}")


def _check_out(git: Git, wanted: str, target: Path, bounds: Bounds) -> str:
    commit = git.run("rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}").strip()
    _count(git, commit, bounds)
    git.run("checkout", "--quiet", "--detach", commit)
    return commit


def _count(git: Git, commit: str, bounds: Bounds) -> None:
    """Count a tree's files before they are there: a few kilobytes of trees can name millions."""
    command = git.command("ls-tree", "-r", "-l", "-z", commit)
    with subprocess.Popen(
        command,
        cwd=git.folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as listing:
        assert listing.stdout is not None
        try:
            rest = b""
            while piece := listing.stdout.read(64 * 1024):
                *lines, rest = (rest + piece).split(b"\0")
                for line in lines:
                    _count_one(line, bounds)
        finally:
            listing.kill()


def _count_one(line: bytes, bounds: Bounds) -> None:
    facts, _, name = line.partition(b"\t")
    inner_path(name.decode("utf-8", "surrogateescape"))
    size = facts.split()[-1]
    bounds.add(int(size) if size.isdigit() else 0)
