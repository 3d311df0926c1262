"""Where the image of a subject comes from, and the disk that images take.

What a user writes is one word, an image *request*:

========================  =====================================================================
request                   the image
========================  =====================================================================
`auto`, `auto:BASE`       built from the subject's own dependency files on a base image
`dockerfile`,             built from the subject's Dockerfile, or from the one at PATH, with the
`dockerfile:PATH`         subject as its context
`swebench:INSTANCE_ID`    the one that SWE-bench publishes for this instance
anything else             the image of that name
========================  =====================================================================

An environment is keyed by its content (base image, dependencies, recipe), built once, and shared
by all subjects with equal dependencies. Every image made here is labelled, and no other image is
ever removed.
"""

from __future__ import annotations

LABEL = "apr.image"
"""On every image made here; its value is `1`."""

KEY_LABEL = "apr.key"
"""What the image was made from, as a digest."""

PURPOSE_LABEL = "apr.purpose"
"""What the image is for, for people."""


def labels(key: str, purpose: str) -> dict[str, str]:
    """The labels of an image made here."""
    return {LABEL: "1", KEY_LABEL: key, PURPOSE_LABEL: " ".join(purpose.split())[:200]}
