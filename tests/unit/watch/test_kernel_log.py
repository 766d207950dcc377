"""What the kernel says while a test runs: through a pipe, as ``/dev/kmsg`` gives it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Verdict
from agent.rules import apply
from agent.watch import for_seconds
from agent.watch.kernel_log import RECORDS_KEPT, WATCHER

TIME = "2026-01-01T00:00:00.000Z"

# Read of /dev/kmsg of the virtual all-in-one (Linux 6.1), the times apart: a drive is found, an error of the memory is
# injected into the processor, the touch screen's cable comes off.
FOUND = "6,610,293606836,-;nvme nvme0: pci function 0000:01:00.0\n SUBSYSTEM=nvme\n DEVICE=c242:0\n"
CORRECTED = (
    "6,615,{us},-;mce: [Hardware Error]: Machine check events logged\n",
    "0,616,{us},-;mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 9c00004000010091\n",
    "0,617,{us},-;mce: [Hardware Error]: TSC 0 ADDR 12345000 \n",
)
UNPLUGGED = "6,614,{us},-;usb 1-3: USB disconnect, device number 2\n SUBSYSTEM=usb\n DEVICE=c189:1\n"
# As drivers/pci/pcie/aer.c and drivers/ata/libata-core.c print it.
LINK_ERROR = "3,1130,{us},-;nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction Layer\n"
RESET = "3,1131,{us},-;ata1: hard resetting link\n SUBSYSTEM=ata_port\n DEVICE=+ata_port:ata1\n"


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Callable[..., list[Evidence | Gap]]]:
    """Watch while the kernel says so much, having said so much before."""
    (tmp_path / "dev").mkdir()
    # In packets (pipe(2)): a read gives what one write gave, as it gives one record of the kernel's.
    end, kernel = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    (tmp_path / "dev/kmsg").symlink_to(f"/proc/self/fd/{end}")

    def watch(*records: str, before: str = "", seconds: float = 0.6) -> list[Evidence | Gap]:
        os.write(kernel, before.encode())

        def say() -> None:
            time.sleep(0.2)
            for record in records:
                os.write(kernel, record.replace("{us}", str(time.monotonic_ns() // 1000)).encode())

        thread = threading.Thread(target=say)
        thread.start()
        gathered = list(WATCHER.watch(Host(str(tmp_path)), for_seconds(seconds)))
        thread.join()
        return gathered

    yield watch
    os.close(end)
    os.close(kernel)


def values(gathered: list[Evidence | Gap]) -> dict[tuple[str, str], object]:
    evidence = [e for e in gathered if isinstance(e, Evidence)]
    return {(r.name, r.subject): r.value for r in WATCHER.interpret(evidence) if isinstance(r, Reading)}


def test_what_is_said_meanwhile_is_counted_kept_and_timed(said: Callable[..., list[Evidence | Gap]]) -> None:
    gathered = said(*CORRECTED, UNPLUGGED)
    seen = values(gathered)
    assert seen["kernel_log_watch.memory_corrected.count", ""] == 1
    assert seen["kernel_log_watch.usb_disconnect.count", "1-3"] == 1
    after = seen["kernel_log_watch.usb_disconnect.after", "1-3"]
    assert isinstance(after, float)
    assert after > 0
    assert seen["kernel_log_watch.lines", ""] == 4
    kept = next(e for e in gathered if isinstance(e, Evidence) and e.kind == "kmsg")
    assert b"usb 1-3: USB disconnect, device number 2" in kept.data
    assert b"SUBSYSTEM" not in kept.data
    assert not kept.truncated


def test_what_was_said_before_is_not_counted_and_names_the_drives(said: Callable[..., list[Evidence | Gap]]) -> None:
    seen = values(said(LINK_ERROR, before=FOUND + LINK_ERROR.replace("{us}", "2")))
    assert seen["kernel_log_watch.pcie_uncorrected.count", "0000:01:00.0"] == 1
    assert seen["kernel_log_watch.pcie_uncorrected.drive", "0000:01:00.0"] == "nvme0"
    assert seen["kernel_log_watch.lines", ""] == 1


def test_silence_is_told_as_such(said: Callable[..., list[Evidence | Gap]]) -> None:
    assert values(said(before=FOUND, seconds=0.1)).keys() == {
        ("kernel_log_watch.lines", ""),
        ("kernel_log_watch.seconds", ""),
    }


def test_what_a_program_writes_there_is_not_the_kernel_s(said: Callable[..., list[Evidence | Gap]]) -> None:
    assert values(said("12,1130,5,-;usb 1-3: USB disconnect, device number 2\n"))["kernel_log_watch.lines", ""] == 0


def test_of_a_flood_the_first_is_kept_and_all_is_counted(said: Callable[..., list[Evidence | Gap]]) -> None:
    gathered = said(*(UNPLUGGED.replace("614", str(n)) for n in range(3000)), RESET, seconds=3.0)
    seen = values(gathered)
    assert seen["kernel_log_watch.usb_disconnect.count", "1-3"] == 3000
    assert seen["kernel_log_watch.ata_link.count", "ata1"] == 1
    assert seen["kernel_log_watch.lines", ""] == 3001
    kept = next(e for e in gathered if isinstance(e, Evidence) and e.kind == "kmsg")
    assert kept.truncated
    assert kept.data.count(b"\n") + 1 == RECORDS_KEPT


def test_a_ring_that_was_overrun_is_told(
    said: Callable[..., list[Evidence | Gap]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel answers EPIPE then, which no pipe does."""
    real, overrun = os.read, [True]

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if overrun:
            overrun.clear()
            raise BrokenPipeError
        return data

    monkeypatch.setattr(os, "read", read)
    assert values(said(RESET, UNPLUGGED))["kernel_log_watch.lost", ""] == 1


def test_without_the_right_to_read_it_that_is_a_gap_that_is_not_essential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    (gap,) = WATCHER.watch(Host(str(tmp_path)), for_seconds(0.1))
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=6) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "beyond": st.lists(
                st.tuples(
                    st.sampled_from(["usb_disconnect", "nonsense"]) | json_values,
                    json_values,
                    st.dictionaries(st.text(max_size=4), json_values, max_size=2) | json_values,
                    json_values,
                    json_values,
                    st.text(max_size=9) | json_values,
                ).map(list)
                | json_values,
                max_size=3,
            )
            | json_values,
            "lines": json_values,
            "began_s": json_values,
            "lost": json_values,
        },
    )
    | json_values
)
def test_a_summary_that_was_tampered_with_breaks_nothing(summary: object) -> None:
    said = Evidence("kmsg", "", b"3,1,2,-;usb 1-3: USB disconnect, device number 2", "/dev/kmsg", TIME)
    damaged = Evidence("kernel-log-watch-json", "", json.dumps(summary).encode(), "/dev/kmsg", TIME)
    names = [r.name for r in WATCHER.interpret([said, damaged]) if isinstance(r, Reading)]
    assert "kernel_log_watch.usb_disconnect.count" in names


def judged(*records: str, before: tuple[Reading, ...] = ()) -> list[Finding]:
    said = Evidence("kmsg", "", "".join(records).replace("{us}", "90000000").encode(), "/dev/kmsg", TIME)
    summary = Evidence("kernel-log-watch-json", "", b'{"began_s": 80, "seconds": 20, "lines": 9}', "/dev/kmsg", TIME)
    seen = [r for r in WATCHER.interpret([said, summary]) if isinstance(r, Reading)]
    return list(apply(Readings([*before, *seen])))


def count(name: str, value: float, subject: str = "") -> Reading:
    return Reading(name, value, "count", ComponentKind.STORAGE_DEVICE, subject, "dmesg", TIME)


MEDIUM = "3,1131,{us},-;critical medium error, dev sda, sector 8 op 0x0:(READ)\n"


def test_what_shows_under_load_has_the_same_code() -> None:
    (found,) = judged(MEDIUM)
    assert (found.code, found.subject, found.verdict, found.values["count"]) == ("LOG-8400", "sda", Verdict.FAIL, 1)
    assert [r.name for r in found.evidence] == [
        "kernel_log_watch.disk_media.count",
        "kernel_log_watch.disk_media.line",
    ]


def test_what_was_there_before_and_goes_on_is_told_once() -> None:
    (found,) = judged(MEDIUM, before=(count("kernel_log.disk_media.count", 2, "sda"),))
    assert (found.code, found.values["count"]) == ("LOG-8400", 3)
    assert [r.name for r in found.evidence][:2] == ["kernel_log.disk_media.count", "kernel_log_watch.disk_media.count"]


def test_what_comes_seldom_before_and_seldom_meanwhile_is_often_together() -> None:
    before = (
        count("kernel_log.usb_disconnect.count", 4, "1-3"),
        Reading("kernel_log.usb_disconnect.first_s", 30.0, "s", ComponentKind.USB_PORT, "1-3", "dmesg", TIME),
        Reading("kernel_log.usb_disconnect.last_s", 50.0, "s", ComponentKind.USB_PORT, "1-3", "dmesg", TIME),
    )
    assert [f.code for f in judged(*[UNPLUGGED] * 2, before=before)] == ["USB-7239"]
    assert judged(before=before) == []
