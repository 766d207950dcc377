"""Changes by somebody who knows the ZIP format. Source of the layouts: PKWARE APPNOTE.TXT 6.3.10, section 4.3."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Sequence

from tests.fuzz.mutant import NUMBERS, WIDE, Mutant, Mutation, Parts, Seed, pack

LOCAL = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))
"""Offset and width of the fields of a local header, after its signature."""
CENTRAL = (
    *((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2)),
    *((34, 2), (36, 2), (38, 4), (42, 4)),
)
END = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))

NAMES = (
    b"../../etc/cron.d/x",
    b"attachments/../../x",
    b"/etc/passwd",
    b"C:\\windows\\x",
    b"attachments\\x",
    b"attachments/x\0.txt",
    b"\xff\xfe\xfd",
    "attachments/é".encode(),
    b"attachments/" + b"x" * 300,
    b"a" * 65535,
    b"",
    b".",
    b"attachments/",
    b"attachments//x",
    b"envelope.dsse.json",
    b"ENVELOPE.DSSE.JSON",
    b"manifest.json",
    b"journal.jsonl",
    b"journal.jsonl ",
    b"attachments/con",
    b"attachments/\x1b[2J",
    b"attachments/a\nb",
)


def header_fields(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """One to three numbers in headers: versions, flags, methods, times, digests, sizes, lengths, offsets, counts."""
    data = bytearray(seed.data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        base, fields = chance.choice(_headers(seed))
        at, width = chance.choice(fields)
        (held,) = struct.unpack_from("<H" if width == 2 else "<I", data, base + at)
        nasty = (*(NUMBERS if width == 2 else WIDE), held + 1, held - 1, held * 2, held ^ 8, len(seed.data))
        value = chance.choice(nasty) % (1 << 8 * width)
        struct.pack_into("<H" if width == 2 else "<I", data, base + at, value)
    return Mutant("numbers in headers", bytes(data))


def _headers(seed: Seed) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    found, at = [(entry.offset, LOCAL) for entry in seed.entries], seed.central
    for entry in seed.entries:
        found.append((at, CENTRAL))
        at += len(entry.central_header())
    return [*found, (at, END)]


def names(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    parts, at = seed.parts, chance.randrange(len(seed.entries))
    parts[at] = (chance.choice(NAMES), parts[at][1])
    return Mutant("another name", pack(parts))


def name_in_one_place(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """The directory calls an entry otherwise than the entry itself does."""
    entry = chance.choice(seed.entries)
    data, name = bytearray(seed.data), entry.name.encode()
    at = entry.offset + 30 if chance.random() < 0.5 else seed.data.index(name, seed.central)
    data[at + chance.randrange(len(name))] = chance.choice(b"/\\.\0AZaz\xff")
    return Mutant("another name in one place", bytes(data))


def other_entries(chance: random.Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """Entries that are missing, doubled, exchanged, moved, added, or of another bundle."""
    parts, other = seed.parts, chance.choice(others).parts
    here, there = chance.randrange(len(parts)), chance.randrange(len(parts))
    kind = chance.randrange(7)
    if kind == 0:
        del parts[here]
    elif kind == 1:
        parts.insert(there, parts[here])
    elif kind == 2:
        parts[here], parts[there] = parts[there], parts[here]
    elif kind == 3:
        parts.insert(there, (chance.choice(NAMES), chance.randbytes(40)))
    elif kind == 4:
        parts[here] = (parts[here][0], chance.choice(other)[1])
    elif kind == 5:
        parts[here] = chance.choice(other)
    else:
        content = parts[here][1]
        parts[here] = (parts[here][0], content[: chance.randrange(len(content) + 1)] + b" " * chance.randrange(3))
    return Mutant("other entries", pack(parts))


def crowd(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """Very many entries."""
    count = chance.choice((300, 1990, 1999, 2001, 5000))
    return Mutant("many entries", pack([*seed.parts, *((b"attachments/%d" % i, b"") for i in range(count))]))


def overlap(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """Several lines of the directory share one content: what is small claims to be huge."""
    data, content = bytearray(), b"\0" * chance.choice((10, 1000, 50_000))
    first, count = seed.parts[0], chance.choice((2, 50, 1900))
    data += pack([first, (b"attachments/a", content)])
    end = data.rindex(b"PK\x05\x06")
    central = struct.unpack_from("<I", data, end + 16)[0]
    line = bytes(data[data.index(b"PK\x01\x02", central + 46) : end])
    lines = bytes(data[central:end]) + b"".join(
        line[:28] + struct.pack("<H", 15) + line[30:46] + b"attachments/%03x" % (i % 4096) for i in range(count)
    )
    total = count + 2
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, total, total, len(lines), central, 0)
    return Mutant("entries that overlap", bytes(data[:central]) + lines + tail)


def around(chance: random.Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """Data before, between or behind, with the offsets made right."""
    extra = chance.choice((b"#!/bin/sh\n", b"MZ", b"%PDF-1.4", b"\0" * 100, b"PK\x03\x04", chance.choice(others).data))
    kind = chance.randrange(4)
    if kind == 3:
        return Mutant("data behind", seed.data + extra)
    at = (0, chance.choice(seed.entries).end, seed.central)[kind]
    data = bytearray(seed.data[:at] + extra + seed.data[at:])
    line = seed.central + len(extra)
    for entry in seed.entries:
        moved = entry.offset + (len(extra) if entry.offset >= at else 0)
        struct.pack_into("<I", data, line + 42, moved)
        line += len(entry.central_header())
    struct.pack_into("<I", data, line + 16, seed.central + len(extra))
    return Mutant("data before or between", bytes(data))


def comment(chance: random.Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """A comment, which may hold another end record: readers that look for it differ in which they find."""
    text = chance.choice((b"hello", b"\0" * 65535, seed.data[-22:], chance.choice(others).data[-60_000:]))
    return Mutant("a comment", seed.data[:-2] + struct.pack("<H", len(text)) + text)


def other_writer(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """The same entries as another program writes them: compressed, with times, extra fields or ZIP64."""
    out = io.BytesIO()
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, content in seed.parts:
                info = zipfile.ZipInfo(name.decode(), (1980 + chance.randrange(100), 1, 1, 0, 0, 0))
                info.compress_type = method
                info.extra = chance.choice((b"", struct.pack("<HH4s", 0x7075, 4, b"name")))
                with archive.open(info, "w", force_zip64=chance.random() < 0.3) as entry:
                    entry.write(content)
    return Mutant("another program's archive", out.getvalue())


def reshuffled(chance: random.Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """Entries of all bundles under one directory."""
    pool: Parts = [part for other in others for part in other.parts if len(part[1]) < 100_000]
    kept = seed.parts[:1] if chance.random() < 0.7 else []
    return Mutant("entries of many bundles", pack(kept + chance.sample(pool, chance.randrange(1, len(pool)))))


MUTATIONS: tuple[Mutation, ...] = (
    header_fields,
    header_fields,
    header_fields,
    names,
    name_in_one_place,
    other_entries,
    other_entries,
    crowd,
    overlap,
    around,
    comment,
    other_writer,
    reshuffled,
)
