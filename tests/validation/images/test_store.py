"""The disk that images take: least recently used first, and never somebody else's."""

from __future__ import annotations

import io
import os
import tarfile
import time

import pytest

from validation.sandbox.images import labels
from validation.sandbox.images.build import adopt_image

KIB = 1024


def import_image(images, tag: str, *, labelled: bool = True) -> str:
    """The id of a small image with a layer of its own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(tag.replace(":", "-"))
        info.size = 64 * KIB
        archive.addfile(info, io.BytesIO(os.urandom(info.size)))
    repository, _, name = tag.partition(":")
    wanted = labels(name, "a test") if labelled else {}
    changes = [f'LABEL {key}="{value}"' for key, value in wanted.items()]
    images.client.api.import_image_from_data(buffer.getvalue(), repository, name, changes=changes)
    return str(images.client.images.get(tag).id)


@pytest.fixture
def three(images, made: set[str]) -> list[str]:
    """Three images of ours, the first the least recently used."""
    images.store.evict(0)  # what earlier tests have left
    ids = [import_image(images, f"apr-env:test{index}") for index in range(3)]
    made.update(ids)
    for index, image in enumerate(ids):
        used_at(images, image, time.time() - 1000 + index)
    return ids


def used_at(images, image: str, when: float) -> None:
    with images.usage.hold(image):
        pass
    record = images.settings.folder / image.removeprefix("sha256:")
    os.utime(record, (when, when))


def ours(images, ids: list[str]) -> list[str]:
    """Those of `ids` that still exist, the least recently used first."""
    return [image.id for image in images.store.images() if image.id in ids]


def total(images) -> int:
    return sum(image.own_size for image in images.store.images())


def test_images_are_listed_with_their_sizes_least_recently_used_first(images, three) -> None:
    assert ours(images, three) == three
    used_at(images, three[0], time.time())
    assert ours(images, three) == [three[1], three[2], three[0]]
    found = next(image for image in images.store.images() if image.id == three[0])
    assert found.tags == ("apr-env:test0",)
    assert found.purpose == "a test"
    assert found.size == found.own_size == 64 * KIB
    assert not found.in_use


def test_least_recently_used_is_evicted_first(images, three) -> None:
    pruned = images.store.evict(total(images) - 1)
    assert [image.id for image in pruned.images] == three[:1]
    assert pruned.freed == 64 * KIB
    assert ours(images, three) == three[1:]
    assert not images.exists(three[0])


def test_nothing_is_evicted_within_the_budget(images, three) -> None:
    assert images.store.evict(total(images)).images == ()


def test_image_in_use_is_never_evicted(images, three) -> None:
    with images.usage.hold(three[0]):
        assert next(i for i in images.store.images() if i.id == three[0]).in_use
        assert [image.id for image in images.store.evict(0).images] == three[1:]
        assert images.exists(three[0])
    assert [image.id for image in images.store.evict(0).images] == [three[0]]


def test_image_of_a_container_is_never_evicted(images, three) -> None:
    container = images.client.containers.create(three[0], ["true"])
    try:
        images.store.evict(0)
        assert ours(images, three) == three[:1]
    finally:
        container.remove()


def test_build_evicts_beyond_the_disk_budget_but_not_what_it_made(images, three, subject) -> None:
    folder = subject({"requirements.txt": "parcel>1"})
    made = images.make(folder, disk_mib=0)
    assert ours(images, [*three, made]) == [made]


def test_prune_by_age_spares_the_younger(images, three) -> None:
    used_at(images, three[1], time.time() - 10 * 86400)
    pruned = images.store.prune(time.time() - 86400)
    assert [image.id for image in pruned.images] == [three[1]]
    assert ours(images, three) == [three[0], three[2]]


def test_replaced_build_is_removed_even_within_the_budget(images, subject) -> None:
    folder = subject({"Dockerfile": f"FROM {images.base}\nCOPY note /\n", "note": "one"})
    first = images.make(folder, "dockerfile")
    (folder / "note").write_text("two")
    second = images.make(folder, "dockerfile")
    assert not images.exists(first)  # evicted when its successor was made
    assert images.exists(second)


def test_images_of_others_are_left_alone(images, three) -> None:
    foreign = import_image(images, "apr-env:foreign", labelled=False)  # named as ours are
    try:
        images.store.evict(0)
        images.store.prune(time.time() + 1000)
        assert ours(images, three) == []
        assert images.exists(foreign)
        assert images.exists(str(images.client.images.get(images.base).id))
    finally:
        images.client.images.remove("apr-env:foreign")


def test_image_that_somebody_gave_a_name_of_his_own_stays(images, three) -> None:
    images.client.images.get(three[0]).tag("somebody/precious", "1")
    try:
        pruned = images.store.evict(0)
        assert three[0] not in [image.id for image in pruned.images]
        assert images.client.images.get("somebody/precious:1").id == three[0]
    finally:
        images.client.images.remove("somebody/precious:1")


def test_adopted_image_counts_as_ours(images) -> None:
    base = images.client.images.get(images.base)
    adopted = adopt_image(images.client, base, "apr-swebench:adopted", "an instance")
    assert str(adopted.id) in [image.id for image in images.store.images()]
    images.store.evict(0)
    assert not images.exists(str(adopted.id))
    assert images.exists(str(base.id))
