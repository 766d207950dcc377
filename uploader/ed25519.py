"""Which 32 bytes are an Ed25519 public key that only one party can sign for, in its one spelling."""

from __future__ import annotations

from uploader.strict_json import Malformed

_P = 2**255 - 19
_Y_OF_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), byteorder="little"
)
_SMALL_ORDER = {0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8}
"""The y of the eight points of small order. With such a key, signatures that nobody's secret made verify for many
messages or for all, and OpenSSL takes it. Source: Chalkias, Garillot and Nikolaenko, Taming the many EdDSAs,
https://eprint.iacr.org/2020/1244, table 1.
"""


def check(raw: bytes) -> None:
    """Raises :class:`Malformed` for a point of small order, and for a coordinate that is written in another way than
    reduced (RFC 8032, 5.1.3).
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P or y in _SMALL_ORDER:
        raise Malformed("this Ed25519 key can be signed for by anybody, or is not in its one spelling")
