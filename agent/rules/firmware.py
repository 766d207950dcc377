"""What the firmware says."""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Readings, Verdict
from agent.rules import rule


@rule("FW-8005")
def no_tpm(readings: Readings) -> Iterator[Finding]:
    """No security chip shows: most often it is switched off in the firmware's setup, so this is information only.
    Confidence (ours): one in ten is a chip that does not answer. Where the model's profile has one, that rule speaks.
    """
    tpm = readings.get("firmware.tpm")
    if tpm is not None and tpm.value is False and readings.get("profile.firmware.tpm") is None:
        yield Finding(
            code="FW-8005",
            component=entry("FW-8005").component,
            subject="",
            severity=entry("FW-8005").severity,
            verdict=Verdict.UNKNOWN,
            confidence=0.1,
            evidence=(tpm,),
        )
