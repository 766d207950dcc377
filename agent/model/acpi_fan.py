"""Fans that firmware itself reports (ACPI 6.5, 11.3), as the kernel shows them.

Source: Documentation/admin-guide/acpi/fan_performance_states.rst.
"""

from __future__ import annotations

ACPI_FANS = "/sys/bus/platform/drivers/acpi-fan"
ACPI_FAN_RPM = f"{ACPI_FANS}/*/firmware_node/fan_speed_rpm"
_DRIVER = "acpi_fan"


def acpi_fan(path: str) -> str:
    """What such a fan is called by everybody here; ``path`` is any file below its directory."""
    return f"{_DRIVER}-{path.removeprefix(f'{ACPI_FANS}/').partition('/')[0]}/fan"


def is_acpi_fan(subject: str) -> bool:
    """Whether a fan is called so."""
    return subject.startswith(f"{_DRIVER}-")


def is_acpi_fan_chip(driver: str) -> bool:
    """Whether a chip in hwmon is such a fan: newer kernels show them there as well."""
    return driver == _DRIVER
