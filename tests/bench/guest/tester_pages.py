"""Where the memory of a tester lies: finds a memory tester by its name, and its pages' physical addresses.

``tester_pages.py FLAG PAGES NAME...`` waits for a process of one of these names that has filled a large mapping, and
prints one line of JSON: its number, and PAGES pairs of a virtual and the physical address, spread evenly over the
mapping. It gives up, with exit status 1, when the file FLAG is no longer there.
``tester_pages.py --while PID VIRTUAL PHYSICAL...`` ends when one of these pages is no longer there.
"""

import json
import os
import struct
import sys
import time

LEAST_BYTES = 2 << 20
PAGE = 4096
PRESENT = 1 << 63
FRAME = (1 << 55) - 1
POLL_S = 0.1  # a round costs an emulated processor some 20 ms


def main():
    if sys.argv[1] == "--while":
        pid, *addresses = map(int, sys.argv[2:])
        pairs = list(zip(addresses[::2], addresses[1::2], strict=True))
        while all(physical(pid, virtual) == address for virtual, address in pairs):
            time.sleep(POLL_S)
        return
    flag, wanted, *names = sys.argv[1:]
    while os.path.exists(flag):
        found = filled(int(wanted), names)
        if found:
            print(json.dumps(found))
            return
        time.sleep(POLL_S)
    sys.exit(1)


def filled(wanted, names):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as comm:
                if comm.read().strip() not in names:
                    continue
            start, end = largest(pid)
        except (OSError, ValueError):  # it has just ended, or has no memory yet
            continue
        step = (end - start) // (wanted + 1) // PAGE * PAGE
        pairs = [(v, physical(pid, v)) for v in range(start + step, start + step * wanted + 1, step)]
        if end - start >= LEAST_BYTES and all(address for _, address in pairs):
            return {"pid": int(pid), "pages": pairs}
    return None


def largest(pid):
    """The largest private or shared mapping that can be written to and is no file."""
    mappings = []
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            span, rights, _, _, inode, *_ = line.split()
            if rights.startswith("rw") and inode == "0":
                start, end = (int(word, 16) for word in span.split("-"))
                mappings.append((end - start, start, end))
    return max(mappings)[1:]


def physical(pid, virtual):
    """The physical address of a page; 0 where there is none (Linux Documentation/admin-guide/mm/pagemap.rst)."""
    try:
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            pagemap.seek(virtual // PAGE * 8)
            (entry,) = struct.unpack("<Q", pagemap.read(8))
    except (OSError, struct.error):
        return 0
    return (entry & FRAME) * PAGE if entry & PRESENT else 0


if __name__ == "__main__":
    main()
