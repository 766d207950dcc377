"""What the receiver is told from outside, and the one directory in which it keeps everything that is not elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

API = "/api/v1"

BODY_CAP = 64 * 1024
"""Bytes of a request body other than a part of an upload; an enrolment takes less than 4 KiB. Ours."""

LEASE_S = 30.0
"""Seconds for which a writer that sends nothing keeps an upload to itself: long enough for a stalled radio link, short
enough that a customer who reconnects is not told to wait. Ours."""


DATABASE = "AIODIAG_SERVER_DATABASE"
BUNDLES = "AIODIAG_SERVER_BUNDLES"


def _told(name: str) -> str:
    return field(default_factory=lambda: os.environ.get(name, ""), repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """``data`` is a directory of the receiver's own. ``public_url`` (``https://rma.example``) is put before the path
    of a case page in receipts; without it the request's own address is.

    ``database`` (``postgresql://…``) and ``bundle_store`` (``s3://BUCKET/PREFIX``) are ``""`` where both lie below
    ``data``. They come from the environment, for every command alike, and not from the command line, which others can
    read: an address may hold a password.
    """

    data: Path
    public_url: str = ""
    database: str = _told(DATABASE)
    bundle_store: str = _told(BUNDLES)

    @property
    def database_url(self) -> str:
        """Where SQLAlchemy finds the database; raises ``ValueError`` when that cannot be."""
        if self.database and not self.database.startswith(("postgresql://", "postgresql+psycopg://")):
            raise ValueError(f"{DATABASE} must begin with postgresql://")
        return self.database or f"sqlite:///{self.data / 'receiver.sqlite3'}"

    @property
    def spool(self) -> Path:
        """Uploads that are not whole yet."""
        return self.data / "spool"

    @property
    def bundles(self) -> Path:
        """Whole bundles, accepted and quarantined, by digest."""
        return self.data / "bundles"

    @property
    def key(self) -> Path:
        """The receiver's own key."""
        return self.data / "key"

    @property
    def age(self) -> Path:
        """The identity that bundles on a stick are encrypted to, beside the receiver's own key."""
        return self.key / "age.txt"

    @property
    def makers(self) -> Path:
        """Certificates of the makers of TPMs that the operator believes, as PEM files."""
        return self.data / "tpm-makers"

    def prepare(self) -> None:
        """Make the directories, for nobody else to read; raises ``OSError`` when that cannot be done."""
        for folder in (self.data, self.spool, self.bundles):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def default_data() -> Path:
    """The state directory: of the system for root, of the user otherwise (XDG base directory specification)."""
    if os.geteuid() == 0:
        return Path("/var/lib/aiodiag-server")
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local" / "state") / "aiodiag-server"
