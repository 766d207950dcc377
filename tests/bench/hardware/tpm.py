"""The TPM 2.0, which is ``swtpm``."""

from __future__ import annotations

import shutil
import subprocess
import time

from tests.bench.hardware.part import Part


class Tpm(Part):
    """There when ``version`` in the table is not empty. Its state is private to each machine and begins as the
    snapshot's.
    """

    name = "tpm"
    _process: subprocess.Popen[bytes] | None = None

    def arguments(self) -> list[str]:
        """Start ``swtpm`` and tie it in."""
        if not self.table.get("version"):
            return []
        socket, state = self.folder / "swtpm", self.folder / "tpm"
        state.mkdir(exist_ok=True)
        program = shutil.which("swtpm") or "/usr/bin/swtpm"
        words = ["--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={socket}", "--terminate"]
        null = subprocess.DEVNULL
        self._process = subprocess.Popen([program, "socket", *words], stdin=null, stdout=null, stderr=null)
        while not socket.exists():
            time.sleep(0.01)
        return [
            *("-chardev", f"socket,id=tpm,path={socket}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"),
            *("-device", "tpm-crb,tpmdev=tpm0"),
        ]

    def disconnect(self) -> None:
        """End it, where QEMU's end has not done so."""
        if self._process:
            self._process.kill()
            self._process.wait()
