"""What became of the tones that the speakers were to play."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

ONE_SILENT = "SND-7621"
NOT_HEARD = "SND-7637"
BREAKS_OFF = "SND-7645"


@rule(ONE_SILENT)
def one_speaker_silent(readings: Readings) -> Iterator[Finding]:
    """One speaker was heard each time and the other never, though both are turned up: the microphone works then, and
    no plug is in the socket for headphones. Units with one speaker for both sides look the same where it plays one side
    only, so this is no verdict. Confidence 0.4 (ours).
    """
    for silent in readings.all("audio_test.heard"):
        other = _other(readings, silent)
        if other is None or silent.value != 0 or not _is_loud(readings, silent.subject):
            continue
        tries, all_of_other = _listened(readings, silent.subject), _listened(readings, other.subject)
        if min(tries, all_of_other) < entry(ONE_SILENT).limit("times") or other.value != all_of_other:
            continue
        yield finding(ONE_SILENT, silent.subject, Verdict.UNKNOWN, 0.4, (silent, other), times=int(tries))


@rule(NOT_HEARD)
def not_heard(readings: Readings) -> Iterator[Finding]:
    """Neither speaker was ever heard, though they are turned up and the microphone gives more than silence. Headphones
    that are plugged in explain it as well as a fault, or a microphone that is far away. Confidence 0.2 (ours).
    """
    for heard in readings.all("audio_test.heard"):
        other = _other(readings, heard)
        if other is None or not heard.subject.endswith("/left") or heard.value != 0 or other.value != 0:
            continue
        if not _is_loud(readings, heard.subject) or not _is_loud(readings, other.subject):
            continue
        tries = min(_listened(readings, heard.subject), _listened(readings, other.subject))
        if tries >= entry(NOT_HEARD).limit("times"):
            card = heard.subject.partition("/")[0]
            yield finding(NOT_HEARD, card, Verdict.UNKNOWN, 0.2, (heard, other), times=int(tries))


@rule(BREAKS_OFF)
def breaks_off(readings: Readings) -> Iterator[Finding]:
    """The tone stuttered or broke off: the sound hardware did not take what it was given half a second ahead. A
    processor that is much too busy does that as well. Confidence 0.3 (ours).
    """
    for errors in readings.all("audio_test.errors"):
        played, count = readings.get("audio_test.played", errors.subject), readings.number(errors.name, errors.subject)
        times = readings.number("audio_test.played", errors.subject)
        if played is not None and times and count is not None and count >= entry(BREAKS_OFF).limit("times"):
            values = {"count": int(count), "times": int(times)}
            yield finding(BREAKS_OFF, errors.subject, Verdict.UNKNOWN, 0.3, (errors, played), **values)


def _other(readings: Readings, heard: Reading) -> Reading | None:
    card, _, side = heard.subject.partition("/")
    return readings.get(heard.name, f"{card}/{'right' if side == 'left' else 'left'}")


def _listened(readings: Readings, speaker: str) -> float:
    return readings.number("audio_test.listened", speaker) or 0.0


def _is_loud(readings: Readings, speaker: str) -> bool:
    """Whether it is known to be turned up."""
    volume = readings.number("audio_test.volume", speaker)
    return volume is not None and volume >= entry(NOT_HEARD).limit("volume")
