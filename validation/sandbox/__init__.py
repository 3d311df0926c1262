"""Places where untrusted code runs: one policy, three backends, and what each of them promises.

======================  ======  ==========  =======
promise                 docker  bubblewrap  process
======================  ======  ==========  =======
kills-descendants       yes     yes         yes
clean-environment       yes     yes         yes
removes-temporary       yes     yes         yes
bounds-memory           yes     yes         yes
bounds-file-size        yes     yes         yes
bounds-processes        yes     yes         no
bounds-temporary        yes     yes         no
bounds-workspace        yes     yes         no
bounds-wall-clock       yes     yes         yes
bounds-output           yes     yes         yes
bounds-cpu              yes     yes         no
no-new-privileges       yes     yes         yes
drops-capabilities      yes     yes         no
read-only-root          yes     yes         no
read-only-workspace     yes     yes         no
no-network              yes     yes         no
hides-home              yes     yes         no
hides-processes         yes     yes         no
mounts-at               yes     yes         no
seccomp                 yes     no          no
======================  ======  ==========  =======

Conditions. `bounds-processes` in bubblewrap needs a writable control group when the caller is
root, and Linux 5.14 or a delegated control group when it is not. `bounds-memory` is a bound on
the whole sandbox in Docker and where a control group is writable, else on each process.
`bounds-cpu` in bubblewrap needs a writable control group. `bounds-temporary` and
`bounds-workspace` in bubblewrap need release 0.7 or later. `mounts-at` in a writable start of
Docker holds for readable paths directly in the mount point, not deeper in it. `process` is no
protection against malice: code under test that kills its supervisor and clears its environment
can outlive it. The seccomp profile is the engine's own; Podman's is laxer than Docker's, and lets
code make user namespaces, in which it has capabilities over nothing but itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Promise(StrEnum):
    """Something that a sandbox guarantees about the code that runs in it."""

    KILLS_DESCENDANTS = "kills-descendants"
    CLEAN_ENVIRONMENT = "clean-environment"
    REMOVES_TEMPORARY = "removes-temporary"
    BOUNDS_MEMORY = "bounds-memory"
    BOUNDS_FILE_SIZE = "bounds-file-size"
    BOUNDS_PROCESSES = "bounds-processes"
    BOUNDS_TEMPORARY = "bounds-temporary"
    BOUNDS_WORKSPACE = "bounds-workspace"
    BOUNDS_WALL_CLOCK = "bounds-wall-clock"
    BOUNDS_OUTPUT = "bounds-output"
    BOUNDS_CPU = "bounds-cpu"
    NO_NEW_PRIVILEGES = "no-new-privileges"
    DROPS_CAPABILITIES = "drops-capabilities"
    READ_ONLY_ROOT = "read-only-root"
    READ_ONLY_WORKSPACE = "read-only-workspace"
    NO_NETWORK = "no-network"
    HIDES_HOME = "hides-home"
    HIDES_PROCESSES = "hides-processes"
    MOUNTS_AT = "mounts-at"
    SECCOMP = "seccomp"


_EVEN_THE_WEAKEST = frozenset(
    {
        Promise.KILLS_DESCENDANTS,
        Promise.CLEAN_ENVIRONMENT,
        Promise.REMOVES_TEMPORARY,
        Promise.BOUNDS_MEMORY,
        Promise.BOUNDS_FILE_SIZE,
        Promise.BOUNDS_WALL_CLOCK,
        Promise.BOUNDS_OUTPUT,
        Promise.NO_NEW_PRIVILEGES,
    }
)

PROMISES: Mapping[str, frozenset[Promise]] = {
    "docker": frozenset(Promise),
    "bubblewrap": frozenset(Promise) - {Promise.SECCOMP},
    "process": _EVEN_THE_WEAKEST,
}
"""What each backend guarantees, under the conditions above; the contract tests hold it to that."""
