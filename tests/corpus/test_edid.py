"""Our EDID decoder against Debian's edid-decode, over every captured EDID."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from agent.model import Evidence, Readings, Verdict
from agent.probes.panel import PROBE
from agent.probes.panel.edid import Edid, decode
from agent.probes.panel.hex_text import from_hex
from agent.rules import apply

ORACLE = shutil.which("edid-decode")
needs_oracle = pytest.mark.skipif(ORACLE is None, reason="edid-decode is not installed")

DELIBERATE = {
    # one byte too many: edid-decode refuses the file, we read the block and say so
    ("glpi-lcd.regis.bin", "*"),
}


@needs_oracle
def test_agrees_with_edid_decode(shared: Path) -> None:
    files = sorted((shared / "corpora" / "edid").glob("*.bin"))
    assert len(files) > 300
    compared: Counter[str] = Counter()
    differences = []
    for file in files:
        wanted = _oracle(file)
        got = _ours(decode(file.read_bytes()))
        for key, value in wanted.items():
            if (file.name, key) in DELIBERATE or (file.name, "*") in DELIBERATE:
                continue
            compared[key] += 1
            if not _same(key, value, got[key]):
                differences.append(f"{file.name}: {key} is {value!r}, we say {got[key]!r}")
    assert not differences, "\n".join(differences)
    assert min(compared.values()) >= len(files) - 3, compared


def test_hex_dumps_give_the_same_bytes(shared: Path) -> None:
    pairs = [(f, f.with_suffix(".txt")) for f in sorted((shared / "corpora" / "edid").glob("*.bin"))]
    pairs = [(binary, text) for binary, text in pairs if text.exists()]
    assert len(pairs) > 300
    for binary, text in pairs:
        assert from_hex(text.read_text("utf-8", "replace")) == binary.read_bytes(), text.name


def test_faults_are_found_and_nothing_else(shared: Path) -> None:
    """Labels of the index: an invalid EDID is a fault, one whose source calls it conforming has no finding at all."""
    with (shared / "corpora" / "INDEX.csv").open(newline="", encoding="utf-8") as index:
        rows = [row for row in csv.DictReader(index) if row["kind"] == "edid"]
    seen: Counter[str] = Counter()
    for row in rows:
        findings = list(apply(Readings(_readings(shared / "corpora" / row["path"]))))
        if row["label"] == "failing" and "checksum" in row["label_reason"]:
            assert any(f.verdict is Verdict.FAIL for f in findings), row["path"]
        elif row["label"] == "healthy":
            assert not findings, (row["path"], findings)
        elif row["label"] == "unknown":
            assert not any(f.verdict is Verdict.FAIL for f in findings), (row["path"], findings)
        seen[row["label"]] += 1
    assert seen["failing"] > 40, seen
    assert seen["healthy"] > 200, seen


def _readings(file: Path) -> list:
    evidence = Evidence("edid", file.stem, file.read_bytes(), str(file), "2026-01-01T00:00:00Z")
    return [item for item in PROBE.interpret([evidence]) if hasattr(item, "unit")]


def _oracle(file: Path) -> dict[str, object]:
    assert ORACLE
    run = subprocess.run([ORACLE, str(file)], capture_output=True, check=False, timeout=30)
    out = run.stdout.decode("utf-8", "replace")

    def first(pattern: str) -> str | None:
        match = re.search(pattern, out, re.MULTILINE)
        return (match[1].strip() or None) if match else None

    timing = re.search(r"DTD 1: +(\d+)x(\d+)(i?) +([\d.]+) Hz", out)
    size = re.search(r"Maximum image size: (\d+) cm x (\d+) cm", out)
    ranges = re.search(r"Monitor ranges[^:]*: (\d+)-(\d+) Hz V, (\d+)-(\d+) kHz H", out)
    return {
        "version": first(r"Version & Revision: (\S+)"),
        "maker": first(r"^    Manufacturer: (\w+)"),
        "product": first(r"^    Model: (\d+)"),
        "serial number": first(r"^    Serial Number: (\d+)"),
        "serial text": first(r"^    Display Product Serial Number: '(.*)'"),
        "name": first(r"^    Display Product Name: '(.*)'"),
        "week": first(r"Made in: week (\d+)"),
        "year": first(r"Made in: .*?(\d{4})"),
        "model year": first(r"Model year: (\d+)"),
        "size": (int(size[1]), int(size[2])) if size else None,
        "digital": "Digital display" in out,
        "interface": first(r"^    (DVI|HDMI-a|HDMI-b|MDDI|DisplayPort) interface"),
        "bits per colour": first(r"Bits per primary color channel: (\d+)"),
        "mode": (int(timing[1]), int(timing[2]), bool(timing[3]), float(timing[4])) if timing else None,
        "ranges": tuple(map(int, ranges.groups())) if ranges else None,
        "checksums": ["should be" not in line for line in re.findall(r"^Checksum: (.*)", out, re.MULTILINE)],
    }


def _ours(edid: Edid) -> dict[str, object]:
    def text(value: str | int | None) -> str | None:
        return None if value in (None, "") else str(value)

    mode, limits = edid.preferred, edid.limits
    return {
        "version": text(edid.version),
        "maker": text(edid.manufacturer),
        "product": text(edid.product),
        "serial number": text(edid.serial_number),
        "serial text": text(edid.serial_text),
        "name": text(edid.name),
        "week": text(edid.week),
        "year": text(edid.year),
        "model year": text(edid.model_year),
        "size": (edid.width_mm, edid.height_mm),
        "digital": edid.digital,
        "interface": text(edid.interface),
        "bits per colour": text(edid.bits_per_colour),
        "mode": (mode.width, mode.height, mode.interlaced, mode.refresh) if mode else None,
        "ranges": (
            limits.vertical_min,
            limits.vertical_max,
            limits.horizontal_min // 1000,
            limits.horizontal_max // 1000,
        )
        if limits
        else None,
        "checksums": list(edid.checksums),
    }


def _same(key: str, wanted: object, got: object) -> bool:
    if key == "size" and isinstance(wanted, tuple) and isinstance(got, tuple):  # cm against mm
        return all(abs(10 * cm - mm) < 10 for cm, mm in zip(wanted, got, strict=True))
    if key == "mode" and isinstance(wanted, tuple) and isinstance(got, tuple):
        return wanted[:3] == got[:3] and abs(wanted[3] - got[3]) < 0.001
    if key in {"size", "mode"} and wanted is None:  # where it is silent we may know from an extension or the timing
        return True
    return wanted == got
