"""What the firmware says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding


@rule("FW-8005")
def no_tpm(readings: Readings) -> Iterator[Finding]:
    """No security chip shows: most often it is switched off in the firmware's setup, so this is information only.
    Confidence (ours): one in ten is a chip that does not answer. Where the model's profile has one, that rule speaks.
    """
    tpm = readings.get("firmware.tpm")
    if tpm is not None and tpm.value is False and readings.get("profile.firmware.tpm") is None:
        yield finding("FW-8005", "", Verdict.UNKNOWN, 0.1, (tpm,))


@rule("FW-8018")
def old(readings: Readings) -> Iterator[Finding]:
    """The firmware was old when it was read. That there is a newer one nobody here knows, so it is a note to look for
    one; of a virtual machine it says nothing. Silent where the clock was before the firmware. Confidence 0.3: ours.
    """
    built, virtual = readings.get("firmware.date"), readings.get("unit.virtual")
    if built is None or (virtual is not None and virtual.value is True):
        return
    then, now = _day(str(built.value)), _day(built.time)
    if then and now and (now - then).days * 86400 > entry("FW-8018").limit("age"):
        yield finding("FW-8018", "", Verdict.UNKNOWN, 0.3, (built,), date=then.isoformat())


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
