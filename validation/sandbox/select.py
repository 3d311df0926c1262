"""Which sandboxes work on this machine, and the strongest of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from typing import Literal

from apr.core.errors import AprError, BadInputError, SandboxDiedError, SandboxUnavailableError
from apr.core.ports import Sandbox
from validation.sandbox.policy import SandboxPolicy
from validation.temporary import temporary_folder

SandboxName = Literal["auto", "docker", "bubblewrap", "process"]
STRONGEST_FIRST = ("docker", "bubblewrap", "process")
TRIAL_TIMEOUT_S = 30.0
_HINTS = {"bubblewrap": " (the kernel, or the container around us, must allow user namespaces)"}


def available(policy: SandboxPolicy, image: str | None = None) -> dict[str, str | None]:
    """Each sandbox's name, the strongest first, with None when it works here, else the reason.

    "Works" means that a trivial process was started in it and answered.
    """
    return {name: _reason_against(name, policy, image) for name in STRONGEST_FIRST}


def open_sandbox(name: SandboxName, policy: SandboxPolicy, image: str | None = None) -> Sandbox:
    """The sandbox called `name`; `auto` is the strongest that works, Docker only with an `image`.

    Whoever opens it closes it.

    Raises:
        BadInputError: when there is no sandbox of that name.
        SandboxUnavailableError: when it does not work here.
    """
    if name not in ("auto", *STRONGEST_FIRST):
        known = ", ".join(("auto", *STRONGEST_FIRST))
        raise BadInputError(f"there is no sandbox called {name!r}; known are {known}")
    reasons: dict[str, str] = {}
    for candidate in STRONGEST_FIRST if name == "auto" else (name,):
        reason = _reason_against(candidate, policy, image)
        if reason is None:
            return make_sandbox(candidate, policy, image)
        reasons[candidate] = reason
    raise SandboxUnavailableError(_explain(reasons))


def _explain(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"the {name} sandbox does not work here: {r}" for name, r in reasons.items())


def _reason_against(name: str, policy: SandboxPolicy, image: str | None) -> str | None:
    if not sys.platform.startswith("linux"):
        return f"sandboxes need Linux, and this is {sys.platform}"
    if name == "docker" and image is None:
        return "no image was given to make containers of (name one that has the subject's tools)"
    try:
        with contextlib.closing(make_sandbox(name, policy, image)) as sandbox:
            _try(sandbox)
    except SandboxDiedError as error:
        hint = _HINTS.get(name, "")
        return " ".join(f"{error}{hint}".split())
    except (AprError, TimeoutError) as error:
        return " ".join(str(error).split())
    return None


def make_sandbox(name: str, policy: SandboxPolicy, image: str | None = None) -> Sandbox:
    """The sandbox called `name`, which is known and of which somebody has seen that it works."""
    return _MAKERS[name](policy, image or "")


def _docker(policy: SandboxPolicy, image: str) -> Sandbox:
    from validation.sandbox.docker import DockerSandbox

    return DockerSandbox(image, policy)


def _bubblewrap(policy: SandboxPolicy, image: str) -> Sandbox:
    from validation.sandbox.bubblewrap import BubblewrapSandbox

    return BubblewrapSandbox(policy)


def _process(policy: SandboxPolicy, image: str) -> Sandbox:
    from validation.sandbox.process import ProcessSandbox

    return ProcessSandbox(policy)


_MAKERS: Mapping[str, Callable[[SandboxPolicy, str], Sandbox]] = {
    "docker": _docker,
    "bubblewrap": _bubblewrap,
    "process": _process,
}


def _try(sandbox: Sandbox) -> None:
    command = ["/bin/sh", "-c", "echo works"]
    with (
        temporary_folder("trial") as workspace,
        sandbox.start(command, str(workspace), writable=False, environment={}) as process,
    ):
        process.receive_line(TRIAL_TIMEOUT_S)
