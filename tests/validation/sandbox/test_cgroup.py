"""Where a control group is made and when it goes; interfaces are folders made by hand."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from validation.sandbox import cgroup
from validation.sandbox.cgroup import OWN_PROCESSES, limit_group, plan_groups
from validation.sandbox.owner import this_process
from validation.sandbox.policy import SandboxPolicy

POLICY = SandboxPolicy(pids=10, memory_mib=2)
PIDS = 10 + OWN_PROCESSES
MEMORY = 2 * 1024 * 1024


def test_version_1_has_a_group_per_controller(tmp_path: Path) -> None:
    for controller in ("pids", "memory", "cpu"):
        (tmp_path / controller).mkdir()
    memberships = "9:name=systemd:/\n8:pids:/\n4:memory:/ours/here\n1:cpu:/\n0::/\n"
    assert plan_groups(POLICY, tmp_path, memberships) == {
        tmp_path / "pids": (("pids.max", PIDS),),
        tmp_path / "memory/ours/here": (("memory.limit_in_bytes", MEMORY),),
    }


def test_version_2_climbs_to_the_group_that_passes_pids_on(tmp_path: Path) -> None:
    (tmp_path / "user" / "shell").mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tmp_path / "user" / "cgroup.subtree_control").write_text("memory pids\n")
    (tmp_path / "user" / "shell" / "cgroup.subtree_control").write_text("\n")
    assert plan_groups(POLICY, tmp_path, "0::/user/shell\n") == {
        tmp_path / "user": (("pids.max", PIDS), ("memory.max", MEMORY))
    }


def test_nothing_is_planned_where_nothing_is_delegated(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu\n")
    assert plan_groups(POLICY, tmp_path, "0::/\n") == {}
    assert plan_groups(POLICY, tmp_path / "none", "8:pids:/\n0::/\n") == {}
    assert plan_groups(POLICY, tmp_path, "") == {}


def test_groups_go_at_the_end_and_those_of_the_dead_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = this_process()
    dead = (f"{me.pid}.{me.started + 1}", f"{me.pid}.{me.started - 1}", "4194304.1")
    alive = f"apr-{me.namespace}.{me.pid}.{me.started}-999"
    elsewhere = f"apr-1{me.namespace}.4194304.1-1"
    for name in (alive, elsewhere, *(f"apr-{me.namespace}.{who}-1" for who in dead)):
        (tmp_path / "pids" / name).mkdir(parents=True)
    monkeypatch.setattr(cgroup, "CGROUP_ROOT", tmp_path)
    monkeypatch.setattr(cgroup, "own_cgroups", lambda: "8:pids:/\n")
    with limit_group(POLICY) as (processes,):
        limit = processes.parent / "pids.max"
        assert limit.read_text() == str(PIDS)
        limit.unlink()  # real groups lose their files by themselves
    assert {group.name for group in (tmp_path / "pids").iterdir()} == {alive, elsewhere}


def test_processor_time_is_limited_in_either_version(tmp_path: Path) -> None:
    (tmp_path / "cpu,cpuacct").mkdir()
    policy = SandboxPolicy(cpus=1.5)
    plan = plan_groups(policy, tmp_path, "2:cpu,cpuacct:/\n")
    assert plan == {tmp_path / "cpu,cpuacct": (("cpu.cfs_quota_us", 150_000),)}
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu pids\n")
    (limits,) = plan_groups(policy, tmp_path, "0::/\n").values()
    assert ("cpu.max", "150000 100000") in limits


def test_group_is_removed_with_what_still_runs_in_it() -> None:
    with limit_group(POLICY) as files, subprocess.Popen(["/bin/sleep", "600"]) as sleeper:
        if not files:
            sleeper.kill()
            pytest.skip("no control group can be made here")
        for file in files:
            file.write_text(str(sleeper.pid))
        groups = [file.parent for file in files]
        for group in groups:
            cgroup._remove(group)
        assert sleeper.wait(10) == -signal.SIGKILL
    assert not any(group.exists() for group in groups)
