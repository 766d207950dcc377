"""The firmware's tables as bytes: ``dmidecode --dump-bin``, or a copy of ``/sys/firmware/dmi/tables/DMI``."""

from __future__ import annotations

from pathlib import Path

from agent.diagnose.capture import Capture
from agent.diagnose.files import read_all
from agent.diagnose.inputs._alone import alone
from agent.diagnose.inputs._input import Input
from agent.diagnose.inputs._tables import areas_of
from agent.probes._smbios import is_smbios, parse_smbios

SIZE_CAP = 1024 * 1024
"""Bytes; ours, sixteen times the largest table of SMBIOS 2, and tables of SMBIOS 3 are no larger in the field."""


class SmbiosDumpInput(Input):
    """See the module."""

    name = "smbios-dump"

    def recognises(self, head: bytes) -> bool:
        """The anchor of an entry point, or a table that starts with sound structures."""
        return is_smbios(head)

    def read(self, path: Path) -> Capture:
        """The bytes for every area that they have structures of."""
        data = read_all(path, SIZE_CAP)
        return alone(path, data, "smbios", areas_of(parse_smbios(data)))


INPUT = SmbiosDumpInput()
