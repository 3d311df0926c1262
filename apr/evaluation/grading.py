"""Grades a recorded outcome with the `swebench` package's own log parsers and rules."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets.swebench.instances import Instance
from apr.evaluation.outcome import Outcome, State

HARNESS = "swebench.harness"
FIRST_VERSION = 5


def grade(instance: Instance, outcome: Outcome, log: Path) -> Mapping[str, Any] | None:
    """The official report on an instance's log; None where the harness would give none.

    Raises:
        EnvironmentUnusableError: when the `swebench` package is not installed.
        BadInputError: when it knows no such log parser.
    """
    if outcome.state not in (State.TESTED, State.CUT_OFF):
        return None
    package = official()
    if instance.log_parser not in package.grading.PARSER_REGISTRY:
        raise BadInputError(
            f"{instance.instance_id} names a log parser that the swebench package does not have:"
            f" {instance.log_parser or 'none'}"
        )
    report: Mapping[str, Any] = package.grading.get_eval_report(
        test_spec=_specification(instance),
        prediction={"instance_id": instance.instance_id, "model_patch": "given"},
        test_log_path=str(log),
        include_tests_status=True,
    )
    return report


def statuses(instance: Instance, log: Path) -> Mapping[str, str]:
    """The status of each test in a log, by the names that its parser gives them."""
    found: tuple[Mapping[str, str], bool] = official().grading.get_logs_eval(
        _specification(instance), str(log)
    )
    return found[0]


def classify(*logs: Path) -> tuple[str, bool] | None:
    """The official reason to suspect the environment, and whether it is certain; None: none."""
    package = official()
    found = package.infra_failure.classify_logs(*logs)
    if found is None:
        return None
    reason, tier = found
    return reason, tier == package.infra_failure.TIER_ENVIRONMENT


def _specification(instance: Instance) -> Any:
    return official().types.TestSpec(
        instance_id=instance.instance_id,
        image=instance.image,
        eval_script_list=[],
        repo=instance.repository,
        version=instance.version,
        FAIL_TO_PASS=list(instance.fail_to_pass),
        PASS_TO_PASS=list(instance.pass_to_pass),
        log_parser=instance.log_parser,
        eval_type=instance.eval_type,
    )


class Official:
    """The modules of the `swebench` package that grading needs."""

    def __init__(self) -> None:
        with _light_harness():
            self.grading: Any = importlib.import_module(f"{HARNESS}.grading")
            self.infra_failure: Any = importlib.import_module(f"{HARNESS}.infra_failure")
        self.types: Any = importlib.import_module("swebench.types")
        self.version = version("swebench")


@functools.cache
def official() -> Official:
    """The package, loaded at the first use.

    Raises:
        EnvironmentUnusableError: when it is not installed, or too old.
    """
    try:
        found = version("swebench")
    except PackageNotFoundError as error:
        raise EnvironmentUnusableError(
            "grading needs the swebench package: install the extra swebench"
        ) from error
    if int(found.partition(".")[0]) < FIRST_VERSION:
        raise EnvironmentUnusableError(
            f"grading needs release {FIRST_VERSION} of the swebench package or later, not {found}"
        )
    return Official()


@contextmanager
def _light_harness() -> Iterator[None]:
    """Import modules of the harness without its own __init__.

    That one loads a cloud's client and a library of data sets, which takes a second and which
    grading does not need.
    """
    if HARNESS in sys.modules:
        yield
        return
    specification = find_spec("swebench")
    assert specification is not None
    assert specification.submodule_search_locations
    package = ModuleType(HARNESS)
    package.__path__ = [str(Path(specification.submodule_search_locations[0], "harness"))]
    sys.modules[HARNESS] = package
    try:
        yield
    finally:
        del sys.modules[HARNESS]
