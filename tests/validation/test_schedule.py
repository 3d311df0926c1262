"""Workers stay with the files they have a process for."""

from apr.core.patch import Hunk, Patch
from validation.schedule import Schedule


def patches(paths: str) -> list[Patch]:
    return [Patch((Hunk(path, n, (), ("x\n",)),)) for n, path in enumerate(paths, 1)]


def test_every_patch_is_handed_out_once() -> None:
    schedule = Schedule(patches("abcab"))
    assert sorted(schedule.take(()) for _ in range(5)) == [0, 1, 2, 3, 4]
    assert schedule.take(()) is None


def test_a_worker_stays_with_its_files_while_there_are_patches_for_them() -> None:
    schedule = Schedule(patches("ababa"))
    assert [schedule.take({("b",)}) for _ in range(3)] == [1, 3, 0]


def test_workers_without_a_process_take_different_files() -> None:
    schedule = Schedule(patches("aab"))
    assert [schedule.take(()), schedule.take(())] == [0, 2]


def test_workers_share_the_last_group() -> None:
    schedule = Schedule(patches("aa"))
    assert [schedule.take({("a",)}), schedule.take(())] == [0, 1]


def test_nothing_is_handed_out_after_an_error() -> None:
    schedule = Schedule(patches("aa"))
    schedule.clear()
    assert schedule.take(()) is None
