"""The options about a program under repair: what it is, how it is tested and judged, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from apr.cli import options as o
from apr.cli.images import choose_image
from apr.cli.request import SubjectRequest


@dataclass(frozen=True, slots=True)
class SubjectOptions:
    """A program and its tests."""

    path: o.PathArgument
    test: o.TestOption = None
    python: o.PythonOption = None
    test_timeout: o.TestTimeoutOption = 30.0

    def describe(self, image: str | None) -> SubjectRequest:
        """What makes a bug of it, in the image."""
        return SubjectRequest(self.path, self.test, python=self.python, image=image)

    def settings(self) -> dict[str, Any]:
        """The part of a run's settings that these options decide."""
        return {"test_timeout_s": self.test_timeout}


@dataclass(frozen=True, slots=True)
class SuiteOptions(SubjectOptions):
    """The same, where it matters which tests fail and what may be changed."""

    test_id: o.TestIdOption = None
    junit: o.JunitOption = None
    repeats: o.RepeatsOption = 2
    no_cache: o.NoCacheOption = False
    source: o.SourceOption = None

    def describe(self, image: str | None) -> SubjectRequest:
        """See `SubjectOptions`."""
        return replace(
            SubjectOptions.describe(self, image),
            test_ids=tuple(self.test_id or ()),
            sources=tuple(self.source or ()),
            junit=tuple(self.junit or ()),
        )

    def settings(self) -> dict[str, Any]:
        """See `SubjectOptions`."""
        return SubjectOptions.settings(self) | {
            "repeats": self.repeats,
            "reuse_baseline": not self.no_cache,
        }


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """What a patch may do, and how often it has to prove itself."""

    confirmations: o.ConfirmationsOption = 2
    allow_path: o.AllowPathOption = None
    allow_reach: o.AllowReachOption = None
    jobs: o.JobsOption = None

    def settings(self) -> dict[str, Any]:
        """See `SubjectOptions`."""
        return {
            "confirmations": self.confirmations,
            "allow_paths": tuple(self.allow_path or ()),
            "allow_reaches": tuple(self.allow_reach or ()),
            "jobs": self.jobs,
        }


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Where the program runs."""

    sandbox: o.SandboxOption = o.Sandbox.AUTO
    image: o.ImageOption = None
    dockerfile: o.DockerfileOption = None
    base_image: o.BaseImageOption = None
    memory: o.MemoryOption = 2048

    def choose_image(self) -> str | None:
        """The image request that the options make up; None: no image.

        Raises:
            BadInputError: when the options contradict each other.
        """
        return choose_image(self.image, self.dockerfile, self.base_image, self.sandbox)

    def settings(self, image: str | None) -> dict[str, Any]:
        """See `SubjectOptions`; the program runs in the image that was chosen."""
        return {"sandbox": self.sandbox.value, "image": image, "memory_mib": self.memory}
