"""The speakers one after the other, with the microphone listening: whether a tone is played without a break, and
whether it is heard.

speaker-test plays a tone, whose pitch comes from the seed, on one speaker, while arecord listens from a second before
it. What the microphone hears in a room is private: it comes through a pipe, never reaches a disk, and of each quarter
of a second no more is kept than how loud it was and which share of that was the tone. No setting is changed: where the
sound is turned down, that is said (``amixer`` is asked only). A sound card that is in use is left alone, and one on USB
was plugged in and is not asked to play.

Readings of each speaker, subjects ``card0/left``: ``audio_test.played`` (count, how often the tone was played),
``audio_test.errors`` (count, how often it broke off or stuttered), ``audio_test.volume`` (%, the lowest of the controls
that it goes through, 0 where one is off). Where there is a microphone ``audio_test.listened`` (count, how often it gave
more than silence), ``audio_test.heard`` (count, of those), ``audio_test.silent`` (count, how often it gave nothing but
one value), ``audio_test.clipped`` (count, of samples that were as loud as can be told), ``audio_test.level`` (%, of the
loudest that can be told, while the tone was on), ``audio_test.tone`` (%, its share of that level's power) and
``audio_test.room`` (%, the same share before it).
Source of the formats: alsa-utils 1.2.8 (Debian 12), speaker-test over a device that keeps what it is given;
sound/core/pcm.c (``/proc/asound/pcm``).
"""

from __future__ import annotations

import array
import functools
import json
import math
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

SPEAKERS = {"left": 1, "right": 2}
"""As speaker-test counts them."""
RATE = 16_000
"""Samples a second that the microphone gives; ours: four times the highest tone."""
WINDOW = RATE // 4
PITCHES = (125, 500)
"""Times 4 Hz: 500 to 2000 Hz, which small speakers play well and rooms carry; whole waves fit into a window."""
BEFORE_S, LISTEN_S = 1.0, 5
"""Seconds before the tone, and in all. speaker-test plays a single speaker for 5 seconds (measured)."""
QUIET, TONE = slice(1, 3), slice(8, 18)
"""Windows surely before the tone and surely in it, with a second for the start of the programs; ours."""
SCALE = 40
"""Volume of the tone in percent of the loudest; ours: as loud as speech."""
HEARD, LOUDER = 0.1, 5.0
"""Share of the power from which a tone is heard, and how many times that of before it must be; ours: a tone has nearly
all, and noise about a thousandth (2 of ``WINDOW`` frequencies and their neighbours)."""
BURST_S = 15.0

_CARDS, _PCM = "/proc/asound/cards", "/proc/asound/pcm"
_PLAYED, _HEARD, _MIXER = "speaker-test", "audio-test-json", "amixer"
_STREAM = re.compile(
    r"^(\d{2})-(\d{2}): (.{0,80}?) : .{0,80}?(?: : playback (\d{1,4}))?(?: : capture (\d{1,4}))?$",
    re.ASCII | re.MULTILINE,
)
_SPEAKER = re.compile(r"card\d{1,2}/(left|right)", re.ASCII)
_NEEDS_ROOT = Text("needs root")
_BREAKS = re.compile(r"Write error: |xrun_recovery failed|Can't recovery from", re.ASCII)
_WHY_NOT = re.compile(r"^Playback open error: .{1,100}$", re.ASCII | re.MULTILINE)
_CONTROL = re.compile(r"^Simple mixer control '(Master|Speaker|Front|PCM)',0\n((?:  .*\n?)*)", re.ASCII | re.MULTILINE)
_VOLUME = re.compile(
    r"^  (Mono|Front Left|Front Right): (?:Playback )?\d{1,6} \[(\d{1,3})%\](?: \[-?[\d.]{1,12}dB\])?"
    r"(?: \[(on|off)\])?",
    re.ASCII | re.MULTILINE,
)


class Devices(NamedTuple):
    """Of ALSA: what plays, and what listens (empty: nothing does)."""

    card: int
    playback: str
    capture: str


class AudioTest(HardwareTest):
    """See the module."""

    name = "audio"
    programs = ("amixer", "arecord", "speaker-test")
    heats = ()
    disturbs = Text("tones are played while the microphone listens; nothing of it is kept")
    least_s = 10.0
    slack_s = 45.0
    measures: ClassVar = {
        "audio_test.played": "count",
        "audio_test.errors": "count",
        "audio_test.volume": "%",
        "audio_test.listened": "count",
        "audio_test.heard": "count",
        "audio_test.silent": "count",
        "audio_test.clipped": "count",
        "audio_test.level": "%",
        "audio_test.tone": "%",
        "audio_test.room": "%",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Both speakers in turn, at least once each, until the time is over."""
        tree = host.tree(_CARDS, _PCM)
        yield tree
        devices, chance, begun = choose(tree), random.Random(bout.seed), time.monotonic()  # noqa: S311 -- pitches
        if devices is None:
            return
        card = str(devices.card)
        yield host.output(_MIXER, "amixer", "-c", card, "scontents", subject=f"card{card}", timeout_s=BURST_S)
        first = True
        while first or time.monotonic() - begun < bout.seconds:
            for side in SPEAKERS:
                if first or time.monotonic() - begun < bout.seconds:
                    yield from burst(host, devices, side, 4 * chance.randint(*PITCHES))
            first = False

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each speaker that was played on."""
        speakers = [name for name in dict.fromkeys(e.subject for e in evidence) if _SPEAKER.fullmatch(name)]
        if not speakers:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        mixers = {e.subject: e for e in evidence if e.kind == _MIXER}
        for name in speakers:
            card, _, side = name.partition("/")
            own = [e for e in evidence if e.subject == name]
            yield from _of_speaker(name, own, volume(mixers[card].text(), side) if card in mixers else None)


TEST = AudioTest()


def choose(tree: Evidence) -> Devices | None:
    """The first stream that plays on a card that is not on USB, and leads to no display; what listens is best on the
    same card, but may be a microphone of its own or the camera's. ``None`` where nothing plays.
    """
    on_usb = set(re.findall(r"^ *(\d{1,3}) \[[^\]\n]*\]: USB-Audio - ", tree.tree().text(_CARDS) or "", re.MULTILINE))
    streams = [m for m in _STREAM.finditer(tree.tree().text(_PCM) or "") if not re.match("HDMI|DisplayPort", m[3])]
    plays = next((m for m in streams if int(m[4] or 0) and str(int(m[1])) not in on_usb), None)
    if plays is None:
        return None
    listens = sorted((m for m in streams if int(m[5] or 0)), key=lambda m: m[1] != plays[1])
    playback, *captures = (f"plughw:{int(m[1])},{int(m[2])}" for m in (plays, *listens))
    return Devices(int(plays[1]), playback, captures[0] if captures else "")


def burst(host: Host, devices: Devices, side: str, pitch: int) -> Iterator[Evidence | Gap]:
    """One tone on one speaker."""
    name, started = f"card{devices.card}/{side}", now()
    tone = ("-t", "sine", "-f", str(pitch), "-c", "2", "-s", str(SPEAKERS[side]), "-l", "1", "-S", str(SCALE))
    play = ("-D", devices.playback, *tone, "-r", "48000", "-F", "S16_LE", "-b", "500000", "-p", "100000")
    listen = ("-D", devices.capture, "-q", "-t", "raw", "-f", "S16_LE", "-r", str(RATE), "-c", "1", "-d", str(LISTEN_S))

    def played() -> Evidence:
        time.sleep(BEFORE_S)
        ran = host.run("speaker-test", *play, timeout_s=BURST_S)
        said, source = ran.stdout + ran.stderr, " ".join(("speaker-test", *play))
        # what a person without the right to use sound cards is told of one that is there
        why = _NEEDS_ROOT if not host.is_root and b"Cannot get card index" in said else ran.reason
        return Evidence(_PLAYED, name, said, source, started, ran.exit_status, ran.duration_s, problem=why)

    def heard() -> Evidence:
        ran = host.run("arecord", *listen, timeout_s=BURST_S)
        data = json.dumps({"pitch": pitch, **hear(ran.stdout, pitch)}).encode()
        source = " ".join(("arecord", *listen))
        return Evidence(_HEARD, name, data, source, started, ran.exit_status, ran.duration_s, problem=ran.reason)

    does = {"speaker": played, **({"microphone": heard} if devices.capture else {})}
    yield from host.each(does, lambda which: does[which](), timeout_s=BURST_S + 5)


def hear(data: bytes, pitch: int) -> dict[str, Any]:
    """Of each window the level (1: the loudest that can be told) and the tone's share of its power; how many samples
    were as loud as can be, and whether all were the same.
    """
    samples = array.array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    windows = [samples[at : at + WINDOW] for at in range(0, len(samples) - WINDOW + 1, WINDOW)]
    found = [_window(window, pitch) for window in windows]
    return {
        "levels": [round(level, 6) for level, _ in found],
        "shares": [round(share, 4) for _, share in found],
        "clipped": sum(sample in {-32768, 32767} for sample in samples),
        "same": len(set(samples)) <= 1,
    }


def _window(window: Sequence[int], pitch: int) -> tuple[float, float]:
    mean = sum(window) / len(window)
    power = sum((sample - mean) ** 2 for sample in window) / len(window)
    share = _tone_power([sample - mean for sample in window], pitch) / power if power else 0.0
    return math.sqrt(power) / 32768, min(1.0, share)


def _tone_power(window: Sequence[float], pitch: int) -> float:
    """Goertzel's algorithm: the mean power of one frequency, of which whole waves fit into the window."""
    turn = 2 * math.cos(2 * math.pi * pitch / RATE)
    before = last = 0.0
    for sample in window:
        before, last = last, sample + turn * last - before
    return 2 * (before * before + last * last - turn * before * last) / len(window) ** 2


def volume(text: str, side: str) -> int | None:
    """The lowest volume, in percent, of the controls that a speaker's sound goes through; 0 where one is off."""
    found: list[int] = []
    for control in _CONTROL.finditer(text):
        if "pvolume" in control[2] or "pswitch" in control[2]:
            sides = {m[1]: 0 if m[3] == "off" else min(100, int(m[2])) for m in _VOLUME.finditer(control[2])}
            own = sides.get(f"Front {side.capitalize()}", sides.get("Mono"))
            found += [own] if own is not None else []
    return min(found, default=None)


def _of_speaker(name: str, evidence: Sequence[Evidence], level: int | None) -> Iterator[Measured]:
    played = [e for e in evidence if e.kind == _PLAYED]
    opened = [e for e in played if not _WHY_NOT.search(e.text()) and (e.problem is None or e.exit_status is not None)]
    if not opened:
        yield _why_nothing(played[0] if played else None, name)
        return
    last = opened[-1]

    def reading(quantity: str, value: float, unit: str, of: ComponentKind = ComponentKind.SPEAKER) -> Reading:
        return Reading(f"audio_test.{quantity}", value, unit, of, name, last.source, last.time)

    yield reading("played", len(opened), "count")
    broken = [e for e in opened if e.problem or e.exit_status or _BREAKS.search(e.text())]
    yield reading("errors", len(broken), "count")
    if level is not None:
        yield reading("volume", level, "%")
    records = [e for e in evidence if e.kind == _HEARD]
    whole = [r for e in records if e.exit_status == 0 and not e.problem and (r := _Record.of(e.json())) is not None]
    if not whole:
        failed = next((e for e in records if e.problem or e.exit_status), None)
        missing = Gap(name, Outcome.UNSUPPORTED, Text("no microphone listened"))
        yield program_gap(failed, name, essential=False) if failed else missing
        return
    loud = [record for record in whole if not record.same]
    ear = functools.partial(reading, of=ComponentKind.MICROPHONE)
    yield ear("listened", len(loud), "count")
    yield ear("heard", sum(record.is_heard for record in loud), "count")
    yield ear("silent", len(whole) - len(loud), "count")
    yield ear("clipped", sum(record.clipped for record in whole), "count")
    if loud:
        yield ear("level", round(100 * statistics.median(r.level for r in loud), 3), "%")
        yield ear("tone", round(100 * statistics.median(r.tone for r in loud), 2), "%")
        yield ear("room", round(100 * statistics.median(r.room for r in loud), 2), "%")


class _Record(NamedTuple):
    """What one recording showed: medians over the windows in and before the tone."""

    level: float
    tone: float
    room: float
    clipped: int
    same: bool

    @property
    def is_heard(self) -> bool:
        return self.tone >= HEARD and self.tone >= LOUDER * self.room

    @classmethod
    def of(cls, loaded: Any) -> _Record | None:
        """From its numbers; ``None`` where it is too short, or they are none."""
        if not isinstance(loaded, Mapping):
            return None
        levels, shares, clipped = _shares(loaded.get("levels")), _shares(loaded.get("shares")), loaded.get("clipped")
        if min(len(levels), len(shares)) < TONE.stop or not isinstance(clipped, int) or not 0 <= clipped < 1 << 31:
            return None
        tone, room = statistics.median(shares[TONE]), statistics.median(shares[QUIET])
        return cls(statistics.median(levels[TONE]), tone, room, int(clipped), loaded.get("same") is True)


def _shares(value: Any) -> list[float]:
    numbers = value if isinstance(value, list) else []
    return [float(n) for n in numbers if isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n <= 1]


def _why_nothing(played: Evidence | None, name: str) -> Gap:
    text = played.text() if played else ""
    if "Device or resource busy" in text:
        return Gap(name, Outcome.UNSUPPORTED, Text("another program is using it"), essential=True)
    said = _WHY_NOT.search(text)
    if played is not None and (played.problem == _NEEDS_ROOT or (said and "ermission denied" in said[0])):
        return Gap(name, Outcome.UNSUPPORTED, _NEEDS_ROOT, essential=True, remedy="sudo aiodiag test audio")
    if played is not None and played.problem is not None:
        return program_gap(played, name, essential=True)
    values = {"program": "speaker-test", "error": said[0] if said else "?"}
    return Gap(name, Outcome.ERROR, Text("{program} failed: {error}", values), essential=True)
