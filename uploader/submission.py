"""From a run to its case: announce the device, seal, put into the outbox, send. What the faces call."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.durable import locked, replace
from agent.model import Text
from agent.model.run_view import RunView
from agent.redaction import RULES, Known, gather
from uploader.bundle import quick_code
from uploader.bundle.format import Redacted, Version
from uploader.bundle.quick_code import QuickCode
from uploader.bundle.redacted import Redaction, redact
from uploader.bundle.run_directory import RunDirectory
from uploader.bundle.seal import Binding, Sealed, SealFailed, seal
from uploader.bundle.verify import VerifiedBundle
from uploader.device_key import TPM_FOLDER, Tell, TpmKey, device_key
from uploader.endorsement import Endorsement, activated, endorsement
from uploader.http import ReceiverError
from uploader.keys import DeviceKey, KeyUnusable
from uploader.outbox import Entry, Outbox
from uploader.receipt import Receipt
from uploader.receiver import NotProven, Quarantined, Receiver
from uploader.send import Progress, send
from uploader.strict_json import Malformed
from uploader.tpm import Tpm


class Desk:
    """The device's key, sealed bundles and outbox, below one state directory. What a person should know of the key is
    told once.

    Its methods raise :class:`~uploader.keys.KeyUnusable`, :class:`~uploader.bundle.seal.SealFailed`,
    :class:`~uploader.outbox.OutboxError` and :class:`~uploader.http.ReceiverError`.
    """

    def __init__(
        self, state: Path, tell: Tell, tpm: Tpm | None = None, names: Callable[[], frozenset[Known]] = gather
    ) -> None:
        """``names`` gives what this device and its users are called, which no bundle may tell."""
        self._state = state
        self._tell = tell
        self._tpm = tpm or Tpm(state / "key" / TPM_FOLDER)
        self._keys: dict[str, DeviceKey | TpmKey] = {}
        self._shown: set[str] = set()
        self._names = names
        self.outbox = Outbox(state / "outbox")

    def announce(self, address: str, rma: str, serial: str) -> str:
        """Make this device known for a case; gives the nonce that binds the next bundle to it."""
        return self._announce(Receiver(address, self._state), rma, serial)

    def seal(self, run_directory: Path, run_id: str, view: RunView, *, rma: str | None, nonce: str | None) -> Sealed:
        """Seal a run for ``rma`` (``None``: for nobody yet), with pseudonyms for what names a person. What each of them
        stands for stays below ``pseudonyms`` in the state directory; the run stays as it is.
        """
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
        with _seal_failing(), self._redacted(run_directory) as (copy, redaction):
            left_out = Redacted(RULES, tuple(redaction.left_out.values()))
            sealed = seal(copy, self._state / "bundles", self.key(binding.serial), binding, left_out)
            try:
                self._keep(sealed, run_id, redaction)
            except OSError:
                sealed.path.unlink(missing_ok=True)
                raise
        return sealed

    def preview(self, run_directory: Path) -> Redaction:
        """What of a run would be replaced if it were sealed now; nothing is written. The pseudonyms are examples: each
        bundle has its own.
        """
        with _seal_failing(), RunDirectory(run_directory) as run:
            return redact(run, self._names(), None)

    @contextmanager
    def _redacted(self, run_directory: Path) -> Iterator[tuple[Path, Redaction]]:
        """A redacted copy of a run, for as long as it is needed."""
        folder = self._state / "sealing"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder), RunDirectory(run_directory) as run:
            for left in folder.iterdir():  # by an agent that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder) as made:
                copy = Path(made) / "run"
                yield copy, redact(run, self._names(), copy)

    def _keep(self, sealed: Sealed, run_id: str, redaction: Redaction) -> None:
        """Write down what each pseudonym of a bundle stands for, readable by the agent's user only."""
        folder = self._state / "pseudonyms"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mapping = [{"kind": r.kind.value, "pseudonym": r.pseudonym, "value": r.value} for r in redaction.mapping]
        document = {"schema": 1, "bundle_id": sealed.bundle_id, "run_id": run_id, "rules": RULES, "mapping": mapping}
        replace(folder / f"{sealed.bundle_id}.json", json.dumps(document, indent=1).encode())

    def quick_code(self, bundle: VerifiedBundle) -> bytes:
        """The signed message that opens the receiver's page from a phone. For bundles of this device alone: its word is
        what the message is signed with.
        """
        run = bundle.statement.run
        key = self.key(run.serial)
        if bundle.key != key.public:
            raise SealFailed(Text("this bundle was not sealed by this unit"))
        found = RunView.from_records(bundle.journal()).findings
        faults = quick_code.worst(f.finding.code for f in found)
        try:
            sealed = int(datetime.fromisoformat(run.clocks.wall).timestamp())
            return QuickCode(run.serial, run.rma, run.verdict, faults, sealed, bundle.sha256).signed(key.signer)
        except (Malformed, ValueError) as error:
            raise SealFailed(Text("the code could not be made: {error}", {"error": str(error)})) from error

    def send(self, entry: Entry, progress: Progress | None = None, rate: int | None = None) -> Receipt:
        """Send one entry, at ``rate`` bytes a second at most (:func:`uploader.send.send`). The device announces itself
        first: the bundle may have been sealed where no network was.

        Whatever goes wrong is noted in the outbox, where the bundle stays.
        """
        try:
            receiver = Receiver(entry.server, self._state)
            self._announce(receiver, entry.rma, entry.serial)
        except ReceiverError as e:
            self.outbox.failed(entry, e.reason)
            raise
        return send(self.outbox, entry, receiver, progress, rate=rate)

    def link(self, entry: Entry) -> str:
        """An address that shows the owner once, on another screen, what this unit sent for the case of ``entry``."""
        receiver = Receiver(entry.server, self._state)
        nonce = self._announce(receiver, entry.rma, entry.serial)
        return receiver.link(entry.rma, entry.serial, nonce, self.key(entry.serial))

    def key(self, serial: str) -> DeviceKey | TpmKey:
        """The key of the unit with this serial number. Looked for once: what was announced is what seals."""
        if serial not in self._keys:
            self._keys[serial] = device_key(self._state / "key", serial, self._tpm, self._tell)
        return self._keys[serial]

    def _announce(self, receiver: Receiver, rma: str, serial: str) -> str:
        receiver.info()  # its key is compared before it is told anything
        key = self.key(serial)
        enrolled = receiver.enrol(rma, serial, key, key.earlier if isinstance(key, TpmKey) else None)
        if enrolled.asks_proof and isinstance(key, TpmKey) and serial not in self._shown:
            self._shown.add(serial)
            self._prove(receiver, rma, serial, enrolled.nonce, key)
        return enrolled.nonce

    def _prove(self, receiver: Receiver, rma: str, serial: str, nonce: str, key: TpmKey) -> None:
        """Let the TPM prove that it holds the key. Where that fails, all goes on as before; but a TPM that is another
        unit's is the receiver's staff's to decide about (:class:`~uploader.receiver.Quarantined`).
        """
        shown = Endorsement()
        try:
            shown = endorsement(key.tpm, key.public)
            challenge = receiver.tpm_challenge(rma, serial, nonce, shown, key)
            secret = activated(key.tpm, key.public, shown, challenge.credential, challenge.seed)
            receiver.tpm_answer(rma, serial, challenge.id, secret, key)
        except Quarantined:
            raise
        except (ReceiverError, KeyUnusable) as error:
            bare = isinstance(error, NotProven) and not shown.certificate
            self._tell(Text("the TPM has no certificate of its maker") if bare else error.reason)
            self._tell(Text("so it is not proven that this unit's key is in its TPM; everything goes on as before"))


def _text(values: Mapping[str, Any], key: str) -> str:
    return str(values.get(key) or "")


@contextmanager
def _seal_failing() -> Iterator[None]:
    """What a run directory or the disk refuses, as the reason why there is no bundle."""
    try:
        yield
    except Malformed as e:
        raise SealFailed(Text("the bundle could not be made: {error}", {"error": str(e)})) from e
    except OSError as e:
        raise SealFailed(Text("the bundle could not be made: {error}", {"error": e.strerror or str(e)})) from e
