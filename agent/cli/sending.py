"""Send a bundle from the outbox, and tell the person how it went."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.cli.plain import clean
from agent.cli.problem import Problem, explained
from agent.cli.progress import transfer
from agent.cli.settings import rate_limit, server_address
from agent.cli.streams import tell
from agent.model import Text
from agent.texts import render

if TYPE_CHECKING:
    from pathlib import Path

    from uploader.outbox import Entry
    from uploader.pins import Pin
    from uploader.submission import Desk


def receiver_address(given: str | None) -> str:
    """Where to send to: as given, else as the environment says. Raises :class:`Problem` when nobody said, or when it is
    no address.
    """
    from uploader.http import Http

    address = server_address(given)
    if address is None:
        raise Problem(Text("where to send it? Give --server URL or set AIODIAG_SERVER"))
    with explained():
        return Http(address).base_url


def met_receivers(given: str | None, state: Path) -> list[Pin]:
    """The receivers that may be meant: the one that is named (where it was met), else all that were ever met."""
    from uploader.pins import all_pins, read_pin

    with explained():
        if server_address(given) is None:
            return list(all_pins(state))
        pin = read_pin(state, receiver_address(given))
        return [pin] if pin else []


def deliver(desk: Desk, entry: Entry, language: str, rate: str | None = None) -> bool:
    """Send one entry; whether the receiver's receipt is there. What goes wrong is said on standard error, with how to
    send it later; the bundle stays in the outbox. ``rate`` is the speed limit as it was typed. Raises :class:`Problem`
    for one that is none.
    """
    from uploader.bundle.seal import SealFailed
    from uploader.http import ReceiverError
    from uploader.keys import KeyUnusable
    from uploader.outbox import OutboxError

    limit = rate_limit(rate)
    try:
        with transfer(language) as shown:
            receipt = desk.send(entry, shown, limit)
    except (ReceiverError, OutboxError, SealFailed, KeyUnusable) as e:
        values = {"reason": render(e.reason, language), "rma": entry.rma}
        kept = Text("not sent: {reason}. It is kept in the outbox; send it later with: aiodiag upload", values)
        tell(kept, language)
        return False
    values = {"rma": receipt.rma, "time": receipt.received_at}
    attached = Text("Attached to {rma}; the receiver's receipt is dated {time}", values)
    with suppress(OSError):  # delivered is delivered, whether or not anybody can read it
        print(clean(render(attached, language)), file=sys.stderr, flush=True)
    return True
