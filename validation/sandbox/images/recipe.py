"""How an environment is installed on a base image, and the key of what comes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from validation.sandbox.images.dependencies import Dependencies, Ecosystem

VERSION = 1
"""Raised when a recipe changes what it installs, so that no old environment is taken for it."""

KEY_DIGITS = 20

PLACE = "/apr-build"
"""Folder of the build's container that holds the dependency files, and is removed at the end."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A shell script that runs in `PLACE`; `path` are folders put before the image's own PATH."""

    base_image: str
    script: str
    environment: Mapping[str, str]
    path: tuple[str, ...] = ()


_PYTHON = """
set -e
umask 022
command -v python3 >/dev/null || { echo 'the base image has no python3'; exit 9; }
python3 -c 'import pip' 2>/dev/null || python3 -m ensurepip >/dev/null 2>&1 || {
  echo 'the Python of the base image has no pip'; exit 9; }
limits=
[ ! -f constraints.txt ] || limits='-c constraints.txt'
[ ! -f hashed.txt ] || python3 -m pip install -r hashed.txt
[ ! -f requirements.txt ] || python3 -m pip install -r requirements.txt $limits
python3 -c 'import importlib.util as u; u.find_spec("pytest") or exit(1)' ||
  python3 -m pip install pytest $limits
"""

# Node looks for packages in every folder above a program, so those in the root are found
# wherever the subject is mounted.
_NODE = """
set -e
umask 022
command -v npm >/dev/null || { echo 'the base image has no npm'; exit 9; }
cp package*.json /
cd /
if [ -f package-lock.json ]; then npm ci; else npm install; fi
rm -f package.json package-lock.json
"""

RECIPES: Mapping[Ecosystem, Recipe] = {
    Ecosystem.PYTHON: Recipe(
        "python:3.11-slim",
        _PYTHON,
        {
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INPUT": "1",
            "PIP_BREAK_SYSTEM_PACKAGES": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
    ),
    Ecosystem.NODE: Recipe(
        "node:22-slim",
        _NODE,
        {
            "NPM_CONFIG_AUDIT": "false",
            "NPM_CONFIG_FUND": "false",
            "NPM_CONFIG_CACHE": f"{PLACE}/cache",
        },
        path=("/node_modules/.bin",),
    ),
}


def content_key(base_id: str, dependencies: Dependencies) -> str:
    """What an environment is made from, in hexadecimal digits: equal keys, equal images."""
    recipe = RECIPES[dependencies.ecosystem]
    content = [VERSION, base_id, recipe.script, recipe.path, dependencies.files]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:KEY_DIGITS]
