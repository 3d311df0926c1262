"""Forged reports from real hostile programs: in a run of its own and in a warm session."""

from __future__ import annotations

import pytest

from apr.core.errors import SandboxDiedError
from support import attackers
from support.harness_target import RIGHT, MakeTarget, Target, Warm, open_warm
from validation.runners.protocol import FORGED
from validation.sandbox.select import SandboxName

FORGED_PASS = "b'" + attackers.FORGED_LINES % {"id": "tests/test_first.py::test_one"} + "'"
SEALED_PASS = "b'0' * 32 + " + FORGED_PASS
ENDLESS = "b'x' * (5 * 2**20)"
BINARY = "bytes(range(256)) * 16"


@pytest.mark.parametrize("data", [FORGED_PASS, SEALED_PASS, BINARY], ids=["bare", "seal", "binary"])
def test_a_line_from_elsewhere_is_tampering(target: Target, warm: Warm, data: str) -> None:
    program = "def double(x):\n" + attackers.indent(attackers.write_everywhere(data))
    for execution in (target.plain(program), warm.judge(program)):
        assert execution.tampering
        assert not target.passes(execution)
    assert target.passes(warm.judge(RIGHT))


def test_an_endless_report_is_no_pass_and_costs_only_its_own_candidate(warm: Warm) -> None:
    program = "def double(x):\n" + attackers.indent(attackers.write_everywhere(ENDLESS))
    assert warm.judge(program).tampering
    assert warm.target.passes(warm.judge(RIGHT))


def test_a_long_report_of_many_tests_is_whole(make_target: MakeTarget) -> None:
    """It is longer than any report of a few tests may be."""
    count = 2_200
    files = {
        "program.py": RIGHT,
        "test_many.py": f"""\
            import pytest
            from program import double

            @pytest.mark.parametrize("x", range({count}), ids="{"a_long_name_" * 80}{{}}".format)
            def test_double(x):
                assert double(x) == x + x
        """,
    }
    name = "test_many.py::test_double[" + "a_long_name_" * 80
    many = make_target(files, triggers=tuple(f"{name}{number}]" for number in range(count)))
    with open_warm(many) as warm:
        assert many.passes(warm.judge(RIGHT))


def test_lines_put_between_genuine_ones_are_seen(warm: Warm) -> None:
    forging = attackers.write_everywhere("b'{}\\n'").replace("os._exit(0)\n", "")
    execution = warm.judge(forging + RIGHT)
    assert execution.tampering == FORGED
    assert not warm.target.passes(execution)


def test_a_copy_of_the_process_cannot_report(warm: Warm) -> None:
    """The child that a test forks and forgets runs on through the suite, unheard."""
    program = "import os\nWHICH = os.fork()\n" + RIGHT
    execution = warm.judge(program)
    assert execution.tampering == ""
    assert warm.target.passes(warm.judge(RIGHT))


def test_the_harness_is_not_found_by_name(target: Target) -> None:
    program = """\
        import sys
        FOUND = [name for name in sys.modules if "apr_" in name]
        FOUND += [name for name in vars(sys.modules["__main__"]) if not name.startswith("__")]
        def double(x):
            assert FOUND == ["sys"], FOUND
            return x + x
    """
    assert target.passes(target.plain(program))


def test_json_of_the_subject_is_not_that_of_the_harness(target: Target) -> None:
    program = """\
        import json
        json.encoder.JSONEncoder.encode = json.encoder.JSONEncoder.iterencode = None
        json.encoder.encode_basestring_ascii = json.encoder.c_make_encoder = None
        json.dumps = json.loads = None
        def double(x):
            return x + x
    """
    assert target.passes(target.plain(program))


SERVER_ATTACKS = {
    "kill": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n",
    "kill-all": "import os, signal\nos.kill(-1, signal.SIGKILL)\n",
    "limits": (
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))\n"
    ),
    "processors": "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 19)\n",
}


@pytest.mark.parametrize("name", SERVER_ATTACKS)
def test_what_is_done_to_the_server_is_noticed_before_the_next_candidate(
    target: Target, name: str
) -> None:
    """A damaged server ends, and the validator starts another: it never judges a candidate."""
    with open_warm(target) as warm, pytest.raises(SandboxDiedError):
        warm.judge(SERVER_ATTACKS[name] + attackers.WRONG)
        warm.judge(RIGHT)


def test_the_descriptors_of_the_server_are_out_of_reach(warm: Warm) -> None:
    program = """\
        import os
        def double(x):
            for fd in range(16):
                try:
                    os.write(os.open(f"/proc/{os.getppid()}/fd/{fd}", os.O_WRONLY), b"{}\\n")
                except OSError:
                    pass
            return x + x
    """
    execution = warm.judge(program)
    assert execution.tampering or warm.target.passes(execution)
    assert warm.target.passes(warm.judge(RIGHT))


@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_every_sandbox_has_a_sealed_channel(make_target: MakeTarget, sandbox: SandboxName) -> None:
    target = make_target(sandbox=sandbox)
    program = "def double(x):\n" + attackers.indent(attackers.write_everywhere(FORGED_PASS))
    assert target.plain(program).tampering == FORGED
    with open_warm(target) as warm:
        assert warm.judge(program).tampering == FORGED
        assert target.passes(warm.judge(RIGHT))
