"""Where the tests of an instance run: its files, its environment and a sandbox around both."""

from __future__ import annotations

import functools
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apr.datasets.checkouts import find_clone, find_git_dir
from apr.datasets.swebench.instances import Instance
from apr.datasets.swebench.local import Places, check_out, make_environment
from apr.datasets.swebench.recipes import find_recipe
from apr.evaluation.execution import PLACE, Ground
from apr.evaluation.script import EvaluationScript
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import SandboxName, make_sandbox, open_sandbox

WORKSPACE_MIB = 2048


class LocalGrounds:
    """Environments built on this machine and shared between instances with the same needs."""

    def __init__(self, places: Places, sandbox: SandboxName, memory_mib: int) -> None:
        """Raises SandboxUnavailableError when the sandbox does not work here."""
        self._places = places
        self._memory_mib = memory_mib
        opened = open_sandbox(sandbox, SandboxPolicy())
        self.sandbox = opened.name
        opened.close()

    def prepare(self, instance: Instance, script: EvaluationScript) -> Ground:
        """The ground of an instance, made if it is not there yet.

        Raises:
            BadInputError: when its repository is not among the clones, or lacks the commit.
            EnvironmentUnusableError: when it does not run on this Python, or cannot be built.
        """
        git_dir = find_git_dir(find_clone(instance.repository, self._places.repositories))
        folder = check_out(instance, self._places, with_tests=False)
        python = self._places.python
        shell: tuple[str, ...] = ()
        if python is None:
            python = str(make_environment(instance, folder, self._places.cache))
            shell = find_recipe(instance.repository, instance.version).shell
        policy = SandboxPolicy(
            memory_mib=self._memory_mib,
            workspace_mib=WORKSPACE_MIB,
            readable_paths=python_readable_paths(python),
            mount_at=PLACE,
        )
        return Ground(
            folder,
            git_dir,
            make_sandbox(self.sandbox, policy),
            (*_prelude(python, folder), *shell),
            _describe(python),
        )


def _prelude(python: str, folder: Path) -> tuple[str, ...]:
    """The environment's programs come first, and the checkout before what is installed.

    Scripts of the environment would start a Python at the place where it was built, so that
    pytest is started as a module; -P leaves out the current folder, as the script does.
    """
    source = f"{PLACE}/src" if (folder / "src").is_dir() else PLACE
    return (
        f"export PATH={shlex.quote(str(Path(python).parent))}:$PATH",
        f"export PYTHONPATH={source}",
        'pytest() { python -P -m pytest "$@"; }',
    )


@functools.cache
def _describe(python: str) -> Mapping[str, Any]:
    """What is installed beside an interpreter, for the record."""
    libraries = Path(python).parent.parent.glob("lib/python*/site-packages/*.dist-info")
    packages = sorted(path.name.removesuffix(".dist-info").replace("-", "==") for path in libraries)
    return {
        "kind": "local",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
    }
