"""The helper behind a real polkitd, asked by a real pkexec, with a bus of their own: nobody else's is touched.

There is no logind here, so nobody counts as sitting at the unit. What polkit's dialogs do there is in
docs/untested.md; an administrator's rule says yes in its place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from agent.privileged.answer import answers
from agent.privileged.asking import installed
from agent.privileged.verbs import HELPER as INSTALLED
from agent.privileged.verbs import POLICY as INSTALLED_POLICY
from tests.privileged import ROOT, in_room, require_rooms, spoken

POLICY = ROOT / "packaging" / "polkit" / "org.hibertek.aiodiag.policy"
ACTION = "org.hibertek.aiodiag.look"
DTD = Path("/usr/share/polkit-1/policyconfig-1.dtd")
NEEDED = ("/usr/bin/pkexec", "/usr/lib/polkit-1/polkitd", "/usr/bin/dbus-daemon", "/usr/sbin/runuser")

pytestmark = pytest.mark.adversarial

# Everything that is installed for the agent, and a bus: all of it over the machine's own, for this room only.
ROOM = """
work={work}
mount -t tmpfs none /run/dbus
mkdir -p $work/lib $work/w
mount -t overlay -o lowerdir=/usr/lib,upperdir=$work/lib,workdir=$work/w overlay /usr/lib
mkdir -p /usr/lib/aiodiag
cp {helper} {installed}
chmod 755 {installed}
mkdir -p $work/actions $work/rules
cp /usr/share/polkit-1/actions/*.policy {policy} $work/actions
mount --bind $work/actions /usr/share/polkit-1/actions
echo '{rule}' > $work/rules/10-test.rules
chmod 644 $work/actions/* $work/rules/*
chmod 755 $work $work/actions $work/rules
mount --bind $work/rules /etc/polkit-1/rules.d
dbus-daemon --system --nofork --nopidfile --nosyslog >/dev/null 2>&1 &
bus=$!
trap 'kill $bus $polkit 2>/dev/null' EXIT
for try in $(seq 100); do test -S /run/dbus/system_bus_socket && break; sleep 0.1; done
/usr/lib/polkit-1/polkitd >/dev/null 2>&1 &
polkit=$!
for try in $(seq 100); do pkaction --action-id {action} >/dev/null 2>&1 && break; sleep 0.1; done
cd {cwd}
"""
YES = f'polkit.addRule(function(a, s) {{ if (a.id == "{ACTION}" && s.user == "nobody") return polkit.Result.YES; }});'


def behind_polkit(work: Path, script: str, rule: str = "", cwd: Path = Path("/")) -> subprocess.CompletedProcess[bytes]:
    require_rooms()
    missing = [path for path in NEEDED if not os.path.exists(path)]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)}")
    # The interpreter of these tests; installed, it is Debian's own, as the first line says.
    helper = work / "helper"
    source = (ROOT / "packaging" / "helper.py").read_text()
    assert source.startswith("#!/usr/bin/python3 -I\n")
    helper.write_text(source.replace("#!/usr/bin/python3", f"#!{sys.executable}", 1))
    values = {"work": work, "helper": helper, "installed": INSTALLED, "policy": POLICY, "action": ACTION}
    # The overlay must not lie below what it covers; a tmpfs of its own may stand anywhere.
    room = f"mount -t tmpfs none {work / 'room'}\n" + ROOM.format(
        **{**values, "work": work / "room"}, rule=rule, cwd=cwd
    )
    (work / "room").mkdir()
    process = in_room(room + script)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(script, process.returncode, out, err)


def as_nobody(*command: str) -> str:
    return spoken("runuser", "-u", "nobody", "--", *command)


def pkexec(*words: str) -> str:
    return as_nobody("pkexec", "--disable-internal-agent", *words) + " | cat"


def test_the_policy_is_well_formed() -> None:
    if not DTD.exists() or shutil.which("xmllint") is None:
        pytest.skip("polkit's DTD or xmllint is not installed")
    command = ["xmllint", "--nonet", "--noout", "--dtdvalid", str(DTD), str(POLICY)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_policy_says_what_the_code_says() -> None:
    (action,) = ET.parse(POLICY).getroot().findall("action")  # noqa: S314 our own file
    assert action.get("id") == ACTION
    assert Path(INSTALLED_POLICY).name == POLICY.name
    annotations = {a.get("key"): a.text for a in action.findall("annotate")}
    assert annotations == {"org.freedesktop.policykit.exec.path": INSTALLED}
    defaults = {d.tag: d.text for d in action.find("defaults") or ()}
    assert defaults == {"allow_any": "no", "allow_inactive": "no", "allow_active": "auth_admin_keep"}
    for what in ("description", "message"):
        languages = [e.get("{http://www.w3.org/XML/1998/namespace}lang") for e in action.findall(what)]
        assert languages == [None, "es", "zh_TW"]


def test_polkit_takes_the_policy(tmp_path: Path) -> None:
    told = behind_polkit(tmp_path, f"pkaction --verbose --action-id {ACTION}").stdout.decode()
    assert re.search(r"implicit any: +no\n", told)
    assert re.search(r"implicit inactive: +no\n", told)
    assert re.search(r"implicit active: +auth_admin_keep\n", told)
    assert f"org.freedesktop.policykit.exec.path -> {INSTALLED}" in told


def test_who_does_not_sit_at_the_unit_is_refused(tmp_path: Path) -> None:
    ran = behind_polkit(tmp_path, as_nobody("pkexec", "--disable-internal-agent", INSTALLED, "unit"))
    assert (ran.returncode, ran.stdout) == (127, b"")
    assert b"Not authorized" in ran.stderr


def test_who_is_allowed_gets_the_evidence(tmp_path: Path) -> None:
    ran = behind_polkit(tmp_path, pkexec(INSTALLED, "identity"), YES)
    assert answers(ran.stdout).keys() == {"unit", "memory"}, ran.stderr


@pytest.mark.parametrize(
    "words",
    [("/bin/id",), ("/usr/bin/python3", "-c", "print(1)"), ("--user", "root", "/bin/sh"), ("/usr/bin/env", INSTALLED)],
    ids=["a program", "an interpreter", "a shell", "the helper by way of another"],
)
def test_what_is_allowed_is_the_helper_and_nothing_else(tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = behind_polkit(tmp_path, pkexec(*words), YES)
    assert ran.stdout == b""
    assert b"authori" in ran.stderr or b"authentication agent" in ran.stderr


def test_a_link_to_the_helper_is_not_the_helper(tmp_path: Path) -> None:
    """Nor is a copy: polkit knows the path, and who may not write there cannot put anything in its place."""
    other = f"mkdir -m 755 /run/dbus/x; cp /bin/id /run/dbus/x/aiodiag-helper; ln -s {INSTALLED} /run/dbus/x/link\n"
    ran = behind_polkit(tmp_path, other + pkexec("/run/dbus/x/aiodiag-helper"), YES)
    assert ran.stdout == b""


EVIL = """#include <unistd.h>
__attribute__((constructor)) static void mark(void) { write(2, "LOADED\\n", 7); }
"""


def test_a_preloaded_library_is_not_loaded_by_root(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (tmp_path / "evil.c").write_text(EVIL)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "evil.so", tmp_path / "evil.c"], check=True)
    place = f"mkdir -m 755 /run/dbus/x; cp {tmp_path}/evil.so /run/dbus/x; chmod 755 /run/dbus/x/evil.so\n"
    loads = "runuser -u nobody -- env LD_PRELOAD=/run/dbus/x/evil.so /bin/true\n"
    assert b"LOADED" in behind_polkit(tmp_path, place + loads, YES).stderr, "the library itself must work"
    (tmp_path / "again").mkdir()
    evil = [f"{name}=/run/dbus/x" for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "GCONV_PATH")]
    loading = ["env", "LD_PRELOAD=/run/dbus/x/evil.so", *evil, "PATH=/run/dbus/x:/usr/bin:/bin"]
    script = place + as_nobody(*loading, "/usr/bin/pkexec", "--disable-internal-agent", INSTALLED, "unit")
    ran = behind_polkit(tmp_path / "again", f"{script} | cat", YES)
    assert answers(ran.stdout).keys() == {"unit"}
    # Once by env, which is nobody's own; pkexec and what it starts do not.
    assert ran.stderr.count(b"LOADED") <= 1


AGENT = """
import os, pty, sys, traceback
import agent.cli.commands.probe, agent.cli.tables, agent.privileged.asking, agent.probes.storage, agent.probes.mce
import agent.cli.main as cli
for area in ("unit", "memory", "kernel_log", "last_shutdown"):
    __import__("agent.probes." + area)
out, into = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    cli.main(["probe", "mce", "memory", "unit", "--json"])  # nobody may not read the modules; now they are loaded
    os.dup2(into, 1)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    os.environ.update(HOME="/nonexistent", LANG="C.UTF-8")
    os._exit(cli.main(["probe", "mce", "memory", "unit", "--json"]))
os.close(into)
said = b""
with os.fdopen(out, "rb") as told:
    document = told.read()
try:
    while piece := os.read(terminal, 4096):
        said += piece
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.buffer.write(document)
sys.stderr.buffer.write(said)
"""


def test_the_agent_asks_once_and_sees_what_root_sees(tmp_path: Path) -> None:
    """And who is refused goes on without: the same readings as ever, and gaps that say why."""
    if installed():
        pytest.skip("the agent is installed on this machine: who runs this would be asked for a password")
    script = spoken(sys.executable, "-c", AGENT)
    for rule, allowed in ((YES, True), ("", False)):
        work = tmp_path / str(allowed)
        work.mkdir()
        ran = behind_polkit(work, script, rule, cwd=ROOT)
        assert ran.stderr.count(b"you are asked for a password now") == 1, ran.stderr
        assert (b"it was not allowed" in ran.stderr) is not allowed
        assert (b'"needs root"' in ran.stdout) is not allowed
        assert b'"memory.total"' in ran.stdout
