"""What is known by name: this device's own facts, and what its evidence tells itself. Found as whole words."""

from __future__ import annotations

import functools
import json
import pkgutil
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.redaction.pseudonyms import Kind
from agent.redaction.shapes import Span


@dataclass(frozen=True, slots=True)
class Known:
    """One name: of a host, a user, a network, a label, a mount point (a path, or its last part), or a MAC address (12
    hexadecimal digits).
    """

    kind: Kind
    value: str


@functools.cache
def fixed_words() -> frozenset[str]:
    """Words that logs, paths and our own records are made of, in lower case."""
    data = tomllib.loads((pkgutil.get_data(__package__, "fixed_words.toml") or b"").decode("utf-8"))
    return frozenset(data["words"].split())


NOBODY = frozenset({"localhost", "localhost.localdomain", "(none)", "root", "nobody", "linux", "none", "unknown"})
"""Names of hosts and users that name nobody."""

_ESCAPE_END = re.compile(
    r"(?:\\x[0-9a-f]{2}|\\[0-7]{3}|\\u[0-9a-f]{4}|\\[abfnrtv]|%[0-9a-f]{2})\Z", re.IGNORECASE | re.ASCII
)
"""What stands before a word without being a part of it, though it ends in a letter or digit."""
_LATIN_END = 0x250  # behind the last block of Latin letters; other scripts write words without spaces between them

_USER_CONTEXT = (
    r"(?:/home/|/run/media/|/media/|-home-|\bhome-|\buser(?:name)?(?:\s*[=:]\s*|\s+)[\"'<]?|\b(?:logname|login)[=:]\s*"
    r"|\b(?:for|of) user |\buid=\d{1,10}\()(?P<a>%s)(?!\w)|(?<!\w)(?P<b>%s)@(?=\w)"
)
_HOST_CONTEXT = (
    r"(?:\bhost(?:name)?(?: set to|\s*[=:])?\s*[\"'<]?|\bnode ?name\s*[=:]\s*|\w@)(?P<a>%s)(?!\w)"
    r"|(?m:^)(?:\[ *\d+\.\d+\]|[a-z]{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d\S*) "
    r"(?P<c>%s)(?= (?:kernel|[\w./@-]{1,64}\[\d+\]): )"
    r"|(?<!\w)(?P<b>%s)(?=\.(?:local|lan|home|localdomain|internal|fritz\.box)\b)"
)
_SSID_CONTEXT = r"\bssid(?:\s*[=:]\s*|\s+)[\"']?(?P<a>%s)(?!\w)|\bnetwork \"(?P<b>%s)\""
_PLACE_CONTEXT = (
    r"(?:/media/(?:[^/\s]+/)?|/mnt/|by-label/|by\\x2dlabel[-/]|\blabel(?:\s*[=:]\s*|\s+)[\"']?)(?P<a>%s)(?!\w)"
    r"|\bvolume \"(?P<b>%s)\""
)
_CONTEXTS = {
    Kind.USER: _USER_CONTEXT,
    Kind.HOST: _HOST_CONTEXT,
    Kind.SSID: _SSID_CONTEXT,
    Kind.LABEL: _PLACE_CONTEXT,
    Kind.MOUNT: _PLACE_CONTEXT,
}


class Names:
    """Finds known names in a text.

    A name that is an ordinary word of logs (:func:`fixed_words`), one letter, or a number, is found only where the text
    around it says what it is.
    """

    def __init__(self, known: Iterable[Known]) -> None:
        self._names: dict[str, Known] = {}
        known = frozenset(known)
        self._macs = {name.value for name in known if name.kind is Kind.MAC}
        anywhere: set[str] = set()
        in_context: dict[Kind, set[str]] = {}
        for name in sorted((k for k in known if k.kind is not Kind.MAC), key=lambda k: (k.kind, k.value)):
            spellings = {_lower(s) for s in _spellings(name.value)}
            for spelling in spellings:
                self._names.setdefault(spelling, name)
            if _is_ordinary(name.value):
                in_context.setdefault(name.kind, set()).update(spellings)
            else:
                anywhere |= spellings
        self._anywhere = sorted(anywhere)
        self._in_context = [
            re.compile(_CONTEXTS[kind].replace("%s", f"(?:{_any(words)})")) for kind, words in in_context.items()
        ]

    def spans(self, text: str) -> Iterator[Span]:
        """Where the names stand."""
        low = _lower(text)
        for spelling in self._anywhere:
            at = low.find(spelling)
            while at >= 0:
                if _is_whole(low, at, at + len(spelling)):
                    yield self._span(spelling, at)
                at = low.find(spelling, at + 1)
        for pattern in self._in_context:
            for match in pattern.finditer(low):
                group = match.lastgroup or 0
                yield self._span(match[group], match.start(group))
        if self._macs:
            yield from self._mac_spans(low)

    def _span(self, spelling: str, at: int) -> Span:
        name = self._names[spelling]
        return Span(at, at + len(spelling), name.kind, name.value)

    def _mac_spans(self, low: str) -> Iterator[Span]:
        """MAC addresses without separators, with others than usual, or in a longer row of bytes."""
        for match in _BARE_MAC.finditer(low):
            digits = match[0].replace(".", "")
            if digits in self._macs:
                yield Span(*match.span(), Kind.MAC, digits)
        for match in _ROW.finditer(low):
            row = match[0]
            for at in range(0, len(row) - 16, 3):
                digits = row[at : at + 17].translate(_NO_SEPARATORS)
                if digits in self._macs:
                    yield Span(match.start() + at, match.start() + at + 17, Kind.MAC, digits)


_NO_SEPARATORS = str.maketrans("", "", " :_-")
_BARE_MAC = re.compile(r"(?<![0-9a-z])(?:[0-9a-f]{12}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![0-9a-z])")
_ROW = re.compile(r"(?<![0-9a-z])[0-9a-f]{2}(?:[ :_-][0-9a-f]{2}){5,}(?![0-9a-z])")


def _lower(text: str) -> str:
    """In lower case, each character in its place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _is_whole(text: str, start: int, end: int) -> bool:
    if _is_letter(text[end - 1]) and end < len(text) and _is_letter(text[end]):
        return False
    if not start or not _is_letter(text[start]) or not _is_letter(text[start - 1]):
        return True
    return _ESCAPE_END.search(text, max(0, start - 6), start) is not None


def _is_letter(character: str) -> bool:
    """A letter, digit or underscore of those that words are made of between spaces."""
    return ord(character) < _LATIN_END and (character.isalnum() or character == "_")


def _is_ordinary(value: str) -> bool:
    return len(value) < 2 or value.isdecimal() or value.casefold() in fixed_words()


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w)))


def _spellings(value: str) -> Iterator[str]:
    """How a name may stand in a text: composed or not, in older encodings, escaped by systemd, udev, JSON or a URL."""
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, value)
        yield text
        yield json.dumps(text)[1:-1]
        utf8 = text.encode("utf-8", "surrogateescape")
        for escape, hexadecimal in (("\\x", True), ("\\", False), ("%", True)):
            for plain in (b"", b"-./_:"):
                yield "".join(_escaped(byte, escape, plain, hexadecimal=hexadecimal) for byte in utf8)
    for encoding in ("latin-1", "cp1252", "big5"):
        try:
            yield value.encode(encoding).decode("utf-8", "surrogateescape")
        except UnicodeError:
            continue
    if value.startswith("/"):
        yield _unit_name(value)


def _escaped(byte: int, escape: str, plain: bytes, *, hexadecimal: bool) -> str:
    if byte < 0x80 and (chr(byte).isalnum() or byte in plain):
        return chr(byte)
    return escape + (f"{byte:02x}" if hexadecimal else f"{byte:03o}")


def _unit_name(path: str) -> str:
    """A path in the name of a unit, as ``systemd-escape --path`` makes it (systemd.unit(5))."""
    parts = path.strip("/").split("/")
    return "-".join(
        "".join(_escaped(byte, "\\x", b"._:", hexadecimal=True) for byte in part.encode("utf-8", "surrogateescape"))
        for part in parts
    )
