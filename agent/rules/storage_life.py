"""Storage: what a drive's life has been like: heat, wear, power cuts. None of it is a fault of the drive.

Confidence is ours throughout: that something should be done about it, for nobody has published odds.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalogue import entry
from agent.model import Finding, Reading, Readings, Verdict
from agent.rules import rule
from agent.rules._storage import by_subject, count_of, finding, named_hot


@rule("DISK-1216")
def was_too_hot(readings: Readings) -> Iterator[Finding]:
    """The drive has recorded that it was warmer than its maker wants it to be: a temperature attribute that was at its
    limit, SCT's count of times above the limit or a highest temperature above it, time above it in the device
    statistics, or NVMe's time above its limits (any above the critical one, an hour above the one that it warns of).

    A note on the unit's cooling, 0.3: nobody knows when it was, and drives are hot for once in a parcel or a car.
    """
    for _, evidence in by_subject(_heat(readings)):
        yield finding("DISK-1216", Verdict.UNKNOWN, 0.3, *evidence)


def _heat(readings: Readings) -> Iterator[Reading]:
    for reading in readings.matching("storage.ata."):
        if reading.name.endswith(".failing") and reading.value == "past" and named_hot(readings, reading):
            yield reading
    for highest in readings.all("storage.temperature.lifetime_max"):
        limit = readings.get("storage.temperature.limit", highest.subject)
        if limit is not None and count_of(highest) > count_of(limit):
            yield highest
            yield limit
    least = {
        "storage.temperature.over_limit": 1,
        "storage.temperature.over_limit_time": 1,
        "storage.nvme.warning_temp_time": entry("DISK-1216").limit("over_warning"),
        "storage.nvme.critical_temp_time": 1,
    }
    for name, enough in least.items():
        yield from (reading for reading in readings.all(name) if count_of(reading) >= enough)


@rule("DISK-1359", "DISK-1384")
def worn(readings: Readings) -> Iterator[Finding]:
    """The rated endurance is used up, or will be soon. A hint: many drives go on far beyond it. Confidence 0.3.

    The end is projected from what the drive has lived: ``hours * (100 - used) / used`` of operation are left. That
    assumes that it goes on being written to, per hour of operation, as it was on average since it was new. So it is
    said only when more than half is used (then the projection looks no further ahead than the drive has lived) and when
    what is left is a matter of months, about which a person can do something.
    """
    for used in readings.all("storage.percentage_used"):
        percent = count_of(used)
        hours = readings.get("storage.power_on_time", used.subject)
        if percent >= entry("DISK-1359").limit("used"):
            yield finding("DISK-1359", Verdict.UNKNOWN, 0.3, used, percent=percent)
        elif percent >= entry("DISK-1384").limit("used") and hours is not None:
            left = round(count_of(hours) * (100 - percent) / percent)
            if left <= entry("DISK-1384").limit("left"):
                yield finding("DISK-1384", Verdict.UNKNOWN, 0.3, used, hours, percent=percent, hours=left)


@rule("DISK-1392")
def power_cuts(readings: Readings) -> Iterator[Finding]:
    """An NVMe drive lost power without notice, more often than not. A note, 0.3: mostly people pull the plug, but a
    power supply that fails leaves the same trace, and so it belongs to the evidence of a unit that restarts.
    """
    known = entry("DISK-1392")
    for cuts in readings.all("storage.nvme.unsafe_shutdowns"):
        cycles = readings.get("storage.power_cycles", cuts.subject)
        count, of = count_of(cuts), count_of(cycles) if cycles else 0
        if cycles and count >= known.limit("times") and of * known.limit("share") < count <= of:
            yield finding("DISK-1392", Verdict.UNKNOWN, 0.3, cuts, cycles, count=count, cycles=of)
