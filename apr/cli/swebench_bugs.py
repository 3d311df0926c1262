"""SWE-bench's instances as bugs to repair, by two protocols that must not be confused.

From the issue alone: the subject is the base commit, the tests are those that it has near the
suspects, and neither the test patch nor the lists of tests can be reached. With given tests, the
classical protocol of program repair: the test patch is applied, and what of FAIL_TO_PASS fails
are the trigger tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import BadInputError, NotReproducedError
from apr.datasets.dataset import Dataset
from apr.datasets.swebench.instances import Instance
from apr.datasets.swebench.local import Places, check_out, make_bug, make_environment
from apr.localization.issue.locate import rank_by_issue
from apr.localization.issue.near import tests_near
from apr.settings import RunSettings
from apr.subject import PreparedSubject, prepare_subject
from apr.suspects import index_file

SUSPECTS = 200
OPTIONS = ("-p", "no:cacheprovider")


def list_instances(
    instances: Mapping[str, Instance],
    places: Places,
    settings: RunSettings,
    *,
    given_tests: bool,
    most_tests: int,
) -> Dataset:
    """The instances as a benchmark; each is checked out when its turn comes."""
    listed = tuple(
        Bug(f"{name}", TestCommand(RunnerKind.PYTEST), name=name) for name in sorted(instances)
    )
    bare = {name: _without_answers(each) for name, each in instances.items()}
    prepare = (
        GivenTests(instances, places, settings)
        if given_tests
        else FromIssue(bare, places, settings, most_tests)
    )
    return Dataset(
        "swebench" if given_tests else "swebench-issues",
        listed,
        reference_patch=GoldPatches({name: each.gold_patch for name, each in instances.items()}),
        prepare=prepare,
        from_issues=not given_tests,
    )


def _without_answers(instance: Instance) -> Instance:
    return replace(instance, gold_patch="", test_patch="", fail_to_pass=(), pass_to_pass=())


@dataclass(frozen=True, slots=True)
class GoldPatches:
    """The developers' patches by name; see `Dataset.reference_patch`."""

    patches: Mapping[str, str]

    def __call__(self, bug: Bug) -> str:
        return self.patches[bug.name]


@dataclass(frozen=True, slots=True)
class FromIssue:
    """Makes an instance ready that is known by its issue alone."""

    instances: Mapping[str, Instance]
    places: Places
    settings: RunSettings
    most_tests: int

    def __call__(self, bug: Bug) -> Bug:
        instance = self.instances[bug.name]
        folder = check_out(instance, self.places)
        python = self.places.python or make_environment(instance, folder, self.places.cache)
        found = Bug(
            subject=str(folder),
            test_command=TestCommand(RunnerKind.PYTEST, OPTIONS, str(python)),
            base_commit=instance.base_commit,
            issue_text=instance.problem_statement,
            name=instance.instance_id,
        )
        with prepare_subject(found, self.settings) as subject:
            tests = self._choose_tests(instance.problem_statement, subject)
        command = replace(found.test_command, argv=(*OPTIONS, *tests))
        return replace(found, test_command=command)

    def _choose_tests(self, issue: str, subject: PreparedSubject) -> tuple[str, ...]:
        suspects = rank_by_issue(issue, subject.sources, index_file(), SUSPECTS)
        files = list(dict.fromkeys(each.location.path for each in suspects))
        tests = tests_near(issue, files, subject.test_sources, index_file(), self.most_tests)
        if not tests:
            raise BadInputError(f"{subject.bug.name} has no test near what its issue is about")
        return tests


@dataclass(frozen=True, slots=True)
class GivenTests:
    """Makes an instance ready whose test patch is applied."""

    instances: Mapping[str, Instance]
    places: Places
    settings: RunSettings

    def __call__(self, bug: Bug) -> Bug:
        instance = self.instances[bug.name]
        found = replace(make_bug(instance, self.places), trigger_tests=())
        with prepare_subject(found, self.settings) as subject:
            execution, _ = subject.runner.run(subject.workspace.root, subject.limits)
        failing = [each.test for each in execution.results if each.outcome.is_failure]
        wanted = tuple(
            test for test in failing if any(is_called(test, name) for name in instance.fail_to_pass)
        )
        if not wanted:
            raise NotReproducedError(
                f"none of FAIL_TO_PASS is among the {len(failing)} tests that fail here"
            )
        return replace(found, trigger_tests=wanted)


def is_called(test: TestId, name: str) -> bool:
    """Whether the dataset means this test, whose names it cuts at a blank or gives alone."""
    return name in (test, test.partition(" ")[0]) or test.rpartition("::")[2] == name
