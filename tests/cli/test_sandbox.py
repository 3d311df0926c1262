"""`apr sandbox`: what it accepts, and how sizes and times are written."""

from __future__ import annotations

import pytest

from apr.cli.sandbox import parse_age, parse_size, render_images, size
from apr.core.errors import BadInputError
from validation.sandbox.images.store import StoredImage

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("7d", 604800), ("1w", 604800)],
)
def test_ages(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1024", 1024),
        ("1k", 1024),
        ("10MiB", 10 * MIB),
        ("1.5 G", 1536 * MIB),
        ("1TB", 2**40),
    ],
)
def test_sizes(text: str, number: int) -> None:
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "week", "7", "-1d", "1 y"])
def test_what_is_no_age_is_bad_input(text: str) -> None:
    with pytest.raises(BadInputError, match="--older-than"):
        parse_age(text)


@pytest.mark.parametrize("text", ["", "much", "-1", "1X"])
def test_what_is_no_size_is_bad_input(text: str) -> None:
    with pytest.raises(BadInputError, match="--keep-bytes"):
        parse_size(text)


def test_bytes_for_a_reader() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536 * MIB)] == ["0 B", "1023 B", "1.0 KiB", "1.5 GiB"]


def test_images_as_a_table() -> None:
    known = StoredImage(
        "sha256:" + "a" * 64, ("apr-env:k",), "k", "why", 2 * MIB, MIB, 0, 40, False
    )
    replaced = StoredImage("sha256:" + "b" * 64, (), "k", "why", MIB, MIB, 0, 40, True)
    table = render_images([known, replaced], now=70)
    columns = [list(map(str, column.cells)) for column in table.columns]
    assert columns[0] == ["apr-env:k", "replaced bbbbbbbbbbbb"]
    assert columns[1:4] == [["2.0 MiB", "1.0 MiB"], ["1.0 MiB", "1.0 MiB"], ["30 s ago", "in use"]]


@pytest.mark.parametrize(
    "words",
    [
        ("sandbox", "prune", "--all", "--older-than", "1d"),
        ("sandbox", "prune", "--keep-bytes", "much"),
        ("sandbox", "build", "{here}", "--image", "name", "--dockerfile", "x"),
        ("sandbox", "build", "{here}/missing"),
        ("fix", "{here}", "--image", "auto", "--sandbox", "process"),
        ("fix", "{here}", "--image", "name", "--base-image", "other"),
        ("localize", "{here}", "--image", "swebench:"),
        ("localize", "{here}", "--dockerfile", "{here}/missing"),
        ("doctor", "--image", "auto"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(apr, tmp_path, capfd, words) -> None:
    (tmp_path / "m.py").write_text("")
    done = apr(*(word.format(here=tmp_path) for word in words))
    assert done.exit_code == 2
    said = done.stderr + capfd.readouterr().err
    assert said.startswith("apr: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", ["images", "prune"])
def test_no_engine_is_an_unusable_environment(apr, tmp_path, monkeypatch, command) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert apr("sandbox", command).exit_code == 3
