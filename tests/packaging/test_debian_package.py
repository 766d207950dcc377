"""The Debian package on a fresh Debian 12 that has nothing of ours and no network: installed, used, removed, purged."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from agent.privileged.verbs import HELPER, POLICY
from agent.tools import PROGRAMS
from tests.debian_room import Room, debian
from tests.packaging.conftest import BUILDER, EPOCH, Built

pytestmark = pytest.mark.packaging

ACTION = "org.hibertek.aiodiag.look"
RULE = f'polkit.addRule(function(a, s) {{ if (a.id == "{ACTION}" && s.user == "ana") return polkit.Result.YES; }});'
"""An administrator's word for one person of the unit; there is no logind here, by which one would sit at it."""
PEOPLE = f"""
useradd -m ana
useradd -m ben
echo '{RULE}' >/etc/polkit-1/rules.d/10-test.rules
chmod 644 /etc/polkit-1/rules.d/10-test.rules
"""
POLKIT = f"""
mkdir -p /run/dbus
dbus-daemon --system --fork --nopidfile --nosyslog
/usr/lib/polkit-1/polkitd >/dev/null 2>&1 &
for try in $(seq 200); do pkaction --action-id {ACTION} >/dev/null 2>&1 && break; sleep 0.1; done
pkaction --action-id {ACTION}
"""
PRUNED = ("/home", "/root", "/tmp", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/log")
EVERY_FILE = f"find / -xdev \\( -path {' -o -path '.join(PRUNED)} \\) -prune -o -print"
STATE = "/var/lib/aiodiag"
UNIT = "aiodiag-resume.service"


def field(deb: Path, name: str) -> str:
    command = ["/usr/bin/dpkg-deb", "--field", deb, name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def wanted(deb: Path) -> tuple[set[str], set[str]]:
    """Names in Depends and Recommends."""
    found = (re.findall(r"[a-z0-9][a-z0-9.+-]+(?=$|,| \()", field(deb, name)) for name in ("Depends", "Recommends"))
    depends, recommends = map(set, found)
    return depends, recommends


@pytest.fixture(scope="module")
def fresh(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """That Debian, with what the package depends on and recommends, and the package as a file."""
    packages = sorted(set.union(*wanted(built.deb)))
    with debian(tmp_path_factory.mktemp("room"), packages, built.deb) as room:
        yield room


@pytest.fixture(scope="module")
def before(fresh: Room) -> set[str]:
    """Every file there was before it was installed."""
    fresh.ran(PEOPLE)
    return set(fresh.ran(EVERY_FILE).splitlines())


@pytest.fixture(scope="module")
def room(fresh: Room, before: set[str]) -> Room:
    """Installed as a user does it, which refuses where something that it depends on is not there; and a polkitd."""
    assert not {path for path in before if "aiodiag" in path}
    fresh.ran("apt-get install --quiet --yes /tmp/*.deb")
    fresh.ran(POLKIT)
    return fresh


def document(printed: str) -> Any:
    return json.loads(printed[printed.index("{") :])


def test_it_is_the_same_bytes_whoever_makes_it_and_when(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(built.frozen, tmp_path / "aiodiag", symlinks=True, copy_function=shutil.copyfile)
    monkeypatch.syspath_prepend(BUILDER.parent)
    before = os.umask(0o077)
    try:
        again: Path = runpy.run_path(str(BUILDER))["package"](copy, tmp_path, EPOCH)
    finally:
        os.umask(before)
    assert again.name == built.deb.name
    assert again.read_bytes() == built.deb.read_bytes()


def test_it_says_what_it_is_and_needs(built: Built) -> None:
    assert field(built.deb, "Version") == __version__
    depends, recommends = wanted(built.deb)
    assert {"dmidecode", "libc6", "nvme-cli", "smartmontools", "stressapptest"} == depends
    assert depends | recommends >= {program.package for program in PROGRAMS.values()} - {"util-linux"}
    assert "polkitd" in recommends


def test_nobody_but_root_may_change_what_it_installs(built: Built) -> None:
    listing = subprocess.run(
        ["/usr/bin/dpkg-deb", "--contents", built.deb], check=True, capture_output=True, text=True
    ).stdout
    lines = [line.split(maxsplit=5) for line in listing.splitlines()]
    assert len(lines) > 100
    assert {owner for _, owner, *_ in lines} == {"root/root"}
    assert {mode for mode, *_ in lines} == {"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"}
    times = {time.strptime(" ".join(words[3:5]), "%Y-%m-%d %H:%M") for words in lines}
    assert times == {time.strptime(time.strftime("%Y-%m-%d %H:%M", time.localtime(EPOCH)), "%Y-%m-%d %H:%M")}
    paths = {words[5].removeprefix(".").partition(" -> ")[0] for words in lines}
    assert {HELPER, POLICY, "/usr/bin/aiodiag", f"/usr/lib/systemd/system/{UNIT}"} <= paths
    assert {path.split("/")[1] for path in paths} == {"", "usr"}


def test_no_library_looks_for_another_in_a_place_of_the_builders(built: Built) -> None:
    """A place below somebody's home may be anybody's on a unit, and root would load what lies there."""
    libraries = [path for path in built.frozen.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    assert len(libraries) > 20
    command = ["/usr/bin/readelf", "--dynamic", *libraries]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"Shared library: \[libc\.so\.6\]", told), "readelf is not understood"
    assert [place for place in re.findall(r"R(?:UN)?PATH.*\[(.*)\]", told) if not place.startswith("$ORIGIN")] == []


def test_it_tells_under_which_licences_its_parts_are(room: Room) -> None:
    told = room.ran("cat /usr/share/doc/aiodiag/copyright")
    for work in ("Python 3.", "cryptography ", "requests ", "pyudev ", "cbor2 ", "pyinstaller "):
        assert f"\n{work}" in told
    # Those of GPL, LGPL and Apache are Debian's own files (Policy 12.5).
    assert "END OF TERMS AND CONDITIONS" not in told
    assert told.count("[Its terms and conditions are in /usr/share/common-licenses/") >= 4
    assert "readline" not in room.ran("find /usr/lib/aiodiag")


def test_it_runs_where_there_is_no_python(room: Room) -> None:
    """Debian's fio brings one along; it is hidden."""
    hidden = (
        "mount --bind /dev/null /usr/bin/python3.11; if python3 -c 1 2>/dev/null; then exit 1; fi; aiodiag --version"
    )
    assert room.ran(f"unshare -m sh -ec '{hidden}'").strip().endswith(__version__)
    assert room.ran("aiodiag --version", user="ana").strip().endswith(__version__)
    assert room.ran("dpkg --verify aiodiag") == ""


def test_a_self_check_by_root_and_by_anybody(room: Room) -> None:
    for user, state in (("root", STATE), ("ben", "/home/ben/.local/state/aiodiag")):
        printed = room.ran(
            f"HOME=~{user} aiodiag selfcheck --serial AIO24-DEB-1 --json 2>/dev/null", status=None, user=user
        )
        checked = document(printed)
        assert checked["outcomes"]["rules"] == "pass"
        assert "error" not in checked["outcomes"].values()
        assert checked["bundle"].startswith(f"{state}/")
        assert "signed" in room.ran(f"aiodiag bundle verify {checked['bundle']}")
    # What it brings along or depends on is there; the desktop's and the drives' own are in Recommends.
    programs = document(room.ran("aiodiag doctor --json"))["programs"]
    assert [name for name, program in programs.items() if program["path"] is None] == []


def looked(room: Room, user: str) -> tuple[str, str]:
    """What the agent says to a person at a terminal, and what it tells of the areas that root sees more of."""
    asked = "aiodiag probe unit memory --json >/tmp/told-$(id -un)"
    said = room.ran(f"cd; script --quiet --return --command '{asked}' /dev/null", user=user, status=None)
    return said, room.ran(f"cat /tmp/told-{user}")


def test_whom_polkit_allows_sees_what_root_sees(room: Room) -> None:
    said, told = looked(room, "ana")
    assert said.count("you are asked for a password now") == 1
    assert "it was not allowed" not in said
    assert '"needs root"' not in told
    assert document(told)["outcomes"].keys() == {"probe.memory", "probe.unit"}


def test_whom_it_does_not_allow_sees_less_and_is_told(room: Room) -> None:
    said, told = looked(room, "ben")
    assert said.count("you are asked for a password now") == 1
    assert "it was not allowed" in said
    assert '"needs root"' in told


def test_the_helper_answers_to_polkit_and_to_nobody_else(room: Room) -> None:
    ask = f"pkexec --disable-internal-agent {HELPER}"
    answer = [json.loads(line) for line in room.ran(f"{ask} identity | cat", user="ana").splitlines()]
    assert {line["area"] for line in answer} == {"unit", "memory"}
    assert "Not authorized" in room.ran(f"{ask} identity | cat", user="ben")
    assert room.ran(f"{HELPER} identity | cat", user="ana") == "aiodiag-helper: not root\n"
    assert room.ran(f"{HELPER} identity | cat") == "aiodiag-helper: not started by pkexec\n"
    refused = room.ran(f"{ask} /etc/shadow | cat", user="ana")
    assert refused.startswith("aiodiag-helper: one verb is taken, and nothing else:")
    other = "cp /usr/bin/id /tmp/aiodiag-helper; pkexec --disable-internal-agent /tmp/aiodiag-helper"
    assert "uid=0" not in room.ran(other, user="ana", status=None)


def test_nothing_of_a_callers_is_loaded_into_it(room: Room) -> None:
    """Frozen programs know variables of their own, besides those of the loader and of Python. pkexec hands none on, and
    the helper heeds none, whoever starts it.
    """
    room.ran("cp -r /usr/lib/aiodiag /tmp/evil; : >/tmp/evil/_internal/base_library.zip")
    broken = room.ran("PKEXEC_UID=1000 /tmp/evil/aiodiag-helper unit | cat")
    assert '"area"' not in broken, "what lies there must show when it is loaded"
    home = f"_PYI_APPLICATION_HOME_DIR=/tmp/evil/_internal _PYI_ARCHIVE_FILE={HELPER} _PYI_PARENT_PROCESS_LEVEL=1"
    evil = f"cd /tmp/evil; env {home} LD_LIBRARY_PATH=/tmp/evil/_internal PYTHONPATH=/tmp/evil PYTHONHOME=/tmp/evil"
    asked = room.ran(f"{evil} pkexec --disable-internal-agent {HELPER} unit | cat", user="ana")
    for printed in (asked, room.ran(f"{evil} PKEXEC_UID=1000 {HELPER} unit | cat")):
        assert [json.loads(line)["area"] for line in printed.splitlines()] == ["unit"]


def test_a_check_that_is_cut_off_goes_on_by_itself_until_somebody_says_no(room: Room) -> None:
    """The package again is an upgrade, as far as its scripts know."""
    again = "apt-get install --quiet --yes --reinstall /tmp/*.deb"
    assert room.ran(f"systemctl is-enabled {UNIT}").strip().endswith("enabled")
    room.ran(f"systemctl disable {UNIT}; {again}")
    assert room.ran(f"systemctl is-enabled {UNIT}", status=1).strip() == "disabled"
    room.ran(f"systemctl enable {UNIT}; {again}")
    assert room.ran(f"systemctl is-enabled {UNIT}").strip().endswith("enabled")


def test_removing_it_leaves_its_state_and_purging_nothing(room: Room, before: set[str]) -> None:
    """Last, for nothing is left then to be tried."""
    room.ran(f"mkdir -p {STATE}/outbox")

    def left() -> set[str]:
        return set(room.ran(EVERY_FILE).splitlines()) - before

    room.ran("apt-get remove --quiet --yes aiodiag")
    assert left()
    assert {path for path in left() if path != STATE and not path.startswith(f"{STATE}/")} == set()
    room.ran("apt-get purge --quiet --yes aiodiag")
    assert left() == set()
    assert room.ran("ls -d /home/ben/.local/state/aiodiag").strip()  # a person's own home is not ours
