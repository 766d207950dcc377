"""A real TPM 2.0 that is a program: swtpm, on two loopback ports, asked by the same tpm2-tools as a unit's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from uploader.tpm import Tpm

ANSWER_S = 60.0
"""Seconds for what is to succeed: machines that run tests are busy."""


class Swtpm:
    """One TPM, whose state is ``folder``; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def tcti(self) -> str:
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def tpm(self, folder: Path, answer_s: float = ANSWER_S) -> Tpm:
        """As the agent sees it."""
        return Tpm(folder, self.tcti, answer_s)

    def start(self) -> None:
        """Come back when it listens: where it did before, for those who know it there. tpm2-tools want its two ports
        side by side; somebody may take one meanwhile.
        """
        self.folder.mkdir(exist_ok=True)
        for attempt in range(10):
            if attempt or not self.port:
                self.port = _two_ports()
            where = [f"--{what}=type=tcp,port={port},bindaddr=127.0.0.1" for what, port in self._ports()]
            options = ["--tpm2", f"--tpmstate=dir={self.folder}", "--flags=not-need-init,startup-clear"]
            command = [shutil.which("swtpm") or "swtpm", "socket", *options, *where]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._listens():
                return
            self.stop()
        pytest.fail("swtpm did not start")

    def stop(self) -> None:
        """As a power cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def ask(self, program: str, *args: str, refused: bool = False) -> str:
        """Do to it what its owner, or somebody else, may do; gives what the program prints."""
        command = [program, "-T", self.tcti, *args]
        done = subprocess.run(command, capture_output=True, timeout=ANSWER_S, check=False)
        assert (done.returncode != 0) == refused, done.stderr
        flush = ["tpm2_flushcontext", "-T", self.tcti, "-t"]
        subprocess.run(flush, capture_output=True, timeout=ANSWER_S, check=True)
        return done.stdout.decode()

    def _ports(self) -> tuple[tuple[str, int], ...]:
        return (("server", self.port), ("ctrl", self.port + 1))

    def _listens(self) -> bool:
        """Looked up, not tried: its first connection is for the tools."""
        wanted = {f"0100007F:{port:04X}" for _, port in self._ports()}
        until = time.monotonic() + ANSWER_S
        while self.process is not None and self.process.poll() is None and time.monotonic() < until:
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            if wanted <= {words[1] for words in lines if words[3] == "0A"}:  # TCP_LISTEN
                return True
            time.sleep(0.02)
        return False


def needs_swtpm() -> None:
    """Skip where the programs are not there."""
    missing = [name for name in ("swtpm", "tpm2_createprimary") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (Debian packages swtpm, tpm2-tools)")


def running(folder: Path) -> Iterator[Swtpm]:
    """For fixtures: started, and always ended."""
    needs_swtpm()
    swtpm = Swtpm(folder)
    try:
        swtpm.start()
        yield swtpm
    finally:
        swtpm.stop()


def _two_ports() -> int:
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                stack.enter_context(socket.create_server(("127.0.0.1", first + 1)))
            except (OSError, OverflowError):
                continue
            return int(first)
