"""What the patches of a run do, as bytes beside the run."""

from __future__ import annotations

import json
from dataclasses import asdict

from apr.core.behaviour import Behaviour, Choice, Cluster


def encode_behaviour(behaviour: Behaviour) -> bytes:
    """JSON."""
    return json.dumps(asdict(behaviour)).encode()


def decode_behaviour(data: bytes) -> Behaviour:
    """The inverse of `encode_behaviour`."""
    document = json.loads(data)
    return Behaviour(
        tuple(Cluster(tuple(c["patches"]), c["agreement"]) for c in document["clusters"]),
        tuple(
            Choice(
                choice["call"],
                tuple((tuple(patches), what) for patches, what in choice["answers"]),
                # An older version kept the first answer's test alone.
                tuple(choice["tests"] if "tests" in choice else [choice["test"]]),
                choice.get("unpatched"),
            )
            for choice in document["choices"]
        ),
        document["executions"],
        document["left_out"],
        document["reason"],
    )
