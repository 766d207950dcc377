"""Archives as an attacker or an accident makes them: the receiver keeps each in quarantine, and extracts nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from agent.model import Evidence
from server_stub.db import Bundle
from tests.device import TIME, Contents, Device
from tests.fuzz.mutant import NUMBERS, Parts, Seed, pack
from tests.fuzz.of_archives import CENTRAL, END
from tests.unit.server.conftest import Bench, problem
from uploader import dsse, strict_json
from uploader.bundle.format import MAX_ENTRIES, PAYLOAD_TYPE
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.keys import DeviceKey

pytestmark = pytest.mark.adversarial

SERIAL = "HB24A0017"
MEMBERS = ("envelope.dsse.json", "manifest.json", "test-result.dsse.json", "journal.jsonl", "attachments")
"""In this order; the last stands for the one attachment."""


@pytest.fixture
def seed(bench: Bench, tmp_path: Path) -> Seed:
    device = Device(tmp_path / "device", SERIAL)
    rma = bench.open_case(SERIAL).case.rma
    bench.enrol(device, rma)
    evidence = [Evidence("dmesg", "", os.urandom(500), "dmesg", TIME)]
    sealed = device.bundle(rma, None, Contents(evidence=evidence))
    stranger = DeviceKey.load_or_create(tmp_path / "stranger")
    return Seed("sealed", sealed.path.read_bytes(), rma, SERIAL, device.key, stranger)


def refused(bench: Bench, seed: Seed, data: bytes) -> None:
    """Verification says no, the intake keeps it in quarantine, nothing is written but that, and a sound one counts."""
    assert data != seed.data
    with pytest.raises(BundleRejected):
        open_bundle(io.BytesIO(data))
    before = on_disk(bench)
    problem(bench.receipt(bench.upload(seed.rma, SERIAL, data)), 422, "bundle-rejected")
    sha256 = hashlib.sha256(data).hexdigest()
    assert bench.storage.stored(bench.receiver.settings.data) == {sha256: data}
    assert on_disk(bench) - before == (set() if bench.storage.s3 else {f"{sha256}.zip"})
    assert bench.receipt(bench.upload(seed.rma, SERIAL, seed.data)).status_code == 200
    with bench.receiver.db.read() as session:
        assert [row.state.value for row in session.scalars(select(Bundle))] == ["quarantined", "accepted"]


def on_disk(bench: Bench) -> set[str]:
    """The names of all files but the database's."""
    return {file.name for file in bench.folder.rglob("*") if file.is_file() and "sqlite3" not in file.name}


NAMES = {
    "dot dot": b"attachments/../../../etc/cron.d/x",
    "dot dot at the beginning": b"../x",
    "a dot": b"attachments/./x",
    "absolute": b"/etc/passwd",
    "a drive": b"C:/x",
    "backslash": b"attachments\\..\\x",
    "NUL": b"attachments/x\0.txt",
    "line feed": b"attachments/x\ny",
    "escape sequence": b"attachments/\x1b[2J",
    "very long": b"attachments/" + b"x" * 300,
    "as long as ZIP allows": b"x" * 65535,
    "not UTF-8": b"attachments/\xff\xfe",
    "UTF-8 beyond ASCII": "attachments/é".encode(),
    "full-width slash": "attachments／x".encode(),
    "empty": b"",
    "a folder": b"attachments/",
    "two slashes": b"attachments//x",
    "a blank": b"attachments/ x",
    "no attachment": b"x.txt",
    "the envelope's": b"envelope.dsse.json",
    "the journal's": b"journal.jsonl",
    "the manifest's in capitals": b"MANIFEST.JSON",
}


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_with_such_a_name_even_where_the_unit_signed_it(name: str, bench: Bench, seed: Seed) -> None:
    """The unit is in the attacker's hands: statement, manifest and archive all say the same name."""
    parts = dict(seed.parts)
    last = seed.entries[-1].name
    evil = NAMES[name].decode("utf-8", "replace")
    manifest = json.loads(parts[b"manifest.json"])
    manifest["entries"][-1]["name"] = evil
    parts[b"manifest.json"] = strict_json.canonical(manifest)
    statement = json.loads(dsse.peek(parts[b"envelope.dsse.json"], PAYLOAD_TYPE, max_size=1 << 20))
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(parts[b"manifest.json"]).hexdigest()
    statement["subject"][-1]["name"] = evil
    parts[b"envelope.dsse.json"] = dsse.sign(strict_json.canonical(statement), PAYLOAD_TYPE, seed.key)
    packed: Parts = [(NAMES[name] if entry == last.encode() else entry, data) for entry, data in parts.items()]
    refused(bench, seed, pack(packed))


def of_parts(change: Callable[[Parts], Parts]) -> Callable[[Seed], bytes]:
    return lambda seed: pack(change(seed.parts))


def field(index: int, at: int, value: int, width: int = 4) -> Callable[[Seed], bytes]:
    """One number in the line of entry ``index`` in the central directory."""

    def change(seed: Seed) -> bytes:
        data = bytearray(seed.data)
        entries = list(seed.entries)
        base = seed.central + sum(len(entry.central_header()) for entry in entries[: index % len(entries)])
        struct.pack_into("<I" if width == 4 else "<H", data, base + at, value)
        return bytes(data)

    return change


def end_field(at: int, value: int, width: int) -> Callable[[Seed], bytes]:
    def change(seed: Seed) -> bytes:
        data = bytearray(seed.data)
        struct.pack_into("<I" if width == 4 else "<H", data, len(data) - 22 + at, value)
        return bytes(data)

    return change


def written_by_zipfile(
    method: int = zipfile.ZIP_STORED, extra: bytes = b"", comment: bytes = b""
) -> Callable[[Seed], bytes]:
    def change(seed: Seed) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.comment = comment
            for name, content in seed.parts:
                info = zipfile.ZipInfo(name.decode())
                info.compress_type, info.extra = method, extra
                archive.writestr(info, content)
        return out.getvalue()

    return change


def prefixed(seed: Seed) -> bytes:
    """Data before the archive, with every offset made right: other programs read it without a word."""
    extra = b"#!/bin/sh\nexit\n"
    data, base = bytearray(extra + seed.data), seed.central + len(extra)
    for entry in seed.entries:
        struct.pack_into("<I", data, base + 42, entry.offset + len(extra))
        base += len(entry.central_header())
    struct.pack_into("<I", data, base + 16, seed.central + len(extra))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        assert archive.testzip() is None
    return bytes(data)


def bomb(seed: Seed) -> bytes:
    """Many lines that share one content: a small file that claims a huge one."""
    content = b"\0" * 50_000
    data = pack([*seed.parts, (b"attachments/0000", content)])
    end = data.rindex(b"PK\x05\x06")
    (central,) = struct.unpack_from("<I", data, end + 16)
    line = data[data.rindex(b"PK\x01\x02") : end]
    lines = data[central:end] + b"".join(line[:-4] + b"%04d" % i for i in range(1, 1900))
    count = len(seed.parts) + 1900
    bombed = data[:central] + lines + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(lines), central, 0)
    with zipfile.ZipFile(io.BytesIO(bombed)) as archive:
        assert sum(info.file_size for info in archive.infolist()) > 90e6 > 200 * len(bombed)
    return bombed


SHAPES: dict[str, Callable[[Seed], bytes]] = {
    "an entry doubled": of_parts(lambda p: [*p, p[-1]]),
    "the journal doubled, another one first": of_parts(lambda p: [*p[:3], (p[3][0], b"{}\n"), *p[3:]]),
    "an entry that is not in the signed list": of_parts(lambda p: [*p, (b"attachments/more", b"x")]),
    "an empty entry that is not in the signed list": of_parts(lambda p: [*p, (b"attachments/more", b"")]),
    "a listed file missing": of_parts(lambda p: p[:-1]),
    "the journal missing": of_parts(lambda p: [*p[:3], *p[4:]]),
    "the envelope missing": of_parts(lambda p: p[1:]),
    "the envelope alone": of_parts(lambda p: p[:1]),
    "no entry": of_parts(lambda p: []),
    "entries in another order": of_parts(lambda p: [p[0], p[2], p[1], *p[3:]]),
    "the envelope last": of_parts(lambda p: [*p[1:], p[0]]),
    "a file under another's name": of_parts(lambda p: [*p[:-1], (p[-1][0], p[3][1])]),
    "too many entries": of_parts(lambda p: [*p, *((b"attachments/%d" % i, b"") for i in range(MAX_ENTRIES))]),
    "more entries than ZIP counts": of_parts(lambda p: [*p, *((b"attachments/%d" % i, b"") for i in range(65536))]),
    "overlapping entries": lambda seed: field(-1, 42, seed.entries[0].offset)(seed),
    "many entries that overlap": bomb,
    "data before the archive": prefixed,
    "data behind the archive": lambda seed: seed.data + b"\0",
    "data between two entries": lambda seed: (
        seed.data[: seed.entries[2].offset] + b"?" + seed.data[seed.entries[2].offset :]
    ),
    "two archives, one behind the other": lambda seed: seed.data + seed.data,
    "a second end record in a comment": lambda seed: seed.data[:-2] + struct.pack("<H", 22) + seed.data[-22:],
    "a comment": written_by_zipfile(comment=b"hello"),
    "extra fields": written_by_zipfile(extra=struct.pack("<HH4s", 0x7075, 4, b"name")),
    "deflated": written_by_zipfile(zipfile.ZIP_DEFLATED),
    "bzip2": written_by_zipfile(zipfile.ZIP_BZIP2),
    "lzma": written_by_zipfile(zipfile.ZIP_LZMA),
    "an entry that says that it is compressed": field(3, 10, 8, 2),
    "an entry that says that it is encrypted": field(3, 8, 1, 2),
    "a size of 4 GiB": field(3, 24, 0xFFFFFFFF),
    "a size one byte less": lambda seed: field(3, 24, seed.entries[3].size - 1)(seed),
    "an offset beyond the file": field(3, 42, 0xFFFFFFFE),
    "another CRC-32": lambda seed: field(3, 16, seed.entries[3].crc32 ^ 1)(seed),
    "the rights of a symbolic link": field(4, 38, 0o120777 << 16),
    "an end record that counts one less": lambda seed: end_field(10, len(seed.entries) - 1, 2)(seed),
    "an end record that counts 65535": end_field(10, 0xFFFF, 2),
    "a directory that begins elsewhere": lambda seed: end_field(16, seed.central - 1, 4)(seed),
    "a directory of 4 GiB": end_field(12, 0xFFFFFFFF, 4),
    "another disk": end_field(4, 1, 2),
    "only an end record": lambda seed: seed.data[-22:],
    "only its first byte": lambda seed: seed.data[:1],
    "zeros": lambda seed: bytes(len(seed.data)),
    "another format": lambda seed: b"\x1f\x8b\x08" + seed.data,
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_archive_of_such_a_shape(name: str, bench: Bench, seed: Seed) -> None:
    refused(bench, seed, SHAPES[name](seed))


@pytest.mark.parametrize("place", ["before its header", "behind its header", "before its last byte"])
@pytest.mark.parametrize("member", range(len(MEMBERS)), ids=MEMBERS)
def test_an_archive_that_ends_at_a_member(member: int, place: str, bench: Bench, seed: Seed) -> None:
    entry = seed.entries[member]
    at = {
        "before its header": entry.offset,
        "behind its header": entry.data_offset,
        "before its last byte": entry.end - 1,
    }
    # at the very beginning nothing is left, and an empty file is no upload
    refused(bench, seed, seed.data[: max(at[place], 1)])


@pytest.mark.parametrize("member", range(len(MEMBERS)), ids=MEMBERS)
def test_an_archive_of_which_a_member_has_one_bit_flipped(member: int, bench: Bench, seed: Seed) -> None:
    entry, data = seed.entries[member], bytearray(seed.data)
    data[entry.data_offset + entry.size // 2] ^= 0x10
    refused(bench, seed, bytes(data))


def test_an_archive_of_which_any_number_in_the_directory_is_another(seed: Seed) -> None:
    base = seed.central
    for entry in seed.entries:
        for at, width in CENTRAL:
            for value in NUMBERS:
                _refuse_number(seed, base + at, width, value)
        base += len(entry.central_header())
    for at, width in END:
        for value in NUMBERS:
            _refuse_number(seed, base + at, width, value)


def _refuse_number(seed: Seed, at: int, width: int, value: int) -> None:
    data = bytearray(seed.data)
    struct.pack_into("<I" if width == 4 else "<H", data, at, value)
    if data != seed.data:
        with pytest.raises(BundleRejected):
            open_bundle(io.BytesIO(data))
