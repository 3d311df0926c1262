"""Whether an owner is dead is said only when it is certain."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from validation.sandbox.owner import Owner, this_process

NAMES_ITSELF = "from validation.sandbox.owner import this_process; print(this_process())"


def test_owner_survives_being_written_down() -> None:
    assert Owner.parse(str(this_process())) == this_process()


def test_what_is_no_owner_is_not_taken_for_one() -> None:
    for text in ("", "4711", "a:b:c:d:e", "a:b:c:1", "a:b:c:1:2:3", "a:b:c:-1:2"):
        assert Owner.parse(text) is None


def test_living_process_is_not_dead_and_an_ended_one_is() -> None:
    assert not this_process().is_dead()
    done = subprocess.run([sys.executable, "-c", NAMES_ITSELF], capture_output=True, text=True)
    ended = Owner.parse(done.stdout.strip())
    assert ended is not None
    assert ended.is_dead()


def test_ended_process_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", NAMES_ITSELF], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        ended = Owner.parse(child.stdout.read().strip())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.is_dead()


def test_successor_with_the_same_number_is_somebody_else() -> None:
    me = this_process()
    assert replace(me, started=me.started - 1).is_dead()
    assert replace(me, boot="another").is_dead()


def test_of_other_machines_and_namespaces_nothing_is_known() -> None:
    me = this_process()
    assert not replace(me, host="another", boot="another", started=1).is_dead()
    assert not replace(me, namespace="1", started=1).is_dead()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide processes from another user")
def test_process_of_another_user_that_cannot_be_seen_is_not_dead() -> None:
    ask = (
        "import sys; from validation.sandbox.owner import Owner, _start_of;"
        "owner = Owner.parse(sys.argv[1]);"
        "sys.exit(owner.is_dead() or _start_of(owner.pid) is not None)"
    )
    reading = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"  # our code, wherever
    as_somebody = f"setpriv --reuid 65534 --regid 65534 --clear-groups {reading}"
    script = f'mount -t proc -o hidepid=2 proc /proc && exec {as_somebody} "$@"'
    asking = [sys.executable, "-c", ask, str(this_process())]
    asked = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *asking], check=False)
    assert asked.returncode == 0
