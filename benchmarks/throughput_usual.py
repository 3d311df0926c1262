"""The usual harness: a new container for each candidate, the whole suite, a report, removal."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests

from apr.core.bug import TestId
from apr.core.patch import Patch
from apr.core.report import Baseline, TestOutcome, Verdict
from validation.workspace import SourceTree, encode

REPORT = "/tmp/report.xml"
LABEL = "apr.benchmark"
WORST_FIRST = (TestOutcome.ERROR, TestOutcome.FAILED, TestOutcome.SKIPPED, TestOutcome.PASSED)
ELEMENTS = {"error": TestOutcome.ERROR, "failure": TestOutcome.FAILED}
Address = tuple[str, str]  # class name and name, as a JUnit report has them


@dataclass(frozen=True)
class Judged:
    """What the harness says of one patch; `verdict` is None when its suite did not end in time."""

    verdict: Verdict | None
    seconds: float
    outcomes: Mapping[Address, TestOutcome]


class DoesNotCompileError(Exception):
    """A patched file cannot be compiled under the settings of its suite."""


class FreshContainers:
    """Judges patches of one subject, each in a container of its own.

    The subject lies in the image, as the benchmarks' published images have it. A container gets
    the patched files and runs `python -m pytest --junitxml` on the bug's arguments. Nothing is
    restricted but the network, since restrictions would only take time.
    """

    def __init__(
        self, image: str, folder: Path, python: str, arguments: Sequence[str], limit_s: float
    ) -> None:
        """`folder` is the subject's; it has the same path in the containers."""
        self._client = docker.from_env(timeout=600)
        self._base = image
        self._folder = folder
        self._sources = SourceTree(folder)
        self._command = [
            *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--junitxml={REPORT}", *arguments),
        ]
        self._limit_s = limit_s
        self._image = ""

    def __enter__(self) -> FreshContainers:
        container = self._client.containers.create(self._base, ["true"], labels=[LABEL])
        try:
            container.put_archive("/", pack_folder(self._folder))
            self._image = container.commit().id
        finally:
            container.remove(force=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._image:
            self._client.images.remove(self._image, force=True)
        self._client.close()

    def judge(self, patch: Patch, baseline: Baseline) -> Judged:
        """The verdict by the definitions of `Verdict`, from the report alone."""
        started = time.perf_counter()
        changed = patch.apply(self._sources)
        if not all(compiles(text) for text in changed.values()):
            return Judged(Verdict.DOES_NOT_BUILD, time.perf_counter() - started, {})
        try:
            outcomes = self.run(changed)
        except DoesNotCompileError:
            return Judged(Verdict.DOES_NOT_BUILD, time.perf_counter() - started, {})
        seconds = time.perf_counter() - started
        if outcomes is None:
            return Judged(None, seconds, {})
        return Judged(verdict_of(baseline, outcomes), seconds, outcomes)

    def run(self, changed: Mapping[str, str]) -> Mapping[Address, TestOutcome] | None:
        """The outcomes with these files changed; None when the suite does not end in time.

        Raises:
            DoesNotCompileError: when no test has run, and the log tells why.
        """
        with self._container() as container:
            if changed:
                container.put_archive(str(self._folder), pack_texts(changed))
            container.start()
            try:
                container.wait(timeout=self._limit_s)
            except (requests.ConnectionError, requests.ReadTimeout):  # the SDK raises either
                return None
            outcomes = parse_report(unpack(container, REPORT))
            # A suite that makes warnings errors refuses what `compiles` lets through.
            if not outcomes and b"SyntaxError: " in container.logs(tail=20):
                raise DoesNotCompileError
            return outcomes

    @contextlib.contextmanager
    def _container(self) -> Iterator[Any]:
        container = self._client.containers.create(
            self._image,
            self._command,
            working_dir=str(self._folder),
            environment={"PYTHONPATH": "src:."},
            network_mode="none",
            labels=[LABEL],
        )
        try:
            yield container
        finally:
            container.remove(force=True, v=True)


def compiles(text: str) -> bool:
    """Whether Python can compile a file of this content."""
    try:
        compile(encode(text), "patched.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def verdict_of(baseline: Baseline, outcomes: Mapping[Address, TestOutcome]) -> Verdict:
    """Triggers first, then regressions; a test that the report lacks did not pass."""

    def passed(tests: Sequence[TestId]) -> bool:
        return all(outcomes.get(address(test)) is TestOutcome.PASSED for test in tests)

    if not passed(baseline.trigger_tests):
        return Verdict.STILL_FAILS
    return Verdict.PLAUSIBLE if passed(baseline.passing) else Verdict.REGRESSES


def address(test: TestId) -> Address:
    """Where pytest's JUnit report has the test of this node id."""
    plain, bracket, parameters = test.partition("[")
    path, *names = plain.split("::")
    module = path.removesuffix(".py").replace("/", ".")
    *classes, name = names or [""]
    return ".".join([module, *classes]), name + bracket + parameters


def parse_report(text: bytes) -> Mapping[Address, TestOutcome]:
    """The worst outcome of each test: an error in tear-down is a second element of its name."""
    found: dict[Address, TestOutcome] = {}
    for case in ElementTree.fromstring(text or b"<testsuites/>").iter("testcase"):
        key = (case.get("classname", ""), case.get("name", ""))
        outcome = TestOutcome.PASSED
        for child in case:
            if child.tag == "skipped":
                outcome = TestOutcome.SKIPPED
            outcome = ELEMENTS.get(child.tag, outcome)
        found[key] = min(outcome, found.get(key, outcome), key=WORST_FIRST.index)
    return found


def pack_texts(texts: Mapping[str, str]) -> bytes:
    """A tar archive of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in texts.items():
            data = encode(text)
            info = tarfile.TarInfo(path)
            info.size, info.mtime, info.mode = len(data), int(time.time()), 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def pack_folder(folder: Path) -> bytes:
    """A tar archive of a folder, at its absolute path, for everybody to read."""

    def readable(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mode |= 0o755 if info.isdir() else 0o644
        return info

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, str(folder).lstrip(os.sep), filter=readable)
    return buffer.getvalue()


def unpack(container: Any, path: str) -> bytes:
    """A file of the container, empty when there is none."""
    try:
        stream, _ = container.get_archive(path)
    except docker.errors.NotFound:
        return b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        return member.read() if member else b""
