"""How much memory is really there: the tightest of the machine's and the control groups' limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.sandbox.admission import memory_available_mib, sandboxes_that_fit
from validation.sandbox.policy import MIB, SandboxPolicy


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:  16777216 kB\nMemAvailable:  8388608 kB\nHugePages_Total: 0\n")
    return path


def group(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


def test_machine_without_limits_has_what_it_says(meminfo: Path, tmp_path: Path) -> None:
    group(tmp_path / "ours", {"memory.max": "max", "memory.current": "1"})
    assert memory_available_mib(meminfo, tmp_path, "0::/ours\n") == 8192


def test_version_2_counts_the_tightest_parent_and_gives_up_caches(
    meminfo: Path, tmp_path: Path
) -> None:
    group(
        tmp_path / "slice",
        {
            "memory.max": str(1024 * MIB),
            "memory.current": str(900 * MIB),
            "memory.stat": f"anon 1\ninactive_file {100 * MIB}",
        },
    )
    group(tmp_path / "slice" / "ours", {"memory.max": "max", "memory.current": "1"})
    assert memory_available_mib(meminfo, tmp_path, "0::/slice/ours\n") == 224


def test_version_1_has_names_of_its_own(meminfo: Path, tmp_path: Path) -> None:
    group(
        tmp_path / "memory" / "ours",
        {
            "memory.limit_in_bytes": str(600 * MIB),
            "memory.usage_in_bytes": str(700 * MIB),
            "memory.stat": f"inactive_file 1\ntotal_inactive_file {150 * MIB}",
        },
    )
    memberships = "9:pids:/\n4:memory:/ours\n0::/\n"
    assert memory_available_mib(meminfo, tmp_path, memberships) == 50


def test_as_many_sandboxes_fit_as_may_use_their_whole_share() -> None:
    policy = SandboxPolicy(memory_mib=1000)
    assert [sandboxes_that_fit(policy, mib) for mib in (0, 1511, 2512, 10_512)] == [1, 1, 2, 10]


def test_this_machine_has_some_memory() -> None:
    assert 0 < memory_available_mib() < 2**30
