"""No byte of a bundle may be other than it was sealed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.run_view import RunView
from uploader import dsse, strict_json
from uploader.bundle import format as fmt
from uploader.bundle.container import Entry, trailer
from uploader.bundle.seal import Sealed
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.keys import DeviceKey

Parts = list[tuple[str, bytes]]


def parts_of(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def pack(parts: Parts) -> bytes:
    """A canonical container of whatever parts."""
    out, entries = b"", []
    for name, data in parts:
        entries.append(Entry(name, len(data), zlib.crc32(data), len(out)))
        out += entries[-1].local_header() + data
    return out + trailer(entries)


def refuse(data: bytes, key: DeviceKey | None = None) -> BundleRejected:
    with pytest.raises(BundleRejected) as caught:
        open_bundle(io.BytesIO(data), key=key.public if key else None)
    return caught.value


def resign(parts: Parts, key: DeviceKey, change: Callable[[dict[str, object]], object]) -> Parts:
    """The same parts under a statement that was changed and signed again: what an attacker with a key can do."""
    envelope = dict(parts)[fmt.ENVELOPE]
    statement = json.loads(dsse.peek(envelope, fmt.PAYLOAD_TYPE, max_size=fmt.MAX_ENVELOPE))
    change(statement)
    signed = dsse.sign(strict_json.canonical(statement), fmt.PAYLOAD_TYPE, key)
    return [(fmt.ENVELOPE, signed), *parts[1:]]


def test_a_whole_bundle_is_believed(sealed: Sealed, key: DeviceKey) -> None:
    with open_bundle(sealed.path, key=key.public) as bundle:
        assert (bundle.sha256, bundle.size) == (sealed.sha256, sealed.size)
        assert bundle.statement.run.bundle_id == sealed.bundle_id
        assert bundle.key == key.public
        assert not bundle.self_asserted
        assert bundle.names[:3] == (fmt.MANIFEST, fmt.TEST_RESULT, fmt.JOURNAL)
        assert len(bundle.read_attachment("attachments/kernel-log.txt.gz")) == 6000
        assert bundle.read("attachments/edid-card0.bin") == bytes(range(256))
        view = RunView.from_records(bundle.journal())
        assert list(view.steps) == ["probe.panel", "probe.camera"]
    with open_bundle(sealed.path) as bundle:
        assert bundle.self_asserted


def test_other_zip_programs_read_it(sealed: Sealed) -> None:
    with zipfile.ZipFile(sealed.path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert pack(parts_of(sealed.path)) == sealed.path.read_bytes()


def test_every_changed_byte_is_refused(sealed: Sealed, key: DeviceKey) -> None:
    data = bytearray(sealed.path.read_bytes())
    believed = []
    for position in range(len(data)):
        bit = 1 << position % 8
        data[position] ^= bit
        try:
            open_bundle(io.BytesIO(data))
            believed.append(position)
        except BundleRejected:
            pass
        data[position] ^= bit
    assert believed == []
    open_bundle(io.BytesIO(data), key=key.public)


def test_every_truncation_is_refused(sealed: Sealed) -> None:
    data = sealed.path.read_bytes()
    for length in range(len(data)):
        refuse(data[:length])


@pytest.mark.parametrize("position", ["before", "after"])
def test_data_around_the_archive_is_refused(sealed: Sealed, position: str) -> None:
    data = sealed.path.read_bytes()
    refuse(b"\x00" + data if position == "before" else data + b"\x00")


def test_data_between_entries_is_refused(sealed: Sealed) -> None:
    data = sealed.path.read_bytes()
    second = data.index(b"PK\x03\x04", 4)
    refuse(data[:second] + b"gap" + data[second:])


def test_another_key_is_refused(sealed: Sealed, tmp_path: Path) -> None:
    other = DeviceKey.load_or_create(tmp_path / "other")
    assert "signature" in str(refuse(sealed.path.read_bytes(), other).reason)


def test_a_stranger_cannot_sign_for_the_key_inside(sealed: Sealed, tmp_path: Path) -> None:
    other = DeviceKey.load_or_create(tmp_path / "other")
    changed = pack(resign(parts_of(sealed.path), other, dict))
    assert "signature" in str(refuse(changed).reason)
    assert "another key" in refuse(changed, other).detail


def without(parts: Parts, name: str) -> Parts:
    return [part for part in parts if part[0] != name]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: [*p, ("attachments/extra.txt", b"x")],
        lambda p: without(p, "attachments/edid-card0.bin"),
        lambda p: without(p, fmt.JOURNAL),
        lambda p: without(p, fmt.ENVELOPE),
        lambda p: [*p, p[-1]],
        lambda p: [*p[:3], p[4], p[3], *p[5:]],
        lambda p: [*p[:-1], ("attachments/other.txt.gz", p[-1][1])],
        lambda p: [p[1], p[0], *p[2:]],
        lambda p: [*p, ("attachments/../../etc/cron.d/x", b"x")],
        lambda p: [*p, ("/etc/passwd", b"x")],
        lambda p: [*p, ("attachments/", b"")],
        lambda p: p[:0],
    ],
)
def test_other_entries_than_the_signed_ones_are_refused(sealed: Sealed, change: Callable[[Parts], Parts]) -> None:
    refuse(pack(change(parts_of(sealed.path))))


@pytest.mark.parametrize(
    "name", ["attachments/../x", "attachments//x", "../x", "/x", "attachments/é", "attachments/" + "x" * 250, ""]
)
def test_unsafe_names_are_refused_even_when_signed(sealed: Sealed, key: DeviceKey, name: str) -> None:
    def rename(statement: dict[str, object]) -> None:
        statement["subject"][-1]["name"] = name  # type: ignore[index]

    parts = resign(parts_of(sealed.path), key, rename)
    if name.isascii():
        parts[-1] = (name, parts[-1][1])
    refuse(pack(parts))


def test_compressed_entries_are_refused(sealed: Sealed) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts_of(sealed.path):
            archive.writestr(name, data)
    refuse(out.getvalue())


def test_comments_and_extra_fields_are_refused(sealed: Sealed) -> None:
    for comment, extra in [(b"hello", b""), (b"", struct.pack("<HH4s", 0x7075, 4, b"name"))]:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.comment = comment
            for name, data in parts_of(sealed.path):
                info = zipfile.ZipInfo(name)
                info.extra = extra
                archive.writestr(info, data)
        refuse(out.getvalue())


def test_overlapping_entries_are_refused(sealed: Sealed) -> None:
    data = sealed.path.read_bytes()
    with zipfile.ZipFile(sealed.path) as archive:
        first, last = archive.infolist()[0], archive.infolist()[-1]
    at = data.rindex(last.filename.encode()) - 4
    assert struct.unpack_from("<I", data, at) == (last.header_offset,)
    refuse(data[:at] + struct.pack("<I", first.header_offset) + data[at + 4 :])


def test_a_local_header_that_says_otherwise_is_refused(sealed: Sealed) -> None:
    data = sealed.path.read_bytes()
    at = data.index(b"attachments/edid-card0.bin", 2000)
    refuse(data[:at] + b"attachments/EDID-card0.bin" + data[at + 26 :])


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("serial", None),
        ("serial", 7),
        ("rma", 7),
        ("sequence", "1"),
        ("sequence", True),
        ("sequence", 0),
        ("bundle_id", "x"),
        ("verdict", "great"),
        ("clocks", []),
        ("clocks", {"wall": "x", "monotonic_s": True, "boottime_s": 1}),
        ("key", {}),
        ("key", None),
        ("key_protection", "none"),
        ("plan", "quick"),
    ],
)
def test_a_signed_statement_of_the_wrong_shape_is_refused(
    sealed: Sealed, key: DeviceKey, member: str, value: object
) -> None:
    def change(statement: dict[str, object]) -> None:
        statement["predicate"][member] = value  # type: ignore[index]

    refuse(pack(resign(parts_of(sealed.path), key, change)), key)

    def remove(statement: dict[str, object]) -> None:
        del statement["predicate"][member]  # type: ignore[attr-defined]

    refuse(pack(resign(parts_of(sealed.path), key, remove)), key)


def test_an_unknown_member_is_passed_over(sealed: Sealed, key: DeviceKey) -> None:
    def change(statement: dict[str, object]) -> None:
        statement["predicate"]["later"] = {"more": 1}  # type: ignore[index]

    open_bundle(io.BytesIO(pack(resign(parts_of(sealed.path), key, change))), key=key.public)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sealed_with(sealed: Sealed, key: DeviceKey, name: str, content: bytes) -> bytes:
    """A bundle whose entry ``name`` has other content, and all that depends on it signed again."""
    parts = {**dict(parts_of(sealed.path)), name: content}
    if name == fmt.JOURNAL:
        subject = (fmt.Subject(fmt.JOURNAL, sha256(content)),)
        statement = fmt.encode_statement(subject, fmt.TEST_RESULT_PREDICATE, {})
        parts[fmt.TEST_RESULT] = dsse.sign(statement, fmt.PAYLOAD_TYPE, key)
    if name != fmt.MANIFEST:
        manifest = json.loads(parts[fmt.MANIFEST])
        for entry in manifest["entries"]:
            data = parts[entry["name"]]
            entry.update(size=len(data), sha256=sha256(data))
        parts[fmt.MANIFEST] = strict_json.canonical(manifest)

    def change(statement: dict[str, object]) -> None:
        for subject in statement["subject"]:  # type: ignore[attr-defined]
            subject["digest"]["sha256"] = sha256(parts[subject["name"]])

    return pack(resign(list(parts.items()), key, change))


def test_a_manifest_that_says_otherwise_is_refused(sealed: Sealed, key: DeviceKey) -> None:
    manifest = json.loads(dict(parts_of(sealed.path))[fmt.MANIFEST])
    open_bundle(io.BytesIO(sealed_with(sealed, key, fmt.MANIFEST, strict_json.canonical(manifest))))
    manifest["entries"][1]["size"] += 1
    refuse(sealed_with(sealed, key, fmt.MANIFEST, strict_json.canonical(manifest)), key)
    refuse(sealed_with(sealed, key, fmt.MANIFEST, b"[]"), key)


def test_a_gzip_bomb_is_not_unpacked(sealed: Sealed, key: DeviceKey) -> None:
    bomb = gzip.compress(b"\0" * (fmt.MAX_DECOMPRESSED + 1), 9, mtime=0)
    name = "attachments/kernel-log.txt.gz"
    bundle = open_bundle(io.BytesIO(sealed_with(sealed, key, name, bomb)))
    with pytest.raises(BundleRejected, match="larger than allowed"):
        bundle.read_attachment(name)


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"x", mtime=0)[:-1], gzip.compress(b"x", mtime=0) + b"y"],
    ids=["empty", "no gzip", "cut off", "more behind it"],
)
def test_what_is_no_gzip_is_refused_when_read(sealed: Sealed, key: DeviceKey, content: bytes) -> None:
    name = "attachments/kernel-log.txt.gz"
    bundle = open_bundle(io.BytesIO(sealed_with(sealed, key, name, content)))
    assert bundle.read(name) == content
    with pytest.raises(BundleRejected):
        bundle.read_attachment(name)


def test_lines_that_are_no_records_are_passed_over(sealed: Sealed, key: DeviceKey) -> None:
    journal = b'{"a":1}\nnonsense\n[]\n\xff\n{"b":2}\n{"torn'
    bundle = open_bundle(io.BytesIO(sealed_with(sealed, key, fmt.JOURNAL, journal)))
    assert list(bundle.journal()) == [{"a": 1}, {"b": 2}]


def test_a_journal_of_one_endless_line_is_refused(sealed: Sealed, key: DeviceKey) -> None:
    bundle = open_bundle(io.BytesIO(sealed_with(sealed, key, fmt.JOURNAL, b"x" * (10 << 20))))
    with pytest.raises(BundleRejected, match="larger than allowed"):
        list(bundle.journal())


def test_a_test_result_about_another_journal_is_refused(sealed: Sealed, key: DeviceKey) -> None:
    statement = fmt.encode_statement((fmt.Subject(fmt.JOURNAL, "0" * 64),), fmt.TEST_RESULT_PREDICATE, {})
    envelope = dsse.sign(statement, fmt.PAYLOAD_TYPE, key)
    assert "journal" in refuse(sealed_with(sealed, key, fmt.TEST_RESULT, envelope), key).detail


def test_a_file_changed_after_it_was_opened_is_noticed(sealed: Sealed) -> None:
    data = bytearray(sealed.path.read_bytes())
    file = io.BytesIO(data)
    bundle = open_bundle(file)
    at = bytes(data).index(bytes(range(256)))
    file.seek(at)
    file.write(b"\xff")
    with pytest.raises(BundleRejected, match="changed"):
        bundle.read("attachments/edid-card0.bin")
    file.truncate(10)
    with pytest.raises(BundleRejected, match="changed"):
        bundle.read(fmt.JOURNAL)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ["pipe", "absent", "."]:
        with pytest.raises(BundleRejected):
            open_bundle(tmp_path / name)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    refuse(data)
    refuse(data + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(data), 0, 0))
