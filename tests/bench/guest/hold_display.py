"""Has the display's driver hold its lock, as one does that waits for an answer of the panel, until this process ends.

The driver copies a connector's modes to its caller with the lock held (``drm_mode_getconnector`` in
drivers/gpu/drm/drm_connector.c), and here the caller's page never comes (Linux Documentation/admin-guide/mm/
userfaultfd.rst). Prints the connector's id before that. Layouts: include/uapi/drm/drm_mode.h.
"""

import ctypes
import fcntl
import mmap
import os
import struct

USERFAULTFD = 323
"""Of x86-64."""
UFFD_API, UFFDIO_API, UFFDIO_REGISTER, MISSING = 0xAA, 0xC018AA3F, 0xC020AA00, 1
GET_RESOURCES, GET_CONNECTOR = 0xC04064A0, 0xC05064A7
MODE_BYTES = 68

device = os.open("/dev/dri/card0", os.O_RDWR)
ids = (ctypes.c_uint32 * 8)()
resources = bytearray(struct.pack("<4Q8I", 0, 0, ctypes.addressof(ids), 0, 0, 0, len(ids), 0, 0, 0, 0, 0))
fcntl.ioctl(device, GET_RESOURCES, resources)


def connector(modes: int, count: int) -> bytearray:
    """What the driver is asked; ``modes`` is the address for so many of them."""
    return bytearray(struct.pack("<4Q12I", 0, modes, 0, 0, count, 0, 0, 0, ids[0], 0, 0, 0, 0, 0, 0, 0))


asked = connector(0, 0)
fcntl.ioctl(device, GET_CONNECTOR, asked)
(count,) = struct.unpack_from("<I", asked, 32)
length = -(-count * MODE_BYTES // mmap.PAGESIZE) * mmap.PAGESIZE
never_there = mmap.mmap(-1, length)
address = ctypes.addressof(ctypes.c_char.from_buffer(never_there))
faults = ctypes.CDLL(None, use_errno=True).syscall(USERFAULTFD, os.O_CLOEXEC)
fcntl.ioctl(faults, UFFDIO_API, bytearray(struct.pack("<3Q", UFFD_API, 0, 0)))
fcntl.ioctl(faults, UFFDIO_REGISTER, bytearray(struct.pack("<4Q", address, length, MISSING, 0)))
print(ids[0], flush=True)
fcntl.ioctl(device, GET_CONNECTOR, connector(address, count))
