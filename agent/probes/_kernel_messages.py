"""What a kernel log says of hardware. Pure; the messages themselves are data (``kernel_messages.toml``)."""

from __future__ import annotations

import functools
import itertools
import pkgutil
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from agent.model import ComponentKind
from agent.probes._kernel_devices import Devices, Named
from agent.probes._kernel_lines import LINE_CAP, Message

DEVICE_CAP = 32
"""Devices told apart per family; more are counted together, so that a hostile log stays small."""

_CHUNK = 2000  # messages; most literals are in none of them, and need not be looked for in each
_WRAPPED_FROM = 40  # characters; a mail program breaks no shorter line
_COUNT_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Family:
    """Messages that mean the same: its name, the component it speaks of, pairs of literal and expression.

    One event may lead to several messages. Where ``every_line`` is false, the events are counted: as many as there are
    messages of the one kind that came most often. ``suppressed_by`` are the functions of the kernel whose rate limit
    holds such messages back. Where ``of_drive`` is true, what a port reports is counted with its drive.
    """

    name: str
    component: ComponentKind
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    every_line: bool
    of_drive: bool
    suppressed_by: tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """The messages of one family about one device (``""`` where they do not name it). ``counts`` is by kind of message,
    ``held_back`` how many more the kernel says that it did not print, ``named`` what the log says of the device.
    """

    family: Family
    device: str
    first: Message
    last: Message
    counts: dict[str, int] = field(default_factory=dict)
    held_back: int = 0
    named: Named = field(default_factory=Named)

    @property
    def count(self) -> int:
        """Events, or messages: see :class:`Family`."""
        counts = self.counts.values()
        return min(sum(counts) if self.family.every_line else max(counts), _COUNT_MOST)

    def add(self, literal: str, message: Message, times: int) -> None:
        """One more message, which tells of ``times`` events."""
        self.counts[literal] = self.counts.get(literal, 0) + message.times * times
        self.last = message

    def absorb(self, other: Seen) -> None:
        """What was counted under another name of the same device, and began later."""
        for literal, count in other.counts.items():
            self.counts[literal] = self.counts.get(literal, 0) + count
        self.held_back += other.held_back
        self.last = other.last


_Pattern = tuple[str, re.Pattern[str], Family]


@functools.cache
def families() -> tuple[Family, ...]:
    """All families, in the order in which they are tried."""
    data = tomllib.loads((pkgutil.get_data(__package__, "kernel_messages.toml") or b"").decode("utf-8"))
    names = data.pop("names")
    return tuple(
        Family(
            name,
            ComponentKind(table["component"]),
            tuple((literal, re.compile(_spelt_out(text, names))) for literal, text in table["patterns"].items()),
            table.get("every_line", False),
            table.get("of_drive", False),
            tuple(table.get("suppressed_by", ())),
        )
        for name, table in data.items()
    )


def survey(messages: Iterable[Message], before: Iterable[str] = ()) -> list[Seen]:
    """Count the messages of every family and device, in order of their first. ``before`` is what was said earlier, of
    which nothing is counted: it tells how the devices hang together.
    """
    counted = _Counted()
    devices = Devices()
    for text in before:
        devices.hear(text)
    for message, active in _with_patterns(_with_context(_but_for_waking(messages))):
        devices.hear(message.text)
        counted.take(message, active)
    return counted.result(devices)


def speak_of_hardware(lines: list[str]) -> bool:
    """Whether one of some lines, without their times, is a message of a family."""
    active = _active(" ".join(lines))
    return bool(active) and any(_match(line[:LINE_CAP], active) for line in lines)


class _Counted:
    """The count as it grows."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Seen] = {}
        self._devices: dict[str, int] = {}
        self._latest: dict[str, Seen] = {}
        self._held_back: dict[str, int] = {}
        self._unmatched: Message | None = None

    def take(self, message: Message, active: tuple[_Pattern, ...]) -> None:
        match = _match(message.text, active)
        if match is None and message.bare and self._unmatched is not None:
            message = self._unmatched._replace(text=f"{self._unmatched.text} {message.text}"[:LINE_CAP])
            match = _match(message.text, active)
        if match is None:
            self._hold_back(message.text)
            wrapped = not message.bare and len(message.text) >= _WRAPPED_FROM
            self._unmatched = message if wrapped else None
            return
        self._unmatched = None
        family, literal, device, times = match
        if (family.name, device) not in self._found:
            if self._devices.get(family.name, 0) >= DEVICE_CAP:
                device = ""
            self._devices[family.name] = self._devices.get(family.name, 0) + 1
        seen = self._found.setdefault((family.name, device), Seen(family, device, message, message))
        seen.add(literal, message, times)
        # The kernel says how many it held back before it prints the next one.
        seen.held_back += self._held_back.pop(family.name, 0)
        self._latest[family.name] = seen

    def result(self, devices: Devices) -> list[Seen]:
        """All that was seen; what the log calls by two names is one."""
        for name, number in self._held_back.items():
            if name in self._latest:
                self._latest[name].held_back += number
        seen: dict[tuple[str, str], Seen] = {}
        for item in self._found.values():
            item.named = devices.named(item.device)
            if item.family.of_drive and item.named.drive:
                item.device = item.named.drive
                item.named = devices.named(item.device)
            known = seen.setdefault((item.family.name, item.device), item)
            if known is not item:
                known.absorb(item)
        return list(seen.values())

    def _hold_back(self, text: str) -> None:
        if "callbacks suppressed" in text and (told := _SUPPRESSED.search(text)):
            for family in _by_function().get(told["function"], ()):
                self._held_back[family] = self._held_back.get(family, 0) + int(told["count"])


# lib/ratelimit.c
_SUPPRESSED = re.compile(r"(?P<function>\w{1,60}): (?P<count>\d{1,9}) (?:output lines|callbacks) suppressed")


@functools.cache
def _by_function() -> Mapping[str, list[str]]:
    """Function of the kernel -> families whose messages it prints."""
    named: dict[str, list[str]] = {}
    for family in families():
        for function in family.suppressed_by:
            named.setdefault(function, []).append(family.name)
    return named


def _spelt_out(expression: str, names: Mapping[str, str]) -> str:
    for name, meaning in names.items():
        expression = expression.replace(f"<{name}>", meaning)
    return expression


@functools.cache
def _patterns() -> tuple[_Pattern, ...]:
    return tuple((literal, expression, family) for family in families() for literal, expression in family.patterns)


@functools.cache
def _literals() -> frozenset[str]:
    return frozenset(literal for literal, _, _ in _patterns())


def _with_patterns(messages: Iterator[Message]) -> Iterator[tuple[Message, tuple[_Pattern, ...]]]:
    """Each message, with the patterns whose literal is in it or near it."""
    while chunk := list(itertools.islice(messages, _CHUNK)):
        active = _active(" ".join(message.text for message in chunk))
        for message in chunk:
            yield message, active


def _active(text: str) -> tuple[_Pattern, ...]:
    """The patterns whose literal is in a text."""
    there = {literal for literal in _literals() if literal in text}
    return tuple(pattern for pattern in _patterns() if pattern[0] in there)


def _match(text: str, patterns: tuple[_Pattern, ...]) -> tuple[Family, str, str, int] | None:
    """Family, literal, device and number of events of a message."""
    for literal, expression, family in patterns:
        if literal in text:
            match = expression.search(text)
            if match:
                groups = match.groupdict()
                return family, literal, (groups.get("device") or "").strip(), int(groups.get("times") or 1)
    return None


_WAKING = re.compile(r"PM: (?:suspend|hibernation: hibernation) (?P<what>entry|exit)")
"""Before the unit falls asleep, and once it is awake again (kernel/power/suspend.c, hibernate.c)."""
_STARTED = "Linux version "
_RESET = re.compile(r"usb \d{1,4}-[\d.]{1,20}: reset ")


def _but_for_waking(messages: Iterable[Message]) -> Iterator[Message]:
    """Leave out that USB devices are reset while the unit wakes up: so is each of them, time after time, where the
    controller had no power meanwhile (drivers/usb/core/hub.c, ``reset_resume``), and nothing is wrong with them.
    """
    waking = False
    for message in messages:
        text = message.text
        if "PM: " in text and (told := _WAKING.search(text)):
            waking = told["what"] == "entry"
        elif text.startswith(_STARTED):
            waking = False  # it did not wake up
        elif waking and " reset " in text and _RESET.search(text):
            continue
        yield message


_SEVERITY = re.compile(r"\[Hardware Error\]: +(?:event severity|Error \d+, type): (\w+)")
_AMD_SEVERITY = re.compile(r"\[Hardware Error\]: (Corrected|Deferred|Uncorrected|System Fatal) error")
_AMD_MEMORY = re.compile(r"\[Hardware Error\]: .{0,80}(?:Memory Controller Ext|DRAM ECC [Ee]rror)")
_STATUS = re.compile(r"(?:Bank (?P<bank>\d{1,3}): |STATUS |mce_record: .{0,200}status= ?)(?P<status>[0-9a-f]{16})\b")
_STATUS_MARKS = ("Bank ", "STATUS ", "mce_record: ")  # of the kernel, of mcelog, of rasdaemon
_WRAPPED_BANK = re.compile(r"Bank \d{1,3}:$")


def _with_context(messages: Iterable[Message]) -> Iterator[Message]:
    """Join what the kernel prints on several lines or in numbers: the severity of an error that firmware or an AMD
    processor reports goes behind the line that says of what, and what a machine-check status says goes behind it.
    """
    severity = amd_severity = ""
    for message in _with_boot_record(_unwrapped(messages)):
        text, more = message.text, ""
        if "[Hardware Error]" in text:
            if told := _SEVERITY.search(text):
                severity = told[1]
            elif told := _AMD_SEVERITY.search(text):
                amd_severity = told[1]
            elif "section_type: " in text:
                more = severity
            elif _AMD_MEMORY.search(text):
                more = amd_severity
        if any(mark in text for mark in _STATUS_MARKS) and (told := _STATUS.search(text)):
            bank_number, status = int(told["bank"] or 0), int(told["status"], 16)
            more = f"machine check: {machine_check(status) if bank_number < _THERMAL_BANK else 'thermal'}"
        yield message._replace(text=f"{text} ({more})") if more else message


_BOOT_RECORD = "BERT: Error records from previous boot:"
_CORRECTED_RECORD = "It has been corrected by h/w"


def _with_boot_record(messages: Iterable[Message]) -> Iterator[Message]:
    """Behind the heading of what firmware kept of an earlier session goes how bad it was, which the next line says:
    firmware keeps errors that were corrected as well (seen of several makers).
    """
    held: Message | None = None
    for message in messages:
        if held is not None:
            told = _SEVERITY.search(message.text)
            how_bad = "corrected" if _CORRECTED_RECORD in message.text else told[1] if told else ""
            yield held._replace(text=f"{held.text} ({how_bad})") if how_bad else held
        held = message if message.text.startswith(_BOOT_RECORD) else None
        if held is None:
            yield message
    if held is not None:
        yield held


def _unwrapped(messages: Iterable[Message]) -> Iterator[Message]:
    """A mail program likes to break the line between a bank and its status."""
    held: Message | None = None
    for message in messages:
        if held is not None and message.bare:
            yield held._replace(text=f"{held.text} {message.text}"[:LINE_CAP])
            held = None
            continue
        if held is not None:
            yield held
        held = message if message.text.endswith(":") and _WRAPPED_BANK.search(message.text) else None
        if held is None:
            yield message
    if held is not None:
        yield held


_THERMAL_BANK = 128
"""No bank of the processor: arch/x86/include/asm/mce.h, MCE_THERMAL_BANK. Its status is that of a thermal interrupt."""


def machine_check(status: int) -> str:
    """What an ``IA32_MCi_STATUS`` says: ``corrected`` or ``uncorrected`` (bit 61), and ``memory`` for a memory
    controller's error code (0000 0000 1MMM CCCC) or ``processor``. ``uncorrected`` is not said of one that was recorded
    while its reporting was off (bit 60 clear): firmware leaves such behind from its own start, on sound units at each.

    Source: Intel SDM volume 3B, sections 15.3.2.2 and 15.9.2; arch/x86/kernel/cpu/mce/severity.c ("Not enabled").
    """
    uncorrected, enabled = status >> 61 & 1, status >> 60 & 1
    if uncorrected and not enabled:
        return "not enabled"
    kind = "memory" if status & 0xEF80 == 0x0080 else "processor"
    return f"{'uncorrected' if uncorrected else 'corrected'} {kind}"
