"""An environment with nothing in it but pytest, as the subject of a test needs it.

The plugins of the interpreter that runs these tests would be loaded for every one of a subject's
runs, and take as long as pytest itself.
"""

from __future__ import annotations

import shutil
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.host_image import distribution_files


@pytest.fixture(scope="session")
def plain_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("plain") / "env"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    for file, path in distribution_files(["pytest"]):
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)  # with its time, by which its bytecode is known to be its own
    return folder


@pytest.fixture(scope="module")
def plain_python(plain_environment: Path) -> Iterator[None]:
    """It is active in a module that asks for this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIRTUAL_ENV", str(plain_environment))
        yield
