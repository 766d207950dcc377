"""Prints the physical address of a page that nothing uses (Linux Documentation/admin-guide/mm/pagemap.rst)."""

import struct

FROM = 0x10000000
"""Above what the kernel has for itself."""
PAGES = 0x10000
BUDDY = 1 << 10

with open("/proc/kpageflags", "rb", buffering=0) as file:
    file.seek(FROM // 4096 * 8)
    flags = struct.unpack(f"<{PAGES}Q", file.read(PAGES * 8))
print(hex(FROM + 4096 * next(number for number, flag in enumerate(flags) if flag & BUDDY)))
