"""The self-check or a hardware test in a guest, and what reached the receiver outside."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agent.model.run_view import RunView
from tests.bench.aio import VirtualAio
from tests.receiver_process import ReceiverProcess
from uploader.bundle.verify import open_bundle

COMMAND = "/usr/local/bin/aiodiag"
SELFCHECK_LIMIT_S = 300.0


class Checked(NamedTuple):
    """A self-check or test that was made in the guest. ``printed`` is its JSON document, ``status`` its exit status,
    ``seconds`` how long the person waited. ``run`` is what the receiver has, ``bundle`` its file there.
    """

    printed: dict[str, Any]
    status: int
    seconds: float
    run: RunView
    bundle: Path

    @property
    def findings(self) -> list[dict[str, Any]]:
        """As the person saw them, worst first."""
        found: list[dict[str, Any]] = self.printed["findings"]
        return found

    @property
    def outcomes(self) -> dict[str, str]:
        """Step -> outcome."""
        told: dict[str, str] = self.printed["outcomes"]
        return told

    @property
    def unit(self) -> dict[str, str]:
        """Who the unit was taken for."""
        told: dict[str, str] = self.printed["unit"]
        return told

    def parts(self, kind: str) -> list[Any]:
        """The components of a kind (``panel``) in the inventory that the receiver has."""
        return [c for c in self.run.components if c.kind.value == kind]


class Undelivered(AssertionError):
    """What the receiver has is not what the unit said."""


def check(aio: VirtualAio, receiver: ReceiverProcess, command: Sequence[str], typed: str | None) -> Checked:
    """Run a ``command`` of the agent that makes a bundle (``selfcheck``, ``test``) for a new case, and look from
    outside at what arrived: whose it is, whether it is signed and whole, whether it says what the person was told,
    whether the receipt is the receiver's. ``typed`` is a serial number that the person types. Raises
    :class:`Undelivered` where it is not so, and ``RuntimeError`` when the agent gave no answer.
    """
    label = typed or aio.identity.label
    case = receiver.quick_case(label)
    words = [*command, "--json", "--rma", case.rma, "--server", aio.network.reach(receiver.port)]
    words += ["--serial", typed] if typed else []
    began = time.monotonic()
    ran = aio.guest.run(COMMAND, *words, timeout_s=SELFCHECK_LIMIT_S)
    seconds = time.monotonic() - began
    if ran.status not in (0, 1, 3) or "Traceback" in ran.err:
        raise RuntimeError(f"aiodiag {command[0]} ended with {ran.status}: {ran.err.strip()[-600:]}")
    printed = json.loads(ran.out)
    entries = json.loads(aio.guest.out(COMMAND, "outbox", "--json"))["entries"]
    (entry,) = [e for e in entries if e["rma"] == case.rma]
    if entry["state"] != "delivered":
        raise Undelivered(f"the bundle is {entry['state']}: {ran.err.strip().splitlines()[-1]}")
    receiver.receipt(entry)
    file = receiver.data / "bundles" / entry["sha256"][:2] / f"{entry['sha256']}.zip"
    with open_bundle(file) as bundle:
        run = RunView.from_records(bundle.journal())
        signed = bundle.statement.run
        told = (signed.rma, signed.serial, signed.run_id)
    _agree("RMA, serial number and run", told, (case.rma, label, printed["run_id"]))
    _agree("the unit", run.unit, printed["unit"])
    codes = [(f.finding.code, f.finding.subject) for f in run.findings]
    _agree("the findings", codes, [(f["code"], f["subject"]) for f in printed["findings"]])
    _agree("the verdict", run.verdict.value, printed["verdict"])
    return Checked(printed, int(ran.status), seconds, run, file)


def _agree(what: str, receiver: object, unit: object) -> None:
    if receiver != unit:
        raise Undelivered(f"{what}: the receiver has {receiver}, the unit said {unit}")
