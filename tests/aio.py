"""An all-in-one as its kernel and its tools describe it, part by part, for tests that take it apart: what the probes
would have gathered, as a capture, and as a run in a state directory, recorded by the runner's own engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent import probes
from agent.diagnose.capture import Capture, CapturedStep
from agent.journal import RunStore
from agent.model import Evidence, RunVerdict, Tree, ocp
from agent.probes.panel.edid import HEADER
from agent.runner.engine import Engine
from agent.runner.recorder import Recorder
from agent.runner.step import Step
from agent.runner.steps import earlier_step, judging_step, profile_step
from agent.runner.worker import Gathered, Send

TIME = "2026-11-23T14:22:33.123Z"
NVME = "/sys/class/nvme"
USB_DEVICES = "/sys/bus/usb/devices"
PCI = "/sys/bus/pci/devices"


@dataclass(frozen=True, slots=True)
class Panel:
    """``maker`` and ``product`` as the EDID codes them."""

    maker: str = "0dae"
    product: str = "4027"
    name: str = "M238HCJ-E20"
    serial: int = 0x12345678
    connected: bool = True

    def edid(self) -> bytes:
        """A base block of EDID 1.4 for a 1920x1080 eDP panel, 527 x 296 mm, with a right checksum."""
        timing = bytes.fromhex("023a801871382d40582c45000f2821000018")
        head = HEADER + bytes.fromhex(self.maker + self.product) + self.serial.to_bytes(4, "little")
        data = bytearray((head + bytes.fromhex("0c210104a5351e78")).ljust(54, b"\x01") + timing)
        data += b"\0\0\0\xfd\0" + bytes([48, 75, 30, 83, 17, 0]) + b"\n      "
        data += b"\0\0\0\xfc\0" + f"{self.name}\n".encode().ljust(13)[:13] + bytes(18) + b"\0"
        data += bytes(127 - len(data))
        return bytes(data) + bytes([-sum(data) % 256])


@dataclass(frozen=True, slots=True)
class Drive:
    """An NVMe drive with ``health`` as its log has it, or, with ``attributes`` (number -> name, raw), an ATA one."""

    name: str = "nvme0"
    model: str = "Micron_2210_MTFDHBA512QFD"
    serial: str = "20102625A0C1"
    firmware: str = "P8MA000"
    size: int = 512_110_190_592
    address: str = "0000:02:00.0"
    health: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    hours: int = 1000

    def tree(self) -> dict[str, Any]:
        """Its part of sysfs."""
        if self.attributes:
            link = f"../devices/pci0000:00/{self.address}/ata1/host0/target0:0:0/0:0:0:0/block/{self.name}"
            base = f"/sys/block/{self.name}"
            return {
                base: {"link": link},
                f"{base}/size": f"{self.size // 512}\n",
                f"{base}/removable": "0\n",
                f"{base}/queue/rotational": "1\n",
                f"{base}/device/model": f"{self.model}\n",
                f"{base}/device/state": "running\n",
            }
        base = f"{NVME}/{self.name}"
        return {
            base: {"link": f"../../devices/pci0000:00/0000:00:1d.0/{self.address}/nvme/{self.name}"},
            f"{base}/model": f"{self.model}\n",
            f"{base}/serial": f"{self.serial}\n",
            f"{base}/firmware_rev": f"{self.firmware}\n",
            f"{base}/state": "live\n",
            f"{base}/transport": "pcie\n",
            f"{base}/{self.name}n1/size": f"{self.size // 512}\n",
        }

    def told(self) -> Evidence:
        """What smartctl prints of it."""
        document: dict[str, Any] = {
            "model_name": self.model,
            "serial_number": self.serial,
            "firmware_version": self.firmware,
            "user_capacity": {"bytes": self.size},
            "smart_status": {"passed": True},
            "power_on_time": {"hours": self.hours},
        }
        if self.attributes:
            document["rotation_rate"] = 7200
            document["ata_smart_attributes"] = {
                "table": [
                    {"id": n, "name": name, "value": 100, "worst": 100, "thresh": 10, "raw": {"string": str(raw)}}
                    for n, (name, raw) in self.attributes.items()
                ]
            }
        else:
            log = {"critical_warning": 0, "media_errors": 0, "unsafe_shutdowns": 3, "power_on_hours": self.hours}
            document["nvme_smart_health_information_log"] = {**log, **self.health}
        return Evidence("smartctl-json", self.name, json.dumps(document).encode(), f"smartctl {self.name}", TIME)


STICK = {
    "/sys/block/sdz": {
        "link": "../devices/pci0000:00/0000:00:14.0/usb2/2-4/2-4:1.0/host9/target9:0:0/9:0:0:0/block/sdz"
    },
    "/sys/block/sdz/size": "61440000\n",
    "/sys/block/sdz/removable": "1\n",
}
"""What the agent was started from."""


@dataclass(frozen=True, slots=True)
class Module:
    place: str
    serial: str
    size_mb: int = 8192
    part: str = "M471A1K43EB1-CWE"


@dataclass(frozen=True, slots=True)
class Aio:
    """A unit. Take it apart with :func:`dataclasses.replace`."""

    serial: str = "AIO24-0001"
    model: str = "AIO 24"
    sku: str = ""
    board: str = "HB-B760"
    panel: Panel = Panel()
    other_screen: bool = False
    drives: tuple[Drive, ...] = (Drive(),)
    stick: bool = True
    modules: tuple[Module, ...] = (Module("A", "15C774EF"), Module("B", "15C774F0"))
    fans: Mapping[str, int] = field(default_factory=lambda: {"fan1": 1200, "fan2": 900})
    voltages: Mapping[str, int] = field(default_factory=lambda: {"in0": 1000, "in8": 3040})
    usb: Mapping[str, str] = field(default_factory=lambda: {"1-5": "222a:0001", "1-8": "04f2:b7e5"})
    camera: bool = True
    wifi: bool = True
    wifi_driver: bool = True
    speaker: bool = True
    tpm: bool = True
    bios_date: str = "07/28/2023"
    lanes: int = 4
    memory_errors: int = 0
    memory_errors_of_no_module: int = 0

    def with_drive(self, **changes: Any) -> Aio:
        """The first drive changed."""
        return replace(self, drives=(replace(self.drives[0], **changes), *self.drives[1:]))

    @property
    def unit(self) -> dict[str, str]:
        """Its identity as a run has it."""
        known = {"manufacturer": "Hibertek", "model": self.model, "sku": self.sku, "board": self.board}
        return {key: value for key, value in {"serial": self.serial, **known}.items() if value}

    def capture(self, run_id: str = "", started: str = TIME) -> Capture:
        """What the probes gather."""
        steps = tuple(CapturedStep(f"probe.{area}", tuple(found)) for area, found in self.evidence().items())
        needed = ("probe.panel", "probe.storage", "rules")
        return Capture(self.unit, needed, steps, "a unit of the tests", run_id, "0.1.0", started, "quick")

    def record(self, state: Path, areas: Sequence[str] = ()) -> str:
        """A complete run of it in a state directory, of some areas or of all, compared with what is there; its id."""
        store = RunStore(state)
        run_id, journal = store.new()
        with journal:
            start = {"version": "0.1.0", "command_line": "aiodiag selfcheck", "components": [], "metadata": {}}
            parameters = {"plan": "quick", "needed": ["probe.storage", "rules"]}
            journal.append(ocp.run_start(parameters=parameters, unit=self.unit, **start))  # type: ignore[arg-type]
            engine = Engine([Recorder(journal)])
            steps = [_gathering(area, found) for area, found in self.evidence().items() if area in areas or not areas]
            compared = [profile_step(self.unit, state), earlier_step(self.unit, state, run_id)]
            results = engine.run([*steps, *compared])
            engine.run([judging_step(results)])
            journal.settle()
            journal.append(ocp.run_end(RunVerdict.PASS, complete=True))
        return run_id

    def evidence(self) -> dict[str, list[Evidence]]:
        """By area."""
        return {
            "audio": [_tree(self._audio())],
            "board": [_tree(self._board(), "hwmon3")],
            "camera": [_tree(self._camera())],
            "firmware": [_tree(self._firmware())],
            "memory": [_tree(self._memory()), Evidence("dmidecode", "", self._dmi().encode(), "dmidecode", TIME)],
            "network": [_tree(self._network())],
            "panel": [_tree(self._panel())],
            "pcie": [_tree(self._pcie())],
            "storage": [_tree(self._storage()), *(drive.told() for drive in self.drives)],
            "usb": [_tree(self._usb())],
        }

    def _audio(self) -> dict[str, Any]:
        pin = "0x14 0x90170110\n" if self.speaker else "0x21 0x02211020\n"
        return {
            "/proc/asound/cards": " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n",
            "/sys/class/sound/hwC0D0/vendor_name": "Realtek\n",
            "/sys/class/sound/hwC0D0/chip_name": "ALC256\n",
            "/sys/class/sound/hwC0D0/init_pin_configs": pin,
        }

    def _board(self) -> dict[str, Any]:
        base = "/sys/class/hwmon/hwmon3"
        files = {f"{base}/name": "nct6798\n", f"{base}/device": {"link": "../../../nct6775.656"}}
        files |= {f"{base}/{fan}_input": f"{rpm}\n" for fan, rpm in self.fans.items()}
        return files | {f"{base}/{name}_input": f"{volts}\n" for name, volts in self.voltages.items()}

    def _camera(self) -> dict[str, Any]:
        base = "/sys/class/video4linux/video0"
        usb = f"{base}/device/.."
        if not self.camera:
            return {}
        return {
            f"{base}/name": "Integrated Camera: x\n",
            f"{base}/index": "0\n",
            f"{base}/device": {"link": "../../../1-8:1.0"},
            f"{usb}/product": "Integrated Camera\n",
            f"{usb}/idVendor": "04f2\n",
            f"{usb}/idProduct": "b7e5\n",
            f"{usb}/removable": "fixed\n",
            f"{usb}/serial": f"CAM-{self.serial}\n",
        }

    def _firmware(self) -> dict[str, Any]:
        dmi = "/sys/class/dmi/id/"
        files = {
            f"{dmi}bios_vendor": "AMI\n",
            f"{dmi}bios_version": "E11.107\n",
            f"{dmi}bios_date": f"{self.bios_date}\n",
        }
        return files | ({"/sys/class/tpm/tpm0/tpm_version_major": "2\n"} if self.tpm else {})

    def _memory(self) -> dict[str, Any]:
        edac = "/sys/devices/system/edac/mc/mc0"
        files: dict[str, Any] = {"/proc/meminfo": "MemTotal: 16284096 kB\n"}
        files |= {f"{edac}/mc_name": "x\n", f"{edac}/dimm0/dimm_label": "DIMM A\n"}
        files[f"{edac}/ce_count"] = f"{self.memory_errors + self.memory_errors_of_no_module}\n"
        return files | {f"{edac}/dimm0/dimm_ce_count": f"{self.memory_errors}\n"}

    def _dmi(self) -> str:
        text = "# dmidecode 3.4\nHandle 0x0010, DMI type 16, 23 bytes\nPhysical Memory Array\n\tUse: System Memory\n\n"
        for number, module in enumerate(self.modules):
            text += f"Handle 0x{0x11 + number:04X}, DMI type 17, 40 bytes\nMemory Device\n\tArray Handle: 0x0010\n"
            text += f"\tSize: {module.size_mb} MB\n\tLocator: DIMM {module.place}\n\tType: DDR4\n"
            text += f"\tManufacturer: Samsung\n\tSerial Number: {module.serial}\n\tPart Number: {module.part}\n\n"
        return text

    def _network(self) -> dict[str, Any]:
        base = "/sys/class/net/wlan0"
        shown = self.wifi and self.wifi_driver
        card = {
            f"{base}/device": {"link": "../../../0000:03:00.0"},
            f"{base}/device/vendor": "0x8086\n",
            f"{base}/device/device": "0x2725\n",
            f"{base}/phy80211": {"link": "../../ieee80211/phy0"},
            f"{base}/type": "1\n",
        }
        return {"/proc/uptime": "500.0 900.0\n", **(card if shown else {})}

    def _panel(self) -> dict[str, Any]:
        base = "/sys/class/drm/card0-eDP-1"
        files: dict[str, Any] = {f"{base}/status": "connected\n" if self.panel.connected else "disconnected\n"}
        if self.panel.connected:
            files |= _binary(f"{base}/edid", self.panel.edid())
        if self.other_screen:
            other = "/sys/class/drm/card0-HDMI-A-1"
            files |= {f"{other}/status": "connected\n"} | _binary(f"{other}/edid", Panel("10ac", "1234", "DELL").edid())
        return files

    def _pcie(self) -> dict[str, Any]:
        files: dict[str, Any] = {}
        cards = {drive.address: ("0x1344", "0x5410", "0x010802") for drive in self.drives if not drive.attributes}
        cards |= {"0000:03:00.0": ("0x8086", "0x2725", "0x028000")} if self.wifi else {}
        for address, (vendor, device, kind) in cards.items():
            base = f"{PCI}/{address}"
            files |= {f"{base}/vendor": f"{vendor}\n", f"{base}/device": f"{device}\n", f"{base}/class": f"{kind}\n"}
            files |= {f"{base}/current_link_width": f"{self.lanes}\n", f"{base}/current_link_speed": "8.0 GT/s PCIe\n"}
        return files

    def _storage(self) -> dict[str, Any]:
        files = dict(STICK) if self.stick else {}
        for drive in self.drives:
            files |= drive.tree()
        return files

    def _usb(self) -> dict[str, Any]:
        files: dict[str, Any] = {f"{USB_DEVICES}/usb1/idVendor": "1d6b\n", f"{USB_DEVICES}/usb1/idProduct": "0002\n"}
        for device, number in self.usb.items():
            vendor, product = number.split(":")
            base = f"{USB_DEVICES}/{device}"
            files |= {f"{base}/idVendor": f"{vendor}\n", f"{base}/idProduct": f"{product}\n"}
            files |= {f"{base}/removable": "fixed\n", f"{base}/product": f"device {device}\n"}
            files |= {f"{base}/serial": f"USB-{self.serial}-{device}\n"}
        return files


def _binary(path: str, data: bytes) -> dict[str, Any]:
    import base64

    return {path: {"base64": base64.b64encode(data).decode()}}


def _tree(files: Mapping[str, Any], subject: str = "") -> Evidence:
    return Evidence("tree", subject, Tree(files).encode(), "files", TIME)


def _gathering(area: str, found: list[Evidence]) -> Step:
    def work(send: Send) -> None:
        for piece in found:
            send(piece)
        send(Gathered())
        for item in probes.load(area).interpret(found):
            send(item)

    return Step(f"probe.{area}", work, 20.0)
