"""Names that the evidence tells itself: its log may be of a time when the device had another name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.redaction.known import NOBODY, Known
from agent.redaction.pseudonyms import Kind
from agent.redaction.shapes import macs

_IDENT = r"[\w.@:/()\[\]-]{1,80}: "
COLUMNS = re.compile(r"^\[ *\d+\.\d+\] ([A-Za-z0-9][\w.-]{0,63}) (?=(?:kernel|[\w./@-]{1,64}\[\d+\]): )", re.MULTILINE)
"""``journalctl -o short-monotonic``: time, host, who speaks."""
_SYSLOG = re.compile(
    r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)) "
    rf"([A-Za-z0-9][\w.-]{{0,63}}) (?={_IDENT})",
    re.MULTILINE,
)
_NAME = r"[^\s/\"'<>|:;,*?\\()\[\]{}]{1,64}"
_PATH_END = r"(?=[\s\"'):;,]|\.*(?:\s|\Z))"
_PATTERNS = (
    ("Hostname set", Kind.HOST, re.compile(r"\bHostname set to <([^>\s]{1,64})>")),
    ("/home/", Kind.USER, re.compile(rf"(?<![\w/.])/home/({_NAME})")),
    ("media/", Kind.USER, re.compile(rf"(?<![\w/.])/(?:run/)?media/({_NAME})/")),
    ("media/", Kind.LABEL, re.compile(rf"(?<![\w/.])/(?:run/media/{_NAME}|media/{_NAME})/({_NAME})")),
    ("by-label/", Kind.LABEL, re.compile(rf"/dev/disk/by-label/({_NAME})")),
    ("/media/", Kind.MOUNT, re.compile(rf"(?<![\w/.])/media/({_NAME}){_PATH_END}")),
    ("/mnt/", Kind.MOUNT, re.compile(rf"(?<![\w/.])/mnt/({_NAME}){_PATH_END}")),
    ("SSID", Kind.SSID, re.compile(r"\b[Ee]?SSID(?:\s*[=:]\s*|\s+)(?:'([^'\n]{1,32})'|\"([^\"\n]{1,32})\")")),
    ("ssid", Kind.SSID, re.compile(r"\be?ssid(?:\s*[=:]\s*|\s+)(?:'([^'\n]{1,32})'|\"([^\"\n]{1,32})\")")),
    (' network "', Kind.SSID, re.compile(r"\b(?:wireless|Wi-Fi) network \"([^\"\n]{1,32})\"")),
    (" of user ", Kind.USER, re.compile(r"\bsession \S{1,16} of user ([A-Za-z_][\w.-]{0,31}?)\.?(?=\s|\Z)")),
    (" for user ", Kind.USER, re.compile(r"\bsession (?:opened|closed) for user ([A-Za-z_][\w.-]{0,31})")),
)
"""What stands in a text that is worth a search, what is named, and how."""
SYSTEM_FOLDERS = frozenset({"lost+found", "cdrom", "floppy", "wwn", "efi", "boot"})


def learn(text: str, *, columns: bool) -> Iterator[Known]:
    """Names that ``text`` says to be such. ``columns``: it is what ``journalctl`` printed, with the host's name in
    each line.
    """
    for span in macs(text):
        yield Known(Kind.MAC, span.value)
    for pattern in (_SYSLOG, COLUMNS) if columns else (_SYSLOG,):
        for match in pattern.finditer(text):
            yield from _named(Kind.HOST, match[1])
    for needle, kind, pattern in _PATTERNS:
        for match in pattern.finditer(text) if needle in text else ():
            for value in match.groups():
                yield from _named(kind, (value or "").rstrip("."))


def _named(kind: Kind, value: str) -> Iterator[Known]:
    if value and value.casefold() not in NOBODY and value not in SYSTEM_FOLDERS:
        yield Known(kind, value)
