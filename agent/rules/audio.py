"""Judging the sound hardware by whether it shows itself and answers. How it sounds, only a test can tell."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

NO_CARD = "SND-7600"
SILENT_CODEC = "SND-7613"
_USB = "USB-Audio"


@rule(NO_CARD)
def no_card(readings: Readings) -> Iterator[Finding]:
    """A sound controller is there and has its driver, and yet no sound card came of it, or one without any stream.

    No codec answered at the start (newer kernels keep an empty card then, seen with 6.1), or the driver lacks its
    firmware file, which is common on a Debian without non-free firmware: hence no verdict. A controller without a
    driver gives nothing, and a card on USB, such as a camera's microphone, says nothing of it. Confidence: ours.
    """
    controllers, cards = readings.get("audio.controllers"), readings.get("audio.cards")
    count = readings.number("audio.controllers")
    if controllers is None or cards is None or count is None or count < 1:
        return
    streams = _streams(readings)
    empty = bool(streams) and not any(readings.number(r.name, r.subject) for r in streams)
    if readings.number("audio.cards") == 0 or empty:
        yield finding(NO_CARD, "", Verdict.UNKNOWN, 0.3, (controllers, cards, *streams), controllers=int(count))


def _streams(readings: Readings) -> tuple[Reading, ...]:
    """How many streams each card has that is not on USB."""
    own = [driver.subject for driver in readings.all("audio.card.driver") if driver.value != _USB]
    found = (readings.get(f"audio.{way}", card) for card in own for way in ("playback", "capture"))
    return tuple(r for r in found if r is not None)


@rule(SILENT_CODEC)
def silent_codec(readings: Readings) -> Iterator[Finding]:
    """A codec that was found at the start tells nothing of its parts any more.

    Seen of a broken codec, but also of one that a driver left in a wrong power state, until the unit was without power
    once (alsa-devel, June 2023, ALC236 after a warm start): hence no verdict. Confidence: ours.
    """
    for responds in readings.all("audio.codec.responds"):
        if responds.value is False:
            name = readings.get("audio.codec", responds.subject)
            codec = str(name.value) if name else responds.subject
            evidence = (responds, name) if name else (responds,)
            yield finding(SILENT_CODEC, responds.subject, Verdict.UNKNOWN, 0.3, evidence, codec=codec)
