"""``aiodiag-server.service`` under a real systemd: it runs with nothing but what it is given."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator

import pytest

from tests.agent_process import ROOT
from tests.systemd_room import PYTHONPATH, Manager, systemd

UNIT = "aiodiag-server.service"
PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
DATA = "/var/lib/aiodiag-server"

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
