"""``aer_inject.py DEVICE KIND COUNT``: so many correctable errors of a PCIe device, one after the other, by the
kernel's own injector (module aer_inject; drivers/pci/pcie/aer_inject.c), each counted before the next one comes.
"""

import struct
import sys
import time
from pathlib import Path

KINDS = {"RxErr": 1 << 0, "BadTLP": 1 << 6, "BadDLLP": 1 << 7}
"""Bits of the correctable error status (PCIe Base Specification 5.0, 7.8.4.5), by the kernel's names."""
LIMIT_S = 5.0

device, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
domain, bus, place = device.split(":")
slot, function = place.split(".")
counters = Path(f"/sys/bus/pci/devices/{device}/aer_dev_correctable")
# struct aer_error_inj: bus, dev, fn, uncor_status, cor_status, header_log0..3, domain
error = struct.pack("<BBBx7I", int(bus, 16), int(slot, 16), int(function), 0, KINDS[kind], 0, 0, 0, 0, int(domain, 16))


def counted():
    return int(dict(line.split() for line in counters.read_text().splitlines())[kind])


for number in range(counted() + 1, counted() + 1 + count):
    with open("/dev/aer_inject", "wb", buffering=0) as injector:
        injector.write(error)
    deadline = time.monotonic() + LIMIT_S
    while counted() < number:
        if time.monotonic() > deadline:
            sys.exit(f"error {number} was not counted")
        time.sleep(0.001)
