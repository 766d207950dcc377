"""Judging the sound hardware by whether it shows itself and answers. How it sounds, only a test can tell."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule

NO_CARD = "SND-7600"
SILENT_CODEC = "SND-7613"


@rule(NO_CARD)
def no_card(readings: Readings) -> Iterator[Finding]:
    """A sound controller is there and has its driver, and yet no sound card came of it.

    No codec answered at the start, or the driver lacks its firmware file, which is common on a Debian without
    non-free firmware: hence no verdict. A controller without a driver gives nothing. Confidence: ours.
    """
    controllers, cards = readings.get("audio.controllers"), readings.get("audio.cards")
    count = readings.number("audio.controllers")
    if controllers is None or cards is None or count is None or count < 1 or readings.number("audio.cards") != 0:
        return
    about, values = entry(NO_CARD), {"controllers": int(count)}
    evidence = (controllers, cards)
    yield Finding(NO_CARD, about.component, "", about.severity, Verdict.UNKNOWN, 0.3, values, evidence)


@rule(SILENT_CODEC)
def silent_codec(readings: Readings) -> Iterator[Finding]:
    """A codec that was found at the start tells nothing of its parts any more.

    Seen of a broken codec, but also of one that a driver left in a wrong power state, until the unit was without power
    once (alsa-devel, June 2023, ALC236 after a warm start): hence no verdict. Confidence: ours.
    """
    for responds in readings.all("audio.codec.responds"):
        if responds.value is False:
            name = readings.get("audio.codec", responds.subject)
            about = entry(SILENT_CODEC)
            values: dict[str, str | int | float] = {"codec": str(name.value) if name else responds.subject}
            evidence = (responds, name) if name else (responds,)
            subject, severity = responds.subject, about.severity
            yield Finding(SILENT_CODEC, about.component, subject, severity, Verdict.UNKNOWN, 0.3, values, evidence)
