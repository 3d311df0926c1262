"""What an issue alludes to: its words by weight, the names it spells out, the frames it shows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from apr.source.words import words_of

TITLE, NAME, CODE, PROSE = 3.0, 2.0, 1.0, 1.0
"""What a word counts that occurs in the first line, is spelled like a name, or is anything else."""

_STOP = frozenset(
    word
    for line in (
        "about above after again all also am an any are at be because been before being below",
        "both but by can cannot could did does doing don down during each few further get gets",
        "got had has have having he her here hers him his how if into its itself just like me",
        "more most my no nor now of off on once only other our out over own same she should so",
        "some such than that the their them then there these they this those through to too under",
        "until up use used using very want was we were what when where which who whom why will",
        "would you your",
    )
    for word in line.split()
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ADDRESS = re.compile(r"https?://\S+")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_PATH = re.compile(r"[\w./\\-]+\.(?:py|java|js|mjs|cjs|jsx|c|h)\b")
_IS_NAME = re.compile(r"\w*_\w*|\w*[a-z]\w*[A-Z]\w*|[A-Z]\w*[a-z]\w*[A-Z]\w*")
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.|In \[\d+\]:|\$) ?")


@dataclass(frozen=True, slots=True)
class IssueText:
    """`weights` says how much each word counts, > 0.

    `names` are dotted names as they are spelled, `paths` names of files; both with how often
    they occur. `text` is what is left of the issue once comments and addresses are gone.
    """

    weights: Mapping[str, float]
    names: Mapping[str, int]
    paths: Mapping[str, int]
    text: str


def read_issue(text: str) -> IssueText:
    """What can be told from an issue, whose first line is its title."""
    cleaned = _ADDRESS.sub(" ", _COMMENT.sub(" ", text.replace("\r\n", "\n")))
    weights: defaultdict[str, float] = defaultdict(float)
    names: defaultdict[str, int] = defaultdict(int)
    paths: defaultdict[str, int] = defaultdict(int)
    for number, (line, is_code) in enumerate(_lines(cleaned)):
        for path in _PATH.findall(line):
            paths[path.replace("\\", "/").lstrip("./")] += 1
        spelled = _names_in(line, is_code=is_code)
        for name in spelled:
            names[name] += 1
        _weigh(line, spelled, TITLE if number == 0 else CODE if is_code else PROSE, weights)
    return IssueText(dict(weights), dict(names), dict(paths), cleaned)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines that are not blank, each with whether it is code."""
    is_fenced = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            is_fenced = not is_fenced
        elif line.strip():
            yield _PROMPT.sub("", line), is_fenced or bool(_PROMPT.match(line))


def _names_in(line: str, *, is_code: bool) -> list[str]:
    """The dotted names that are code, or quoted as such, or look like it."""
    if is_code:
        return _DOTTED.findall(line)
    quoted = [name for part in _QUOTED.findall(line) for name in _DOTTED.findall(part)]
    plain = [
        name
        for name in _DOTTED.findall(_QUOTED.sub(" ", line))
        if ("." in name and not name.endswith(".")) or _IS_NAME.fullmatch(name)
    ]
    return quoted + plain


def _weigh(line: str, spelled: list[str], factor: float, weights: defaultdict[str, float]) -> None:
    named = {word for name in spelled for word in words_of(name)}
    for word in words_of(line):
        if word not in _STOP:
            weights[word] += factor * (NAME if word in named else 1.0)
