"""What a kernel log says of hardware. Pure; the messages themselves are data (``kernel_messages.toml``)."""

from __future__ import annotations

import functools
import json
import pkgutil
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.model import ComponentKind

LINE_CAP = 1000
"""Characters of a line that are looked at; the kernel's own limit is 1024 bytes (LOG_LINE_MAX, kernel/printk)."""

DEVICE_CAP = 32
"""Devices told apart per family; more are counted together, so that a hostile log stays small."""


@dataclass(frozen=True, slots=True)
class Message:
    """One kernel message; ``time_s`` is in seconds since the start of the kernel, ``None`` where the log has none."""

    time_s: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Family:
    """Messages that mean the same: its name, the component it speaks of, pairs of literal and expression."""

    name: str
    component: ComponentKind
    patterns: tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(slots=True)
class Seen:
    """The messages of one family about one device (``""`` where they do not name it)."""

    family: Family
    device: str
    count: int
    first: Message
    last: Message


@functools.cache
def families() -> tuple[Family, ...]:
    """All families, in the order in which they are tried."""
    data = tomllib.loads((pkgutil.get_data(__package__, "kernel_messages.toml") or b"").decode("utf-8"))
    return tuple(
        Family(
            name,
            ComponentKind(table["component"]),
            tuple((literal, re.compile(expression)) for literal, expression in table["patterns"].items()),
        )
        for name, table in data.items()
    )


def survey(messages: Iterable[Message]) -> list[Seen]:
    """Count the messages of every family and device, in order of their first."""
    found: dict[tuple[str, str], Seen] = {}
    for message in _with_context(messages):
        match = _match(message.text)
        if match is None:
            continue
        family, device = match
        if (family.name, device) not in found and sum(name == family.name for name, _ in found) >= DEVICE_CAP:
            device = ""
        seen = found.get((family.name, device))
        if seen is None:
            found[family.name, device] = Seen(family, device, 1, message, message)
        else:
            seen.count += 1
            seen.last = message
    return list(found.values())


def parse(text: str) -> Iterator[Message]:
    """The kernel's messages in the text of ``dmesg`` (with any time format), ``journalctl -k`` (``short``,
    ``short-monotonic``, ``json``) or a syslog file; lines of other programs there are passed over. Never raises.
    """
    for line in text.splitlines():
        message = _from_json(line) if line.startswith("{") else _from_line(line[:LINE_CAP])
        if message is not None and message.text:
            yield message


_SYSLOG = re.compile(r"(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT[\d:.,+Z-]{8,30}) \S+ (?P<program>[^\s:]+): ?")
_MONOTONIC = re.compile(r"\[ *(?P<seconds>\d{1,12}\.\d{1,9}) *\] ?")
_WALL_CLOCK = re.compile(r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}\] ?")
_PRIORITY = re.compile(r"<\d{1,3}>")
_HOST = re.compile(r"\S{1,64} kernel: ?")
_CALLER = re.compile(r"\[ *[TC]\d+\] ?")


def _from_line(line: str) -> Message | None:
    text = _without(_PRIORITY, line.strip())
    syslog = _SYSLOG.match(text)
    if syslog:
        if syslog["program"] != "kernel":
            return None
        text = text[syslog.end() :]
    seconds = None
    monotonic = _MONOTONIC.match(text)
    if monotonic:
        seconds = float(monotonic["seconds"])
        text = _without(_HOST, text[monotonic.end() :])
    return Message(seconds, _without(_CALLER, _without(_WALL_CLOCK, text)).strip())


def _from_json(line: str) -> Message | None:
    try:
        record = json.loads(line)
        text = record["MESSAGE"]
        if isinstance(text, list):  # journald's form of a message with bytes that are no text
            text = bytes(text).decode("utf-8", "replace")
        time_us = record.get("_SOURCE_MONOTONIC_TIMESTAMP", record.get("__MONOTONIC_TIMESTAMP"))
        seconds = int(time_us) / 1e6 if isinstance(time_us, str) and len(time_us) < 20 else None
        return Message(seconds, str(text)[:LINE_CAP])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _from_line(line[:LINE_CAP])


def _without(prefix: re.Pattern[str], text: str) -> str:
    match = prefix.match(text)
    return text[match.end() :] if match else text


def _match(text: str) -> tuple[Family, str] | None:
    for literal, expression, family in _patterns():
        if literal in text:
            match = expression.search(text)
            if match:
                return family, match.groupdict().get("device") or ""
    return None


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], Family], ...]:
    """All patterns in one row: a log has thousands of lines, and each is tried with every literal."""
    return tuple((literal, expression, family) for family in families() for literal, expression in family.patterns)


_SEVERITY = re.compile(r"\[Hardware Error\]: +(?:event severity|Error \d+, type): (\w+)")
_BANK = re.compile(r"Bank (\d+): ([0-9a-f]{16})")


def _with_context(messages: Iterable[Message]) -> Iterator[Message]:
    """Join what the kernel prints on several lines or in numbers: the severity of a firmware-reported error goes behind
    its ``section_type``, and what a machine-check status says goes behind its ``Bank``.
    """
    severity = ""
    for message in messages:
        text = message.text
        if "[Hardware Error]" in text:
            told = _SEVERITY.search(text)
            if told:
                severity = told[1]
            elif "section_type: " in text and severity:
                yield Message(message.time_s, f"{text} ({severity})")
                continue
        if "Bank " in text:
            bank = _BANK.search(text)
            if bank:
                yield Message(message.time_s, f"{text} (machine check: {machine_check(int(bank[2], 16))})")
                continue
        yield message


def machine_check(status: int) -> str:
    """What an ``IA32_MCi_STATUS`` says: ``corrected`` or ``uncorrected`` (bit 61), and ``memory`` for a memory
    controller's error code (0000 0000 1MMM CCCC) or ``processor``.

    Source: Intel SDM volume 3B, sections 15.3.2.2 and 15.9.2.
    """
    kind = "memory" if status & 0xEF80 == 0x0080 else "processor"
    return f"{'uncorrected' if status >> 61 & 1 else 'corrected'} {kind}"
