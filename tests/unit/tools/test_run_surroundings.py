"""What a program gets from us: nothing but its arguments."""

from __future__ import annotations

import os
import signal

import pytest

from agent.tools import Status, run

NAME = "misbehaving"


def test_environment_is_clean(workshop, monkeypatch):
    for name in ("LD_PRELOAD_X", "PYTHONPATH", "LANG", "LANGUAGE", "TMPDIR"):
        monkeypatch.setenv(name, "/nowhere")
    workshop.listed("/usr/bin/env")
    assert sorted(run(NAME, (), timeout_s=5).stdout.decode().splitlines()) == [
        "HOME=/",
        "LC_ALL=C.UTF-8",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    ]


def test_no_descriptors_are_inherited(workshop):
    workshop.python("print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')), os.readlink('/proc/self/fd/0'))")
    handed = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(handed, True)
    high = os.dup2(handed, 900)
    try:
        result = run(NAME, (), timeout_s=5)
    finally:
        os.close(handed)
        os.close(high)
    assert result.stdout == b"[0, 1, 2, 3] /dev/null\n"  # 3 is the listing itself


def test_caller_without_standard_streams(workshop):
    """The pipes then get the numbers 0 to 2 themselves."""
    workshop.sh("cat; echo out; echo err >&2")
    pid = os.fork()
    if pid == 0:
        try:
            os.closerange(0, 3)
            result = run(NAME, (), timeout_s=5)
            os._exit(0 if (result.stdout, result.stderr) == (b"out\n", b"err\n") else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_reads_standard_input(workshop):
    workshop.sh("cat; read line; echo $?; ls -l /proc/self/fd/0")
    out = run(NAME, (), timeout_s=5).stdout.splitlines()
    assert out[0] == b"1"
    assert out[1].endswith(b"-> /dev/null")


def test_wants_a_terminal(workshop):
    workshop.sh("tty; (: </dev/tty) 2>/dev/null; echo $?")
    said = run(NAME, (), timeout_s=5).stdout.splitlines()
    assert said[0] == b"not a tty"
    assert said[1] != b"0"


def test_directory_session_and_limits(workshop):
    workshop.script(
        "#!/bin/sh\npwd; ulimit -c; ulimit -d; cat /proc/self/oom_score_adj\n"
        'set -- $(cat /proc/$$/stat); [ "$5 $6" = "$$ $$" ] && echo "leads its own session"',
        memory_cap=1 << 30,
    )
    said = run(NAME, (), timeout_s=5).stdout.decode().splitlines()
    assert said == ["/", "0", str((1 << 30) // 1024), "1000", "leads its own session"]


def test_signals_are_as_at_login(workshop):
    workshop.sh("grep -E 'Sig(Pnd|Blk|Ign)|ShdPnd' /proc/self/status | cut -f 2 | sort -u")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(NAME, (), timeout_s=5).stdout == b"0000000000000000\n"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_of_the_caller_stay_as_they_were(workshop):
    workshop.sh("exit 0")
    mask, handlers = signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGTERM)
    assert run(NAME, (), timeout_s=5).status is Status.OK
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert signal.getsignal(signal.SIGTERM) == handlers


@pytest.mark.parametrize("argument", ["; echo no", "$(echo no)", "*", "-", "", "a\nb", "ñ漢字"])
def test_no_shell_looks_at_the_arguments(workshop, argument):
    workshop.listed("/usr/bin/printf")
    assert run(NAME, ("[%s]", argument), timeout_s=5).stdout == f"[{argument}]".encode()
