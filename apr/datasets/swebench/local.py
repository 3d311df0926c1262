"""Instances as subjects on this machine: a checkout of a local clone, and a shared environment.

A checkout holds the files of the base commit with the test patch applied, and no history. An
environment is a virtual environment named by a digest of what is in it, so that instances with
the same needs share one; it lies in a cache folder and is never a part of a subject.
"""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.diff.parse import parse_diff
from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets.checkouts import digest, find_clone, git, made_whole, write_commit
from apr.datasets.swebench.instances import Instance
from apr.datasets.swebench.recipes import RECIPES, Recipe, find_recipe

BUILD_S = 1800.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where clones are (see `find_clone`), and where environments and checkouts are kept.

    `python` is an interpreter that has all that the tests need; then none is built.
    """

    repositories: Path
    cache: Path
    python: str | None = None


def make_bug(instance: Instance, places: Places) -> Bug:
    """The instance as a bug, its environment and checkout made if they are not there yet.

    Raises:
        BadInputError: when its repository is not among the clones, or lacks the commit.
        EnvironmentUnusableError: when it does not run on this Python, or cannot be built.
    """
    subject = check_out(instance, places)
    files = test_files(instance, subject)
    return Bug(
        subject=str(subject),
        test_command=TestCommand(
            RunnerKind.PYTEST,
            ("-p", "no:cacheprovider", *files),
            places.python or str(make_environment(instance, subject, places.cache)),
        ),
        trigger_tests=trigger_tests(instance, files),
        base_commit=instance.base_commit,
        issue_text=instance.problem_statement,
        name=instance.instance_id,
    )


def test_files(instance: Instance, subject: Path) -> tuple[str, ...]:
    """The test files that the test patch touches: those are what SWE-bench runs."""
    paths = [change.new_path for change in parse_diff(instance.test_patch.encode())]
    found = [path for path in paths if path and _is_suite(path) and (subject / path).is_file()]
    if not found:
        raise BadInputError(f"the test patch of {instance.instance_id} has no Python test file")
    return tuple(dict.fromkeys(found))


def trigger_tests(instance: Instance, files: Sequence[str]) -> tuple[TestId, ...]:
    """FAIL_TO_PASS as pytest names it; names without a file may be in any of the `files`."""
    return tuple(
        TestId(name if "::" in name else f"{path}::{name}")
        for name in instance.fail_to_pass
        for path in (files if "::" not in name else files[:1])
    )


test_files.__test__ = False  # type: ignore[attr-defined]


def _is_suite(path: str) -> bool:
    name = path.rpartition("/")[2]
    named = name.startswith(("test_", "unittest_")) or name.endswith("_test.py")
    return name.endswith(".py") and (named or name == "tests.py")


def check_out(instance: Instance, places: Places, *, with_tests: bool = True) -> Path:
    """The folder with the instance's files and its new tests, made once for each content."""
    is_known = places.python is None or instance.repository in RECIPES
    files = find_recipe(instance.repository, instance.version).files if is_known else {}
    test_patch = instance.test_patch if with_tests else ""
    parts = (instance.base_commit, test_patch, *files, *files.values())
    target = places.cache / "checkouts" / digest(parts) / instance.instance_id
    if not target.is_dir():
        clone = find_clone(instance.repository, places.repositories)
        with made_whole(target) as folder:
            write_commit(clone, instance.base_commit, folder)
            if test_patch.strip():
                git(["apply", "-"], folder, test_patch)
            for path, text in files.items():
                (folder / path).write_text(text, "utf-8")
    return target


def required_packages(recipe: Recipe, checkout: Path) -> tuple[str, ...]:
    """The recipe's packages, and those that a file of the checkout pins.

    Raises:
        EnvironmentUnusableError: when the file pins none of that name.
    """
    found = []
    for path, name in recipe.pinned.items():
        text = (checkout / path).read_text("utf-8") if (checkout / path).is_file() else ""
        pin = re.search(rf"^{re.escape(name)}==[\w.]+", text, re.MULTILINE)
        if pin is None:
            raise EnvironmentUnusableError(f"{checkout.name}: {path} pins no release of {name}")
        found.append(pin.group())
    return (*recipe.packages, *found)


def make_environment(instance: Instance, checkout: Path, cache: Path) -> Path:
    """The interpreter of an environment with the packages that the checkout needs; built once."""
    recipe = find_recipe(instance.repository, instance.version)
    packages = required_packages(recipe, checkout)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / "environments" / digest((version, *sorted(packages)))
    python = folder / "bin" / "python"
    with _alone(folder):
        if python.exists():
            return python
        with made_whole(folder) as made:
            _build([sys.executable, "-m", "venv", str(made)])
            # Run as a module: scripts have the temporary path in their first line.
            install = [str(made / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            _build([*install, "--disable-pip-version-check", *packages])
    return python


def _build(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=BUILD_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentUnusableError(f"an environment cannot be built: {error}") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EnvironmentUnusableError(
            f"an environment cannot be built: {' '.join(said)}"
        ) from error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Others that want to make the same wait, and then find it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
