"""Several faults at once, in parts that have nothing to do with each other: each is told, and none hides another."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.hardware.cooling import ZONE
from tests.bench.hardware.network import SECOND_IN_GUEST
from tests.bench.hardware.panel import CONNECTOR, MONITOR, SYSFS
from tests.bench.hardware.part import proven
from tests.bench.scenario import Check, Expected, scenario
from tests.bench.scenarios.board import CHIP
from tests.bench.scenarios.heat import FAN_LEVEL, STILL_HOT
from tests.bench.scenarios.processor import INTEL, prove_uncorrected
from tests.bench.scenarios.profile import learn

LEFT_MIB = 12
FILL = f"fallocate -l $(($(df -m --output=avail / | tail -n 1) - {LEFT_MIB}))M /var/tmp/fill"
MODULE = {"manufacturer": "Samsung", "part": "M471A1K43EB1-CWE", "mib": 1024, "speed": 3200}


@scenario(
    "storage",
    "nvme",
    customer="Nothing can be saved any more, and after the power cut the newest files were gone.",
    symptom="slow-disk",
    expected=[
        Expected("DISK-1402", "storage-device", "warning", "/"),
        Expected("DISK-1345", "storage-device", "critical", "nvme0"),
    ],
)
def full_and_damaged(aio: VirtualAio, check: Check) -> None:
    """The file system is full but for 12 MiB, and the NVMe drive can no longer save its volatile memory when the power
    goes (critical warning, bit 4).
    """
    said = aio.guest.shell(f"{FILL}; df --output=pcent / | tail -n 1").check().out
    proven(said.strip() in ("99%", "100%"), "df shows that it is full", said)
    with aio.storage.nvme[0].warning(0b10000):
        said = aio.guest.run("smartctl", "-H", "/dev/nvme0").out
        proven("volatile memory backup device has failed" in said, "smartctl tells of it", said)
        check()


@scenario(
    "processor",
    "memory",
    customer="Since you exchanged the board it is slow, and a program closed by itself.",
    symptom="freezes",
    # Of the machine check the processor's counter, and rasdaemon's record.
    expected=[
        Expected("MEM-3038", "memory-module", "warning"),
        Expected("CPU-6002", "cpu", "critical"),
        Expected("CPU-6028", "cpu", "critical"),
    ],
    tolerated=["LOG-8468"],  # the kernel's message of it
    changes={**INTEL, "identity": {"modules": [{**MODULE, "locator": f"DIMM {place}"} for place in "AB"]}},
)
def module_lost_and_machine_check(aio: VirtualAio, check: Check) -> None:
    """Firmware tells of two modules of 1 GiB each and hands over the memory of one; and the processor could not correct
    an error in its cache, which nothing had used yet, so that it went on.
    """
    fitted = aio.guest.shell("dmidecode -t 17 | grep -c 'Size: 1 GB'").out
    total = int(aio.guest.read("/proc/meminfo").split()[1])
    proven(fitted == "2\n" and total < 1 << 20, "dmidecode shows two modules, the kernel less than one", f"{total} kB")
    aio.processor.uncorrected_error()
    prove_uncorrected(aio)
    check()


@scenario(
    "panel",
    "network",
    "heat",
    "board",
    "pcie",
    "profile",
    customer="Since you exchanged the board only the monitor shows something, it is hot, and the network is slow.",
    symptom="no-picture",
    expected=[
        Expected("LCD-4017", "panel", "warning", CONNECTOR),
        Expected("LCD-4513", "panel", "critical", CONNECTOR),
        Expected("NET-7557", "ethernet", "warning"),
        Expected("BUS-7151", "motherboard", "warning", SECOND_IN_GUEST),
        Expected("FAN-2503", "fan", "critical", f"{CHIP}/CPU Fan"),
        Expected("FAN-2542", "fan", "warning", "thermal_zone0"),
    ],
    tolerated=["HEAT-2035", *STILL_HOT],
    never=["LCD-4001"],
    changes={
        "panel": {"monitor": True},
        "network": {"more": True},
        "processor": {"sensor": True},
        "cooling": {"fan_bound": False},
    },
)
def board_exchanged(aio: VirtualAio, check: Check) -> None:
    """Nothing hangs on the panel's connector any more, and a monitor is plugged in; of three network cards one does not
    show, and the link of another has settled at one lane of four; the model is known to have all that. Firmware names a
    fan that is not fitted as the one that cools its zone, so that the real one stays at its lowest level; the processor
    has 90 °C, and its own fan, which the maker has named in the settings of lm-sensors, stands still.
    """
    aio.network.second_on_lanes(4, possible=4)
    aio.guest.write("/etc/sensors.d/aio-24.conf", 'chip "dme1737-*"\n    label fan1 "CPU Fan"\n')
    learn(aio)
    aio.network.second_on_lanes(1, possible=4)
    aio.network.third_gone()
    said = aio.guest.shell(f"lspci -nn; lspci -vv -s {SECOND_IN_GUEST} | grep Lnk").out
    proven("[1af4:1041]" not in said and "[8086:10d3]" in said, "lspci finds two cards", said)
    proven("Width x4" in said and "Width x1" in said, "lspci sees one lane of four", said)
    aio.processor.hot(90)
    with aio.board_sensors.fan(0), aio.cooling.heatsink_blocked(4.5), aio.panel.gone():
        said = aio.guest.shell(f"cat {SYSFS}/status {MONITOR}/status").out
        proven(said == "disconnected\nconnected\n", "the drivers see the monitor only", said)
        hot = f"until test $(cat {ZONE}/temp) -ge 72000; do sleep 0.5; done; cat {FAN_LEVEL}"
        said = aio.guest.shell(hot, timeout_s=120).out
        proven(said == "0\n", "the zone is hot and its fan at its lowest level", said)
        said = aio.guest.out("/usr/bin/sensors")
        proven("CPU Fan:        0 RPM" in said and "+90.0" in said, "sensors sees no turns, and 90 °C", said)
        check()
