"""The hardware of a virtual all-in-one: one file per kind, each with its faults as context managers.

Slots on the PCI bus, fixed because tables of the firmware and scenarios name them: 2 graphics, 3 network, 4 the
system's disk, 5 USB, 6 sound, 7 watchdog, 10 to 1f (hexadecimal) the ports of the NVMe drives and the chipset.
"""
