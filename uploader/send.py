"""Send a bundle from the outbox, over whatever network there is, until the receiver's receipt is stored."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from agent.model import Text
from uploader.bundle.format import FILE_SUFFIX
from uploader.dsse import EnvelopeRejected
from uploader.http import Nonsense, ReceiverError, Refused, nonsense
from uploader.outbox import Entry, Outbox, OutboxError, State
from uploader.pace import Pace
from uploader.receipt import Receipt
from uploader.receiver import Receiver, ReceiverInfo, told
from uploader.tus import Upload

Progress = Callable[[int, int], None]
"""Called with the bytes that were sent, fewer again where a part was lost, and the bytes of the bundle; from more than
one thread, one at a time. What it raises between two parts ends the transfer.
"""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Retries:
    """How often in a row, without a byte of progress, and after what pauses (seconds) it is tried again.

    The pause is drawn evenly from 0 to twice the last limit ("full jitter", AWS Architecture Blog, 2015), so that many
    devices do not come back at once after an outage. Ours: about 20 s of patience in all.
    """

    limit: int = 5
    first_s: float = 1.0
    most_s: float = 15.0

    def pause_s(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        return random.SystemRandom().uniform(0, min(self.most_s, self.first_s * 2**failures))


_PATIENCE = Retries()

_MOST_WAIT_S = 60
"""Seconds that a receiver which has too much to do may make this attempt wait; ours. When it asks for more, the bundle
waits in the outbox for the next attempt.
"""


def send(
    outbox: Outbox,
    entry: Entry,
    receiver: Receiver,
    progress: Progress | None = None,
    *,
    rate: int | None = None,
    retries: Retries = _PATIENCE,
) -> Receipt:
    """Upload the bundle of ``entry`` (from where an earlier attempt ended), and store the receipt. Takes no more than
    ``rate`` bytes a second of the line (:data:`uploader.pace.LEAST_RATE` or more; ``None``: all that there is).

    Raises :class:`~uploader.http.ReceiverError` or :class:`~uploader.outbox.OutboxError`; the bundle is then still in
    the outbox, with the reason. A receiver that cannot be reached at all is not tried again: that is the person's to
    decide. A broken transfer is.
    """
    if entry.state is State.DELIVERED:
        raise OutboxError(Text("the bundle was delivered already"))
    sending = _Sending(outbox, entry, receiver, progress, Pace(rate))
    try:
        return sending.run(retries)
    except (ReceiverError, EnvelopeRejected, OutboxError) as error:
        problem = _told(error, entry)
        final = isinstance(error, Refused) and error.name == "bundle-rejected"
        now = (outbox.refused if final else outbox.failed)(sending.entry, problem.reason)
        if now.receipt is not None:  # another process sent it meanwhile, and has let the bundle go
            return Receipt.verify(now.receipt.encode(), receiver.info().key)
        if problem is error:
            raise
        raise problem from error


def _told(error: ReceiverError | EnvelopeRejected | OutboxError, entry: Entry) -> ReceiverError | OutboxError:
    """What went wrong, as the caller is told of it."""
    if isinstance(error, EnvelopeRejected):
        return ReceiverError(error.reason, error.detail)
    return told(error, entry.rma, entry.serial) if isinstance(error, Refused) else error


class _Sending:
    """One call of :func:`send`; ``entry`` is as it now stands in the outbox."""

    def __init__(self, outbox: Outbox, entry: Entry, receiver: Receiver, progress: Progress | None, pace: Pace) -> None:
        self.entry = entry
        self._outbox = outbox
        self._receiver = receiver
        self._progress = progress
        self._pace = pace
        self._sent = 0

    def run(self, retries: Retries) -> Receipt:
        info = self._receiver.info()
        try:
            with self._outbox.bundle(self.entry).open("rb") as file:
                self._check(file)
                envelope = self._persist(info, file, retries)
        except OSError as error:
            raise OutboxError(Text("could not be read: {error}", {"error": error.strerror or str(error)})) from error
        self.entry, receipt = self._outbox.delivered(self.entry, envelope, info.key)
        return receipt

    def _check(self, file: BinaryIO) -> None:
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
        if digest.hexdigest() != self.entry.sha256:
            raise OutboxError(Text("the bundle is damaged, or was changed after it was sealed"))

    def _persist(self, info: ReceiverInfo, file: BinaryIO, retries: Retries) -> bytes:
        """Transfer and fetch the receipt, in as many attempts as it takes."""
        failures = 0
        while True:
            before = self._sent
            try:
                return self._attempt(info, file)
            except ReceiverError as error:
                failures = 0 if self._sent > before else failures + 1
                wait_s = error.wait_s if isinstance(error, Refused) else 0
                if not error.passing or failures > retries.limit or wait_s > _MOST_WAIT_S:
                    raise
            self._pace.broke()
            time.sleep(wait_s + retries.pause_s(failures))

    def _attempt(self, info: ReceiverInfo, file: BinaryIO) -> bytes:
        size = file.seek(0, 2)
        upload, offset = self._resume(size) or self._create(info, size)
        self._report(offset, size)
        while offset < size:
            file.seek(offset)
            part, began = file.read(self._pace.part), time.monotonic()
            sent_to = upload.append(
                offset, part, partial(self._pace.body, told=partial(self._show_within, size, offset))
            )
            self._pace.arrived(sent_to - offset, time.monotonic() - began)
            offset = sent_to
            self._report(offset, size)
        return self._receiver.receipt(upload.url)

    def _resume(self, size: int) -> tuple[Upload, int] | None:
        if self.entry.upload_url is None:
            return None
        try:
            upload = Upload(self._receiver.http, self.entry.upload_url)
        except Nonsense:  # begun with another server
            return None
        offset = upload.offset(size)
        return None if offset is None else (upload, offset)

    def _create(self, info: ReceiverInfo, size: int) -> tuple[Upload, int]:
        metadata = {
            "rma": self.entry.rma,
            "serial": self.entry.serial,
            "sha256": self.entry.sha256,
            "filename": f"{self.entry.bundle_id}{FILE_SUFFIX}",
        }
        upload = Upload.create(self._receiver.http, info.uploads, size, metadata)
        self.entry = self._outbox.started(self.entry, upload.url)
        offset = upload.offset(size)
        if offset is None:
            raise nonsense(self._receiver.base_url, "the upload just made is not there")
        return upload, offset

    def _report(self, offset: int, size: int) -> None:
        self._sent = max(self._sent, offset)
        if self._progress is not None:
            self._progress(offset, size)

    def _show_within(self, size: int, offset: int, more: int) -> None:
        if self._progress is not None:
            with suppress(Exception):  # here it would break the part that is under way
                self._progress(offset + more, size)
