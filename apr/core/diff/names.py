"""File names in diff headers: quoted as in C, with stripped prefixes, followed by timestamps.

Names are bytes here. git holds them as C strings, so a NUL ends one.
"""

from __future__ import annotations

import re

MAX_QUOTED = 4 * 4096
"""Bytes between quotes: enough for the longest path of Linux, every byte written as \\ooo."""

SPACES = b" \t\n\r"
_QUOTED = re.compile(
    rb'"([^"\\\0]*+(?:\\(?:[abfnrtv"\\]|[0-3][0-7][0-7])[^"\\\0]*+)*+)"', re.DOTALL
)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}
_PLAIN = re.compile(rb"[ -!#-\[\]-~]*")
_SIGNS = {
    **{byte: b"\\%03o" % byte for byte in (*range(0x20), *range(0x7F, 0x100))},
    **{sign[0]: b"\\" + letter for letter, sign in _LETTERS.items()},
    ord('"'): b'\\"',
    ord("\\"): b"\\\\",
}
_TIMESTAMP = re.compile(
    rb"(?:\d\d)?\d\d-\d\d-\d\d"
    rb"(?: \d\d:\d\d:\d\d(?:\.\d+)?)?"
    rb"(?: [-+]\d\d:?\d\d)?\Z"
)
_EPOCH = re.compile(
    rb"(1969-12-31|1970-01-01) ([0-2]\d):([0-5]\d):00(?:\.0+)? ([-+])([0-2]\d):?([0-5]\d)\n"
)


def unquote(data: bytes, start: int) -> tuple[bytes, int] | None:
    """The name that is quoted from `start` on, and where its closing quote ends."""
    found = _QUOTED.match(data, start, start + MAX_QUOTED)
    if found is None:
        return None
    return _ESCAPE.sub(_unescape, found[1]), found.end()


def quote_name(path: str) -> str:
    """A name as git writes it: in quotes if it holds anything but printable ASCII."""
    raw = path.encode("utf-8", "surrogateescape")
    if _PLAIN.fullmatch(raw):
        return path
    escaped = b"".join(_SIGNS.get(byte) or b"%c" % byte for byte in raw)
    return f'"{escaped.decode("ascii")}"'


def _unescape(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _LETTERS.get(code, code)


def is_dev_null(data: bytes, start: int) -> bool:
    """Whether the name at `start` is /dev/null."""
    return data.startswith(b"/dev/null", start) and data[start + 9 : start + 10] in _SPACE_SET


_SPACE_SET = frozenset(SPACES[i : i + 1] for i in range(len(SPACES)))


def read_name(data: bytes, start: int, strip: int, *, ends_at_tab: bool) -> bytes | None:
    """The name in a line of git's extended header, without its first `strip` folders."""
    if data.startswith(b'"', start):
        quoted = _read_quoted(data, start, strip)
        if quoted is not None:
            return quoted
    return _read_plain(_line(data, start), None, strip, None, ends_at_tab=ends_at_tab)


def read_traditional_name(
    data: bytes, start: int, default: bytes | None, strip: int
) -> bytes | None:
    """The name after `--- ` or `+++ ` where no git header came before; a timestamp may follow.

    `default` is preferred when the name is only that with something added, such as `.orig`.
    """
    if data.startswith(b'"', start):
        quoted = _read_quoted(data, start, strip)
        if quoted is not None:
            return quoted
    line = _line(data, start)
    end = _timestamp_start(line.partition(b"\0")[0])
    return _read_plain(line, default, strip, end, ends_at_tab=True)


def _line(data: bytes, start: int) -> bytes:
    end = data.find(b"\n", start)
    return data[start:] if end < 0 else data[start:end]


def _read_quoted(data: bytes, start: int, strip: int) -> bytes | None:
    found = unquote(data, start)
    if found is None:
        return None
    parts = _c_string(found[0]).split(b"/", strip)
    return _squash(parts[strip]) if len(parts) > strip else None


def _read_plain(
    line: bytes, default: bytes | None, strip: int, end: int | None, *, ends_at_tab: bool
) -> bytes | None:
    if end is None:
        line = re.split(rb"[\r\t]" if ends_at_tab else rb"\r", line, maxsplit=1)[0]
    else:
        line = line[:end]
    parts = line.split(b"/", strip)
    if len(parts) <= strip or not parts[strip]:
        return _squash(default)
    name = parts[strip]
    if default is not None and len(default) < len(name) and name.startswith(default):
        return _squash(default)
    return _squash(name)


def _squash(name: bytes | None) -> bytes | None:
    """Without doubled slashes."""
    return None if name is None else re.sub(rb"//+", b"/", _c_string(name))


def _c_string(name: bytes) -> bytes:
    return name.partition(b"\0")[0]


def _timestamp_start(line: bytes) -> int | None:
    """Where the name before a timestamp ends; None without one."""
    found = _TIMESTAMP.search(line)
    if found is None or found.start() == 0:
        return None
    before = line[: found.start()]
    if before.endswith(b"\t"):
        return len(before) - 1
    return len(before.rstrip(b" ")) if before.endswith(b" ") else None


def has_epoch_timestamp(data: bytes, start: int) -> bool:
    """Whether the name's timestamp is the epoch, by which GNU diff marks a file that is absent."""
    end = data.find(b"\n", start)
    tab = data.rfind(b"\t", start, end)
    found = _EPOCH.match(data, tab + 1, end + 1) if tab >= 0 else None
    if found is None:
        return False
    sign = -1 if found[4] == b"-" else 1
    offset = sign * (int(found[5]) * 60 + int(found[6]))
    epoch = 24 * 60 if found[1] == b"1969-12-31" else 0
    return int(found[2]) * 60 + int(found[3]) - offset == epoch


def lacks_prefix(data: bytes, start: int) -> bool:
    """Whether the name after `+++ ` is a plain file name, so that nothing may be stripped."""
    if is_dev_null(data, start):
        return False
    name = read_traditional_name(data, start, None, 0)
    return name is not None and b"/" not in name


def header_name(data: bytes, start: int, end: int, strip: int) -> bytes | None:
    """The one name that both sides of a `diff --git` line agree upon; None when they do not.

    `start` is where the first name begins, `end` where the next line does.
    """
    if data.startswith(b'"', start):
        return _header_name_quoted(data, start, end, strip)
    name = _skip_prefix(data, start, end, strip)
    if name is None:
        return None
    quote = data.find(b'"', name, end)
    if quote >= 0:
        return _header_name_second_quoted(data, name, quote, strip)
    return _header_name_plain(data, name, end, strip)


def _header_name_quoted(data: bytes, start: int, end: int, strip: int) -> bytes | None:
    found = unquote(data, start)
    if found is None:
        return None
    text, second = found
    skipped = _skip_prefix(text, 0, len(text), strip)
    if skipped is None:
        return None
    name = text[skipped:]
    while second < end and data[second] in SPACES:
        second += 1
    if second >= end:
        return None
    if data.startswith(b'"', second):
        other = unquote(data, second)
        if other is None:
            return None
        skipped = _skip_prefix(other[0], 0, len(other[0]), strip)
        if skipped is None or _c_string(other[0][skipped:]) != _c_string(name):
            return None
        return _c_string(name)
    skipped = _skip_prefix(data, second, end, strip)
    # The line end counts, as in git: only a quoted name that ends with one can agree.
    return _c_string(name) if skipped is not None and data[skipped:end] == name else None


def _header_name_second_quoted(data: bytes, name: int, quote: int, strip: int) -> bytes | None:
    found = unquote(data, quote)
    if found is None:
        return None
    skipped = _skip_prefix(found[0], 0, len(found[0]), strip)
    if skipped is None:
        return None
    second = found[0][skipped:]
    first = data[name : name + len(second)]
    if len(second) >= quote - name or _c_string(first) != _c_string(second):
        return None
    return _c_string(second) if data[name + len(second)] in SPACES else None


def _header_name_plain(data: bytes, name: int, end: int, strip: int) -> bytes | None:
    """Both names unquoted: the split at which they are the same, if there is one."""
    stop = end - 1
    if data.find(b"\0", name, end) >= 0 or not data.startswith(b"\n", stop):
        return None
    line = data[name:stop]
    slash = -1
    for found in re.finditer(rb"[ \t]", line):
        length = found.start()
        second = length + 1
        if strip:
            if slash < second:
                slash = _nth_slash(line, second, strip)
            if slash <= second:
                return None
            second = slash + 1
        elif line.startswith(b"/", second):
            return None
        if second + length == len(line) and line.startswith(line[:length], second):
            return line[:length]
    return None


def _nth_slash(line: bytes, start: int, n: int) -> int:
    """Where the nth slash from `start` on is; -1 without one."""
    place = start - 1
    for _ in range(n):
        place = line.find(b"/", place + 1)
        if place < 0:
            return -1
    return place


def _skip_prefix(data: bytes, start: int, end: int, strip: int) -> int | None:
    """Where a name goes on after its first `strip` folders; absolute names are refused."""
    if not strip:
        return None if end > start and data.startswith(b"/", start) else start
    slash = _nth_slash(data[start:end], 0, strip)
    return None if slash <= 0 else start + slash + 1
