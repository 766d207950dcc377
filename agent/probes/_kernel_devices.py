"""Which drive a message is about, as far as the same log tells: ``ata3`` is ``sdb``, a disk of such a model. Pure."""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

DEVICES_MOST = 256
"""Devices that are remembered of a kind, so that a hostile log stays small; ours."""

_INQUIRED = 16  # characters of the model that an INQUIRY can hold

_SPEAKS_OF_ONE = ("ata", "scsi ", "sd ", "nvme ")

# drivers/ata/libata-core.c (ata_dev_configure), drivers/scsi/scsi_scan.c, drivers/scsi/sd.c, drivers/scsi/hosts.c,
# drivers/nvme/host/pci.c
_MODEL = re.compile(r"(ata\d{1,4})\.\d\d: ATA-\d{1,2}: ([^,]{1,40}), ")
_PORT = re.compile(r"(ata\d{1,4})(?:\.\d\d)?: ")
_INQUIRY = re.compile(r"scsi (\d{1,4}):\d+:\d+:\d+: Direct-Access +(\S{1,8}) +(\S.{0,15}?) +\S{1,4} +PQ: ")
_HOST = re.compile(r"scsi host(\d{1,4}): (?:usb-storage|uas)\b")
_DISK = re.compile(r"sd (?P<address>(?P<host>\d{1,4}):\d{1,4}:\d{1,4}:\d{1,20}): \[(?P<disk>sd[a-z]{1,3})\]")
_FUNCTION = re.compile(r"nvme (nvme\d{1,4}): pci function ([0-9a-f:.]{7,16})")

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Named:
    """What the log says of a device: the drive's name (``sdb``), its model, and whether it hangs on USB."""

    drive: str = ""
    model: str = ""
    on_usb: bool = False


def names_a_device(text: str) -> bool:
    """Whether a message says how devices hang together; the kernel says it once, when it finds them."""
    return text.startswith(_SPEAKS_OF_ONE) and any(
        form.match(text) for form in (_MODEL, _INQUIRY, _HOST, _DISK, _FUNCTION)
    )


class Devices:
    """Listens to the messages of a log and knows then how the devices in them hang together."""

    def __init__(self) -> None:
        self._ata_models: dict[str, str] = {}
        self._inquiries: dict[int, str] = {}
        self._usb_hosts: dict[int, bool] = {}
        self._disks: dict[str, int] = {}
        self._addresses: dict[str, str] = {}
        self._by_error: dict[tuple[int, str], bool] = {}
        self._functions: dict[str, str] = {}
        self._handled = ""

    def hear(self, text: str) -> None:
        """Take in one message."""
        if not text.startswith(_SPEAKS_OF_ONE):
            return
        if text.startswith("ata"):
            self._hear_ata(text)
        elif text.startswith("sd "):
            self._hear_disk(text)
        elif inquiry := _INQUIRY.match(text):
            vendor, model = inquiry[2], inquiry[3]
            _remember(self._inquiries, int(inquiry[1]), model if vendor == "ATA" else f"{vendor} {model}")
        elif host_on_usb := _HOST.match(text):
            _remember(self._usb_hosts, int(host_on_usb[1]), True)
        elif function := _FUNCTION.match(text):
            _remember(self._functions, function[2], function[1])

    def named(self, device: str) -> Named:
        """What is known of a device, by the name that a message gives it, when all messages have been heard."""
        if device in self._functions:
            return Named(self._functions[device])
        device = self._addresses.get(device, device)
        if device in self._disks:
            host = self._disks[device]
            model = self._ata_models.get(self._ports.get(device, ""), "") or self._inquiries.get(host, "")
            return Named(device, model, host in self._usb_hosts)
        disks = [disk for disk, port in self._ports.items() if port == device]
        # Behind a port multiplier there are several.
        return Named(disks[0] if len(disks) == 1 else "", self._ata_models.get(device, ""))

    def _hear_ata(self, text: str) -> None:
        port = _PORT.match(text)
        if port:
            self._handled = "" if text.endswith("EH complete") else port[1]
        model = _MODEL.match(text)
        if model:
            _remember(self._ata_models, model[1], model[2].strip())

    def _hear_disk(self, text: str) -> None:
        disk = _DISK.match(text)
        if disk is None:
            return
        host = int(disk["host"])
        _remember(self._disks, disk["disk"], host)
        _remember(self._addresses, disk["address"], disk["disk"])
        # While a port's errors are handled, the commands that failed of it are named: scsi_error.c comes between
        # "configured for" and "EH complete" of libata-eh.c.
        if self._handled and (" Result: " in text or "Sense Key" in text):
            _remember(self._by_error, (host, self._handled), True)

    @functools.cached_property
    def _ports(self) -> dict[str, str]:
        """The port of each disk that has a SCSI host to itself: by the model that both name, in the order of both where
        there are several of one (a controller's ports and hosts are numbered alike), else by errors that were handled
        together.
        """
        alone = Counter(self._disks.values())
        by_error: dict[int, list[str]] = {}
        for host, port in self._by_error:
            by_error.setdefault(host, []).append(port)
        found = {host: ports[0] for host, ports in by_error.items() if len(ports) == 1}
        hosts_of: dict[str, list[int]] = {}
        for host, model in self._inquiries.items():
            hosts_of.setdefault(model, []).append(host)
        ports_of: dict[str, list[str]] = {}
        for port, model in self._ata_models.items():
            ports_of.setdefault(model[:_INQUIRED].strip(), []).append(port)
        for model, hosts in hosts_of.items():
            ports = ports_of.get(model, [])
            if len(hosts) == len(ports):
                found |= zip(sorted(hosts), sorted(ports, key=_number), strict=True)
        return {disk: found[host] for disk, host in self._disks.items() if host in found and alone[host] == 1}


def _remember(known: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(known) < DEVICES_MOST:
        known[key] = value


def _number(port: str) -> int:
    return int(port.removeprefix("ata"))
