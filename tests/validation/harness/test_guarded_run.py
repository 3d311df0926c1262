"""Hostile patches in a guarded run: none may look like a fix, and most are seen for what they are.

The gate that reads patches would refuse nearly all of these before they run; here nobody does.
"""

from __future__ import annotations

import pytest

from apr.core.errors import EnvironmentUnusableError
from support import attackers
from support.harness_target import (
    FAULTY,
    PYTEST_FILES,
    RIGHT,
    MakeTarget,
    Target,
)
from validation.sandbox.select import SandboxName


@pytest.mark.parametrize("disguised", [False, True])
def test_a_right_patch_passes(target: Target, disguised: bool) -> None:
    execution = target.guarded(RIGHT, disguised=disguised)
    assert execution.tampering == ""
    assert target.passes(execution)


@pytest.mark.parametrize("disguised", [False, True])
def test_a_right_patch_passes_under_unittest(cases: Target, disguised: bool) -> None:
    execution = cases.guarded(RIGHT, disguised=disguised)
    assert execution.tampering == ""
    assert cases.passes(execution)


def test_the_unpatched_program_fails_and_nothing_is_held_against_it(target: Target) -> None:
    execution = target.guarded(FAULTY)
    assert (execution.tampering, execution.completed, execution.exit_status) == ("", True, 1)


def test_canaries_are_not_among_the_results(target: Target) -> None:
    assert len(target.guarded(RIGHT).results) == 6


@pytest.mark.parametrize("name", attackers.MACHINERY)
def test_replaced_machinery_is_tampering(target: Target, name: str) -> None:
    execution = target.guarded(attackers.MACHINERY[name] + FAULTY)
    assert execution.tampering
    assert not target.passes(execution)


@pytest.mark.parametrize("name", [name for name in attackers.MACHINERY if "unittest" in name])
def test_replaced_unittest_is_tampering(cases: Target, name: str) -> None:
    assert cases.guarded(attackers.MACHINERY[name] + FAULTY).tampering


def test_machinery_that_is_restored_before_the_test_ends_is_seen_in_disguise(
    target: Target,
) -> None:
    """Nothing is left to be found after the test, but the way to the machinery is watched."""
    program = """\
        class Number(int):
            def __del__(self):
                import unittest
                unittest.TestCase.assertEqual = KEPT
        def double(x):
            global KEPT
            import unittest
            KEPT = unittest.TestCase.__dict__['assertEqual']
            unittest.TestCase.assertEqual = lambda *a: None
            return Number(x + x + 1)
    """
    assert target.guarded(program, disguised=True).tampering


@pytest.mark.parametrize("name", attackers.REACHING)
def test_reaching_out_is_tampering(target: Target, name: str) -> None:
    execution = target.guarded(attackers.REACHING[name] + RIGHT)
    assert execution.tampering.startswith("program.py ")


def test_what_the_unpatched_program_does_too_is_allowed(make_target: MakeTarget) -> None:
    habits = attackers.REACHING["network"] + attackers.REACHING["frames"]
    target = make_target({**PYTEST_FILES, "program.py": habits + FAULTY})
    execution = target.guarded(habits + RIGHT)
    assert execution.tampering == ""
    assert target.passes(execution)


def test_what_the_unpatched_text_can_do_may_be_reached_for_the_first_time(
    make_target: MakeTarget,
) -> None:
    called = "import socket\ndef call():\n    socket.socket().close()\n"
    target = make_target({**PYTEST_FILES, "program.py": called + FAULTY})
    assert target.guarded(called + "call()\n" + RIGHT).tampering == ""


@pytest.mark.parametrize("name", attackers.DEPARTURES | attackers.PYTEST_DEPARTURES)
def test_leaving_early_is_no_pass(target: Target, name: str) -> None:
    program = (attackers.DEPARTURES | attackers.PYTEST_DEPARTURES)[name]
    assert not target.passes(target.guarded(program))


@pytest.mark.parametrize("name", attackers.DEPARTURES)
def test_leaving_early_is_no_pass_under_unittest(cases: Target, name: str) -> None:
    assert not cases.passes(cases.guarded(attackers.DEPARTURES[name]))


@pytest.mark.parametrize("guarded", [False, True])
def test_leaving_at_import_is_an_error_of_the_whole_run(target: Target, guarded: bool) -> None:
    run = target.guarded if guarded else target.plain
    with pytest.raises(EnvironmentUnusableError, match="ended at once"):
        run("import os\nos._exit(0)\n")


@pytest.mark.parametrize("name", ["keyboard-interrupt", "in-the-test", "pytest-exit"])
def test_leaving_early_is_no_pass_without_a_guard(target: Target, name: str) -> None:
    program = (attackers.DEPARTURES | attackers.PYTEST_DEPARTURES)[name]
    assert not target.passes(target.plain(program))


@pytest.mark.parametrize("name", attackers.TEST_MARKERS)
def test_a_program_that_looks_for_its_test_fails_in_disguise(target: Target, name: str) -> None:
    program = attackers.TEST_MARKERS[name] + attackers.SPECIAL_CASE
    assert target.passes(target.plain(program))  # else the attack is none
    assert not target.passes(target.guarded(program, disguised=True))


def test_proxies_in_test_modules_are_not_touched(make_target: MakeTarget) -> None:
    """Such as Flask's `current_app`, which answers for an application or fails."""
    text = """\
        class Proxy:
            @property
            def __class__(self):
                raise RuntimeError("no application")
            def __getattr__(self, name):
                raise RuntimeError("no application")
            def __call__(self):
                raise RuntimeError("no application")
        current = Proxy()
        class Case:
            current = current
        def make():
            def inner():
                return current
            return inner
        def test_it(): pass
    """
    target = make_target({**PYTEST_FILES, "tests/test_proxy.py": text})
    assert target.passes(target.guarded(RIGHT))


def test_a_suite_that_needs_its_markers_is_run_without_disguise(make_target: MakeTarget) -> None:
    needs = (
        "import os\ndef test_name():\n    assert 'test_name' in os.environ['PYTEST_CURRENT_TEST']\n"
    )
    target = make_target({**PYTEST_FILES, "tests/test_needs.py": needs})
    assert target.passes(target.guarded(RIGHT, disguised=True))


def test_a_test_file_that_is_rewritten_before_it_is_loaded_is_tampering(target: Target) -> None:
    program = "open('tests/test_second.py', 'w').write('')\n" + FAULTY
    assert target.guarded(program).tampering


@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_every_sandbox_guards(make_target: MakeTarget, sandbox: SandboxName) -> None:
    target = make_target(sandbox=sandbox)
    assert target.passes(target.guarded(RIGHT))
    assert target.guarded(attackers.MACHINERY["unittest-assert"] + FAULTY).tampering
    assert target.guarded(attackers.MACHINERY["pytest-runtest"] + FAULTY).tampering
    assert target.guarded(attackers.REACHING["frames"] + RIGHT).tampering
    program = attackers.TEST_MARKERS["modules"] + attackers.SPECIAL_CASE
    assert not target.passes(target.guarded(program, disguised=True))
