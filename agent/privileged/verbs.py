"""What the helper can be asked: a table of fixed verbs. None takes an argument, so no path, device or command comes
from outside: the helper finds the devices itself, in what the kernel shows of them.
"""

from __future__ import annotations

from types import MappingProxyType

AREAS = ("unit", "memory", "storage", "kernel_log", "last_shutdown", "mce")
"""The areas of ``agent.probes`` that see more as root: serial numbers in the firmware's tables (sysfs, 0400) and
dmidecode (/dev/mem, sysfs ``tables``, 0400); the drives' own answers (SG_IO and NVMe admin commands need CAP_SYS_RAWIO
or CAP_SYS_ADMIN); the kernel log (dmesg_restrict, and the journal's group); crash records (pstore, 0400); rasdaemon's
records. What sensors, panel and network show, everybody may read.
"""
IDENTITY = "identity"
EVERYTHING = "everything"
VERBS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {**{area: (area,) for area in AREAS}, IDENTITY: ("unit", "memory"), EVERYTHING: AREAS}
)
"""Verb -> the areas whose evidence is gathered. Gathering changes nothing (``tests/conformance/test_probes.py``)."""

LIMIT_S = 45.0
"""Seconds that the helper may take; ours. The slowest area, drives that must spin up, may take 30 s (its probe)."""
HELPER = "/usr/lib/aiodiag/aiodiag-helper"
"""Where the helper is; the policy names the same path (packaging/polkit), and polkit takes it for no other program."""
POLICY = "/usr/share/polkit-1/actions/org.hibertek.aiodiag.policy"
"""The only directory of actions that polkit reads (polkit(8))."""
