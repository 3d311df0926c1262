"""What a subject's dependency files say it needs, and where this machine gets packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from validation.sandbox.images.dependencies import Dependencies, Ecosystem, read_dependencies
from validation.sandbox.images.recipe import content_key
from validation.sandbox.images.sources import package_sources


def lines(dependencies: Dependencies, name: str = "requirements.txt") -> list[str]:
    return dict(dependencies.files).get(name, "").splitlines()


def test_requirements_files_of_the_tests_are_read_with_what_they_include(subject) -> None:
    folder = subject(
        {
            "requirements.txt": "a>=1  # why\n\n# nothing\n-e .\n./local\n",
            "requirements-dev.txt": "-r more/extra.txt\n-r requirements.txt\nb[x] ; extra=='y'\n",
            "more/extra.txt": "c \\\n  <3\n-c limits.txt\n",
            "more/limits.txt": "d==1\n",
            "requirements-docs.txt": "sphinx\n",
        }
    )
    found = read_dependencies(folder)
    assert lines(found) == ["c <3", "a>=1", "b[x] ; extra=='y'"]
    assert lines(found, "constraints.txt") == ["d==1"]
    assert found.read_from == ("requirements-dev.txt", "more/extra.txt", "requirements.txt")


def test_hashed_requirements_stand_apart(subject) -> None:
    found = read_dependencies(subject({"requirements.txt": "a==1 \\\n --hash=sha256:00\nb\n"}))
    assert lines(found, "hashed.txt") == ["a==1 --hash=sha256:00"]
    assert lines(found) == ["b"]


def test_project_table_with_the_extras_and_groups_of_its_tests(subject) -> None:
    text = """
    [project]
    name = "My.Thing"
    dependencies = ["a"]
    [project.optional-dependencies]
    test = ["b", "my-thing[fast, dev]"]
    fast = ["c"]
    dev = ["d"]
    docs = ["sphinx"]
    [dependency-groups]
    tests = ["e", {include-group = "lint"}]
    lint = ["f", {include-group = "tests"}]
    """
    found = read_dependencies(subject({"pyproject.toml": text}))
    assert sorted(lines(found)) == ["a", "b", "c", "d", "e", "f"]
    assert found.read_from == ("pyproject.toml",)


def test_declarative_setuptools_configuration(subject) -> None:
    text = "[options]\ninstall_requires =\n  a>1\n  b; python_version>'3'\n"
    text += "[options.extras_require]\ntest = c\ndocs = sphinx\n"
    found = read_dependencies(subject({"setup.cfg": text}))
    assert lines(found) == ["a>1", "b; python_version>'3'", "c"]


def test_python_project_without_dependency_files_needs_nothing(subject) -> None:
    found = read_dependencies(subject({"m.py": ""}))
    assert found == Dependencies(Ecosystem.PYTHON, (), ())


def test_node_project_is_reduced_to_what_is_installed(subject) -> None:
    document = {"dependencies": {"a": "^1"}, "scripts": {"prepare": "evil"}, "author": "me"}
    folder = subject({"package.json": json.dumps(document), "package-lock.json": "{}"})
    found = read_dependencies(folder)
    assert found.ecosystem is Ecosystem.NODE
    assert json.loads(dict(found.files)["package.json"]) == {"dependencies": {"a": "^1"}}
    assert found.read_from == ("package.json", "package-lock.json")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"README": ""}, "no file in .* says what it depends on"),
        ({"requirements.txt": "-r ../../etc/passwd"}, "no file of the project"),
        ({"requirements.txt": "-c missing.txt"}, "includes missing.txt"),
        ({"pyproject.toml": "["}, "no valid TOML"),
        ({"setup.cfg": "nonsense"}, "setup.cfg cannot be understood"),
        ({"package.json": "["}, "package.json cannot be read"),
        ({"package.json": "[]"}, "no JSON object"),
    ],
)
def test_files_that_make_no_sense_are_bad_input(subject, files, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        read_dependencies(subject(files))


def test_include_through_a_link_does_not_leave_the_project(subject, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("token\n")
    folder = subject({"requirements.txt": "-r link.txt\n"})
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(BadInputError, match="no file of the project"):
        read_dependencies(folder)


def test_key_depends_on_what_is_installed_and_on_nothing_else(subject) -> None:
    one = read_dependencies(subject({"requirements.txt": "a\n"}, "one"))
    same = read_dependencies(subject({"requirements.txt": "\n# a\na  # b\n"}, "same"))
    other = read_dependencies(subject({"requirements.txt": "a>1\n"}, "other"))
    assert content_key("base", one) == content_key("base", same)
    assert len({content_key("base", one), content_key("base", other), content_key("b", one)}) == 3


def test_builds_get_packages_as_this_machine_does(tmp_path: Path, monkeypatch) -> None:
    index = tmp_path / "index" / "simple"
    index.mkdir(parents=True)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    configured = tmp_path / "pip.conf"
    configured.write_text(f"[global]\nindex-url = {index.as_uri()}\ntimeout = 7\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configured))
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "9")
    monkeypatch.setenv("PIP_FIND_LINKS", "https://wheels.invalid/")
    monkeypatch.setenv("PIP_CERT", "/no/such/file")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:1")
    found = package_sources(wheels)
    assert found.environment["PIP_INDEX_URL"] == index.as_uri()
    assert found.environment["PIP_FIND_LINKS"] == f"https://wheels.invalid/ {wheels}"
    assert found.environment["HTTPS_PROXY"] == "http://proxy.invalid:1"
    assert found.environment["PIP_DEFAULT_TIMEOUT"] == "9"
    assert {str(index.parent), str(wheels)} <= {*found.paths}
    assert "/no/such/file" not in found.paths
