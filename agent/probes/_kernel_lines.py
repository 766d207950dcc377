"""The kernel's messages in a log of any common form. Pure; never raises, whatever the text.

Read are ``dmesg`` (every time format, ``--decode``, ``--raw``, ``--json``), ``/dev/kmsg``, ``journalctl`` (``short`` in
all its variants, ``json``, ``json-pretty``, ``export``), syslog files (RFC 3164 and 5424; lines of other programs are
passed over), OpenWrt's ``logread``, socklog and ``talosctl dmesg``, the same quoted in a mail or still in its transfer
encoding, and the BGL and Thunderbird logs of loghub. What has no form is taken as it is.
"""

from __future__ import annotations

import json
import quopri
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from agent.model.utc import utc_text

LINE_CAP = 1000
"""Characters of a line that are looked at; the kernel's own limit is 1024 bytes (LOG_LINE_MAX, kernel/printk)."""

LINES_MOST = 100_000
TEXT_MOST = 8 << 20
"""Lines and characters of a log that are looked at, the last ones; ours. A boot of a healthy unit has 1 500 lines."""

PROGRAMS = frozenset({"kernel", "mcelog", "rasdaemon"})
"""Whose lines of a syslog count: the kernel's, and those of the programs that tell of its machine checks."""

_REPEATS_MOST = 10**6


class Message(NamedTuple):
    """One message. ``time_s`` is in seconds since the start of the kernel, ``None`` where the log has none; ``at`` is
    the wall clock as the log has it, ``""`` where it has none; ``times`` is how often it came (a syslog writes a
    repeated message once). ``bare`` says that the line had neither time nor sender: it may go on with the one before.
    """

    time_s: float | None
    text: str
    at: str = ""
    times: int = 1
    bare: bool = False


def parse(text: str) -> Iterator[Message]:
    """The messages in the newest :data:`LINES_MOST` lines, in their order."""
    text = newest(text)
    last: Message | None = None
    for message in _from_export(text) if _EXPORT.match(text) else map(_from_line, _lines(text)):
        repeated = _REPEATED.fullmatch(message.text) if message is not None and "repeated" in message.text else None
        if message is None:
            last = None  # another program's; what it repeats is its own
        elif repeated and repeated["text"]:
            last = _bracketed(repeated["text"], message.at)._replace(times=_times(repeated["times"]))
            yield last
        elif repeated and last is not None:
            yield last._replace(times=_times(repeated["times"]))
        elif message.text and not repeated:
            last = message
            yield message


def newest(text: str) -> str:
    """The last :data:`LINES_MOST` lines of the last :data:`TEXT_MOST` characters."""
    text = text[-TEXT_MOST:]
    at = len(text)
    for _ in range(LINES_MOST):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return text
    return text[at + 1 :]


def _lines(text: str) -> Iterator[str]:
    """The lines of a text. One with several of the kernel's times in it is as many: serial consoles and web pages lose
    the ends of lines.
    """
    for line in _whole_lines(text):
        times = list(_INNER_TIME.finditer(line)) if line.count("[") > 1 else []
        starts = [0, *(time.start() for time in times[1:]), len(line)]
        yield from (line[start:end] for start, end in pairwise(starts)) if times else (line,)


def _whole_lines(text: str) -> list[str]:
    """The lines of a text, whole again where a mail's quoted-printable encoding broke them (RFC 2045, section 6.7): it
    ends a line of at most 76 characters in "=" and goes on in the next. A line of a log's own may end so, too.
    """
    lines = text.split("\n")
    if "=\n" not in text and "=\r\n" not in text:
        return lines
    whole: list[str] = []
    broken = encoded = False
    for line in (line.rstrip("\r") for line in lines):
        if broken and not is_stamped(line):
            whole[-1] = whole[-1][:-1] + line
            encoded = True
        else:
            whole.append(line)
        broken = line.endswith("=") and _SOFT_BREAK_FROM <= len(line) <= _SOFT_BREAK_TO
    if not encoded:
        return lines
    return [quopri.decodestring(line.encode("utf-8", "replace")).decode("utf-8", "replace") for line in whole]


def is_stamped(line: str) -> bool:
    """Whether a line has the time and, in a syslog, the sender of a log's."""
    if line.lstrip().startswith("{") and not _GHES.match(line):
        record = _loaded(line)
        return record is not None and not record.keys().isdisjoint(_JOURNAL_FIELDS)
    text = _without(_LEVEL, _without(_QUOTE, _typed(line)))
    if text.startswith(_SENDER_ALONE):
        return True
    if text.startswith("["):
        return any(form.match(text) for form in (_MONOTONIC, _WALL_CLOCK, _SHORT_DELTA, _BRACKETED_ISO))
    return any(form.match(text) for form in (*_STAMPS, *_LOGHUB, _EXPORT))


_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
# journalctl and dmesg name days and months in the language of the person.
_BSD = rf"(?:[^\W\d_]{{2,9}}\.?|\d{{1,2}}月) +\d{{1,2}} {_CLOCK}"
_ISO = rf"\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)?"
# A log without its hosts has a device where the sender would be: "sd 0:0:0:0:", "nvme nvme0:".
_PROGRAM = r"(?P<program>(?!\d|nvme\d)[^\s:\[]{1,64})(?:\[\d{1,10}\])?: ?"
_SENDER = rf"(?P<host>[^\s:\[]{{1,255}}) {_PROGRAM}"

_QUOTE = re.compile(r"[>| \t`]+")
_LEVEL = re.compile(r"<\d{1,3}>|(?:kern|user|daemon|syslog) {0,4}: {0,8}(?:[a-z]{3,7}) {0,4}: ?")
_SENDER_ALONE = "kernel: "
_TYPESET = str.maketrans({"\xa0": " ", "×": "x"})
"""What mail programs and web pages make of the kernel's spaces and of "0x"."""

# drivers/firmware/efi/cper.c and drivers/acpi/apei/ghes.c number the records: "{3}[Hardware Error]: ".
_GHES = re.compile(r"[>| \t]*\{\d{1,9}\}\[")
_SOFT_BREAK_FROM, _SOFT_BREAK_TO = 48, 76
_INNER_TIME = re.compile(r"\[(?: {0,6}\d{1,7}\.\d{6}|[A-Z][a-z]{2} [A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4})\]")
_MONOTONIC = re.compile(r"\[ *(?P<seconds>\d{1,12}\.\d{1,9})(?: +<[ \d.]{3,20}>)? *\] ?")
_WALL_CLOCK = re.compile(rf"\[(?P<at>[^\s\[\]]{{1,9}} {{1,2}}[^\s\[\]]{{1,9}} {{1,2}}\d{{1,2}} {_CLOCK} \d{{4}})\] ?")
_SHORT_DELTA = re.compile(r"\[(?:[A-Z][a-z]{2} ?[ \d]\d \d\d:\d\d|<[ \d.]{3,20}>| *\+ *\d{1,9}\.\d{1,9})\] ?")
_STAMPS = (
    re.compile(rf"(?P<at>{_BSD}) (?:{_SENDER}|[^\s:]{{1,255}} (?=(?:last )?message repeated ))"),
    re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d) "),  # dmesg --time-format=iso
    re.compile(
        rf"(?:[^\W\d_]{{2,9}}\.? )?(?P<at>{_BSD} \d{{4}}) (?:[a-z]{{3,8}}\.[a-z]{{3,7}} )?{_PROGRAM}"
    ),  # logread
    re.compile(rf"(?P<at>{_ISO}) kern\.[a-z]{{3,7}}: ?"),  # socklog
    re.compile(rf"(?P<at>{_ISO}) (?P<program>kernel): ?"),  # journalctl --no-hostname
    re.compile(rf"(?:[A-Z][a-z]{{2}} )?(?P<at>{_ISO})(?: (?:[A-Z]{{2,5}}|[+-]\d\d))? {_SENDER}"),
    re.compile(
        rf"\d{{1,2}} (?P<at>{_ISO}) \S{{1,255}} (?P<program>\S{{1,48}}) \S{{1,128}} \S{{1,32}} (?:-|(?:\[[^\]]*\])+) ?"
    ),
    re.compile(rf"(?P<at>{_CLOCK}) {_SENDER}"),
    re.compile(rf"(?P<at>{_BSD}) \[(?P<program>[a-z]{{1,32}})\] "),  # metalog
    re.compile(rf"(?P<at>{_ISO}|{_BSD}) (?=\[)"),
    re.compile(rf"(?P<unix>\d{{10}}\.\d{{1,6}}) {_SENDER}"),
    re.compile(r"\d{1,4},\d{1,12},(?P<microseconds>\d{1,16}),[-c+][^;]{0,80};"),  # /dev/kmsg
)
_NODE = r"\S{1,40} \d{10} \d{4}\.\d\d\.\d\d \S{1,64} "
_LOGHUB = (
    re.compile(rf"{_NODE}(?P<at>\d{{4}}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d{{1,6}}) \S{{1,64}} (?=RAS |NULL )"),
    re.compile(rf"{_NODE}(?P<at>{_BSD}) (?P<host>\S{{1,255}}) (?P<program>[^\s:\[]{{1,128}})(?:\[\d{{1,10}}\])?: ?"),
)
_JOURNAL_SENDER = re.compile(r"[^\s:]{1,64} (?P<program>[^\s:\[]{1,64})(?P<pid>\[\d{1,10}\])?: ?")
_BRACKETED_ISO = re.compile(rf"\[(?P<at>{_ISO})\]:? ?")  # talosctl dmesg
_CALLER = re.compile(r"\[ *[TC]\d{1,8}\] ?")
_REPEATED = re.compile(r"(?:last )?message repeated (?P<times>\d{1,9}) times(?:: \[ ?(?P<text>.*)\])?")
_MEMBER = re.compile(r'"(?:msg|MESSAGE)" ?: *(?P<text>".*"),?')
_EXPORT = re.compile(r"\s{0,80}__(?:CURSOR|REALTIME_TIMESTAMP)=")
_JOURNAL_FIELDS = frozenset({"_TRANSPORT", "_BOOT_ID", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "__CURSOR"})


def _from_line(line: str) -> Message | None:
    """The message of a line, with an empty text where it has none; ``None`` for another program's."""
    text = _typed(line)
    first = text[:1]
    if first in ">|`":
        text = _without(_QUOTE, text).rstrip("`")
        first = text[:1]
    if first == "{" and not _GHES.match(text):
        return _from_json(line)
    if first in "<kud":
        text = _without(_LEVEL, text)
        first = text[:1]
    if first == "[":
        return _bracketed(text, "")
    if first == '"':
        member = _MEMBER.fullmatch(text)
        return Message(None, _text_of(member["text"])) if member else Message(None, "")
    for stamp in _STAMPS if first.isalnum() else ():
        found = stamp.match(text)
        if found:
            return _stamped(found, text[found.end() :])
    for stamp in _LOGHUB if " 1" in text[:48] else ():
        found = stamp.match(text)
        if found:
            return _stamped(found, text[found.end() :])
    if text.startswith(_SENDER_ALONE):
        return _bracketed(text.removeprefix(_SENDER_ALONE), "")
    return Message(None, text, bare=True)


def _stamped(stamp: re.Match[str], text: str) -> Message | None:
    told = stamp.groupdict()
    program = told.get("program")
    if program is not None and program not in PROGRAMS:
        return None
    if told.get("microseconds"):
        return Message(int(told["microseconds"]) / 1e6, text.strip())
    at = _since_1970(float(told["unix"])) if told.get("unix") else told.get("at") or ""
    return _bracketed(text, at)


def _bracketed(text: str, at: str) -> Message:
    """A text that may begin with the kernel's own time, and the sender that journalctl puts behind it."""
    seconds = None
    monotonic = _MONOTONIC.match(text)
    if monotonic:
        seconds = float(monotonic["seconds"])
        text = text[monotonic.end() :]
        sender = _JOURNAL_SENDER.match(text)
        if sender and sender["program"] in PROGRAMS:
            text = text[sender.end() :]
        elif sender and sender["pid"]:
            return Message(seconds, "")
    elif text.startswith("["):
        clock = _WALL_CLOCK.match(text) or _SHORT_DELTA.match(text) or _BRACKETED_ISO.match(text)
        if clock:
            at = clock.groupdict().get("at") or at
            text = text[clock.end() :]
    if text.startswith("["):
        text = _without(_CALLER, text)
    return Message(seconds, text.strip(), at)


def _from_json(line: str) -> Message | None:
    """A record of ``journalctl -o json``; a line that is none is a line."""
    record = _loaded(line)
    if record is None or "MESSAGE" not in record:
        return Message(None, line[:LINE_CAP].strip())
    return _from_record(record)


def _from_export(text: str) -> Iterator[Message | None]:
    """Records of ``journalctl -o export``: lines of ``FIELD=value``, with an empty one between two records."""
    record: dict[str, Any] = {}
    for line in (*text.split("\n"), ""):
        name, equals, value = line.partition("=")
        if equals:
            record.setdefault(name, value)
        elif not line.strip() and record:
            yield _from_record(record)
            record = {}


def _from_record(record: dict[str, Any]) -> Message | None:
    sender = record.get("SYSLOG_IDENTIFIER", "kernel")
    if record.get("_TRANSPORT", "kernel") != "kernel" and sender not in PROGRAMS:
        return None
    text = record.get("MESSAGE")
    if isinstance(text, list):  # journald's form of a message with bytes that are no text
        text = bytes(c for c in text[:LINE_CAP] if isinstance(c, int) and 0 <= c < 256).decode("utf-8", "replace")
    elapsed = _microseconds(record, "_SOURCE_MONOTONIC_TIMESTAMP", "__MONOTONIC_TIMESTAMP")
    since_1970 = _microseconds(record, "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
    at = _since_1970(since_1970) if since_1970 is not None else ""
    return Message(elapsed, str(text)[:LINE_CAP].strip() if text is not None else "", at)


def _loaded(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _text_of(quoted: str) -> str:
    try:
        return str(json.loads(quoted)).strip()
    except ValueError:
        return ""


def _microseconds(record: dict[str, Any], *names: str) -> float | None:
    """Seconds of the first field that is there."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and len(value) < 18 and value.isascii() and value.isdigit():
            return int(value) / 1e6
    return None


def _since_1970(seconds: float) -> str:
    try:
        return utc_text(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def _times(digits: str) -> int:
    return min(int(digits), _REPEATS_MOST)


def _typed(line: str) -> str:
    """What is looked at of a line, in the kernel's own characters."""
    text = line[:LINE_CAP].strip()
    return text if text.isascii() else text.translate(_TYPESET).strip()


def _without(prefix: re.Pattern[str], text: str) -> str:
    match = prefix.match(text)
    return text[match.end() :] if match else text
