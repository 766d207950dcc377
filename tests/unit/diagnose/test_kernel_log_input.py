"""A file is a kernel log by what is in it, and of a huge one the newest part is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.diagnose.diagnosis import diagnose
from agent.diagnose.files import InputRefused
from agent.diagnose.inputs import HEAD, kinds, load, read_head
from agent.diagnose.inputs.kernel_log import INPUT, READ_MOST
from agent.model import Outcome
from agent.probes._kernel_lines import LINES_MOST


@pytest.mark.parametrize(
    "text",
    [
        "[    0.000000] Linux version 6.12.1",
        "ata25.00: error: { UNC }",
        "CPU 0: Machine Check Exception: 0000000000000007\nBank 3: b40000000000083b at 000000fdfc000cfc\n",
        "Dear all,\nthis is what I see:\n\n> [  12.345678] ata1: hard resetting link\n> [  13.1] ata1: EH complete\n",
        "<6>[    0.1] usb 1-1: new device",
        "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure\n",
        "{1}[Hardware Error]: event severity: fatal\n{1}[Hardware Error]:   section_type: PCIe error\n",
        "kernel: nouveau 0000:01:00.0: bus: MMIO read of 00000000 FAULT at 619444\n",
        "Fri Feb 23 08:44:55 2024 kern.warn kernel: [  879.136625] br-lan: port 1 entered disabled state\n",
        '{"MESSAGE": "usb 1-1: new device", "_TRANSPORT": "kernel", "__MONOTONIC_TIMESTAMP": "1"}\n',
        '{\n   "dmesg": [\n      {\n         "pri": 5,\n         "time": 0.0,\n         "msg": "Linux version 6.12"\n',
        "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1\nMESSAGE=x\n",
        "Linux version 6.1.0\nCommand line: quiet\npci 0000:00:1f.2: BAR 0: assigned\nusb 1-1: new device\n",
    ],
)
def test_a_log(text: str) -> None:
    assert [kind for kind in kinds() if load(kind).recognises(text.encode())] == ["kernel-log"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04[    1.0] ata1: hello",
        b"\x00\xff\xff\xff\xff\xff\xff\x00",
        b"00 ff ff ff ff ff ff 00 06 af 9d 10 00 00 00 00\n",
        b"smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.1.0]\nError 12 occurred at disk power-on lifetime: 3 hours\n",
        b"# dmidecode 3.4\nGetting SMBIOS data from sysfs.\nHandle 0x0000, DMI type 0, 24 bytes\nBIOS Information\n",
        b"coretemp-isa-0000\nAdapter: ISA adapter\nPackage id 0:  +45.0 C  (high = +80.0 C, crit = +100.0 C)\n",
        b'{"coretemp-isa-0000":{"Adapter":"ISA adapter"}}',
        b'{\n "format": "aiodiag-capture",\n "text": [\n"[    1.0] ata1: hard resetting link"\n',
        b"Dear all, my computer is broken. Can you help?\n",
    ],
)
def test_no_log(content: bytes) -> None:
    assert not INPUT.recognises(content)


def test_captures_of_every_kind(shared: Path) -> None:
    files = [file for file in (shared / "corpora").rglob("*") if file.is_file()]
    taken = {file for file in files if INPUT.recognises(read_head(file, HEAD))}
    assert taken == {file for file in files if file.parent.name == "kernel-logs"}
    assert len(taken) > 70


@pytest.mark.parametrize("old", [b"x" * (READ_MOST + 5000), b"x\n" * LINES_MOST], ids=["long", "many lines"])
def test_only_the_newest_part_of_a_huge_log_is_read(old: bytes, tmp_path: Path) -> None:
    line = b"Sep 23 19:05:33 pc kernel: critical medium error, dev %s, sector 8\n"
    file = tmp_path / "syslog"
    file.write_bytes(line % b"sda" + old + b"\n" + line % b"sdb")
    told = diagnose(str(file), "kernel-log").view
    assert [found.finding.subject for found in told.findings] == ["sdb"]
    (step,) = [step for name, step in told.steps.items() if name == "probe.kernel_log"]
    (gap,) = step.gaps
    assert (gap.outcome, gap.essential) == (Outcome.SKIPPED, False)
    assert gap.reason.values == {"lines": LINES_MOST, "size": READ_MOST >> 20}
    assert step.outcome is Outcome.PASS


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("\n \n")
    with pytest.raises(InputRefused):
        INPUT.read(tmp_path / "log")
