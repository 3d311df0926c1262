"""Where a build gets its packages: as this machine's own pip does, and from a folder of wheels.

Whatever pip is told here (an index of the house, a folder, a certificate, a proxy) is told to the
build as environment variables, which no image keeps; local folders are shown to it read-only.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

PIP_TIMEOUT_S = 60.0
PIP_SETTINGS = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host"),
    *("cert", "client-cert", "proxy", "timeout", "default-timeout", "retries"),
)
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class PackageSources:
    """Variables for the build, and absolute paths of this machine that it must be able to read."""

    environment: Mapping[str, str]
    paths: tuple[str, ...]


def package_sources(wheels: Path | None) -> PackageSources:
    """As this machine's pip and proxies are configured, with `wheels` as one folder more."""
    settings = _pip_settings()
    if wheels is not None:
        links = [settings.get("find-links", ""), str(wheels.resolve())]
        settings["find-links"] = " ".join(link for link in links if link)
    environment = {f"PIP_{name.upper().replace('-', '_')}": v for name, v in settings.items()}
    for name in PROXIES:
        value = os.environ.get(name) or os.environ.get(name.upper())
        if value:
            environment |= {name: value, name.upper(): value}
    return PackageSources(environment, tuple(sorted(set(_local_paths(settings.values())))))


def _pip_settings() -> dict[str, str]:
    """The settings that say where packages come from; environment variables win over files."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in done.stdout.splitlines():
        key, _, quoted = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found and name in PIP_SETTINGS:
            found[section][name] = " ".join(str(ast.literal_eval(quoted)).split())
    return found["global"] | found["install"] | found[":env:"]


def _local_paths(values: Iterable[str]) -> Iterator[str]:
    for word in (word for value in values for word in value.split()):
        path = Path(unquote(urlsplit(word).path) if word.startswith("file://") else word)
        if path.is_absolute() and path.exists():
            # An index's pages are in `simple`, and link to the files beside that folder.
            yield str(path.parent if path.name == "simple" else path)
