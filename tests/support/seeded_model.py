"""A scripted model for the bug `wrong_operator`: what it answers depends on the request alone.

Equal requests with equal seeds get equal answers, whoever asks and however often, as from a real
server. Most answers are patches that mend a part, some are talk, and none passes all tests.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

from support.openai_server import Reply, answer

SUBJECT = "wrong_operator"
DELAY_S = 0.03
TESTED = {2023: False, 1900: False, 2024: True, 2016: True}
_TALK = "I would look at the rule for centuries first."


def reply(_number: int, request: dict[str, Any]) -> Reply:
    """The reply to one request, after a moment in which its asker can be killed."""
    rng = random.Random(_digest(request))
    said = request["messages"][0]["content"] if request["messages"] else ""
    text = str(rng.randrange(101)) if "judge" in said.lower() else _rewrite(rng)
    made = answer(request, text)
    made.delay_s = DELAY_S
    return made


def _digest(request: dict[str, Any]) -> str:
    known = [request["messages"], request.get("seed"), request.get("n")]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _rewrite(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return _TALK
    rule = _rule(rng)
    while all(eval(rule, {"year": year}) == is_leap for year, is_leap in TESTED.items()):
        rule = _rule(rng)
    return f"```python\ndef is_leap_year(year):\n    return {rule}\n```"


def _rule(rng: random.Random) -> str:
    first, second, third = rng.choice((2, 4, 8)), rng.choice((50, 100, 200)), rng.choice((300, 800))
    outer, inner = rng.choice(("and", "or")), rng.choice(("and", "or"))
    is_equal = rng.choice(("==", "!="))
    return f"year % {first} == 0 {outer} (year % {second} {is_equal} 0 {inner} year % {third} == 0)"
