"""Bundles on their way: on disk, and safe from a kill at any moment.

A bundle is one file named by its digest, so adding it twice is adding it once. Beside it lies a small state file that
is only ever replaced whole. Where the state is damaged or missing, it is made again from the bundle, which says itself
for which case it is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent import durable
from agent.model import Text
from uploader import strict_json
from uploader.bundle.format import FILE_SUFFIX
from uploader.bundle.verify import BundleRejected, open_bundle
from uploader.keys import PublicKey
from uploader.receipt import Receipt
from uploader.strict_json import Malformed, field, optional_text

_STATE_SUFFIX = ".json"
_CHUNK = 1 << 20
_MAX_STATE = 256 << 10  # bytes
_MAX_DEPTH = 8


class OutboxError(Exception):
    """The outbox cannot take or give something. ``reason`` is for the person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class State(StrEnum):
    """Where a bundle stands."""

    WAITING = "waiting"
    REFUSED = "refused"
    """The receiver looked at it and said no; sending the same bytes again will not help."""
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Entry:
    """One bundle. ``sha256`` (hexadecimal) is its name in the outbox.

    ``upload_url`` is where the transfer goes on; ``attempts`` counts the failed ones and ``last_error`` is the last
    one's reason. ``receipt`` is the receiver's signed envelope; only with it an entry is ``delivered``.
    """

    sha256: str
    bundle_id: str
    rma: str
    serial: str
    server: str
    state: State = State.WAITING
    upload_url: str | None = None
    attempts: int = 0
    last_error: Text | None = None
    receipt: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A flat object; ``last_error`` as a :class:`~agent.model.Text` object."""
        return {
            "schema": 1,
            "sha256": self.sha256,
            "bundle_id": self.bundle_id,
            "rma": self.rma,
            "serial": self.serial,
            "server": self.server,
            "state": self.state.value,
            "upload_url": self.upload_url,
            "attempts": self.attempts,
            "last_error": self.last_error.to_json() if self.last_error else None,
            "receipt": self.receipt,
        }

    @classmethod
    def from_json(cls, data: Any) -> Entry:
        """Inverse of :meth:`to_json`; raises :class:`~uploader.strict_json.Malformed`."""
        if field(data, "schema", int) != 1:
            raise Malformed("another schema")
        state, error = field(data, "state", str), data.get("last_error")
        if state not in set(State):
            raise Malformed(f"state {state[:50]!r}")
        if (state == State.DELIVERED) != (optional_text(data, "receipt") is not None):
            raise Malformed("delivered, and a receipt: one without the other")
        return cls(
            sha256=field(data, "sha256", str),
            bundle_id=field(data, "bundle_id", str),
            rma=field(data, "rma", str),
            serial=field(data, "serial", str),
            server=field(data, "server", str),
            state=State(state),
            upload_url=optional_text(data, "upload_url"),
            attempts=field(data, "attempts", int),
            last_error=None if error is None else Text(field(error, "text", str), field(error, "values", dict)),
            receipt=optional_text(data, "receipt"),
        )


class Outbox:
    """The outbox in the directory ``root``, which is made on first use. Several processes may use it at once.

    Every method that changes something is on disk when it returns, and raises :class:`OutboxError` when it cannot be.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> list[Entry]:
        """All bundles, those still to be sent first, then by digest. A damaged state file hides none of them."""
        try:
            names = os.listdir(self.root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed(self.root, error) from error
        digests = {n.removesuffix(FILE_SUFFIX) for n in names if n.endswith(FILE_SUFFIX) and not n.startswith(".")}
        digests |= {n.removesuffix(_STATE_SUFFIX) for n in names if n.endswith(_STATE_SUFFIX) and not n.startswith(".")}
        return sorted((self._load(digest) for digest in digests), key=lambda e: (list(State).index(e.state), e.sha256))

    def get(self, sha256: str) -> Entry:
        """The entry as it now stands; raises :class:`OutboxError` when there is none."""
        for entry in self.entries():
            if entry.sha256 == sha256:
                return entry
        raise OutboxError(Text("there is no such bundle in the outbox"))

    def bundle(self, entry: Entry) -> Path:
        """Where the bundle lies (until it is delivered)."""
        return self.root / f"{entry.sha256}{FILE_SUFFIX}"

    def add(self, bundle: Path, *, rma: str, server: str) -> Entry:
        """Take a copy of a bundle, to be sent to ``server`` for the case ``rma``.

        The same bundle again gives the entry that is there: a delivered one as it is, another one with the new case and
        server, and with a whole bundle where it was damaged. Raises :class:`OutboxError`, and
        :class:`~uploader.bundle.verify.BundleRejected` for what is no bundle.
        """
        with open_bundle(bundle) as opened:
            run, sha256 = opened.statement.run, opened.sha256
        if run.rma not in {None, rma}:
            raise OutboxError(Text("the bundle was sealed for the case {rma}", {"rma": str(run.rma)}))
        entry = Entry(sha256, run.bundle_id, rma, run.serial, server)
        with self._changing():
            whole, known = self._whole(entry), self._load(sha256)
            if known.state is State.DELIVERED:
                return known
            if not whole:
                self._copy(bundle, entry)
            if whole and (known.rma, known.server) == (rma, server):
                return known
            return self._store(entry)

    def addressed(self, entry: Entry, server: str) -> Entry:
        """Send it to another server from now on; a delivered one stays as it is."""
        return entry if entry.server == server else self._change(replace(entry, server=server))

    def started(self, entry: Entry, upload_url: str) -> Entry:
        """Remember where the transfer goes on."""
        return self._change(replace(entry, upload_url=upload_url))

    def failed(self, entry: Entry, reason: Text) -> Entry:
        """An attempt went wrong; the bundle waits for the next one."""
        return self._change(
            replace(entry, state=State.WAITING, attempts=entry.attempts + 1, last_error=reason, receipt=None)
        )

    def refused(self, entry: Entry, reason: Text) -> Entry:
        """The receiver does not want this bundle; it stays here for a person to decide."""
        return self._change(replace(entry, state=State.REFUSED, attempts=entry.attempts + 1, last_error=reason))

    def delivered(self, entry: Entry, envelope: bytes, key: PublicKey) -> tuple[Entry, Receipt]:
        """Store the receipt, after it was found to be signed by ``key`` and for this bundle, and let the bundle go.

        Raises :class:`~uploader.dsse.EnvelopeRejected` for a receipt that is not; the bundle then stays.
        """
        receipt = Receipt.verify(envelope, key)
        try:
            size = self.bundle(entry).stat().st_size
        except OSError as error:
            raise _failed(self.root, error) from error
        receipt.check(rma=entry.rma, serial=entry.serial, bundle_id=entry.bundle_id, sha256=entry.sha256, size=size)
        done = replace(entry, state=State.DELIVERED, last_error=None, receipt=envelope.decode("utf-8"))
        return self._change(done), receipt

    def _change(self, entry: Entry) -> Entry:
        with self._changing():
            now = self._load(entry.sha256)
            # Delivered is final: another process may have been quicker than the attempt that failed here.
            return now if now.state is State.DELIVERED else self._store(entry)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with durable.locked(self.root):
                self._tidy()
                yield
        except OSError as error:
            raise _failed(self.root, error) from error

    def _tidy(self) -> None:
        """Finish what a kill left unfinished. Under the lock, so nobody is writing the temporary files."""
        for path in self.root.iterdir():
            if path.name.endswith(durable.TEMPORARY):
                path.unlink(missing_ok=True)
            elif path.name.endswith(_STATE_SUFFIX):
                entry = self._load(path.name.removesuffix(_STATE_SUFFIX))
                if entry.state is State.DELIVERED:
                    self.bundle(entry).unlink(missing_ok=True)

    def _store(self, entry: Entry) -> Entry:
        durable.replace(self._state(entry.sha256), strict_json.canonical(entry.to_json()))
        if entry.state is State.DELIVERED:
            self.bundle(entry).unlink(missing_ok=True)
        return entry

    def _whole(self, entry: Entry) -> bool:
        try:
            with self.bundle(entry).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        except OSError:
            return False

    def _copy(self, bundle: Path, entry: Entry) -> None:
        digest = hashlib.sha256()
        with bundle.open("rb") as source, durable.creating(self.bundle(entry)) as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
            if digest.hexdigest() != entry.sha256:
                raise OutboxError(Text("the bundle is damaged, or was changed after it was sealed"))

    def _state(self, sha256: str) -> Path:
        return self.root / f"{sha256}{_STATE_SUFFIX}"

    def _load(self, sha256: str) -> Entry:
        try:
            with self._state(sha256).open("rb") as file:
                entry = Entry.from_json(
                    strict_json.loads(file.read(_MAX_STATE), max_size=_MAX_STATE, max_depth=_MAX_DEPTH)
                )
            if entry.sha256 == sha256:
                return entry
        except (OSError, Malformed):
            pass
        return self._recover(sha256)

    def _recover(self, sha256: str) -> Entry:
        """The entry as the bundle itself tells it: for which case, but not for which server."""
        nothing = Entry(sha256, "", "", "", "")
        try:
            with open_bundle(self.bundle(nothing)) as opened:
                run = opened.statement.run
                if opened.sha256 == sha256:
                    return Entry(sha256, run.bundle_id, run.rma or "", run.serial, "")
            reason = Text("the bundle is damaged, or was changed after it was sealed")
        except BundleRejected as error:
            reason = error.reason
        return replace(nothing, state=State.REFUSED, last_error=reason)


def _failed(path: Path, error: OSError) -> OutboxError:
    return OutboxError(Text("{path}: {error}", {"path": str(path), "error": error.strerror or str(error)}))
