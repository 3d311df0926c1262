"""Whether a text is a program at all, as far as its grammar can tell."""

from __future__ import annotations

from apr.source.functions import parse_source
from apr.source.statements import parse_python


def parses(path: str, text: str) -> bool:
    """Whether the file has no syntax error; of a language without a grammar, nobody knows any."""
    if path.endswith((".py", ".pyi", ".pyw")):
        return parse_python(text) is not None
    root = parse_source(path, text)
    return root is None or not root.has_error
