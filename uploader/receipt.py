"""The receiver's signed word that it has a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.model import Text
from uploader import dsse, strict_json
from uploader.dsse import EnvelopeRejected
from uploader.keys import PublicKey
from uploader.strict_json import field

RECEIPT_TYPE = "application/vnd.hibertek.aiodiag.receipt+json"
MAX_RECEIPT = 64 << 10


@dataclass(frozen=True, slots=True)
class Receipt:
    """``sha256`` and ``size`` (bytes) are the bundle's, ``received_at`` is ISO 8601 (UTC), ``case_url`` a web page."""

    rma: str
    serial: str
    bundle_id: str
    sha256: str
    size: int
    received_at: str
    case_url: str

    @classmethod
    def verify(cls, envelope: bytes, key: PublicKey) -> Receipt:
        """Read an envelope that ``key`` signed; raises :class:`~uploader.dsse.EnvelopeRejected`."""
        payload = dsse.verify(envelope, RECEIPT_TYPE, key, max_size=MAX_RECEIPT)
        try:
            data = strict_json.loads(payload, max_size=MAX_RECEIPT, max_depth=4)
            receipt = cls(
                rma=field(data, "rma", str),
                serial=field(data, "serial", str),
                bundle_id=field(data, "bundle_id", str),
                sha256=field(data, "sha256", str),
                size=field(data, "size", int),
                received_at=field(data, "received_at", str),
                case_url=field(data, "case_url", str),
            )
            web_address = urlsplit(receipt.case_url).scheme in {"http", "https"} and receipt.case_url.isprintable()
        except ValueError as error:
            raise EnvelopeRejected(Text("the receipt is not for this bundle"), str(error)) from error
        if not web_address:
            raise EnvelopeRejected(Text("the receipt is not for this bundle"), "'case_url' is no web address")
        return receipt

    def check(self, *, rma: str, serial: str, bundle_id: str, sha256: str, size: int) -> None:
        """Raises :class:`~uploader.dsse.EnvelopeRejected` unless it is the receipt for exactly this bundle."""
        told = (self.rma, self.serial, self.bundle_id, self.sha256, self.size)
        sent = (rma, serial, bundle_id, sha256, size)
        if told != sent:
            raise EnvelopeRejected(Text("the receipt is not for this bundle"), f"it is for {told}, sent was {sent}")
