"""The names of the images that SWE-bench publishes, one for each instance of the benchmark.

The scheme is that of the SWE-bench harness since version 3: in the namespace `swebench`,
`sweb.eval.ARCHITECTURE.INSTANCE` in lower case, where `_1776_` stands for the double underscore
that a repository's name may not contain.
"""

from __future__ import annotations

import re

from apr.core.errors import BadInputError, SandboxUnavailableError

NAMESPACE = "swebench"
INSTANCE = re.compile(r"[A-Za-z0-9][\w.-]*__[\w.-]+-\d+")
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def published_name(instance: str, machine: str) -> str:
    """The published image of an instance, for an engine on that machine (`uname -m`).

    Raises:
        BadInputError: when that is no instance's id.
        SandboxUnavailableError: when nothing is published for such machines.
    """
    return f"{NAMESPACE}/{_name(instance, machine)}".replace("__", "_1776_")


def locally_built_name(instance: str, machine: str) -> str:
    """What the harness calls the image when it builds it itself."""
    return _name(instance, machine)


def _name(instance: str, machine: str) -> str:
    if not INSTANCE.fullmatch(instance):
        raise BadInputError(
            f"{instance!r} is no SWE-bench instance, such as astropy__astropy-12907"
        )
    architecture = ARCHITECTURES.get(machine)
    if architecture is None:
        raise SandboxUnavailableError(f"SWE-bench publishes no images for {machine}")
    return f"sweb.eval.{architecture}.{instance.lower()}:latest"
