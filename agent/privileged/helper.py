"""The part that runs as root: ``aiodiag-helper VERB``, started by pkexec(1) when polkit has let it.

It gathers evidence and prints it; it interprets nothing, writes no file, listens to nobody and ends. It is a small
program for whoever must trust it: this module, the table of verbs, what it prints, and the probes' gathering.

What a caller could hand it is refused or replaced before anything is looked at: arguments other than one verb of the
table, an interpreter that heeds the environment or the working directory, no pipe to print to. Environment, working
directory, umask, signals, descriptors and limits are set here, whoever called.
"""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from agent.host import Host
from agent.model import Evidence, Gap
from agent.privileged.answer import TOTAL_CAP, line
from agent.privileged.verbs import LIMIT_S, VERBS
from agent.probes import load

REFUSED = 2
"""Exit status when nothing was looked at."""
UNFINISHED = 3
"""Exit status when the reader went away or the time was over."""

_ENVIRONMENT = {"HOME": "/", "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_MEMORY_CAP = 512 << 20  # bytes of RLIMIT_DATA; ours: ten times what it takes with a journal of 8 MiB
_STACK = 1 << 20  # bytes for each thread; ours: gathering calls are a dozen deep
_WATCH_S = 0.2
_UID = re.compile(r"[0-9]{1,10}", re.ASCII)


def main() -> NoReturn:
    """Run one verb and end: 0 when all its areas were printed, :data:`REFUSED` or :data:`UNFINISHED`."""
    why = refusal(sys.argv[1:], os.environ)
    if why is not None:
        # To a descriptor, not through sys.stderr: that may be closed.
        _write_all(2, f"aiodiag-helper: {why}\n".encode())
        os._exit(REFUSED)
    _settle()
    done = threading.Event()
    areas = VERBS[sys.argv[1]]
    threading.stack_size(_STACK)
    threading.Thread(target=_look, args=(areas, done), daemon=True).start()
    finished = _await(done, time.monotonic() + LIMIT_S)
    os._exit(0 if finished else UNFINISHED)


def refusal(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Why nothing is done, in one line that repeats nothing of what the caller said; ``None`` when all is well."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        return f"one verb is taken, and nothing else: {' '.join(VERBS)}"
    if not sys.flags.isolated:
        return "the interpreter is not isolated"
    if os.geteuid() != 0:
        return "not root"
    # pkexec(1) sets it, to the caller's id; who starts this in another way should do as polkit does, or needs it not.
    if not _UID.fullmatch(environment.get("PKEXEC_UID", "")):
        return "not started by pkexec"
    try:
        modes = [os.fstat(fd).st_mode for fd in (0, 1, 2)]
    except OSError:
        return "a standard stream is closed"
    return None if stat.S_ISFIFO(modes[1]) else "standard output is no pipe"


def _settle() -> None:
    """Whatever the caller left behind: replaced by what is right here."""
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    os.chdir("/")
    os.umask(0o077)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.closerange(3, 1 << 20)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that is not allowed is an error, and no core
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Neither it nor a program that it starts can write into a file, whatever is wrong with them: pipes have no size.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_CAP, _MEMORY_CAP))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def _look(areas: Sequence[str], done: threading.Event) -> None:
    """Gather the areas side by side, and print each as it is there. One that breaks or hangs is left out."""
    host, printed = Host(), 0
    found: dict[str, list[Evidence | Gap]] = {}

    def gather(area: str) -> str:
        found[area] = list(load(area).gather(host))
        return area

    try:
        for area in host.each(areas, gather, timeout_s=LIMIT_S):
            if isinstance(area, Gap):
                continue
            text = line(area, found[area])
            printed += len(text)
            if printed <= TOTAL_CAP:
                _write_all(1, text)
    finally:
        done.set()


def _await(done: threading.Event, until: float) -> bool:
    """Wait for the work; gives up when the time is over, or nobody reads any more. The programs that were started end
    with this process (:mod:`agent.tools`). The kernel tells of a caller's end by signals only where the caller may send
    them, and an ordinary user may send root none: so the pipe is watched.
    """
    poll = select.poll()
    poll.register(1, 0)
    while not done.wait(_WATCH_S):
        if time.monotonic() >= until or any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            return False
    return True


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(fd, left) :]
    except OSError:  # nobody is left who could be told
        return
