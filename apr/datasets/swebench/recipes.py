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
    asks for its own metadata, a release of it is among the packages. `pinned` are packages whose
    release a requirements file of the subject fixes, by the file's path. `shell` are lines that
    stand in for programs of the official images.
    """

    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)
    shell: tuple[str, ...] = ()


def find_recipe(repository: str, version: str) -> Recipe:
    """The recipe of a repository's version, which is written as SWE-bench does ("2.14").

    Raises:
        EnvironmentUnusableError: when it is not known to run on CPython 3.11.
    """
    if (repository, version) in BROKEN:
        raise EnvironmentUnusableError(
            f"{repository} {version} does not run on CPython 3.11: {BROKEN[repository, version]}"
        )
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
    is_old = _parse(version) < (7, 1)
    # Later plug-ins speak to hooks that it does not have yet.
    fitting = (
        ("pluggy==0.13.1", "hypothesis==6.14.0") if is_old else ("pluggy==1.2.0", "hypothesis")
    )
    plain = ("attrs", "xmlschema", "pygments", "requests", "py==1.11.0", "toml", "tomli")
    return Recipe((PYTEST, *plain, *fitting), {"src/_pytest/_version.py": text})


def _pylint(version: str) -> Recipe:
    own = ("dill", "isort<6", "mccabe<0.8", "platformdirs", "tomlkit", "typing-extensions")
    # What it says of a program depends on the very release of astroid.
    return Recipe(
        (*own, "py==1.11.0", PYTEST, "pytest-benchmark", "gitpython<4", "setuptools<70"),
        pinned={"requirements_test_min.txt": "astroid"},
    )


def _flask(version: str) -> Recipe:
    pins = ("Werkzeug==2.3.7", "Jinja2==3.1.2", "click==8.1.3", "itsdangerous", "blinker")
    return Recipe(("flask==2.3.3", *pins, "python-dotenv", PYTEST))


def _requests(version: str) -> Recipe:
    pins = ("urllib3<2", "chardet<5", "httpbin==0.7.0", "pytest-httpbin==1.0.2", "pytest-mock")
    # httpbin knows the old Flask only.
    flask = ("flask==2.0.3", "werkzeug==2.0.3", "jinja2==3.0.3", "markupsafe==2.0.1")
    return Recipe(("requests<2.32", *pins, *flask, "itsdangerous==2.0.1", "pysocks", PYTEST))


def _sphinx(version: str) -> Recipe:
    number = _parse(version)
    extensions = (
        *("sphinxcontrib-applehelp<1.0.5", "sphinxcontrib-devhelp<1.0.3", "sphinxcontrib-jsmath"),
        *("sphinxcontrib-htmlhelp<2.0.2", "sphinxcontrib-serializinghtml<1.1.6"),
        *("sphinxcontrib-qthelp<1.0.4", "alabaster==0.7.11"),
    )
    docutils = "0.18" if number < (4, 4) else "0.20" if number < (7, 0) else "0.21"
    jinja = "3.0" if number < (4, 0) else "3.1" if number < (5, 0) else "3.2"
    others = (
        *("Pygments<2.16", "snowballstemmer<3", "babel", "imagesize", "requests", "packaging"),
        *("setuptools<70", "html5lib", "cython<3.1", "roman", "filelock", PYTEST),
    )
    markupsafe = "markupsafe<=2.0.1" if number < (5, 0) else "markupsafe"
    fitting = (f"docutils<{docutils}", f"Jinja2<{jinja}", markupsafe)
    # As tox would start it, with the report that SWE-bench has it print.
    tox = 'tox() { shift 4; python -X dev -m pytest -rA --durations 25 "$@"; }'
    return Recipe((*fitting, *extensions, *others), shell=(tox,))


def _seaborn(version: str) -> Recipe:
    pandas = "1.5.3" if _parse(version) < (0, 13) else "2.0.0"
    numbers = ("numpy==1.25.2", f"pandas=={pandas}", "scipy==1.11.1", "statsmodels==0.14.0")
    others = ("matplotlib==3.7.2", PYTEST, "pytest-xdist", "pytest-cov")
    return Recipe((*numbers, *others), shell=("export MPLBACKEND=agg",))


def _xarray(version: str) -> Recipe:
    numbers = ("numpy==1.23.5", "pandas==1.5.3", "scipy==1.11.1", "dask==2022.8.1", "bottleneck")
    dates = ("python-dateutil==2.8.2", "pytz==2023.3", "cftime")
    return Recipe((*numbers, *dates, "packaging==23.1", "setuptools==68.0.0", PYTEST))


RECIPES: Mapping[str, tuple[tuple[int, ...], Callable[[str], Recipe]]] = {
    "sympy/sympy": ((1, 2), _sympy),
    "pytest-dev/pytest": ((6, 3), _pytest),
    "pylint-dev/pylint": ((2, 14), _pylint),
    "pallets/flask": ((2, 0), _flask),
    "psf/requests": ((2, 26), _requests),
    "sphinx-doc/sphinx": ((3, 0), _sphinx),
    "mwaskom/seaborn": ((0, 12), _seaborn),
    "pydata/xarray": ((0, 12), _xarray),
}
"""The first version that runs, and the recipe."""

BROKEN = {
    ("sphinx-doc/sphinx", "4.1"): "it imports types.Union, which was there before 3.10 only",
    ("pytest-dev/pytest", "6.3"): "it compiles imports without the line numbers that 3.10 wants",
}
"""Versions within those that do not run, and why."""
