"""A server for all tests of the API, with a demo project and finished runs in its store."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.attacks import attacked_settings
from support.web_server import WebServer, web_server

FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef same(a):\n    return a\n",
    "tests/test_calc.py": (
        "from calc import add, same\n\n\n"
        "def test_add():\n    assert add(1, 2) == 3\n\n\n"
        "def test_same():\n    assert same(4) == 4\n"
    ),
    "conftest.py": "",
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Asks everybody for a token and executes nothing."""
    folder = tmp_path_factory.mktemp("web")
    with web_server(folder, **attacked_settings(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def archive() -> bytes:
    """A small project with one bug, as a gzipped tar."""
    return pack(FILES)


def pack(files: dict[str, str]) -> bytes:
    """Files as a gzipped tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"project/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The same project in a folder."""
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"
