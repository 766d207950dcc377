"""Attacks on the helper that runs as root: what a caller can hand it, what it finds on the machine, and its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host import Host
from agent.model import Evidence
from agent.privileged.answer import answers
from agent.privileged.helper import REFUSED, refusal
from agent.privileged.verbs import AREAS, EVERYTHING, VERBS
from agent.probes import load
from tests.privileged import ENVIRONMENT, HELPER, helper, in_room, require_rooms, spoken

pytestmark = [pytest.mark.adversarial, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def test_it_gathers_what_root_would() -> None:
    ran = helper(EVERYTHING)
    assert (ran.returncode, ran.stderr) == (0, b"")
    found = answers(ran.stdout)
    assert found.keys() == set(AREAS)
    for area in AREAS:
        asked = [(type(i), getattr(i, "kind", ""), getattr(i, "source", "")) for i in load(area).gather(Host())]
        assert [(type(i), getattr(i, "kind", ""), getattr(i, "source", "")) for i in found[area]] == asked


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_looks_at_its_areas_and_at_no_other(verb: str) -> None:
    assert answers(helper(verb).stdout).keys() == set(VERBS[verb])


WRONG = {
    "no verb": (),
    "an empty verb": ("",),
    "an unknown verb": ("reboot",),
    "an area that needs no root": ("network",),
    "a verb in capitals": ("STORAGE",),
    "a path": ("/dev/sda",),
    "a way out of a directory": ("storage/../../etc/shadow",),
    "dots": ("..",),
    "a line feed": ("storage\n",),
    "a space": ("storage ",),
    "an option": ("--help",),
    "two hyphens": ("--",),
    "two hyphens and a verb": ("--", "storage"),
    "an option of the interpreter": ("-c", "import os; os.system('id')"),
    "a command": ("storage;id",),
    "a command in brackets": ("$(id)",),
    "an address": ("https://example.com/x",),
    "letters that only look like it": ("ѕtorage",),
    "bytes that are no UTF-8": (os.fsdecode(b"storage\xff"),),
    "an escape sequence": ("\x1b]0;title\x07",),
    "a very long one": ("s" * 120_000,),
    "a drive": ("storage", "sda"),
    "a path besides": ("storage", "/etc/shadow"),
    "two verbs": ("storage", "mce"),
    "a thousand arguments": ("storage",) * 1000,
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_refused(arguments: tuple[str, ...]) -> None:
    ran = helper(*arguments)
    assert (ran.returncode, ran.stdout) == (REFUSED, b"")
    # Nothing of what was said is repeated, so nothing of it reaches a terminal or a log.
    assert ran.stderr.decode() == f"aiodiag-helper: one verb is taken, and nothing else: {' '.join(VERBS)}\n"


def test_a_nul_is_refused() -> None:
    """No program can be started with one (execve(2)); it is refused all the same."""
    assert refusal(["storage\0"], ENVIRONMENT) == refusal([], ENVIRONMENT)
    with pytest.raises(ValueError, match="null byte"):
        helper("storage\0")


@pytest.mark.parametrize("uid", [None, "", "-1", "0x0", "1000 ", "1000\n", "root", "٣", "9" * 11])
def test_without_the_id_that_pkexec_gives_it_is_refused(uid: str | None) -> None:
    ran = helper("unit", env={} if uid is None else {"PKEXEC_UID": uid})
    assert (ran.returncode, ran.stdout, ran.stderr) == (REFUSED, b"", b"aiodiag-helper: not started by pkexec\n")


def test_an_ordinary_user_is_refused(tmp_path: Path) -> None:
    """By itself it gives no rights: who starts it without pkexec is who he was."""
    ran = subprocess.run(
        ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *HELPER, "unit"],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if b"Permission denied" in ran.stderr:
        pytest.skip("user nobody may not read the checkout")
    assert (ran.returncode, ran.stdout, ran.stderr) == (REFUSED, b"", b"aiodiag-helper: not root\n")


def test_an_interpreter_that_heeds_its_surroundings_is_refused() -> None:
    loose = (HELPER[0], *HELPER[2:])
    ran = subprocess.run(
        [*loose, "unit"], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (REFUSED, b"")
    assert b"not isolated" in ran.stderr


def evil(folder: Path) -> Path:
    """A directory full of things that leave a mark when they are loaded or run."""
    mark = folder / "mark"
    code = f"open({str(mark)!r}, 'a').write(__name__)\n"
    for module in ("json", "agent", "resource", "sitecustomize", "usercustomize", "base64", "startup"):
        (folder / f"{module}.py").write_text(code)
    for program in ("smartctl", "dmidecode", "journalctl", "dmesg", "last"):
        (folder / program).write_text(f"#!/bin/sh\necho {program} >> {mark}\n")
        (folder / program).chmod(0o755)
    return mark


@pytest.mark.parametrize(
    "variables",
    [
        {"PATH": "."},
        {"PYTHONPATH": "."},
        {"PYTHONHOME": "/nonexistent"},
        {"PYTHONSTARTUP": "startup.py", "PYTHONINSPECT": "1"},
        {"PYTHONUSERBASE": ".", "HOME": "."},
        {"PYTHONBREAKPOINT": "startup.x", "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
        {"IFS": "/", "ENV": "./startup.py", "BASH_ENV": "./startup.py"},
        {"SYSTEMD_PAGER": "./smartctl", "PAGER": "./smartctl", "LESSOPEN": "|./smartctl"},
        {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "../../..", "TMPDIR": "."},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_the_environment_changes_nothing(variables: dict[str, str], tmp_path: Path) -> None:
    mark = evil(tmp_path)
    here = {k: v.replace("./", f"{tmp_path}/") if v != "." else str(tmp_path) for k, v in variables.items()}
    ran = helper(EVERYTHING, env={**ENVIRONMENT, **here}, cwd=tmp_path)
    assert ran.returncode == 0
    assert answers(ran.stdout).keys() == set(AREAS)
    assert not mark.exists()


def test_a_directory_of_evil_modules_changes_nothing(tmp_path: Path) -> None:
    mark = evil(tmp_path)
    assert helper("unit", cwd=tmp_path).returncode == 0
    assert not mark.exists()


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_refused(closed: int) -> None:
    """A file that is opened next would take its place, and be written to."""
    ran = helper("unit", preexec_fn=lambda: os.close(closed))
    assert (ran.returncode, ran.stdout) == (REFUSED, b"")


def test_it_prints_into_no_file(tmp_path: Path) -> None:
    with (tmp_path / "victim").open("wb") as victim:
        ran = helper("unit", capture_output=False, stdout=victim, stderr=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (REFUSED, b"aiodiag-helper: standard output is no pipe\n")
    assert (tmp_path / "victim").read_bytes() == b""


def test_input_is_not_read() -> None:
    ran = helper("unit", stdin=None, input=b"storage\n" * 1000)
    assert ran.returncode == 0
    assert answers(ran.stdout).keys() == {"unit"}


def limits_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:].split()[1] for line in lines[1:]}


SLEEP = ("/bin/sleep", "40.0625")  # nobody else sleeps so long
SLOW = f"#!/bin/sh\nexec {spoken(*SLEEP)}\n"
ONE_DRIVE = """
mount -t tmpfs none /sys/block
mkdir -p /sys/block/sdz/device
echo 1000 > /sys/block/sdz/size
echo 0 > /sys/block/sdz/removable
"""


def with_slow_drive(folder: Path) -> str:
    slow = folder / "slow"
    slow.write_text(SLOW)
    slow.chmod(0o755)
    return f"{ONE_DRIVE}\nmount --bind {slow} /usr/sbin/smartctl\n"


def asleep() -> list[int]:
    """The processes that stand for a drive's program."""
    found, wanted = [], b"".join(word.encode() + b"\0" for word in SLEEP)
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cmdline").read_bytes() == wanted:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_for(what: object, seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The helper while it waits for a drive that does not answer."""
    require_rooms()
    if not Path("/usr/sbin/smartctl").exists():
        pytest.skip("smartctl is not installed")
    command = spoken("env", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *HELPER, "storage")
    process = in_room(f"{with_slow_drive(tmp_path)} exec {command}")
    assert wait_for(lambda: asleep() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    with process:
        yield process
        process.kill()


def test_it_ends_with_all_it_started_when_nobody_reads_any_more(slow: subprocess.Popen[bytes]) -> None:
    """The agent was killed: an ordinary user's end reaches root by no signal, but the pipe tells."""
    assert slow.stdout is not None
    slow.stdout.close()
    assert slow.wait(20) != 0
    assert wait_for(lambda: not asleep())


def test_it_ends_with_all_it_started_when_it_is_killed(slow: subprocess.Popen[bytes]) -> None:
    slow.send_signal(signal.SIGKILL)
    slow.wait(20)
    assert wait_for(lambda: not asleep())


def test_neither_it_nor_a_program_of_its_can_write_into_a_file(slow: subprocess.Popen[bytes]) -> None:
    drive = asleep()
    for process in (slow.pid, *drive):
        limits = limits_of(process)
        assert (limits["Max file size"], limits["Max core file size"]) == ("0", "0")
        fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        assert fields["Umask"] == "0077"
        assert os.readlink(f"/proc/{process}/cwd") == "/"
    names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{drive[0]}/environ").read_bytes().split(b"\0")}
    assert names <= {b"HOME", b"LC_ALL", b"PATH", b"PWD", b""}  # PWD is the shell's, which stands for smartctl here


def in_room_with(script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    require_rooms()
    command = spoken("env", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *HELPER, *arguments)
    process = in_room(f"{script}\n{command}")
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def told_of_drives(printed: bytes) -> str:
    """All that was printed, as it was before it was packed."""
    lines = [json.loads(one) for one in printed.splitlines()]
    pieces = [b64decode(item["data"]) for one in lines for item in one["items"] if "data" in item]
    return printed.decode() + b"".join(pieces).decode("utf-8", "replace")


NEW_DEV = "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mknod -m 444 /dev/urandom c 1 9\n"


@pytest.mark.skipif(shutil.which("smartctl", path="/usr/sbin") is None, reason="smartctl is not installed")
def test_a_device_that_is_a_link_to_a_secret_tells_nothing_of_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET-OF-ROOT\n" * 100)
    ran = in_room_with(f"{ONE_DRIVE}{NEW_DEV}ln -s {secret} /dev/sdz", "storage")
    assert ran.returncode == 0, ran.stderr
    assert "/dev/sdz" in told_of_drives(ran.stdout)
    assert "SECRET-OF-ROOT" not in told_of_drives(ran.stdout)


@pytest.mark.skipif(shutil.which("smartctl", path="/usr/sbin") is None, reason="smartctl is not installed")
def test_a_device_that_vanishes_is_a_drive_that_cannot_be_asked() -> None:
    ran = in_room_with(ONE_DRIVE + NEW_DEV, "storage")
    assert ran.returncode == 0, ran.stderr
    asked = [e for e in answers(ran.stdout)["storage"] if isinstance(e, Evidence) and e.subject == "sdz"]
    assert [e.exit_status for e in asked] == [2]  # smartctl(8): the device could not be opened


@pytest.mark.parametrize(
    "name", ["sdz;id", "$(id)", "--scan", "sdz\n", "sdz -d test", "..sdz", "sdz1/..", "sd\u0430", "SDZ", "sdaaaa"]
)
def test_a_drive_of_a_strange_name_is_not_asked(name: str) -> None:
    """No driver gives such a name; a file system that somebody mounted there might."""
    made = spoken("mkdir", "-p", f"/sys/block/{name}/device")
    facts = f"echo 1000 > {spoken(f'/sys/block/{name}/size')}" if "/" not in name else "true"
    ran = in_room_with(f"mount -t tmpfs none /sys/block\n{made}\n{facts}\n", "storage")
    assert ran.returncode == 0, ran.stderr
    found = answers(ran.stdout)["storage"]
    assert [item.kind for item in found if isinstance(item, Evidence)] == ["tree"]


def test_output_beyond_all_measure_does_not_reach_the_agent(tmp_path: Path) -> None:
    """A program that floods is ended, and what is left of its output is a part that says so."""
    if not Path("/usr/bin/dmesg").exists():
        pytest.skip("dmesg is not installed")
    flood = tmp_path / "flood"
    flood.write_text("#!/bin/sh\nexec /usr/bin/yes '[    1.000000] ata1.00: failed command: READ DMA'\n")
    flood.chmod(0o755)
    hidden = "mkdir -p /var/log/journal /run/log/journal\nmount -t tmpfs none /var/log/journal\n"
    hidden += "mount -t tmpfs none /run/log/journal\n"
    ran = in_room_with(f"{hidden}mount --bind {flood} /usr/bin/dmesg\n", "kernel_log")
    assert ran.returncode == 0, ran.stderr
    (log,) = [e for e in answers(ran.stdout)["kernel_log"] if isinstance(e, Evidence)]
    assert log.truncated
    assert len(ran.stdout) < 2 << 20
