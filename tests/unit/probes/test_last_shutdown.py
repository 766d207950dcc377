from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Evidence, Gap, Outcome, Reading, Readings, Tree, Verdict
from agent.probes.last_shutdown import PROBE
from agent.rules.last_shutdown import not_in_order

NOW = "2026-01-02T03:04:05.000Z"  # 1767323045 s since 1970
UPTIME = {"/proc/uptime": "600.25 1100.00\n"}
ORDERLY = """[ 8000.100000] pc systemd[1]: Stopping session-1.scope - Session 1 of User me...
[ 8001.200000] pc systemd[1]: Reached target reboot.target - System Reboot.
[ 8001.300000] pc systemd-shutdown[1]: Syncing filesystems and block devices.
[ 8001.400000] pc systemd-journald[312]: Journal stopped
"""
CUT_OFF = """[ 8000.100000] pc kernel: usb 1-3: new high-speed USB device number 5 using xhci_hcd
[ 8010.100000] pc CRON[900]: pam_unix(cron:session): session closed for user root
"""
PANIC = "[ 8000.1] pc kernel: Kernel panic - not syncing: VFS: Unable to mount root fs\n"
MACHINE_CHECK = "[ 8000.1] pc kernel: Kernel panic - not syncing: Fatal local machine check\n"
FIRMWARE = "[ 8000.1] pc kernel: Kernel panic - not syncing: Fatal hardware error!\n"
HOT = "[ 8000.1] pc kernel: thermal thermal_zone0: acpitz: critical temperature reached, shutting down\n"
RECORD = "Panic#1 Part1\n<0>[ 8000.1] Kernel panic - not syncing: Attempted to kill init!\n"
LAST = """reboot   system boot  6.1.0-13-amd64   Fri Jan  2 02:54:05 2026   still running
{} 6.1.0-13-amd64   Fri Jan  2 02:53:00 2026 - Fri Jan  2 02:54:05 2026  (00:01)

wtmp begins Tue May 20 00:00:00 2025
"""


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree({**UPTIME, **files}).encode(), "files", NOW)


def journal(text: str, status: int = 0) -> Evidence:
    return Evidence("journal-last-boot", "", text.encode(), "journalctl -b -1", NOW, exit_status=status)


def last(before: str) -> Evidence:
    return Evidence("last", "", LAST.format(before).encode(), "last -x", NOW, exit_status=0)


def read(*evidence: Evidence) -> Readings:
    return Readings(r for r in PROBE.interpret(evidence) if isinstance(r, Reading))


def kind(*evidence: Evidence) -> object:
    reading = read(*evidence).get("last_shutdown.kind")
    return reading.value if reading else None


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ([journal(ORDERLY)], "orderly"),
        ([journal(CUT_OFF)], "power-loss-or-reset"),
        ([journal(CUT_OFF + PANIC)], "panic"),
        ([journal(CUT_OFF + MACHINE_CHECK)], "machine-check"),
        ([journal(CUT_OFF + FIRMWARE)], "machine-check"),
        ([tree({"/sys/fs/pstore/dmesg-erst-1": "Panic#1 Part1\n" + MACHINE_CHECK})], "machine-check"),
        ([journal(HOT + ORDERLY)], "thermal"),
        ([last("shutdown system down ")], "orderly"),
        ([last("reboot   system boot ")], "power-loss-or-reset"),
        ([tree({})], None),
        ([tree({"/sys/class/watchdog/watchdog0/bootstatus": "32\n"}), journal(CUT_OFF)], "watchdog"),
        ([tree({"/sys/class/watchdog/watchdog0/bootstatus": "0\n"}), journal(ORDERLY)], "orderly"),
        ([tree({"/sys/fs/pstore/dmesg-efi-176732200000001": RECORD}), journal(CUT_OFF)], "panic"),
        ([tree({"/sys/fs/pstore/dmesg-efi-176732200000001": RECORD}), journal(ORDERLY)], "orderly"),
        ([tree({"/sys/fs/pstore/dmesg-efi-176732200000001": "Oops#1 Part1\n"}), last("shutdown system ")], "orderly"),
        ([tree({"/sys/fs/pstore/console-ramoops-0": RECORD}), journal(CUT_OFF)], "power-loss-or-reset"),
        # Kept records: of this night, and of a year before.
        ([tree({"/var/lib/systemd/pstore/1767322000/dmesg-efi-176732200000001": RECORD})], "panic"),
        ([tree({"/var/lib/systemd/pstore/1735786000/dmesg-efi-173578600000001": RECORD})], None),
    ],
)
def test_how_it_ended(evidence: list[Evidence], expected: str | None) -> None:
    assert kind(*evidence) == expected


def test_a_panic_gives_its_line_and_a_finding() -> None:
    readings = read(tree({"/sys/fs/pstore/dmesg-ramoops-0": RECORD}))
    line, clean = readings.get("last_shutdown.crash_line"), readings.get("last_shutdown.clean")
    assert line is not None
    assert line.value == "Kernel panic - not syncing: Attempted to kill init!"
    assert clean is not None
    assert clean.value is False
    (finding,) = not_in_order(readings)
    assert (finding.code, finding.verdict) == ("DOWN-8702", Verdict.UNKNOWN)
    assert line in finding.evidence


@pytest.mark.parametrize(
    ("text", "codes"),
    [(ORDERLY, []), (CUT_OFF, ["DOWN-8715"]), (HOT, ["DOWN-8731"]), (MACHINE_CHECK, ["DOWN-8744"])],
)
def test_findings(text: str, codes: list[str]) -> None:
    assert [f.code for f in not_in_order(read(journal(text)))] == codes


def test_watchdog_finding() -> None:
    readings = read(tree({"/sys/class/watchdog/watchdog0/bootstatus": "32"}))
    assert [f.code for f in not_in_order(readings)] == ["DOWN-8728"]


def test_not_known_is_neither_clean_nor_a_finding() -> None:
    readings = read(tree({}))
    assert readings.get("last_shutdown.kind") is None
    assert readings.get("last_shutdown.clean") is None
    assert readings.number("last_shutdown.uptime_s") == 600.25
    assert not list(not_in_order(readings))


def gap(*evidence: Evidence) -> Gap:
    (found,) = (i for i in PROBE.interpret(evidence) if isinstance(i, Gap))
    return found


def test_what_was_not_seen() -> None:
    assert str(gap(tree({})).reason) == "no journal of the last session is kept"
    assert gap(tree({})).essential
    assert not gap(last("shutdown system down ")).essential, "wtmp says enough"
    assert (gap().outcome, gap().essential) == (Outcome.UNSUPPORTED, True)
    refused = gap(last("reboot "), journal("No journal files were opened due to insufficient permissions.", status=1))
    assert (str(refused.reason), refused.remedy) == ("needs root", "sudo aiodiag probe last_shutdown")
    no_such_boot = gap(journal("Data from the specified boot (-1) is not available: No such boot ID", status=1))
    assert str(no_such_boot.reason) == "no journal of the last session is kept"


@given(
    st.lists(
        st.builds(
            lambda kind, data, status: Evidence(kind, "", data, "x", NOW, exit_status=status),
            st.sampled_from(["tree", "last", "journal-last-boot", "other"]),
            st.binary(max_size=200)
            | st.sampled_from([t.encode() for t in (ORDERLY, CUT_OFF, PANIC, HOT, LAST, "reboot\n", "shutdown\n")])
            | st.dictionaries(
                st.sampled_from(
                    [
                        "/proc/uptime",
                        "/sys/class/watchdog/watchdog0/bootstatus",
                        "/sys/fs/pstore/dmesg-x-1",
                        "/var/lib/systemd/pstore/1/dmesg-efi-999999999999999",
                    ]
                ),
                st.sampled_from(["", "9" * 400, "1.5 2", "-1", RECORD, "Panic#", {"error": "EIO"}, {"link": 3}, None]),
            ).map(lambda files: json.dumps(files).encode()),
            st.sampled_from([None, 0, 1]),
        ),
        max_size=4,
    )
)
def test_anything_may_be_evidence(evidence: list[Evidence]) -> None:
    for item in PROBE.interpret(evidence):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
