"""The signed message behind the picture: its one spelling, both kinds of keys, and nothing mutated gets through."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from agent.model import RunVerdict
from tests.agent_process import aiodiag
from tests.device import Contents, Device
from tests.unit.server.test_intake import FAULT
from uploader.bundle import cose, quick_code
from uploader.bundle.quick_code import QuickCode
from uploader.strict_json import Malformed

ED25519, P256 = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()
FAULTS = ("LOG-8400", "MEM-3908", "CPU-6015", "FAN-2550", "HEAT-2019", "DISK-1055")
CODE = QuickCode(
    serial="HB24A0017",
    rma="HB26-483920-5",
    verdict=RunVerdict.FAIL,
    faults=quick_code.worst(FAULTS),
    time=1_790_000_000,
    sha256="ab" * 32,
)
MESSAGE = CODE.signed(ED25519)
"""Made once: the properties below change it."""


@pytest.mark.parametrize("signer", [ED25519, P256], ids=["EdDSA", "ES256"])
@pytest.mark.parametrize("rma", ["HB26-483920-5", None])
@pytest.mark.parametrize("serial", ["HB24A0017", "機" * 21, "x" * 64])
def test_what_goes_in_comes_out(signer: CryptoSigner, rma: str | None, serial: str) -> None:
    code = QuickCode(serial, rma, RunVerdict.FAIL, CODE.faults, CODE.time, CODE.sha256)
    message = code.signed(signer)
    assert len(message) <= quick_code.MAX_MESSAGE
    url = quick_code.address("https://rma.example.com/", message)
    assert url.startswith("HTTPS://RMA.EXAMPLE.COM/Q/")
    assert quick_code.message_of(url.rpartition("/")[2]) == message
    assert quick_code.peek(message) == quick_code.verify(message, signer.public_key) == code
    for other in (CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()):
        with pytest.raises(cose.Unsigned):
            quick_code.verify(message, other.public_key)


def test_it_is_as_long_as_the_protocol_says() -> None:
    assert len(MESSAGE) == 165
    assert len(quick_code.address("https://rma.example.com", MESSAGE)) == 290


def test_only_scheme_and_host_may_be_upper_case() -> None:
    assert quick_code.address("https://rma.example.com/aio/", b"\0").startswith("HTTPS://RMA.EXAMPLE.COM/aio/Q/")


def test_the_worst_faults_come_first_and_each_once() -> None:
    assert CODE.faults == (8400, 3908, 6015, 2550, 2019, 1055)
    more = ["LOG-8400", "x", "LOG-8400", "LOG-8401", "\u0661-8400", "DISK-٨٤٠٠", *FAULTS, "DISK-1509"]
    assert quick_code.worst(more) == (8400, 3908, 6015, 2550, 2019, 1055)


BY_CWT = {
    "EdDSA": "d28443a10127a04e776861742077617320666f756e645840d1588ebc9fa14634fbf504cd86bb78ab2c631b4d8832da17e226"
    "0e5f27fd4b0974099fbeb3c8ee9c279476361fcf30104d9e4c0dff4ed2975d5b6d61056eff05",
    "ES256": "d28443a10126a04e776861742077617320666f756e645840e767a37b8b06a2ff712110a55dc6d3d81a9a8c34696e6ca19039"
    "47212d8310c93524bfb024ee8489035e7f7ee0f17e567a893bea9b2903d28b0472fa658bb449",
}
"""Made by python-cwt 3.3.0 from ``what was found``, with the keys of the next two lines."""
BARE_ED25519 = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
BARE_P256 = CryptoSigner(derive_private_key(12345, SECP256R1()))


def test_another_implementation_writes_the_same() -> None:
    assert cose.sign(b"what was found", BARE_ED25519).hex() == BY_CWT["EdDSA"]
    for name, signer in (("EdDSA", BARE_ED25519), ("ES256", BARE_P256)):
        assert cose.verify(bytes.fromhex(BY_CWT[name]), signer.public_key) == b"what was found"


def test_es256_has_one_spelling_of_a_signature() -> None:
    message = bytearray(CODE.signed(P256))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    message[-32:] = (order - int.from_bytes(message[-32:], "big")).to_bytes(32, "big")
    with pytest.raises(cose.Unsigned, match="one spelling"):
        quick_code.verify(bytes(message), P256.public_key)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_nothing_changed_is_accepted(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(MESSAGE)))
    cut = data.draw(st.integers(at, min(at + 8, len(MESSAGE))))
    changed = MESSAGE[:at] + data.draw(st.binary(max_size=8)) + MESSAGE[cut:]
    if changed != MESSAGE:
        with pytest.raises((Malformed, cose.Unsigned)):
            quick_code.verify(changed, ED25519.public_key)


def payload(**changed: Any) -> Any:
    told = {1: "HB24A0017", 2: "HB26-483920-5", 3: 1, 4: [8400], 5: 1_790_000_000, 6: b"\0" * 32}
    return {**told, **{int(key[1:]): value for key, value in changed.items()}}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        "HB24A0017",
        payload(_1=""),
        payload(_1="x" * 65),
        payload(_1="a\x1b[2J"),
        payload(_1="a\u202eb"),
        payload(_1=b"HB24A0017"),
        payload(_2="HB26-483920-6"),
        payload(_2=None),
        payload(_3=3),
        payload(_3=True),
        payload(_4=[8401]),
        payload(_4=[8400, 8400]),
        payload(_4=[8400.0]),
        payload(_4=[-1]),
        payload(_4=[10_000]),
        payload(_4=[0, 1055, 1509, 1514, 1523, 1538, 1546]),
        payload(_5=-1),
        payload(_5=1 << 32),
        payload(_5=1.5),
        payload(_6=b"\0" * 16),
        payload(_7=1),
    ],
)
def test_a_well_signed_message_of_something_else_is_refused(wrong: Any) -> None:
    message = cose.sign(cbor2.dumps(wrong, canonical=True), ED25519)
    with pytest.raises(Malformed):
        quick_code.verify(message, ED25519.public_key)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd8\x23aa",  # a regular expression
        b"\xc4\x82\x1b\x00\x00\x00\xff\xff\xff\xff\xff\x01",  # 1E1099511627775
        b"\xd9\x01\x00\x81a",
        b"\xd2\x80",
        b"\x81" * 300,
        b"\x9b" + b"\xff" * 8,
        b"\x5b\x7f" + b"\xff" * 7,
        b"\x9f\xff",
        b"\x18\x01",  # 1, longer than it needs to be
        b"\xa2\x01\x01\x01\x02",
        b"\xa2\x02\x01\x01\x02",
        b"\x61\xff",
        b"\x01\x01",
    ],
)
def test_cbor_that_nobody_needs_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        cose.decode(data)


@given(st.text(max_size=700))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    for given_text in (text, text.upper()):
        try:
            message = quick_code.message_of(given_text)
            quick_code.peek(message)
        except Malformed:
            continue
        raise AssertionError("nobody writes a message by chance")


def picture(lines: list[str]) -> Any:
    """Half blocks, as a terminal shows them, enlarged: a lit half is white."""
    lit = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    rows = [[lit[c][half] for c in line] for line in lines for half in (0, 1)]
    return np.kron(np.array(rows, dtype=np.uint8) * 255, np.ones((4, 4), dtype=np.uint8))


def read_back(image: Any) -> str:
    [found] = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    assert found.ec_level == "M"
    return str(found.text)


def pixels(png: bytes) -> Any:
    """The picture in a PNG of one bit a pixel, with the filters that segno uses: none and "up" (W3C PNG, 9.2)."""
    chunks, at = {}, 8
    while at < len(png):
        size, name = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        chunks[name] = chunks.get(name, b"") + png[at + 8 : at + 8 + size]
        at += size + 12
    width, height = (int.from_bytes(chunks[b"IHDR"][i : i + 4], "big") for i in (0, 4))
    assert chunks[b"IHDR"][8:] == bytes([1, 0, 0, 0, 0])  # one bit, gray, no interlacing
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, -1)
    assert set(rows[:, 0]) <= {0, 2}
    plain = np.zeros((height + 1, rows.shape[1] - 1), dtype=np.uint8)
    for y, row in enumerate(rows):
        plain[y + 1] = row[1:] + (plain[y] if row[0] == 2 else 0)
    return np.unpackbits(plain[1:], axis=1)[:, :width] * np.uint8(255)


def test_on_the_command_line(tmp_path: Path) -> None:
    device = Device(tmp_path, "HB24A0017")
    tmp_path.chmod(0o700)
    assert "there is no bundle yet" in aiodiag(tmp_path, "bundle", "qr", "--server", "https://rma.example.com").err
    sealed = device.bundle("HB26-483920-5", None, Contents(findings=[FAULT]))
    arguments = ["bundle", "qr", "--server", "https://rma.example.com"]
    url = aiodiag(tmp_path, *arguments, "--json").json()["url"]
    told = quick_code.verify(quick_code.message_of(url.rpartition("/")[2]), device.key.public.sslib)
    assert (told.serial, told.rma, told.faults) == ("HB24A0017", "HB26-483920-5", (8400,))
    assert (told.verdict, told.sha256) == (RunVerdict.PASS, sealed.sha256)
    drawn = aiodiag(tmp_path, *arguments)
    lines = [line for line in drawn.out.splitlines() if set(line) <= set("█▀▄ ")]
    assert read_back(picture(lines)) == url
    assert "camera of a phone" in drawn.out.splitlines()[-1]
    png, svg = tmp_path / "code.png", tmp_path / "code.svg"
    assert aiodiag(tmp_path, *arguments, "-o", str(png)).out == f"{png}\n"
    assert read_back(pixels(png.read_bytes())) == url
    assert aiodiag(tmp_path, *arguments, "-o", str(svg)).status == 0
    assert svg.read_bytes().startswith(b"<?xml")
    poor = aiodiag(tmp_path, *arguments, LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (poor.status, poor.out) == (2, "")
    assert "-o code.png" in poor.err
    assert aiodiag(tmp_path, *arguments, "-o", str(tmp_path / "code.gif")).status == 2
    other = Device(tmp_path / "other", "HB24A0017").bundle(None).path
    assert "not sealed by this unit" in aiodiag(tmp_path, *arguments, str(other)).err
