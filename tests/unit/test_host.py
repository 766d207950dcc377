"""The machine as a probe may touch it."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from agent.host import FILE_CAP, Host
from agent.model import Evidence, Gap, Outcome
from agent.tools import PROGRAMS, Program, Status


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(str(tmp_path))


def write(host: Host, path: str, content: bytes | str) -> None:
    file = Path(host.root + path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def test_tree_keeps_text_bytes_and_links(host):
    write(host, "/sys/class/hwmon/hwmon0/name", "nct6775\n")
    write(host, "/sys/class/hwmon/hwmon0/label", "CPU °C\n")
    write(host, "/sys/class/hwmon/hwmon0/eeprom", b"\x00\xff\x80")
    write(host, "/sys/class/hwmon/hwmon0/nul", "a\0b")
    write(host, "/sys/class/hwmon/hwmon0/empty", "")
    os.symlink("../../../devices/gone", host.root + "/sys/class/hwmon/hwmon0/device")
    os.mkdir(host.root + "/sys/class/hwmon/hwmon0/power")
    evidence = host.tree("/sys/class/hwmon/*/*", kind="tree", subject="hwmon")
    tree = evidence.tree()
    base = "/sys/class/hwmon/hwmon0/"
    assert tree.paths("/sys/class/hwmon/*/*") == [
        base + n for n in ("device", "eeprom", "empty", "label", "name", "nul")
    ]
    assert (tree.text(base + "name"), tree.text(base + "label"), tree.text(base + "empty")) == ("nct6775", "CPU °C", "")
    assert (tree.binary(base + "eeprom"), tree.binary(base + "nul")) == (b"\x00\xff\x80", b"a\0b")
    assert tree.link(base + "device") == "../../../devices/gone"
    assert (evidence.source, evidence.subject, evidence.truncated) == ("/sys/class/hwmon/*/*", "hwmon", False)
    assert Evidence.from_header(evidence.header(), evidence.data) == evidence


def test_tree_of_nothing(host):
    assert host.tree("/sys/class/nothing/*").tree().files == {}


def test_directory_links_on_the_way_are_followed(host):
    write(host, "/sys/devices/platform/coretemp/temp1_input", "42000")
    os.makedirs(host.root + "/sys/class/hwmon")
    os.symlink("../../devices/platform/coretemp", host.root + "/sys/class/hwmon/hwmon0")
    assert host.tree("/sys/class/hwmon/hwmon*/temp*").tree().integer("/sys/class/hwmon/hwmon0/temp1_input") == 42000


@pytest.mark.parametrize(("size", "truncated"), [(FILE_CAP, False), (FILE_CAP + 1, True), (10 << 30, True)])
def test_a_huge_file_is_cut_off(host, size, truncated):
    write(host, "/huge", "")
    os.truncate(host.root + "/huge", size)  # sparse
    evidence = host.tree("/huge")
    assert evidence.truncated is truncated
    assert evidence.tree().binary("/huge") == bytes(FILE_CAP)


def test_pipes_sockets_and_devices_are_never_opened(host):
    write(host, "/dev/file", "read")
    os.mkfifo(host.root + "/dev/fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(host.root + "/dev/socket")
        evidence = host.tree("/dev/*")
    assert evidence.tree().files == {"/dev/file": "read"}
    assert Host().tree("/dev/null", "/dev/zero", "/dev/tty").tree().files == {}


def test_unreadable_files_are_kept_with_their_errno():
    """The kernel lets a process open its own memory, and has nothing mapped at address 0."""
    assert Host().tree("/proc/self/mem").tree().error("/proc/self/mem") == "EIO"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_we_may_not_read(host):
    write(host, "/sys/secret", "x")
    os.chmod(host.root + "/sys/secret", 0)
    assert host.tree("/sys/*").tree().error("/sys/secret") == "EACCES"


def test_names_that_are_no_text(host):
    name = os.fsencode(host.root) + b"/sys/\xff\xfe"
    write(host, "/sys/a", "1")
    Path(os.fsdecode(name)).write_text("2")
    os.symlink(b"\xff", name + b"-link")
    tree = host.tree("/sys/*").tree()
    assert tree.files == {"/sys/a": "1", "/sys/\ufffd\ufffd": "2", "/sys/\ufffd\ufffd-link": {"link": "\ufffd"}}


def test_glob_names_files_as_the_machine_does(tmp_path):
    host = Host(str(tmp_path / "a[b]*"))  # not a pattern
    write(host, "/sys/class/drm/card0-eDP-1/edid", "")
    write(host, "/sys/class/drm/card0-HDMI-A-1/edid", "")
    assert host.glob("/sys/class/drm/card*-*") == [
        "/sys/class/drm/card0-HDMI-A-1",
        "/sys/class/drm/card0-eDP-1",
    ]
    assert host.exists("/sys/class/drm/card0-eDP-1/edid")
    assert not host.exists("/sys/class/drm/card1")


def test_live_machine():
    tree = Host("/").tree("/proc/sys/kernel/ostype", "/proc/uptime").tree()
    assert tree.text("/proc/sys/kernel/ostype") == "Linux"
    assert float((tree.text("/proc/uptime") or "").split()[0]) > 0


def test_programs_run_on_the_live_machine_only(host, monkeypatch, tmp_path):
    monkeypatch.setitem(PROGRAMS, "say", Program(("/bin/echo",), "coreutils", "says"))
    live = Host().output("said", "say", "-n", "hello", subject="unit", timeout_s=5)
    assert (live.data, live.exit_status, live.problem) == (b"hello", 0, None)
    assert (live.kind, live.subject, live.source, live.truncated) == ("said", "unit", "say -n hello", False)
    captured = host.run("say", "hello", timeout_s=5)
    assert (captured.status, captured.exit_status, captured.stdout) == (Status.MISSING, None, b"")
    assert str(captured.reason) == "no program is run over captured files"


def test_captured_files_are_never_changed(host):
    write(host, "/sys/class/backlight/x/brightness", "5")
    with pytest.raises(PermissionError), host.changing("/sys/class/backlight/x/brightness") as setting:
        setting.set("1")
    assert host.tree("/sys/class/backlight/x/brightness").tree().text("/sys/class/backlight/x/brightness") == "5"


def test_output_keeps_what_a_broken_program_said(monkeypatch):
    monkeypatch.setitem(PROGRAMS, "sh", Program(("/bin/sh",), "dash", "says"))
    evidence = Host().output("said", "sh", "-c", "echo no device >&2; exit 2", timeout_s=5)
    assert (evidence.data, evidence.exit_status, evidence.problem) == (b"no device\n", 2, None)
    late = Host().output("said", "sh", "-c", "echo half; sleep 60", timeout_s=0.2)
    assert (late.data, late.exit_status, str(late.problem)) == (b"half\n", -15, "no answer within 0.2 s")


def test_each_runs_side_by_side(host):
    barrier = threading.Barrier(8, timeout=5)

    def gather(item: str) -> str:
        barrier.wait()  # nobody gets past it unless all are under way
        return item.upper()

    assert sorted(map(str, host.each("abcdefgh", gather, timeout_s=5))) == list("ABCDEFGH")


def test_each_leaves_the_stuck_one_behind(host):
    never = threading.Event()

    def gather(item: str) -> str:
        if item == "stuck":
            never.wait(30)
        return item

    began = time.monotonic()
    each = host.each(["stuck", "a", "b"], gather, timeout_s=0.3, essential=True)
    answers = [(answer, time.monotonic() - began) for answer in each]
    never.set()
    assert {answer for answer, _ in answers[:2]} == {"a", "b"}
    gap, when = answers[2]
    assert isinstance(gap, Gap)
    assert (gap.subject, gap.outcome, gap.essential) == ("stuck", Outcome.ERROR, True)
    assert str(gap.reason) == "no answer within 0.3 s"
    assert answers[0][1] < 0.3 <= when < 2


def test_each_keeps_the_others_from_one_that_raises(host):
    answers = list(host.each(["4", "x"], int, timeout_s=5))
    gaps = [a for a in answers if isinstance(a, Gap)]
    assert [a for a in answers if not isinstance(a, Gap)] == [4]
    assert [(g.subject, g.outcome, g.essential) for g in gaps] == [("x", Outcome.ERROR, False)]
    assert str(gaps[0].reason) == "could not be read: ValueError: invalid literal for int() with base 10: 'x'"


def test_each_of_many_and_of_equal_items(host):
    items = [str(n % 200) for n in range(400)]
    assert sorted(host.each(items, str, timeout_s=20)) == sorted(items)
    assert list(host.each([], str, timeout_s=1)) == []


def test_each_loses_nothing_to_a_slow_reader(host):
    answers = []
    for answer in host.each("abc", str, timeout_s=0.2):
        answers.append(answer)
        time.sleep(0.3)
    assert sorted(answers) == ["a", "b", "c"]


def test_each_without_threads(host):
    threading.stack_size(1 << 46)  # more than there is address space for
    try:
        gaps = list(host.each("ab", str, timeout_s=5))
    finally:
        threading.stack_size(0)
    assert all(isinstance(gap, Gap) and gap.outcome is Outcome.ERROR for gap in gaps)
    assert str(gaps[0].reason) == "could not be read: RuntimeError: can't start new thread"
