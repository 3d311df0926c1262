"""The harness has the last word on which tests run in which order."""

from __future__ import annotations

import pytest

from apr.core.bug import TestId
from support.harness_target import PYTEST_FILES, PYTEST_TRIGGERS, RIGHT, MakeTarget, open_warm

REVERSING = """
import sys, pytest
sys.path.insert(0, 'tests')

@pytest.hookimpl({when}=True)
def pytest_collection_modifyitems(items):
    {body}
"""


@pytest.mark.parametrize(
    ("when", "body"),
    [("trylast", "items.reverse()"), ("hookwrapper", "yield; items.reverse()")],
    ids=["last", "wrapped"],
)
def test_plugin_that_orders_tests_last_of_all_disturbs_nothing(
    make_target: MakeTarget, when: str, body: str
) -> None:
    conftest = REVERSING.format(when=when, body=body)
    target = make_target({**PYTEST_FILES, "tests/conftest.py": conftest})
    whole = target.plain(RIGHT)
    assert target.passes(whole)
    assert whole.results[-1].test == "tests/test_first.py::test_one"
    assert target.passes(target.guarded(RIGHT))
    with open_warm(target) as warm:
        execution = warm.judge(RIGHT)
        assert target.passes(execution)
        assert [result.test for result in execution.results] == list(map(TestId, PYTEST_TRIGGERS))
