"""What a kind of hardware is to the bench."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.machine import Channel, Qemu


class NotTaken(AssertionError):
    """A fault that was put in and that a tool which is not ours does not see: the experiment failed, not the agent."""


def proven(evidence: bool, what: str, seen: str = "") -> None:
    """Raise :class:`NotTaken` unless ``evidence`` holds; ``what`` says what should be seen, ``seen`` what was."""
    if not evidence:
        raise NotTaken(f"{what}; seen instead: {' '.join(seen.split())[-300:] or 'nothing'}")


@contextmanager
def again_and_again(do: Callable[[], object], every_s: float) -> Iterator[None]:
    """Do something every so many seconds meanwhile, on this side. Where the machine is gone, nothing comes of it."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(every_s):
            with suppress(OSError):
                do()

    thread = threading.Thread(target=work, name="fault")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Part:
    """A kind of hardware.

    Its life: made from the personality's table of its name; :meth:`arguments` and :meth:`kernel` are asked before QEMU
    starts; :meth:`attach` is called with the running QEMU and its guest, after a start and after every restore;
    :meth:`settle` after a start only: what it does in the guest is part of the snapshot. :meth:`connect` then plugs in
    what no snapshot can hold, and :meth:`ready` waits until the guest has it. A fault is a context manager: the
    hardware is whole again when it ends.
    """

    name = ""

    def __init__(self, table: dict[str, Any], folder: Path) -> None:
        self.table = table
        self.folder = folder
        """Where files of this part can lie: private to one machine, gone with it."""
        self.prepare()

    qemu: Qemu
    guest: Channel

    def prepare(self) -> None:
        """Read the table. Files that QEMU needs are made in :meth:`arguments`."""

    def arguments(self) -> list[str]:
        """What QEMU's command line needs for it; the same for a start and for a restore."""
        return []

    def kernel(self) -> list[str]:
        """What the guest kernel's command line needs for it."""
        return []

    def attach(self, qemu: Qemu, guest: Channel) -> None:
        """The machine runs, or is about to go on."""
        self.qemu, self.guest = qemu, guest

    def settle(self) -> None:
        """Make the guest use it, once after a start."""

    def connect(self) -> None:
        """Plug in what cannot be in a snapshot; after a start and after every restore, with the guest running."""

    def ready(self) -> None:
        """Wait until the guest has what :meth:`connect` plugged in; called once that of every part has been."""

    def disconnect(self) -> None:
        """The machine is over: end what runs beside it on this side."""
