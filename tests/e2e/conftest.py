"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.e2e import BUGS, Apr


@pytest.fixture(scope="module", autouse=True)
def subjects_python(plain_python: None) -> None:
    """What subjects are run by, unless a test says otherwise."""


@pytest.fixture
def apr(tmp_path: Path) -> Apr:
    return Apr(tmp_path)


@pytest.fixture
def copy_bug(tmp_path: Path) -> Callable[[str], Path]:
    """A private copy of a fixture bug's subject."""

    def copy(name: str) -> Path:
        source = BUGS / name / "subject"
        if not source.is_dir():
            source = BUGS / name
        target = tmp_path / "subjects" / Path(name).name
        shutil.copytree(source, target)
        return target

    return copy
