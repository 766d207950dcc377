"""The receiver as its operator runs it: a process that listens, and commands beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

import requests

from server_stub import cases, cli
from server_stub.settings import Settings
from server_stub.storage import open_blobs, open_database
from tests.agent_process import ROOT
from uploader.keys import PublicKey
from uploader.receipt import Receipt


@dataclass(frozen=True)
class Case:
    """An RMA case, as ``open-case`` prints it."""

    rma: str
    serial: str
    claim: str
    case_path: str


class ReceiverProcess:
    """``aiodiag-server serve`` on this machine, with everything that it keeps below ``data``. ``through`` is a command
    that starts it; what it tells its operator goes to the file ``told``, where there is one.
    """

    def __init__(self, data: Path, through: Sequence[str] = (), told: IO[bytes] | None = None) -> None:
        self.data = data
        self._through = through
        self._told = told
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def peak_memory(self) -> int:
        """Bytes of it that were in memory at most (VmHWM; proc(5))."""
        return self._status("VmHWM") * 1024

    def start(self) -> None:
        """Listen; a second time on the same port as the first."""
        self._process = subprocess.Popen(
            [*self._through, *_SERVER, "serve", "--port", str(self.port), "--data", str(self.data)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
        )
        assert self._process.stdout is not None
        self._listens(self._process.stdout.readline())

    def _listens(self, line: str) -> None:
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert found, line
        self.port = int(found[1])

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._reap()

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._process.terminate()
        self._reap()

    def open_case(self, serial: str) -> Case:
        done = subprocess.run(
            [*_SERVER, "open-case", "--serial", serial, "--data", str(self.data)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Case(**json.loads(done.stdout))

    def quick_case(self, serial: str) -> Case:
        """The same without the cost of another process."""
        return self.quick_cases([serial])[0]

    def quick_cases(self, serials: Sequence[str]) -> list[Case]:
        with open_database(Settings(self.data)) as database, database.write() as session:
            opened = [cases.open_case(session, serial=serial) for serial in serials]
            return [Case(one.case.rma, one.case.unit.serial, one.claim, one.path) for one in opened]

    def page(self, case: Case, language: str = "en") -> str:
        """The case page, as a browser of that language gets it."""
        answer = requests.get(self.url + case.case_path, headers={"Accept-Language": language}, timeout=20)
        assert answer.status_code == 200
        return answer.text

    def stored(self, sha256: str) -> bytes:
        """A bundle, as the receiver has it."""
        with open_blobs(Settings(self.data)).local(sha256) as file:
            return file.read_bytes()

    def receipt(self, entry: dict[str, Any]) -> Receipt:
        """The receipt in an entry of ``outbox --json``, after it was found to be signed by this receiver, for it."""
        info = requests.get(f"{self.url}/api/v1/receiver", timeout=20).json()
        receipt = Receipt.verify(entry["receipt"].encode(), PublicKey.from_json(info["key"]))
        receipt.check(
            rma=entry["rma"],
            serial=entry["serial"],
            bundle_id=entry["bundle_id"],
            sha256=entry["sha256"],
            size=len(self.stored(entry["sha256"])),
        )
        return receipt

    def _status(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{self._process.pid}/status").read_text(), re.MULTILINE)
        assert found, name
        return int(found[1])

    def _reap(self) -> None:
        self._process.wait(30)
        if self._process.stdout:
            self._process.stdout.close()


class ForkedReceiver(ReceiverProcess):
    """The same as a child of this process, which has loaded everything already: it listens in a fraction of the time.
    This process must have no other thread meanwhile.
    """

    def start(self) -> None:
        read_end, write_end = os.pipe()
        command = ["serve", "--port", str(self.port), "--data", str(self.data)]
        self._child = get_context("fork").Process(target=_serve, args=(command, write_end))
        self._child.start()
        os.close(write_end)
        with os.fdopen(read_end) as said:
            self._listens(said.readline())

    def kill(self) -> None:
        self._child.kill()
        self._child.join()

    def stop(self) -> None:
        self._child.terminate()
        self._child.join()


def _serve(command: Sequence[str], said: int) -> None:
    sys.stdout = os.fdopen(said, "w", buffering=1)
    sys.exit(cli.main(command))


@contextmanager
def serving(data: Path, kind: type[ReceiverProcess] = ReceiverProcess) -> Iterator[ReceiverProcess]:
    receiver = kind(data)
    try:
        yield receiver
    finally:
        receiver.stop()


_SERVER = [sys.executable, "-m", "server_stub.cli"]
