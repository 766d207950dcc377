"""``aiodiag-server.service`` under a real systemd: it runs with nothing but what it is given, and takes a whole
delivery all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server_stub.db.models import CaseStatus
from tests.agent_process import AGENT, ROOT
from tests.systemd_room import PYTHONPATH, Manager, systemd
from uploader.keys import PublicKey
from uploader.receipt import Receipt

UNIT = "aiodiag-server.service"
PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
DATA = "/var/lib/aiodiag-server"
ADDRESS = "http://127.0.0.1:8321"
SERIAL = "HB24A0017"

pytestmark = [pytest.mark.packaging, pytest.mark.load]  # its time limits are those of a quiet machine


def command(*arguments: str) -> list[str]:
    return [PYTHON, "-c", "import sys; from server_stub.cli import main; sys.exit(main())", *arguments]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """The unit as it is shipped; only what it starts is the checkout, by an interpreter that its user may read."""
    if not os.path.exists(PYTHON):
        pytest.skip(f"{PYTHON} is not installed")
    units, work = tmp_path_factory.mktemp("units"), tmp_path_factory.mktemp("work")
    shutil.copy(ROOT / "packaging" / "systemd" / UNIT, units)
    shipped = next(line for line in (units / UNIT).read_text().splitlines() if line.startswith("ExecStart="))
    serve = shipped.split()[1:]
    quoted = " ".join(f'"{word}"' for word in command(*serve))
    (units / f"{UNIT}.d").mkdir()
    (units / f"{UNIT}.d" / "checkout.conf").write_text(
        "[Unit]\nDefaultDependencies=no\n"
        f"[Service]\nExecStart=\nExecStart={quoted}\n"
        f"Environment=PYTHONPATH={PYTHONPATH} PYTHONDONTWRITEBYTECODE=1\n"
    )
    with systemd(units, work) as found:
        started = found.inside("systemctl", "start", UNIT)
        assert started.returncode == 0, started.stderr
        until = time.monotonic() + 60
        while time.monotonic() < until and found.inside("test", "-e", f"{DATA}/receiver.sqlite3").returncode:
            time.sleep(0.2)
        yield found


def test_it_has_no_right_that_it_does_not_use(manager: Manager) -> None:
    """What the kernel says of the process itself, not what the file asks for."""
    assert manager.property(UNIT, "ActiveState") == "active"
    process = manager.property(UNIT, "MainPID")
    status = manager.inside("cat", f"/proc/{process}/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines())
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert {int(facts[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert "0" not in facts["Uid"].split()
    mine = f"/proc/{process}/root"
    homes = manager.inside("ls", "-A", f"{mine}/home", f"{mine}/root").stdout.split()
    assert homes == [f"{mine}/home:", f"{mine}/root:"]
    devices = set(manager.inside("ls", f"{mine}/dev").stdout.split())
    assert not devices & {"mem", "kmsg", "sda", "nvme0", "tpmrm0"}
    assert "null" in devices


def operator(manager: Manager, *arguments: str) -> str:
    """A command beside the service, by the service's own user as docs/receiver.md has it. There is no message bus in
    there, by which systemd-run hands on what is printed, so that goes to a file.
    """
    alike = ["DynamicUser=yes", "User=aiodiag-server", "StateDirectory=aiodiag-server", "StateDirectoryMode=0700"]
    told = ["StandardOutput=truncate:/run/told", "StandardError=truncate:/run/complaint"]
    settings = [word for setting in ["Type=oneshot", *alike, *told] for word in ("-p", setting)]
    paths = ["-E", f"PYTHONPATH={PYTHONPATH}", "-E", "PYTHONDONTWRITEBYTECODE=1"]
    ran = manager.inside("systemd-run", "-q", *settings, *paths, *command(*arguments))
    assert ran.returncode == 0, ran.stderr + manager.inside("cat", "/run/complaint").stdout
    return manager.inside("cat", "/run/told").stdout


def fetched(manager: Manager, path: str) -> Any:
    code = f"import requests; print(requests.get({ADDRESS + path!r}, timeout=60).text)"
    return json.loads(manager.on_its_network(sys.executable, "-c", code).stdout)


def test_a_whole_delivery_to_it(manager: Manager, tmp_path: Path) -> None:
    """From a case that its operator opens, by the agent's own uploader, to the receipt; and what it keeps then."""

    def agent(*arguments: str) -> subprocess.CompletedProcess[str]:
        state = {"AIODIAG_STATE": str(tmp_path), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        return manager.on_its_network(AGENT, *arguments, **state)

    case = json.loads(operator(manager, "open-case", "--serial", SERIAL, "--data", DATA))
    ran = agent("selfcheck", "--serial", SERIAL, "--rma", case["rma"], "--server", ADDRESS, "--json")
    assert ran.returncode in {0, 1, 3}, ran.stderr
    sealed = Path(json.loads(ran.stdout)["bundle"]).read_bytes()
    digest = hashlib.sha256(sealed).hexdigest()

    (entry,) = json.loads(agent("outbox", "--json").stdout)["entries"]
    assert (entry["state"], entry["sha256"]) == ("delivered", digest), ran.stderr
    key = PublicKey.from_json(fetched(manager, "/api/v1/receiver")["key"])
    receipt = Receipt.verify(entry["receipt"].encode(), key)
    receipt.check(rma=case["rma"], serial=SERIAL, bundle_id=entry["bundle_id"], sha256=digest, size=len(sealed))
    kept = manager.inside("sha256sum", f"{DATA}/bundles/{digest[:2]}/{digest}.zip")
    assert kept.stdout.partition(" ")[0] == digest, kept.stderr

    told = fetched(manager, f"/api/v1/cases/{case['rma']}?serial={SERIAL}")
    assert told["status"] == CaseStatus.REQUEST
    rows = operator(manager, "audit", "show", "--rma", case["rma"], "--data", DATA)
    for action in ("case-opened", "key-enrolled", "bundle-accepted", "receipt-given"):
        assert action in rows
    assert "bundle-quarantined" not in rows
    owners = set(manager.inside("find", "-L", DATA, "-printf", "%U\n").stdout.split())
    assert len(owners) == 1, "a command of the operator left files that the service does not own"
    assert owners != {"0"}
