"""To whom bundles are encrypted: the receiver's age recipient, and the receiver's signed word that it is its own.

The answer to ``GET /receiver`` is not signed, and the key in it is no secret: whoever stands in between could repeat it
beside a recipient of their own. So the recipient comes in an envelope that the key signed.
"""

from __future__ import annotations

from typing import Any

from uploader import dsse, strict_json
from uploader.keys import PublicKey, SigningKey
from uploader.strict_json import Malformed, exactly, field

RECIPIENT_TYPE = "application/vnd.hibertek.aiodiag.recipient+json"
MAX_RECIPIENT = 4096
"""Bytes of the envelope; it has about 400."""
_LENGTH = 62
"""Characters of a recipient: ``age1``, and 32 bytes with a checksum in Bech32 (https://age-encryption.org/v1)."""


def check_recipient(text: str) -> str:
    """``text``, an age X25519 recipient (``age1...`` in lower case); raises :class:`Malformed` for anything else."""
    import pyrage

    try:
        if len(text) == _LENGTH and str(pyrage.x25519.Recipient.from_str(text)) == text:
            return text
    except pyrage.RecipientError:
        pass
    raise Malformed("this is no age X25519 recipient")


def sign_recipient(recipient: str, key: SigningKey) -> bytes:
    """The envelope in which a receiver tells its recipient."""
    return dsse.sign(strict_json.canonical({"age": recipient}), RECIPIENT_TYPE, key)


def read_recipient(data: Any, key: PublicKey) -> str:
    """The recipient in an envelope (as parsed JSON) that ``key`` signed; raises :class:`Malformed`."""
    try:
        envelope = strict_json.canonical(data)
        payload = dsse.verify(envelope, RECIPIENT_TYPE, key, max_size=MAX_RECIPIENT)
    except dsse.EnvelopeRejected as error:
        raise Malformed(str(error)) from error
    told = strict_json.loads(payload, max_size=MAX_RECIPIENT, max_depth=1)
    exactly(told, ("age",))
    return check_recipient(field(told, "age", str))
