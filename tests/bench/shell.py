"""Standing in a virtual all-in-one: a terminal on its serial console."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.bench.aio import VirtualAio

ESCAPE = "0x1d"
"""Ctrl-], which no shell needs."""


def command(aio: VirtualAio) -> list[str]:
    """The command that ties a terminal to the guest's console."""
    return ["socat", f"STDIO,raw,echo=0,escape={ESCAPE}", f"UNIX-CONNECT:{aio.console}"]


def open_shell(aio: VirtualAio) -> None:
    """Put a root shell on the console. It stays there when nobody is connected."""
    columns, rows = os.get_terminal_size() if sys.stdout.isatty() else (120, 40)
    script = f"stty -F /dev/ttyS0 cols {columns} rows {rows}; systemctl stop serial-getty@ttyS0.service"
    aio.guest.shell(script)
    getty = ("/sbin/agetty", "--autologin", "root", "--noclear", "--keep-baud", "ttyS0", "linux")
    aio.guest.start("/usr/bin/systemd-run", "--unit=bench-shell", "-p", "Restart=always", *getty)


def stand_in(aio: VirtualAio, what: str) -> None:
    """Give this terminal to the guest until the person leaves with Ctrl-]."""
    open_shell(aio)
    print(f"\n{what}\nRoot's shell in the guest; Ctrl-] leaves it and switches the machine off.\n", file=sys.stderr)
    subprocess.run(command(aio), check=False)
