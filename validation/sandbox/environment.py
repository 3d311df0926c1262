"""The environment variables of a sandboxed process: few, fixed, and none of the host's."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


PRIVATE_VARIABLE = "APR_PRIVATE"


def private_folders(*paths: str) -> dict[str, str]:
    """The variable that tells the harness which folders belong to the sandbox alone."""
    return {PRIVATE_VARIABLE: ":".join(paths)}


def minimal_environment(home: str, tmp: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Reproducible settings for Python and the C library, overlaid with `extra`."""
    return {
        "PATH": DEFAULT_PATH,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": home,
        "TMPDIR": tmp,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        **extra,
    }
