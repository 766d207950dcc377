"""smartctl's JSON -> facts. Covers what versions 7.0 to 7.4 write; nothing in it is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.probes.storage._facts import Attribute, DriveFacts, boolean, celsius, decoded_raw, seconds, whole, words


def json_facts(document: Any) -> DriveFacts:
    """The facts in one smartctl JSON document; what is missing, of another type or out of range is left unknown.

    Sources: smartmontools 7.3 (ataprint.cpp, nvmeprint.cpp, scsiprint.cpp); exit status bits: smartctl(8).
    """
    if not isinstance(document, dict):
        return DriveFacts()
    nvme = _at(document, "nvme_smart_health_information_log")
    protocol = words(_at(document, "device", "protocol"))
    # an NVMe drive states no rotation: it has none
    rotation = whole(document.get("rotation_rate"), 0, 100_000) if protocol != "NVMe" else 0
    attributes = _attributes(document)
    return DriveFacts(
        model=words(document.get("model_name")) or words(document.get("scsi_model_name")),
        family=words(document.get("model_family")),
        serial=words(document.get("serial_number")),
        firmware=words(document.get("firmware_version")) or words(document.get("scsi_revision")),
        protocol=protocol,
        attributes=attributes,
        messages=tuple(words(_at(m, "string")) for m in _items(_at(document, "smartctl", "messages"))[:20]),
        size=whole(_at(document, "user_capacity", "bytes"), 1) or whole(document.get("nvme_total_capacity"), 1),
        rotational=None if rotation is None else rotation > 0,
        rotation_rate=rotation or None,
        smart_available=boolean(_at(document, "smart_support", "available")),
        passed=boolean(_at(document, "smart_status", "passed")),
        exit_status=whole(_at(document, "smartctl", "exit_status"), 0, 255),
        temperature=celsius(_at(document, "temperature", "current")),
        temperature_limit=_temperature_limit(document),
        temperature_max=celsius(_at(document, "ata_sct_status", "temperature", "lifetime_max"))
        or celsius(_at(document, "temperature", "lifetime_max")),
        temperature_over=whole(_at(document, "ata_sct_status", "temperature", "over_limit_count"), 0, 0xFFFF),
        temperature_over_s=seconds(_statistic(document, 5, 0x50)),
        power_on_hours=whole(_at(document, "power_on_time", "hours")),
        power_cycles=whole(document.get("power_cycle_count")),
        percentage_used=_percentage_used(document, attributes, rotation),
        critical_warning=whole(_at(nvme, "critical_warning"), 0, 255),
        available_spare=whole(_at(nvme, "available_spare"), 0, 255),
        available_spare_threshold=whole(_at(nvme, "available_spare_threshold"), 0, 255),
        media_errors=whole(_at(nvme, "media_errors")),
        nvme_error_entries=whole(_at(nvme, "num_err_log_entries")),
        unsafe_shutdowns=whole(_at(nvme, "unsafe_shutdowns")),
        warning_temp_s=seconds(_at(nvme, "warning_temp_time")),
        critical_temp_s=seconds(_at(nvme, "critical_comp_time")),
        nvme_error_media=_nvme_error_media(document),
        reported_uncorrectable=_statistic(document, 4, 8),
        interface_crc=_statistic(document, 6, 0x18),
        pending_defects=whole(_at(document, "ata_pending_defects_log", "count")),
        phy_crc=_phy(document, 1, 11),
        phy_resets=_phy(document, 10),
        grown_defects=whole(document.get("scsi_grown_defect_list")),
        scsi_uncorrected=_scsi_uncorrected(document),
        scsi_pending=whole(_at(document, "scsi_pending_defects", "count")),
        scsi_sense=_scsi_sense(document),
        **_error_log(document),
        **_self_tests(document),
    )


def output_lines(document: Any) -> list[str]:
    """The lines of text that ``--json=o`` puts beside the data; none in captures made without it."""
    return [line for line in _items(_at(document, "smartctl", "output")) if isinstance(line, str)]


def _attributes(document: dict[str, Any]) -> dict[int, Attribute]:
    found = {}
    for row in _items(_at(document, "ata_smart_attributes", "table")):
        number = whole(_at(row, "id"), 1, 255)
        if number is None:
            continue
        string = _at(row, "raw", "string")
        found[number] = Attribute(
            number=number,
            name=words(_at(row, "name")),
            value=whole(_at(row, "value"), 0, 255),
            worst=whole(_at(row, "worst"), 0, 255),
            threshold=whole(_at(row, "thresh"), 0, 255),
            failing=failing if (failing := _at(row, "when_failed")) in ("now", "past") else "",
            prefailure=_at(row, "flags", "prefailure") is True,
            raw=decoded_raw(number, string if isinstance(string, str) else "", whole(_at(row, "raw", "value"))),
        )
    return found


def _error_log(document: dict[str, Any]) -> dict[str, Any]:
    """The ATA error log: how many errors ever, and of those kept how many are of the medium (UNC: uncorrectable data;
    AMNF: the sector's own mark was not found) and of the interface (ICRC). Others are mostly commands that the drive
    does not know, and no fault.
    Source: ATA8-ACS (error register, bits 6 and 7), ATA-3 (bit 0); smartctl decodes them into ``error_description``.
    """
    logs = _at(document, "ata_smart_error_log")
    log = _at(logs, "extended") or _at(logs, "summary")
    count = whole(_at(log, "count"))
    if count is None:
        return {}
    described = [(row, str(_at(row, "error_description"))) for row in _items(_at(log, "table"))]
    media = [row for row, text in described if re.search(r"\b(UNC|AMNF)\b", text)]
    hours = [h for row in media if (h := whole(_at(row, "lifetime_hours"))) is not None]
    return {
        "error_log_count": count,
        "error_log_media": len(media),
        "error_log_media_hours": max(hours, default=None),
        "error_log_interface": sum(1 for _, text in described if re.search(r"\bICRC\b", text)),
    }


def _self_tests(document: dict[str, Any]) -> dict[str, Any]:
    """The self-test log, newest first: how the newest finished test went, and the failures that no later extended test
    has proven outdated (as smartctl itself counts them).
    """
    logs = _at(document, "ata_smart_self_test_log")
    tests = list(_ata_tests(_at(logs, "extended", "table") or _at(logs, "standard", "table")))
    tests = tests or list(_nvme_tests(_at(document, "nvme_self_test_log", "table"))) or list(_scsi_tests(document))
    if logs is None and not tests:
        return {}
    found: dict[str, Any] = {"selftest_count": len(tests), "selftest_failures": 0}
    for passed, extended, status, hours, lba in tests:
        if passed is None:
            continue
        if "selftest_last_passed" not in found:
            found |= {"selftest_last_passed": passed, "selftest_last_hours": hours}
        if passed and extended:
            break
        if not passed:
            found["selftest_failures"] += 1
            found.setdefault("selftest_failure", status)
            found.setdefault("selftest_failure_hours", hours)
            if lba is not None:
                found.setdefault("selftest_failure_lba", lba)
    return found


_Test = tuple[bool | None, bool, str, int | None, int | None]


def _ata_tests(table: Any) -> Iterator[_Test]:
    """Upper four bits of the execution status: 0 good, 3..8 failed, else aborted or running (ATA8-ACS). A test that
    failed to read names the sector where it stopped; any other failure has no use for the field. A row for the command
    that aborts a test (127) is none of a test, whatever status some drives give it.
    """
    for row in _items(table):
        status = whole(_at(row, "status", "value"), 0, 255)
        if status is None or _at(row, "type", "value") == 127:
            continue
        passed = {0: True, **dict.fromkeys(range(3, 9), False)}.get(status >> 4)
        extended = whole(_at(row, "type", "value")) in (2, 130)
        text = words(_at(row, "status", "string"))
        lba = whole(_at(row, "lba")) if status >> 4 == 7 else None
        yield passed, extended, text, whole(_at(row, "lifetime_hours")), lba


def _nvme_tests(table: Any) -> Iterator[_Test]:
    """Result 0 good, 5..7 failed, else aborted (NVM Express Base Specification 2.0, 5.16.1.7)."""
    for row in _items(table):
        result = whole(_at(row, "self_test_result", "value"), 0, 15)
        if result is None:
            continue
        passed = {0: True, 5: False, 6: False, 7: False}.get(result)
        extended = whole(_at(row, "self_test_code", "value")) == 2
        text = words(_at(row, "self_test_result", "string"))
        yield passed, extended, text, whole(_at(row, "power_on_hours")), whole(_at(row, "lba"))


def _scsi_tests(document: dict[str, Any]) -> Iterator[_Test]:
    """At most twenty. Result 0 good, 3..7 failed, else aborted or running; code 2 and 6 are the extended test in the
    background and in the foreground (SPC-4, self-test results log page).
    """
    for row in (document.get(f"scsi_self_test_{n}") for n in range(20)):
        result = whole(_at(row, "result", "value"), 0, 15)
        if result is None:
            continue
        passed = {0: True, **dict.fromkeys(range(3, 8), False)}.get(result)
        extended = whole(_at(row, "code", "value")) in (2, 6)
        yield passed, extended, words(_at(row, "result", "string")), whole(_at(row, "power_on_time", "hours")), None


_LIMIT_LEAST = 50
"""°C. Makers let every drive get at least this warm (the lowest that data sheets of desktop, notebook and server drives
name is 55); a lower "limit" is a recommendation for the room, or a field that was never set (10/25, 5/40)."""


def _temperature_limit(document: dict[str, Any]) -> int | None:
    """The highest temperature at which the maker wants the drive to work: NVMe's warning threshold, SCT's recommended
    maximum or its limit, the specified maximum of the device statistics (ACS-4, page 05h, offset 58h), or the
    temperature at which a SCSI drive reports a failure.
    """
    limits = (
        _at(document, "nvme_composite_temperature_threshold", "warning"),
        _at(document, "temperature", "op_limit_max"),
        _at(document, "ata_sct_status", "temperature", "op_limit_max"),
        _at(document, "ata_sct_temperature_history", "temperature", "op_limit_max"),
        _at(document, "ata_sct_temperature_history", "temperature", "limit_max"),
        _statistic(document, 5, 0x58),
        _at(document, "temperature", "drive_trip"),
    )
    return next((limit for limit in map(celsius, limits) if limit is not None and limit >= _LIMIT_LEAST), None)


_LIFE_LEFT = re.compile(
    "Life_?Left|Lifetime_(?:Left|Remain)|Remaining_Life|Life_Remain|DriveLife_Remain"
    "|(?:Rated_Life|Lifetime)_Used|^Media_Wearout_Indicator$|^Wear_Leveling_Count$"
)
"""Attributes of smartctl's drive database whose normalised value is the per cent of the rated life that is left,
counted down from 100 (data sheets of Intel, Micron, Samsung, Phison; the raw value has a meaning for each maker)."""


def _percentage_used(document: dict[str, Any], attributes: Mapping[int, Attribute], rotation: int | None) -> int | None:
    """Share of the rated endurance that is used, 0..255 %: NVMe health log, SCSI solid state media page, ATA device
    statistics (ACS-4, page 07h, offset 8), or the drive's life attribute. A disk that turns has none, whatever is in
    those fields. A normalised value of 0 without a limit to reach was never set.
    """
    if rotation:
        return None
    stated = (
        _at(document, "nvme_smart_health_information_log", "percentage_used"),
        document.get("scsi_percentage_used_endurance_indicator"),
        _statistic(document, 7, 8),
        _at(document, "endurance_used", "current_percent"),
    )
    used = next((known for known in (whole(value, 0, 255) for value in stated) if known is not None), None)
    if used is not None:
        return used
    left = [
        row.value
        for row in attributes.values()
        if _LIFE_LEFT.search(row.name) and row.value is not None and row.value <= 100 and (row.value or row.threshold)
    ]
    return 100 - min(left) if left else None


def _statistic(document: dict[str, Any], page: int, offset: int) -> int | None:
    for candidate in _items(_at(document, "ata_device_statistics", "pages")):
        if _at(candidate, "number") != page:
            continue
        for row in _items(_at(candidate, "table")):
            if _at(row, "offset") == offset and _at(row, "flags", "valid") is True:
                return whole(_at(row, "value"))
    return None


def _phy(document: dict[str, Any], *numbers: int) -> int | None:
    """Sum of SATA phy event counters (Serial ATA 3.x, phy event counters; since power-on or reset)."""
    counts = [
        count
        for row in _items(_at(document, "sata_phy_event_counters", "table"))
        if _at(row, "id") in numbers and (count := whole(_at(row, "value"))) is not None
    ]
    return sum(counts) if counts else None


_NVME_MEDIA = frozenset({0x80, 0x81, 0x82})
"""Write fault, unrecovered read error, end-to-end guard check: of the media errors, those that no host can cause by
what it asks (NVM Express Base Specification 2.0, figure 95)."""


def _nvme_error_media(document: dict[str, Any]) -> int | None:
    """Kept entries of the NVMe error log that tell of the medium. All others tell of commands that the drive does not
    know or was not ready for, mostly because somebody asked: they say nothing of the drive. An entry with a number that
    the drive has not reached is rubbish.
    """
    table = _at(document, "nvme_error_information_log", "table")
    if table is None:
        return None
    ever = whole(_at(document, "nvme_smart_health_information_log", "num_err_log_entries"))
    count = 0
    for row in _items(table):
        number, status = whole(_at(row, "error_count"), 1), _at(row, "status_field")
        real = number is not None and (ever is None or number <= ever)
        if real and _at(status, "status_code_type") == 2 and _at(status, "status_code") in _NVME_MEDIA:
            count += 1
    return count


def _scsi_sense(document: dict[str, Any]) -> str | None:
    """The additional sense that a SCSI drive reports for its state, as ``asc/ascq`` in hexadecimal (SPC-4, table of
    additional sense codes); ``None`` for none.
    """
    asc = whole(_at(document, "smart_status", "scsi", "asc"), 1, 255)
    ascq = whole(_at(document, "smart_status", "scsi", "ascq"), 0, 255)
    return None if asc is None or ascq is None else f"{asc:02x}/{ascq:02x}"


def _scsi_uncorrected(document: dict[str, Any]) -> int | None:
    log = _at(document, "scsi_error_counter_log")
    counts = [whole(_at(log, which, "total_uncorrected_errors")) for which in ("read", "write", "verify")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _at(value: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
