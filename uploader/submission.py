"""From a run to its case: announce the device, seal, put into the outbox, send. What the faces call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.model.run_view import RunView
from uploader.bundle.format import Version
from uploader.bundle.seal import Binding, Sealed, seal
from uploader.http import ReceiverError
from uploader.keys import DeviceKey
from uploader.outbox import Entry, Outbox
from uploader.receipt import Receipt
from uploader.receiver import Receiver
from uploader.send import Progress, send


class Desk:
    """The device's key, sealed bundles and outbox, below one state directory.

    Its methods raise :class:`~uploader.keys.KeyUnusable`, :class:`~uploader.bundle.seal.SealFailed`,
    :class:`~uploader.outbox.OutboxError` and :class:`~uploader.http.ReceiverError`.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self.outbox = Outbox(state / "outbox")

    def announce(self, address: str, rma: str, serial: str) -> str:
        """Make this device known for a case; gives the nonce that binds the next bundle to it."""
        return self._announce(Receiver(address, self._state), rma, serial)

    def seal(self, run_directory: Path, run_id: str, view: RunView, *, rma: str | None, nonce: str | None) -> Sealed:
        """Seal a run for ``rma`` (``None``: for nobody yet)."""
        binding = Binding(
            rma=rma,
            serial=view.unit.get("serial", ""),
            serial_source=view.unit.get("serial_source", ""),
            model=view.unit.get("model", ""),
            nonce=nonce,
            run_id=run_id,
            boot_id=_text(view.metadata, "boot_id"),
            tool=Version("aiodiag", view.version),
            plan=Version(_text(view.parameters, "plan"), _text(view.metadata, "plan_version")),
            verdict=view.verdict,
        )
        return seal(run_directory, self._state / "bundles", self._key(), binding)

    def send(self, entry: Entry, progress: Progress | None = None) -> Receipt:
        """Send one entry. The device announces itself first: the bundle may have been sealed where no network was.

        Whatever goes wrong is noted in the outbox, where the bundle stays.
        """
        try:
            receiver = Receiver(entry.server, self._state)
            self._announce(receiver, entry.rma, entry.serial)
        except ReceiverError as e:
            self.outbox.failed(entry, e.reason)
            raise
        return send(self.outbox, entry, receiver, progress)

    def _announce(self, receiver: Receiver, rma: str, serial: str) -> str:
        receiver.info()  # its key is compared before it is told anything
        return receiver.enrol(rma, serial, self._key())

    def _key(self) -> DeviceKey:
        return DeviceKey.load_or_create(self._state / "key")


def _text(values: Mapping[str, Any], key: str) -> str:
    return str(values.get(key) or "")
