"""smartctl's reports as inputs: told from everything else, and read whatever was done to them."""

from __future__ import annotations

import json
import quopri
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.diagnose.files import InputRefused
from agent.diagnose.inputs import HEAD, kinds, load, read
from agent.model import Component, Gap, Readings
from agent.model.reading import Reading
from agent.probes.storage import PROBE
from tests.corpus.index import rows

ATA = """\
smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.1.0] (local build)

=== START OF INFORMATION SECTION ===
Device Model:     ST1000LM035-1RK172
Firmware Version: LCM2

=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: PASSED
"""
NVME = """\
=== START OF INFORMATION SECTION ===
Model Number:                       Micron_2210_MTFDHBA512QFD

=== START OF SMART DATA SECTION ===
SMART overall-health self-assessment test result: FAILED!

SMART/Health Information (NVMe Log 0x02)
Critical Warning:                   0x04
"""


def told(head: bytes) -> list[str]:
    return [kind for kind in kinds() if load(kind).recognises(head)]


class TestKind:
    def test_every_report_is_told_and_nothing_else_is_one(self, shared: Path) -> None:
        captures = [row for row in rows(shared) if row.file.is_file()]
        assert len(captures) > 1000
        for row in captures:
            kind = [k for k in told(row.file.read_bytes()[:HEAD]) if k.startswith("smartctl")]
            if row.kind != "smart":
                assert kind == [], row.path
            elif row.subkind == "smartctl-json":
                assert kind == ["smartctl-json"], row.path
            elif row.subkind.startswith("smartctl-text-") and "pysmart" not in row.subkind:
                assert kind == ["smartctl-text"], row.path

    @pytest.mark.parametrize(
        "text",
        [
            "[    1.000000] smartd: started\n" + ATA,
            "Nov 25 22:00:01 host smartd[1]: Device: /dev/sda, opened\n" + ATA,
            ATA + "[ 4711.123456] ata1.00: failed command: READ DMA EXT\n",
            "# dmidecode 3.2\nHandle 0x0000, DMI type 7, 19 bytes\nCache Information\n",
            json.dumps({"format": "aiodiag-capture", "steps": [{"json": {"smartctl": {}, "device": {}}}]}),
            json.dumps({"coretemp-isa-0000": {"Adapter": "ISA adapter", "device": {"temp1_input": 40}}}),
            "/dev/sda -d sat # /dev/sda [SAT], ATA device\n",
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        assert [k for k in told(text.encode()) if k.startswith("smartctl")] == []

    @pytest.mark.parametrize(
        "data",
        [
            ATA.encode("utf-16"),
            b"\xef\xbb\xbf" + ATA.encode(),
            ATA.replace("\n", "\r\n").encode(),
            b"\n\n" + ATA.encode(),
            b"user@aio:~$ sudo smartctl -a /dev/sda\n" + ATA.encode(),
            b"Here it is:\n\n" + b"".join(b"    " + line for line in ATA.encode().splitlines(keepends=True)),
            b"".join(b"> " + line for line in ATA.encode().splitlines(keepends=True)),
            b"Jo wrote:\n" + b"".join(b">> " + line for line in ATA.encode().splitlines(keepends=True)),
            b"Content-Transfer-Encoding: quoted-printable\n\n" + quopri.encodestring(ATA.encode()),
            ATA.replace("  ", "\u00a0 ").encode(),
            ATA.replace("     ", "\t").encode(),
            b"\x1b[?2004h" + ATA.replace("\n", "\x1b[0m\n").encode(),
            ATA.encode()[: len(ATA) * 2 // 3] + b"\xff\xfe\x00junk",
            "\n".join(ATA.splitlines()[2:]).encode(),
            b"".join(
                line for line in ATA.encode().splitlines(keepends=True) if not line.startswith((b"smart", b"==="))
            ),
        ],
    )
    def test_text_as_people_send_it(self, data: bytes, tmp_path: Path) -> None:
        (tmp_path / "report.txt").write_bytes(data)
        kind, capture = read(tmp_path / "report.txt")
        (evidence,) = capture.steps[0].evidence
        assert kind == "smartctl-text"
        assert evidence.subject == "ST1000LM035-1RK172"
        assert [s.model for s in PROBE.interpret([evidence]) if isinstance(s, Component)] == ["ST1000LM035-1RK172"]

    def test_members_in_any_order_and_cut_off(self, shared: Path) -> None:
        for row in rows(shared):
            if row.subkind == "smartctl-json":
                data = row.file.read_bytes()
                backwards = json.dumps(dict(reversed(json.loads(data).items()))).encode()
                assert told(backwards[:HEAD]) == ["smartctl-json"], row.path

    def test_members_that_were_sorted_name_the_device_late(self) -> None:
        table = [{"id": n % 255 + 1, "name": "Unknown_Attribute"} for n in range(HEAD // 20)]
        document = {"device": {"name": "/dev/sda"}, "smartctl": {}, "ata_smart_attributes": {"table": table}}
        data = json.dumps(document, sort_keys=True).encode()
        assert data.index(b'"device"') > HEAD
        assert told(data[:HEAD]) == ["smartctl-json"]

    def test_a_list_of_drives_is_no_report(self, tmp_path: Path) -> None:
        scan = {"json_format_version": [1, 0], "smartctl": {"exit_status": 0}, "devices": [{"name": "/dev/sda"}]}
        (tmp_path / "scan.json").write_text(json.dumps(scan))
        with pytest.raises(InputRefused, match="lists drives"):
            read(tmp_path / "scan.json")

    @pytest.mark.parametrize("kind", ["smartctl-text", "smartctl-json"])
    def test_what_is_too_large_is_refused(self, kind: str, tmp_path: Path) -> None:
        (tmp_path / "huge").write_bytes(b"{" + b" " * (5 << 20))
        with pytest.raises(InputRefused, match="larger"):
            load(kind).read(tmp_path / "huge")


class TestSeveral:
    @pytest.mark.parametrize("between", ["", "\n", "$ smartctl -a /dev/nvme0\n"])
    def test_each_drive_of_a_file_is_told_apart(self, between: str, tmp_path: Path) -> None:
        (tmp_path / "all.txt").write_text(ATA + between + NVME + between + ATA)
        _, capture = read(tmp_path / "all.txt")
        evidence = capture.steps[0].evidence
        assert [e.subject for e in evidence] == [
            "ST1000LM035-1RK172",
            "Micron_2210_MTFDHBA512QFD",
            "ST1000LM035-1RK172 (2)",
        ]
        readings = Readings(s for s in PROBE.interpret(evidence) if isinstance(s, Reading))
        passed = {r.subject: r.value for r in readings.all("storage.smart.passed")}
        assert passed == {
            "ST1000LM035-1RK172": True,
            "Micron_2210_MTFDHBA512QFD": False,
            "ST1000LM035-1RK172 (2)": True,
        }

    def test_a_greeting_is_no_drive(self, tmp_path: Path) -> None:
        (tmp_path / "mail.txt").write_text("Hello,\nhere it is:\n\n" + ATA)
        _, capture = read(tmp_path / "mail.txt")
        assert [e.subject for e in capture.steps[0].evidence] == ["ST1000LM035-1RK172"]

    @pytest.mark.parametrize(
        "shape",
        ["{0}{1}", "{0}\n{1}\n", "[{0}, {1}]", "# smartctl -aj /dev/sda\n{0}\n# smartctl -aj /dev/sdb\n{1}\n"],
    )
    def test_documents_in_a_row_are_each_read(self, shape: str, tmp_path: Path) -> None:
        texts = [
            json.dumps({"device": {"name": f"/dev/{name}"}, "model_name": "M", "serial_number": "{", "smart_status": s})
            for name, s in (("sda", {"passed": True}), ("sdb", {"passed": False}))
        ]
        (tmp_path / "all.json").write_text(shape.format(*texts))
        kind, capture = read(tmp_path / "all.json")
        readings = Readings(s for s in PROBE.interpret(capture.steps[0].evidence) if isinstance(s, Reading))
        assert kind == "smartctl-json"
        assert {r.subject: r.value for r in readings.all("storage.smart.passed")} == {"sda": True, "sdb": False}


class TestCutOff:
    DOCUMENT = json.dumps(
        {
            "json_format_version": [1, 0],
            "device": {"name": "/dev/nvme0", "protocol": "NVMe"},
            "model_name": 'A "drive" [1]',
            "smart_status": {"passed": False},
            "nvme_smart_health_information_log": {"critical_warning": 4, "media_errors": 7},
        }
    )

    def test_what_is_whole_counts_and_the_rest_is_a_gap(self, tmp_path: Path) -> None:
        at = self.DOCUMENT.index(', "media_errors"') + 5
        (tmp_path / "cut.json").write_text(self.DOCUMENT[:at])
        kind, capture = read(tmp_path / "cut.json")
        seen = list(PROBE.interpret(capture.steps[0].evidence))
        values = {s.name: s.value for s in seen if isinstance(s, Reading)}
        assert (kind, values["storage.smart.passed"], values["storage.nvme.critical_warning"]) == (
            "smartctl-json",
            False,
            4,
        )
        assert "storage.nvme.media_errors" not in values
        (gap,) = [s for s in seen if isinstance(s, Gap)]
        assert "cut off" in str(gap.reason)
        assert gap.essential

    @given(st.integers(0, len(DOCUMENT)))
    def test_wherever_it_ends_nothing_is_invented(self, at: int) -> None:
        from agent.probes.storage._cut_json import loads

        whole, data = json.loads(self.DOCUMENT), self.DOCUMENT.encode()[:at]
        found, complete = loads(data)
        assert complete is (at == len(self.DOCUMENT))
        for key, value in (found or {}).items():
            assert value == whole[key] or set(value) <= set(whole[key])

    def test_bytes_that_are_no_text_do_no_harm(self) -> None:
        from agent.probes.storage._cut_json import loads

        assert loads(b'{"serial": "\xff\xfe1", "a": [1, 2]}') == ({"serial": "\ufffd\ufffd1", "a": [1, 2]}, True)


LINES = st.sampled_from([*ATA.splitlines(), *NVME.splitlines(), "#" + " 1" * 140, "# 1  " + "a  " * 90, "0x05  " * 60])


class TestNothingIsTrusted:
    @settings(max_examples=60)
    @given(st.lists(LINES | st.text(max_size=60), max_size=30), st.sampled_from(["smartctl-text", "smartctl-json"]))
    def test_lines(self, lines: list[str], kind: str) -> None:
        data = "\n".join(lines).encode("utf-8", "replace")
        assert load(kind).recognises(data) in (True, False)

    def test_a_megabyte_made_to_be_slow_takes_seconds_at_most(self, tmp_path: Path) -> None:
        """The limit is far above what it takes (under a second here), and far below what a quadratic step would."""
        for line in (
            "# 1  " + "x  " * 98,
            "  5 " + "a" * 290,
            "User Capacity:    " + "1," * 140,
            "read: " + "1 " * 147,
            '{"device": {"a": ["' + '", "' * 60,
        ):
            data = ("=== START OF INFORMATION SECTION ===\n" + (line + "\n") * (1_000_000 // len(line))).encode()
            (tmp_path / "slow").write_bytes(data[: 1 << 20])
            began = time.process_time()
            for kind in ("smartctl-text", "smartctl-json"):
                load(kind).recognises(data[:HEAD])
                capture = load(kind).read(tmp_path / "slow")
                list(PROBE.interpret(capture.steps[0].evidence))
            assert time.process_time() - began < 10, line[:20]
