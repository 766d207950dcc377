"""The memory modules, and cells of them that no longer hold what was written."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.bench.hardware.part import Part
from tests.bench.machine.channel import Ran, Silent
from tests.bench.machine.qemu import RAM_MIB

TESTERS = ("stressapptest", "memtester", "stress-ng-vm")
"""Programs, by the kernel's names of them, in whose memory the cells lie."""
FINDER = "/opt/bench/tester_pages.py"
FLAG = "/run/stuck-bit"
"""A file in the guest that is there as long as cells are stuck."""
PAGE = 4096
CELLS = 4
"""A tester sees a stuck cell only where its pattern wants the other value there; of four, each pass sees some."""
EVERY_S = 0.0005
BIT = 0x08
"""Bit 3, of the first byte of a page."""
LONGEST_S = 600.0


def always() -> bool:
    """For a cell that is stuck whatever happens."""
    return True


class Memory(Part):
    """``mib`` in the table is how much there is; its modules are in the SMBIOS tables
    (:mod:`tests.bench.hardware.identity`).
    """

    name = "memory"

    @property
    def mib(self) -> int:
        """How much there is in MiB, at most 2048."""
        return int(self.table.get("mib", RAM_MIB))

    @contextmanager
    def stuck_bit(self, when: Callable[[], bool] = always) -> Iterator[None]:
        """Some bits read as 1 whatever was written, while ``when()`` says so (when it is warm).

        A stuck cell hits whoever has his data there; in a guest of 1 GiB that is soon something without which the
        guest crashes. So the cells lie where a memory tester has its memory: whoever tests finds them, the rest of the
        guest is spared.
        """
        self.guest.run("/usr/bin/touch", FLAG).check()
        thread = threading.Thread(target=self._stick, args=(when,), name="stuck-bit", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(Silent):
                self.guest.run("/bin/rm", FLAG)
            thread.join()

    def _stick(self, when: Callable[[], bool]) -> None:
        """One tester after the other."""
        with contextlib.suppress(Silent):  # the machine has gone
            while (found := self._find(FLAG, str(CELLS), *TESTERS)).status == 0:
                tester = json.loads(found.out)
                self._stick_in(tester["pid"], tester["pages"], when)

    def _stick_in(self, pid: int, pages: Sequence[tuple[int, int]], when: Callable[[], bool]) -> None:
        """Until the first of the pages is the tester's no longer."""
        words = [str(word) for page in pages for word in page]
        watcher = threading.Thread(target=self._watch, args=(str(pid), *words), name="stuck-bit-watch", daemon=True)
        watcher.start()
        while watcher.is_alive():
            if when():
                for _, address in pages:
                    page = self.qemu.ram.read(address, PAGE)
                    if is_pattern(page) and not page[0] & BIT:
                        self.qemu.ram.write(address, bytes([page[0] | BIT]))
            watcher.join(EVERY_S)

    def _watch(self, *words: str) -> None:
        with contextlib.suppress(Silent):
            self._find("--while", *words)

    def _find(self, *words: str) -> Ran:
        return self.guest.run("/usr/bin/python3", "-IS", FINDER, *words, timeout_s=LONGEST_S)


def is_pattern(page: bytes) -> bool:
    """Whether a page of 4 KiB holds a tester's pattern: a repetition, and not of zeros.

    For the moment in which a tester has ended and its pages already belong to somebody else. stressapptest's patterns
    repeat after 2 KiB at the latest (pattern.cc, 64 words of up to 8 times their width), memtester's after some words;
    a page that the kernel hands out holds zeros. The first byte of each half is left out: there the stuck bit lies.
    """
    half = PAGE // 2
    return page[1:half] == page[half + 1 :] and any(page[1:half])
