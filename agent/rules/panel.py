"""Judging the panel: is it there, does it say who it is, is it lit."""

from __future__ import annotations

from collections.abc import Iterable

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._by_catalogue import finding

MISSING = "LCD-4001"
OTHER_DISPLAY_ONLY = "LCD-4017"
NO_DISPLAY = "LCD-4025"
NO_ANSWER = "LCD-4030"
COMES_AND_GOES = "LCD-4049"
NO_IDENTIFICATION = "LCD-4105"
DAMAGED = "LCD-4118"
EXTENSION_DAMAGED = "LCD-4126"
INCOMPLETE = "LCD-4139"
DARK = "LCD-4208"
DIMMER = "LCD-4219"


@rule(MISSING, OTHER_DISPLAY_ONLY, NO_DISPLAY)
def presence(readings: Readings) -> Iterable[Finding]:
    """No built-in panel is connected, though the graphics have an output for one.

    A board may have outputs for several kinds of panel and use one, so a single connected one is enough. A fault only
    where no display at all is connected: else the panel may be one that hangs on DisplayPort or HDMI, and the person is
    asked to look. Graphics without such an output and without any display: a hint, no more. Silent when a built-in
    output did not tell, or came and went while it was watched: :func:`contact` judges that. Confidence: ours.
    """
    outputs = readings.all("panel.internal")
    status = {r.subject: r for r in readings.all("panel.connected")}
    unsure = [r for r in outputs if r.subject not in status or readings.number("panel_watch.changes", r.subject)]
    internal = [status[r.subject] for r in outputs if r.value is True and r not in unsure]
    connected = [r for r in status.values() if r.value is True]
    if not outputs or any(r.value is True for r in [*internal, *unsure]):
        return
    if internal and (connected or unsure):
        evidence = (*internal, *connected)
        yield finding(OTHER_DISPLAY_ONLY, internal[0].subject, Verdict.UNKNOWN, 0.4, evidence)
    elif internal:
        yield finding(MISSING, internal[0].subject, Verdict.FAIL, 0.9, internal)
    elif not connected and not unsure:
        yield finding(NO_DISPLAY, "", Verdict.UNKNOWN, 0.4, status.values())


@rule(NO_ANSWER)
def answer(readings: Readings) -> Iterable[Finding]:
    """The driver of a built-in panel's output does not come back. Panel, cable or graphics, so no verdict. Ours."""
    for responds in readings.all("panel.responds"):
        if responds.value is False and _internal(readings, responds.subject):
            yield finding(NO_ANSWER, responds.subject, Verdict.UNKNOWN, 0.5, [responds])


@rule(COMES_AND_GOES)
def contact(readings: Readings) -> Iterable[Finding]:
    """A built-in panel came or went while it was watched. Nobody unplugs it, so its cable or a connector has no good
    contact, or the panel's electronics fail: a fault. Confidence 0.8 (ours): a driver may detect wrongly.
    """
    for changes in readings.all("panel_watch.changes"):
        count = readings.number("panel_watch.changes", changes.subject) or 0
        if _internal(readings, changes.subject) and count > entry(COMES_AND_GOES).limit("changes"):
            seconds = readings.number("panel_watch.seconds", changes.subject) or 0.0
            values = {"count": round(count), "seconds": round(seconds)}
            evidence = [changes, *(r for r in readings.all("panel_watch.seconds") if r.subject == changes.subject)]
            yield finding(COMES_AND_GOES, changes.subject, Verdict.FAIL, 0.8, evidence, **values)


@rule(NO_IDENTIFICATION)
def identification(readings: Readings) -> Iterable[Finding]:
    """A connected built-in panel gives no EDID.

    The eDP standard demands one, so there it is a fault of the panel or its cable. LVDS panels may lack one (the
    firmware then knows the timing) and DSI panels mostly do: a hint for the former, nothing for the latter. Confidence:
    ours.
    """
    for present in readings.all("panel.edid.present"):
        kind = readings.get("panel.connector", present.subject)
        if present.value is not False or kind is None:
            continue
        evidence = (present, kind)
        if kind.value == "eDP":
            yield finding(NO_IDENTIFICATION, present.subject, Verdict.FAIL, 0.7, evidence)
        elif kind.value == "LVDS":
            yield finding(NO_IDENTIFICATION, present.subject, Verdict.UNKNOWN, 0.2, evidence)


@rule(DAMAGED, EXTENSION_DAMAGED, INCOMPLETE)
def damage(readings: Readings) -> Iterable[Finding]:
    """The EDID contradicts itself: header or checksum of the base block, checksum of an extension, or a part missing.

    A wrong checksum is certain; whether the panel's memory, its cable or its maker is to blame is not. The base block
    is what every computer reads, so makers get it right: a fault. Extensions with wrong checksums have left factories
    (three models in ``corpora/edid`` have it in every unit) and Linux lets CTA blocks pass with one (drm_edid.c),
    hence the lower confidence. A monitor that somebody plugged in is no part of the unit, and cut-off data may be the
    capture's fault: both are hints. Confidence: ours.
    """
    for valid in readings.all("panel.edid.valid"):
        subject = valid.subject
        if valid.value is not False:
            continue
        base = readings.get("panel.edid.base_valid", subject)
        bad = readings.get("panel.edid.checksums_bad", subject)
        problems = readings.get("panel.edid.problems", subject)
        evidence = [r for r in (valid, base, bad, problems) if r is not None]
        foreign = _internal(readings, subject) is False
        verdict = Verdict.UNKNOWN if foreign else Verdict.FAIL
        if base is not None and base.value is False:
            yield finding(DAMAGED, subject, verdict, 0.3 if foreign else 0.8, evidence)
        elif bad is not None and bad.value:
            yield finding(EXTENSION_DAMAGED, subject, verdict, 0.2 if foreign else 0.5, evidence)
        else:
            yield finding(INCOMPLETE, subject, Verdict.UNKNOWN, 0.3, evidence)


@rule(DARK, DIMMER)
def backlight(readings: Readings) -> Iterable[Finding]:
    """The backlight is off, or much dimmer than set, while the panel shows a picture.

    Where the graphics driver itself drives the light (``raw``), firmware and platform controls are passed over: on the
    same panel they often control nothing. Somebody may have set it so, and some drivers report odd levels (values of
    another scale, a ramp under way), so these are hints, the second only for a big difference. Confidence: ours.
    """
    sources = readings.all("panel.backlight.type")
    raw = [r for r in sources if r.value == "raw"]
    judged = [r.subject for r in (raw or sources)]
    lit = [name for name in judged if _panel_is_on(readings, name)]
    dark = {name: _why_dark(readings, name) for name in lit}
    if dark and all(dark.values()):
        for name, evidence in dark.items():
            yield finding(DARK, name, Verdict.UNKNOWN, 0.6, evidence)
        return
    for name in lit:
        level, wanted = (readings.number(f"panel.backlight.{q}", name) for q in ("level", "set"))
        if level is None or wanted is None or _value(readings, "panel.backlight.type", name) == "platform":
            continue
        if wanted - level > entry(DIMMER).limit("difference"):
            values = {"set": round(100 * wanted), "level": round(100 * level)}
            evidence = [r for r in readings.matching("panel.backlight.") if r.subject == name]
            yield finding(DIMMER, name, Verdict.UNKNOWN, 0.3, evidence, **values)


def _panel_is_on(readings: Readings, light: str) -> bool:
    """Whether the panel behind this backlight is being shown a picture: its own connector where the kernel says which,
    else any built-in one.
    """
    connector = readings.get("panel.backlight.connector", light)
    if connector is not None:
        names = [str(connector.value)]
    else:
        names = [r.subject for r in readings.all("panel.internal") if r.value is True]
    wanted = (("panel.connected", True), ("panel.enabled", "enabled"), ("panel.dpms", "On"))
    return any(all(_value(readings, key, name) == value for key, value in wanted) for name in names)


def _why_dark(readings: Readings, light: str) -> list[Reading]:
    """The readings that say that a backlight gives no light; empty when none does."""
    found = []
    power = readings.get("panel.backlight.power", light)
    if power is not None and power.value == "off":
        found.append(power)
    for quantity in ("set", "level"):
        level = readings.get(f"panel.backlight.{quantity}", light)
        if level is not None and level.value == 0:
            found.append(level)
    return found


def _value(readings: Readings, name: str, subject: str) -> object:
    reading = readings.get(name, subject)
    return reading.value if reading else None


def _internal(readings: Readings, subject: str) -> bool | None:
    """Whether a display is built in; ``None`` for a captured EDID, of which nothing more is known."""
    value = _value(readings, "panel.internal", subject)
    return value if isinstance(value, bool) else None
