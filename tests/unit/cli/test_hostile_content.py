"""The agent's own faces over content that means harm: a terminal is not steered, a page to print is not changed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from agent.cli import certificate
from agent.diagnose.series import Curve
from agent.model import Component, ComponentKind, Gap, Outcome, Reading, Text
from agent.redaction import NoImage, without_metadata
from tests.agent_process import aiodiag
from tests.device import TIME, Contents, Device
from tests.hostile import HARMLESS, HOSTILE, built
from tests.pictures import JPEG, PNG


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_a_terminal_shows_it_and_does_nothing(word: str, tmp_path: Path) -> None:
    contents = Contents(
        readings=[Reading("storage.model", word, "", ComponentKind.STORAGE_DEVICE, word, word, TIME)],
        components=[Component(ComponentKind.STORAGE_DEVICE, word, word, word, word, word, word, word, word)],
        gaps=[Gap(word, Outcome.ERROR, Text("could not be read: {error}", {"error": word}), True, word)],
    )
    bundle = Device(tmp_path, "AIO24-0001").bundle(None, None, contents, model=word).path
    log = tmp_path / "kernel.log"
    line = word.replace("\n", " ").replace("\r", " ")
    log.write_text(f"[    1.000000] ata1.00: failed command: READ DMA {line}\n[    2.0] sd 0:0:0:0: {line}\n" * 3)
    for args in (("bundle", "show", str(bundle)), ("diagnose", "--kind", "kernel-log", str(log))):
        for more in ((), ("--json",)):
            ran = aiodiag(tmp_path, *args, *more)
            assert ran.status in {0, 1, 3}
            for out in (ran.out, ran.err):
                assert out.replace("\n", "").isprintable(), out
            if not more:
                assert "\nNothing wrong was found." not in ran.out


def filled(word: str) -> dict[str, Any]:
    """A certificate in which everything that a unit or a recipe may name is called so."""
    part = {"manufacturer": word, "model": word, "description": word, "serial": word}
    measured = {"value": 1.0, "error": None}
    marker = {"reading": word, "of": word, "unit": word, "before": measured, "after": measured}
    return {
        "unit": {"serial": word, "manufacturer": word, "model": word},
        "rma": word,
        "verdict": "verified",
        "fault": {"code": word},
        "parts": {"exchanged": [{"new": part}], "added": [part]},
        "reproduced": {"failures": 3, "rounds": 5},
        "least": {"peak_c": None},
        "clean": 30,
        "needed": 30,
        "confidence": 0.95,
        "confidence_asked": 0.95,
        "sequential": None,
        "sound_units_show_it": False,
        "markers": [{**marker, "restored": "restored", "sound": None, "chance_unchanged": None}],
        "verified_by": ["count"],
        "work": {"tests": [word], "name": word},
        "hours": 1.5,
        "faults": [{"code": word}],
        "made": word,
        "run_id": word,
        "recipe": {"sha256": word},
    }


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_a_certificate_is_the_page_that_it_would_be(word: str) -> None:
    """A page to print is made of words that a unit and a recipe gave."""
    curve = Curve(word, word, "°C", [(0.0, 40.0), (1.0, 45.0)])
    plain = Curve(HARMLESS, HARMLESS, "°C", [(0.0, 40.0), (1.0, 45.0)])
    made = certificate.page(filled(word), "en", [curve])
    assert built(made) == built(certificate.page(filled(HARMLESS), "en", [plain]))


SCRIPT = b"<script>alert(1)</script>"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    "photo",
    [
        PNG[:8] + chunk(b"tEXt", b"Comment\0" + SCRIPT) + PNG[8:],
        PNG + SCRIPT,
        PNG[:33] + chunk(b"zTXt", b"x\0\0" + zlib.compress(SCRIPT)) + chunk(b"scRi", SCRIPT) + PNG[33:],
        JPEG[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(SCRIPT)) + SCRIPT + JPEG[2:],
        JPEG + SCRIPT,
    ],
    ids=["a comment", "behind the end", "chunks of strangers", "a comment of a photo", "behind the end of a photo"],
)
def test_what_a_picture_hides_is_not_sealed(photo: bytes) -> None:
    assert SCRIPT in photo
    made = without_metadata(photo)
    assert SCRIPT not in made
    assert len(made) < len(photo)


@pytest.mark.parametrize("head", [b"GIF89a/*", b"<svg>", b"%PDF-1.7\n", b"PK\x03\x04"])
def test_what_only_ends_like_a_picture_is_refused(head: bytes) -> None:
    with pytest.raises(NoImage):
        without_metadata(head + PNG)


def test_a_picture_that_fills_the_memory_is_not_unpacked() -> None:
    """65 535 by 65 535 pixels in four kilobytes: its bytes go through as they are; nobody asks what they mean."""
    size = struct.pack(">IIBBBBB", 65535, 65535, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (4 << 20), 9)
    bomb = PNG[:8] + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    assert without_metadata(bomb) == bomb
