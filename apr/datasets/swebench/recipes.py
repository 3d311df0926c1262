"""What the repositories of SWE-bench need on CPython 3.11, measured and not guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apr.core.errors import EnvironmentUnusableError

PYTEST = "pytest==7.4.4"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Packages of an environment, and files that building the subject would have written.

    The subject is not installed: its checkout comes before the environment on the path. Where it
    asks for its own metadata, a release of it is among the packages.
    """

    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


def find_recipe(repository: str, version: str) -> Recipe:
    """The recipe of a repository's version, which is written as SWE-bench does ("2.14").

    Raises:
        EnvironmentUnusableError: when it is not known to run on CPython 3.11.
    """
    known = RECIPES.get(repository)
    if known is None or _parse(version) < known[0]:
        since = f" before {'.'.join(map(str, known[0]))}" if known else ""
        raise EnvironmentUnusableError(f"{repository}{since} is not known to run on CPython 3.11")
    return known[1](version)


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _sympy(version: str) -> Recipe:
    return Recipe(("mpmath==1.3.0", "py==1.11.0", PYTEST))  # before 1.6 its tests import py


def _pytest(version: str) -> Recipe:
    # Its own version is written by its build.
    text = f'version = __version__ = "{version}.0"\nversion_tuple = {(*_parse(version), 0)}\n'
    packages = (PYTEST, "attrs", "hypothesis", "xmlschema", "pygments", "requests")
    return Recipe(packages, {"src/_pytest/_version.py": text})


def _pylint(version: str) -> Recipe:
    return Recipe((f"pylint~={version}.0", PYTEST, "pytest-benchmark", "gitpython"))


def _flask(version: str) -> Recipe:
    pins = ("Werkzeug==2.3.7", "Jinja2==3.1.2", "click==8.1.3", "itsdangerous", "blinker")
    return Recipe(("flask==2.3.3", *pins, PYTEST))


def _requests(version: str) -> Recipe:
    pins = ("urllib3<2", "chardet<5", "httpbin==0.7.0", "pytest-httpbin==1.0.2", "pytest-mock")
    return Recipe(("requests<2.32", *pins, PYTEST))


RECIPES: Mapping[str, tuple[tuple[int, ...], Callable[[str], Recipe]]] = {
    "sympy/sympy": ((1, 2), _sympy),
    "pytest-dev/pytest": ((6, 3), _pytest),
    "pylint-dev/pylint": ((2, 14), _pylint),
    "pallets/flask": ((2, 3), _flask),
    "psf/requests": ((2, 26), _requests),
}
"""The first version that runs, and the recipe."""
