"""Replaces in texts what names a person, whatever the spelling: in plain text, and in JSON with its escapes.

Text that was not UTF-8 comes with its odd bytes as surrogates (``surrogateescape``) and goes out with the same.
"""

from __future__ import annotations

import base64
import binascii
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agent.redaction import shapes
from agent.redaction.content import Content, content_of, is_of_hardware
from agent.redaction.known import Known, Names
from agent.redaction.pseudonyms import Pseudonyms
from agent.redaction.shapes import Span

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")
LEFT_OUT = "REDACTED"
"""Stands as the ``error`` of a file in a tree whose bytes nobody can look into."""

_SHORT = 64
_WORTH_IT = re.compile(r"[^\W\d]{2}|[:.@]\S*[:.@]|[^\x00-\x7f]|\d{12}")
"""What a short text has at least that is replaced: spares most of the time between the strings of JSON."""
_NESTED_MOST = 4  # JSON in a string of JSON; ours
_SHORTEST_KEPT = 4  # characters of a text that is a part's own wherever it stands; ours


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is to be read. ``names``: known names are looked for too, not only what has a shape. ``versions``:
    four numbers with dots are the version of something. ``json``: its strings are those of JSON.
    """

    names: bool = True
    versions: bool = False
    json: bool = False


class Redactor:
    """One bundle's redactor.

    ``kept`` are texts that stay wherever they stand: serial numbers and names of the unit and its parts.
    """

    def __init__(self, known: Iterable[Known], kept: Iterable[str], pseudonyms: Pseudonyms) -> None:
        self.pseudonyms = pseudonyms
        self._names = Names(known)
        texts = sorted({k for k in kept if len(k) >= _SHORTEST_KEPT}, key=lambda k: (-len(k), k))
        kept_texts = "|".join(map(re.escape, texts))
        self._kept = re.compile(rf"(?<![^\W_])(?:{kept_texts})(?![^\W_])") if texts else None

    def text(self, text: str, how: Reading = Reading()) -> str:
        """``text`` with its pseudonyms."""
        made: list[str] = []
        end = 0
        for start, stop, put in self._edits(text, how, 0):
            made += (text[end:start], put)
            end = stop
        return "".join((*made, text[end:])) if made else text

    def file_name(self, name: str) -> str:
        """A name of a file of the run (:attr:`agent.model.Evidence.file_name`), in which ``_`` stands for what file
        names cannot have; with its pseudonyms, and fit for a file name again.
        """
        made = _NOT_IN_NAMES.sub("_", self.text(name))
        return _NOT_IN_NAMES.sub("_", self.text(made.replace("_", " ")))

    def _edits(self, text: str, how: Reading, depth: int) -> list[tuple[int, int, str]]:
        """Places and what is put there, in order, none overlapping."""
        edits: list[tuple[int, int, str]] = []
        end = 0
        for literal in _literals(text, how) if depth < _NESTED_MOST else ():
            edits += self._plain(text, end, literal.start, how)
            edits += self._in_literal(text, literal, depth)
            end = literal.end
        return edits + self._plain(text, end, len(text), how)

    def _plain(self, text: str, start: int, end: int, how: Reading) -> list[tuple[int, int, str]]:
        """Edits in a part of a text that has no escapes."""
        if start >= end or (end - start < _SHORT and not _WORTH_IT.search(text, start, end)):
            return []
        part = text if end - start == len(text) else text[start:end]
        chosen = _chosen(list(self._spans(part, how)))
        if not chosen:
            return []
        return [
            (start + s.start, start + s.end, shapes.pseudonym(s, part[s.start : s.end], self.pseudonyms))
            for s in chosen
            if not self._is_kept(part, s)
        ]

    def _spans(self, part: str, how: Reading) -> Iterator[Span]:
        yield from shapes.emails(part)
        yield from shapes.ipv6(part)
        yield from shapes.macs(part)
        yield from shapes.ipv4(part, versions=how.versions)
        if how.names:
            yield from self._names.spans(part)

    def _is_kept(self, part: str, span: Span) -> bool:
        """Whether a span is within a text that stays, in its line."""
        first = part.rfind("\n", 0, span.start) + 1
        last = part.find("\n", span.end)
        line = part[first : last if last >= 0 else len(part)]
        spans = [m.span() for m in self._kept.finditer(line)] if self._kept else []
        spans += [m.span(1) for m in _SERIAL_TEXT.finditer(line)]
        return any(first + a <= span.start and span.end <= first + b for a, b in spans)

    def _in_literal(self, text: str, literal: _Literal, depth: int) -> list[tuple[int, int, str]]:
        if literal.is_bytes:
            return self._in_bytes(text, literal)
        if literal.is_serial:
            return []
        inner = self._edits(literal.value, literal.how, depth + 1)
        return [(literal.raw(a), literal.raw(b), _json_escaped(put)) for a, b, put in inner]

    def _in_bytes(self, text: str, literal: _Literal) -> list[tuple[int, int, str]]:
        """A file of a tree that is no text; where nobody can look into it, it becomes one that could not be read."""
        try:
            data = base64.b64decode(literal.value, validate=True)
        except (ValueError, binascii.Error):
            return []
        made = self.data(data, of_hardware=is_of_hardware(literal.path))
        if made is None:
            key = text.rindex('"base64"', 0, literal.start)
            return [(key, key + len('"base64"'), '"error"'), (literal.start + 1, literal.end - 1, LEFT_OUT)]
        put = base64.b64encode(made).decode()
        return [] if made == data else [(literal.start + 1, literal.end - 1, put)]

    def data(self, data: bytes, *, of_hardware: bool) -> bytes | None:
        """Bytes that may be a text, in UTF-8 or UTF-16; ``None`` for those that nobody can look into, and that are not
        of the hardware itself.
        """
        content = content_of(data)
        if content is Content.TEXT:
            return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if content in (Content.UTF_16_LE, Content.UTF_16_BE):
            encoding = content.value
            return self.text(data.decode(encoding, "surrogatepass")).encode(encoding, "surrogatepass")
        return data if of_hardware and not self._is_inside(data) else None

    def _is_inside(self, data: bytes) -> bool:
        """Whether some name stands in bytes of the hardware, in one byte or two for each character."""
        texts = (data.decode("latin-1"), data.decode("utf-16-le", "replace"), data[1:].decode("utf-16-le", "replace"))
        return any(True for text in texts for _ in self._names.spans(text))


def _chosen(spans: list[Span]) -> list[Span]:
    """Those that do not overlap, in order; the longer one counts, of equal ones the first."""
    taken: list[Span] = []
    spans.sort(key=lambda s: (s.start, s.start - s.end))
    for span in spans:
        if not taken or span.start >= taken[-1].end:
            taken.append(span)
        elif span.end - span.start > taken[-1].end - taken[-1].start:
            taken[-1] = span
    return taken


_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*+)"(?=(\s*:)?)')
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt]))')
_PLAIN_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_VERSION_KEY = re.compile(
    r"(?:\b|_)(?:versions?|firmware|fw|rev(?:ision)?|release|bios|driver|microcode|vbios)"
    r"(?:\b|_)|(?:^|/)fwrev$|/config$",
    re.IGNORECASE,
)
_SERIAL_KEY = re.compile(
    r"(?:^|[/_])(?:serial(?:_?number)?|wwn|wwid|nguid|eui(?:64)?|naa|vpd_pg8[03]|unique_id)$", re.IGNORECASE
)
_SERIAL_TEXT = re.compile(
    r"\b(?:serial(?:[ _]?(?:number|no))?\.?|S/N|LU WWN Device Id|IEEE EUI-64|WWN)[ \t]*[:=][ \t]*"
    r"(\S+(?: [0-9a-f]{6,10})*)",
    re.IGNORECASE,
)
"""What a part's own number is called in the texts of smartctl, dmidecode and the kernel."""


@dataclass(slots=True)
class _Literal:
    """One string of JSON: its place with the quotes, its value, and how that is to be read."""

    start: int
    end: int
    value: str
    how: Reading
    offsets: tuple[array[int], array[int]] | None
    path: str = ""
    is_bytes: bool = False
    is_serial: bool = False

    def raw(self, at: int) -> int:
        """Where the character ``at`` of the value begins in the text."""
        if self.offsets is None:
            return self.start + 1 + at
        values, raws = self.offsets
        last = bisect_right(values, at) - 1
        return self.start + 1 + raws[last] + at - values[last]


def unescaped(text: str) -> Iterator[str]:
    """What the strings with escapes in a text say: a log in JSON has its lines behind ``\\n``."""
    return (literal.value for literal in _literals(text, Reading()))


def _literals(text: str, how: Reading) -> Iterator[_Literal]:
    """Strings of JSON in a text. In one that is no JSON, those that have escapes."""
    key = path = ""
    after_key = -1
    for match in _LITERAL.finditer(text) if '"' in text else ():
        raw = match[1]
        if not how.json and "\\" not in raw:
            continue
        decoded = _decoded(raw)
        if decoded is None:
            continue
        value, offsets = decoded
        is_key = match[2] is not None
        literal = _Literal(match.start(), match.end(), value, replace(how, json=False), offsets, path)
        if how.json and is_key:
            key, after_key = value, match.end(2)
            path = value if value.startswith("/") else path
            is_path = value.startswith("/") and not value.startswith(("/sys/", "/proc/"))
            literal.how = Reading(names=is_path)
        elif how.json:
            of_key = key if not text[after_key : match.start()].strip() else ""
            of_path = path if of_key in (path, "base64", "link") else ""
            literal.is_bytes = of_key == "base64"
            literal.is_serial = bool(_SERIAL_KEY.search(of_path or of_key))
            literal.how = Reading(versions=bool(_VERSION_KEY.search((of_path or of_key).rpartition("/")[2])))
        yield literal


def _decoded(raw: str) -> tuple[str, tuple[array[int], array[int]] | None] | None:
    """The value of a literal, and where pieces of it begin, in the value and in the text; ``None`` where it is none."""
    if "\\" not in raw:
        return raw, None
    pieces: list[str] = []
    values, raws = array("l", [0]), array("l", [0])
    at, end, high = 0, 0, -1
    for match in _ESCAPE.finditer(raw):
        between = raw[end : match.start()]
        if "\\" in between:
            return None
        end = match.end()
        code = int(match[1], 16) if match[1] else -1
        if high >= 0 and not between and 0xDC00 <= code <= 0xDFFF:
            pieces[-1] = chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00)
            values[-1], raws[-1] = at, end
            high = -1
            continue
        high = code if 0xD800 <= code <= 0xDBFF else -1
        pieces += (between, chr(code) if code >= 0 else _PLAIN_ESCAPES.get(match[2], match[2]))
        at += len(between)
        values.append(at)
        raws.append(match.start())
        at += 1
        values.append(at)
        raws.append(end)
    if "\\" in raw[end:]:
        return None
    return "".join((*pieces, raw[end:])), (values, raws)


def _json_escaped(text: str) -> str:
    """What is put into a string of JSON: a pseudonym, or an edit of JSON within it with its quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
