"""The readings of a run that a later run is compared with."""

from __future__ import annotations

import re

GROWING = re.compile(
    r"storage\.ata\.(5|187|188|196|197|198|199)\.raw"
    r"|storage\.ata\.(statistics\.reported_uncorrectable|phy\.crc|error_log\.count|error_log\.media)"
    r"|storage\.nvme\.(media_errors|error_log_entries|unsafe_shutdowns)"
    r"|storage\.scsi\.(grown_defects|uncorrected)"
    r"|memory\.edac\.(controller\.)?(corrected|uncorrected)"
)
"""Counters that stand still in a unit without trouble. A drive keeps its own for life; those of the memory begin anew
with each boot. Counters that are of one boot only (AER, the network's) are not among them.
"""

BESIDE = re.compile(
    r"storage\.ata\.(5|187|188|196|197|198|199)\.name"
    r"|storage\.power_on_time|storage\.percentage_used|board\.battery\.voltage"
)
"""What it takes to understand them (an attribute's name, how long the drive was on meanwhile), and what wears."""


def is_kept(name: str) -> bool:
    """Whether a later run wants to know the reading."""
    return bool(GROWING.fullmatch(name) or BESIDE.fullmatch(name))
