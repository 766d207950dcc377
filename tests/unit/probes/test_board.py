from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes._probe import Seen
from agent.probes._sensors_conf import SensorsConf
from agent.probes.board import PROBE

TIME = "2026-01-02T03:04:05.000Z"

NCT6776 = {
    "name": "nct6776\n",
    "device": {"link": "../../../nct6775.656"},
    "device/subsystem": {"link": "../../../bus/platform"},
    "in0_input": "1032\n",
    "in0_min": "0\n",
    "in0_max": "1744\n",
    "in3_input": "3344\n",
    "in3_min": "2976\n",
    "in3_max": "3632\n",
    "in3_alarm": "0\n",
    "in8_input": "3184\n",
    "fan1_input": "747\n",
    "fan1_min": "0\n",
    "fan1_alarm": "0\n",
    "fan2_input": "0\n",
    "pwm1": "102\n",
    "temp1_input": "31000\n",
    "temp1_max": "80000\n",
    "temp1_label": "SYSTIN\n",
    "intrusion0_alarm": "1\n",
}
PC87366 = {
    "name": "pc87366\n",
    "device": {"link": "../../devices/platform/pc87360.2608"},
    "device/subsystem": {"link": "../../../bus/platform"},
    "in7_input": "1640\n",
    "in7_min": "1500\n",
    "in9_input": "3010\n",
}
NVME = {
    "name": "nvme\n",
    "device": {"link": "../../nvme0"},
    "device/subsystem": {"link": "../../../../class/nvme"},
    "device/device": {"link": "../../../0000:04:00.1"},
    "device/device/subsystem": {"link": "../../../../bus/pci"},
    "temp1_input": "37850\n",
    "temp1_max": "65261850\n",
    "temp1_label": "Composite\n",
}
POWER = {"name": "fam15h_power\n", "power1_average": "30160000\n", "power1_crit": "14960000\n", "curr1_input": "1600\n"}

DRIVER_LABELS = {
    "name": "it8728\n",
    "device": {"link": "../../devices/platform/it87.2608"},
    "device/subsystem": {"link": "../../../bus/platform"},
    "in7_input": "1680\n",
    "in7_label": "3VSB\n",
    "in8_input": "1610\n",
    "in8_label": "Vbat\n",
    "fan1_input": "1200\n",
    "temp1_input": "-62000\n",
}
I2C = {
    "name": "lm75\n",
    "device": {"link": "../../../0-0048"},
    "device/subsystem": {"link": "../../../../bus/i2c"},
    "temp1_input": "30500\n",
}
HID = {
    "name": "corsaircpro\n",
    "device": {"link": "../../../0003:1B1C:0C10.0004"},
    "device/subsystem": {"link": "../../../../bus/hid"},
    "in0_input": "12108\n",
    "in0_label": "SATA 12V\n",
}
EXPRESSIONS = {
    "name": "w83627thf\n",
    "device": {"link": "../../devices/platform/w83627hf.656"},
    "device/subsystem": {"link": "../../../bus/platform"},
    **{f"in{n}_input": f"{1000 + 97 * n}\n" for n in range(9)},
    "temp1_input": "41000\n",
    "fan1_input": "1500\n",
}
EXPRESSIONS_CONF = """
chip "w83627thf-*"
    label in0 "VCore 1"
    label in3 "+5V"
    compute in0 -@ * 2 + 3, @
    compute in1 ^@ - `@, @
    compute in2 10 - 4 - 3 * -@, @
    compute in3 @ * (1 + 34/51), @ / (1 + 34/51)
    compute in4 @ + in3_input, @
    compute in8 @ + in3, @
    compute in5 2 * -(@ - .5) / 4 / 2, @
    compute in6 -^-@, @
    ignore in7
    compute temp1 @ - 10, @ + 10
    compute fan1 @ / 2, @ * 2
chip "*-i2c-*-48"
    label temp1 "Board Temp"
"""

CONF = r"""
# boards differ
chip "nct6775-*" "nct6776-*" \
     "nct6779-*"
    label in0 "Vcore"
    label in3 "+3.3V"   # a comment
    label in8 "Vbat"
    set in3_min 3.3 * 0.90
chip "pc87365-*" "pc87366-*"
    label in7 "3VSB"
    label in9 Vbat
    compute in7   @*2, @/2
"""


def evidence(chips: Sequence[Mapping[str, object]], conf: str | None = CONF) -> list[Evidence]:
    trees = [
        Tree({f"/sys/class/hwmon/hwmon{n}/{name}": text for name, text in chip.items()}) for n, chip in enumerate(chips)
    ]
    if conf is not None:
        trees.append(Tree({"/etc/sensors3.conf": conf}))
    return [Evidence("tree", "", tree.encode(), "sysfs", TIME) for tree in trees]


def seen(chips: Sequence[Mapping[str, object]], conf: str | None = CONF) -> list[Seen]:
    return list(PROBE.interpret(evidence(chips, conf)))


def readings(chips: Sequence[Mapping[str, object]], conf: str | None = CONF) -> Readings:
    return Readings(s for s in seen(chips, conf) if isinstance(s, Reading))


def test_units_labels_and_limits() -> None:
    found = readings([NCT6776])
    rail = found.get("board.voltage", "nct6776-isa-0290/+3.3V")
    assert rail is not None
    assert (rail.value, rail.unit, rail.component, rail.time) == (3.344, "V", ComponentKind.MOTHERBOARD, TIME)
    assert rail.source == "/sys/class/hwmon/hwmon0/in3_input"
    assert found.number("board.voltage.min", "nct6776-isa-0290/+3.3V") == 2.976
    assert found.number("board.fan", "nct6776-isa-0290/fan1") == 747
    assert found.number("board.fan.duty", "nct6776-isa-0290/pwm1") == 40.0
    assert found.number("board.temperature", "nct6776-isa-0290/SYSTIN") == 31.0
    intrusion = found.get("board.intrusion", "nct6776-isa-0290/intrusion0")
    assert intrusion is not None
    assert intrusion.value is True


def test_the_battery_is_one_only_where_a_label_says_so() -> None:
    battery = readings([NCT6776]).get("board.battery.voltage", "nct6776-isa-0290/Vbat")
    assert battery is not None
    assert (battery.value, battery.component) == (3.184, ComponentKind.RTC_BATTERY)
    assert readings([NCT6776], conf="").all("board.battery.voltage") == []


def test_dividers_scale_values_and_limits() -> None:
    found = readings([PC87366])
    assert found.number("board.voltage", "pc87366-isa-0a30/3VSB") == 3.28
    assert found.number("board.voltage.min", "pc87366-isa-0a30/3VSB") == 3.0
    assert found.number("board.battery.voltage", "pc87366-isa-0a30/Vbat") == 3.01


def test_the_device_behind_the_device_names_the_bus() -> None:
    drive = readings([NVME]).get("board.temperature", "nvme-pci-0401/Composite")
    assert drive is not None
    assert (drive.value, drive.component) == (37.85, ComponentKind.STORAGE_DEVICE)


def test_power_and_current() -> None:
    found = readings([POWER])
    assert found.number("board.power", "fam15h_power-virtual-0/power1") == 30.16
    assert found.number("board.power.crit", "fam15h_power-virtual-0/power1") == 14.96
    assert found.number("board.current", "fam15h_power-virtual-0/curr1") == 1.6


ACPI_FAN = {
    "firmware_node/fan_speed_rpm": "1180\n",
    "firmware_node/fine_grain_control": "0\n",
    "firmware_node/state0": "50:not-defined:1200:not-defined:not-defined\n",
    "firmware_node/state1": "100:0:2400:180:5000\n",
    "thermal_cooling/cur_state": "1\n",
}
"""As Linux 6.1 shows it."""


def acpi_fan(**changes: str | None) -> Readings:
    files = {**ACPI_FAN} | {_FILES[key]: text for key, text in changes.items()}
    folder = "/sys/bus/platform/drivers/acpi-fan/PNP0C0B:00"
    tree = Tree({f"{folder}/{name}": text for name, text in files.items() if text is not None})
    return Readings(
        s for s in PROBE.interpret([Evidence("tree", "", tree.encode(), "sysfs", TIME)]) if isinstance(s, Reading)
    )


_FILES = {name.rpartition("/")[2]: name for name in ACPI_FAN}
ACPI_SUBJECT = "acpi_fan-PNP0C0B:00/fan"


def test_a_fan_of_the_firmware_has_the_speed_of_its_state_as_target() -> None:
    found = acpi_fan()
    assert found.number("board.fan", ACPI_SUBJECT) == 1180
    assert found.number("board.fan.target", ACPI_SUBJECT) == 2400
    assert acpi_fan(cur_state="0\n").number("board.fan.target", ACPI_SUBJECT) == 1200


@pytest.mark.parametrize(
    "changes",
    [
        {"cur_state": "2\n"},
        {"cur_state": None},
        {"fine_grain_control": "1\n"},
        {"fine_grain_control": None},
        {"state1": "100:0:not-defined:180:5000\n"},
        {"state1": "100:0:4294967295:180:5000\n"},
        {"state1": "nonsense"},
    ],
)
def test_a_fan_of_the_firmware_without_a_known_state_has_no_target(changes: dict[str, str | None]) -> None:
    found = acpi_fan(**changes)
    assert found.number("board.fan", ACPI_SUBJECT) == 1180
    assert found.all("board.fan.target") == []


@pytest.mark.parametrize("rpm", ["4294967295\n", "-1\n", "fast", "", None])
def test_a_fan_of_the_firmware_that_tells_no_speed_is_none(rpm: str | None) -> None:
    assert acpi_fan(fan_speed_rpm=rpm).all("board.fan") == []


def test_a_fan_that_newer_kernels_show_as_a_chip_is_read_once() -> None:
    chip = {"name": "acpi_fan\n", "fan1_input": "1180\n", "fan1_target": "2400\n"}
    folder = "/sys/bus/platform/drivers/acpi-fan/PNP0C0B:00"
    tree = Tree({f"{folder}/{name}": text for name, text in ACPI_FAN.items()})
    pieces = [*evidence([chip]), Evidence("tree", "", tree.encode(), "sysfs", TIME)]
    fans = [s for s in PROBE.interpret(pieces) if isinstance(s, Reading) and s.name == "board.fan"]
    assert [f.subject for f in fans] == ["acpi_fan-virtual-0/fan1"]


def test_two_inputs_of_one_label_and_two_chips_of_one_name_stay_apart() -> None:
    chip = {"name": "nct6687\n", "temp3_input": "52000", "temp7_input": "-40000"}
    chip |= {"temp3_label": "Thermistor 15\n", "temp7_label": "Thermistor 15\n"}
    subjects = [r.subject for r in readings([chip, chip]).all("board.temperature")]
    assert subjects == [
        "nct6687-virtual-0/Thermistor 15",
        "nct6687-virtual-0/Thermistor 15 (temp7)",
        "nct6687-virtual-0-1/Thermistor 15",
        "nct6687-virtual-0-1/Thermistor 15 (temp7)",
    ]


def test_fans_that_turn_or_are_named_are_parts() -> None:
    assert [s.name for s in seen([NCT6776]) if isinstance(s, Component)] == ["nct6776-isa-0290/fan1"]
    dell = {"name": "dell_smm", "fan1_input": "0", "fan1_label": "Processor Fan"}
    assert [s.description for s in seen([dell]) if isinstance(s, Component)] == ["Processor Fan"]


def test_an_input_without_its_sensor_has_no_value() -> None:
    chip = {"name": "dme1737", "temp1_input": "-128000", "temp1_fault": "1", "temp2_input": "41000", "temp2_fault": "0"}
    found = readings([chip])
    assert [r.subject for r in found.all("board.temperature")] == ["dme1737-virtual-0/temp2"]
    assert [(r.subject, r.value) for r in found.all("board.temperature.fault")] == [
        ("dme1737-virtual-0/temp1", True),
        ("dme1737-virtual-0/temp2", False),
    ]


def test_what_cannot_be_read_is_a_gap() -> None:
    chip = {"name": "iwlwifi_1", "temp1_input": {"error": "ENODATA"}, "fan1_input": {"error": "EIO"}}
    gaps = {g.subject: g for g in seen([chip]) if isinstance(g, Gap)}
    assert gaps["iwlwifi_1-virtual-0/temp1"].outcome is Outcome.UNSUPPORTED
    assert gaps["iwlwifi_1-virtual-0/fan1"].outcome is Outcome.ERROR
    assert "EIO" in str(gaps["iwlwifi_1-virtual-0/fan1"].reason)


@pytest.mark.parametrize(
    ("chips", "missing"),
    [
        ([], {"voltages": True, "fans": True}),
        ([NVME], {"voltages": True, "fans": True}),
        ([PC87366], {"fans": False}),
        ([NCT6776], {}),
    ],
)
def test_no_voltage_and_no_fan_is_no_judgement(chips: list[dict[str, object]], missing: dict[str, bool]) -> None:
    gaps = [s for s in seen(chips) if isinstance(s, Gap)]
    assert {g.subject: g.essential for g in gaps} == missing
    assert all(g.outcome is Outcome.UNSUPPORTED for g in gaps)


def test_raw_pins_without_configuration_are_said() -> None:
    gaps = [s for s in seen([NCT6776], conf=None) if isinstance(s, Gap)]
    assert [(g.subject, g.essential, g.remedy) for g in gaps] == [
        ("labels", False, "sudo apt-get install libsensors-config")
    ]


def test_gather_reads_every_chip_beside_a_stuck_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, chip in enumerate([NCT6776, NVME]):
        for name, content in chip.items():
            path = tmp_path / f"sys/class/hwmon/hwmon{n}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content)
    (tmp_path / "sys/class/hwmon/hwmon2").mkdir()
    stuck = threading.Event()

    class Stuck(Host):
        def exists(self, path: str) -> bool:
            if "hwmon2" in path:
                stuck.wait(20)
            return super().exists(path)

    monkeypatch.setattr("agent.probes.board._CHIP_TIMEOUT_S", 0.5)
    gathered = list(PROBE.gather(Stuck(str(tmp_path))))
    stuck.set()
    gaps = [g for g in gathered if isinstance(g, Gap)]
    assert [(g.subject, g.outcome) for g in gaps] == [("/sys/class/hwmon/hwmon2", Outcome.ERROR)]
    found = Readings(
        s for s in PROBE.interpret([e for e in gathered if isinstance(e, Evidence)]) if isinstance(s, Reading)
    )
    assert {r.subject.rpartition("/")[2] for r in found.all("board.temperature")} == {"SYSTIN", "Composite"}


def test_captured_tree_against_its_captured_output(shared: Path) -> None:
    case = shared / "corpora/sensors/telegraf-temp-with_device_tag"
    gathered = [e for e in PROBE.gather(Host(str(case))) if isinstance(e, Evidence)]
    temperatures = Readings(s for s in PROBE.interpret(gathered) if isinstance(s, Reading)).all("board.temperature")
    lines = set()
    for reading in temperatures:
        directory = case / Path(reading.source).parent.relative_to("/")
        device = (directory / "device").read_text().strip("/\n").rpartition("/")[2]
        label = reading.subject.rpartition("/")[2].lower().replace(" ", "_")
        lines.add(
            f"temp,device={device},sensor={(directory / 'name').read_text().strip()}_{label} temp={reading.value}"
        )
    assert lines == set((case / "expected_v2.out").read_text().split("\n")) - {""}


@pytest.fixture(scope="session")
def libsensors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script that runs the real ``sensors`` over files of ours, mounted over sysfs in a namespace of its own."""
    script = tmp_path_factory.mktemp("libsensors") / "sensors.sh"
    script.write_text(
        "set -e; mount -t tmpfs none /sys/class; mkdir /sys/class/hwmon\n"
        'cp -a "$1"/. /sys/class/hwmon/; exec sensors -c "$2" -j\n'
    )
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        empty = script.parent / "empty"
        empty.mkdir()
        tried = subprocess.run(
            ["/usr/bin/unshare", "-m", "sh", str(script), str(empty), "/dev/null"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        if b"No sensors found" in tried.stderr:
            return script
    pytest.skip("comparing with libsensors needs root, unshare and lm-sensors")


def same_as_libsensors(script: Path, folder: Path, chips: Sequence[Mapping[str, object]], conf: str) -> int:
    """How many values both give, alike by chip, label and number."""
    for n, chip in enumerate(chips):
        _write(folder / f"hwmon{n}", chip)
    (folder / "sensors.conf").write_text(conf)
    command = ["/usr/bin/unshare", "-m", "sh", str(script), str(folder), str(folder / "sensors.conf")]
    told = subprocess.run(command, capture_output=True, timeout=20, check=False)
    theirs = {
        (f"{chip}/{label}", round(value, 3))
        for chip, features in json.loads(told.stdout).items()
        for label, values in features.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if re.fullmatch("(in|fan|temp|curr|power)[0-9]+_(input|average)", key)
    }
    found = readings(chips, conf)
    kinds = ("board.voltage", "board.fan", "board.temperature", "board.current", "board.power")
    ours = {(r.subject, round(float(r.value), 3)) for kind in kinds for r in found.all(kind)}
    assert ours == theirs
    return len(ours)


def test_same_names_labels_and_values_as_libsensors(libsensors: Path, tmp_path: Path) -> None:
    chips: list[dict[str, object]] = [NCT6776, PC87366, NVME, POWER, EXPRESSIONS, DRIVER_LABELS, I2C, HID]
    assert same_as_libsensors(libsensors, tmp_path, chips, CONF + EXPRESSIONS_CONF) > 20


def test_every_chip_of_the_distribution_as_libsensors(libsensors: Path, tmp_path: Path) -> None:
    """All chips that Debian's sensors3.conf knows, each with more inputs than it has statements for; but for k8temp,
    where one label stands for two inputs, which we keep apart.
    """
    conf = Path("/etc/sensors3.conf").read_text("utf-8")
    names = sorted(set(re.findall(r'"([a-z0-9_]+)-\*"', conf)) - {"k8temp"})
    assert len(names) > 60
    chips = []
    for n, name in enumerate(names):
        chip: dict[str, object] = {
            "name": f"{name}\n",
            "device": {"link": f"../../devices/platform/{name}.{656 + n}"},
            "device/subsystem": {"link": "../../../bus/platform"},
        }
        for number in range(16):
            chip[f"in{number}_input"] = f"{800 + 150 * number}\n"
            chip[f"temp{number + 1}_input"] = f"{30000 + 500 * number}\n"
            chip[f"fan{number + 1}_input"] = f"{100 * number}\n"
        chips.append(chip)
    assert same_as_libsensors(libsensors, tmp_path, chips, conf) > 2500


def _write(directory: Path, chip: Mapping[str, object]) -> None:
    """The files of one chip; a ``device`` link needs a device to point at."""
    directory.mkdir()
    below = directory
    for name in ("device", "device/device"):
        link = chip.get(name)
        if isinstance(link, dict):
            target = directory / "behind" / name.replace("/", "-") / Path(link["link"]).name
            target.mkdir(parents=True)
            (below / "device").symlink_to(os.path.relpath(target, below))
            subsystem = chip[f"{name}/subsystem"]
            assert isinstance(subsystem, dict)
            (target / "subsystem").symlink_to(subsystem["link"])
            below = target
    for name, content in chip.items():
        if isinstance(content, str):
            (directory / name).write_text(content)


def expression(text: str, raw: float = 2.0) -> float | None:
    conf = SensorsConf([f'chip "x-*"\ncompute in0 {text}, @\n'])
    return conf.compute("x-isa-0000", "in0", raw, {"in1_input": 7.0}.get)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@ * (1 + 34/51)", 2 * (1 + 34 / 51)),
        ("10-4-3", 3.0),
        ("12/2/3", 2.0),
        ("1+2*3", 7.0),
        ("-@*2", -4.0),
        ("- - @", 2.0),
        ("-(240/60)*@", -8.0),
        ("^0 + `1", 1.0),
        ("( 7.67 * @ ) - .36", 2 * 7.67 - 0.36),
        ("in1_input-@", 5.0),
        ("@/0", None),
        ("`(0-1)", None),
        ("^99999", None),
        ("in2", None),
        ("1e5", None),
    ],
)
def test_expressions(text: str, value: float | None) -> None:
    assert expression(text) == (pytest.approx(value) if value is not None else None)


@pytest.mark.parametrize("text", ["", "(", "@ @", "@ *", "* @", ")", "(@", "@)", "@ ; 1", '"', "2 ^ 3", "()"])
def test_a_malformed_statement_is_passed_over(text: str) -> None:
    assert expression(text) == 2.0


def test_brackets_as_deep_as_one_likes() -> None:
    assert expression("(" * 50_000 + "@" + ")" * 50_000) == 2.0


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("it8712-*", True),
        ("*-isa-0290", True),
        ("it8712-isa-290", True),
        ("it8712-isa-*", True),
        ("*-*", True),
        ("it87-*", False),
        ("it8712-isa-0a10", False),
        ("it8712-i2c-*-48", False),
        ("it8712", False),
    ],
)
def test_chip_patterns(pattern: str, fits: bool) -> None:
    conf = SensorsConf([f'chip "{pattern}"\nlabel in0 "Vcore"\n'])
    assert conf.label("it8712-isa-0290", "in0") == ("Vcore" if fits else None)


def test_the_last_section_wins_and_a_bus_of_the_file_fits_nothing() -> None:
    first = 'bus "i2c-0" "SMBus"\nchip "lm75-*" "w83781d-i2c-0-2d"\nlabel temp1 "first"\nlabel temp1 "second"\n'
    last = 'chip "lm75-i2c-*-48"\nlabel temp1 "last"\nignore temp2\n'
    conf = SensorsConf([first, last])
    assert conf.label("lm75-i2c-0-48", "temp1") == "last"
    assert conf.label("lm75-i2c-0-49", "temp1") == "first"
    assert conf.label("w83781d-i2c-0-2d", "temp1") is None
    assert (conf.ignored("lm75-i2c-0-48", "temp2"), conf.ignored("lm75-i2c-0-48", "temp1")) == (True, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda j: st.lists(j) | st.dictionaries(st.text(), j),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [f"/sys/class/hwmon/hwmon0/{name}" for chip in (NCT6776, NVME, POWER) for name in chip]
    + ["/etc/sensors3.conf", "/etc/sensors.d/a"]
)
CONTENTS = JSON | st.integers(-(10**30), 10**30).map(str) | st.sampled_from(["nct6776", "9" * 5000, CONF])


@given(
    st.binary().map(lambda data: Evidence("tree", "", data, "", TIME))
    | st.dictionaries(PATHS, CONTENTS).map(lambda files: Evidence("tree", "", Tree(files).encode(), "", TIME))
    | JSON.map(lambda data: Evidence("sensors-json", "", json.dumps(data).encode(), "", TIME))
)
def test_no_evidence_breaks_it(evidence: Evidence) -> None:
    for thing in PROBE.interpret([evidence]):
        assert type(thing).from_json(json.loads(json.dumps(thing.to_json()))) == thing


@given(st.text() | st.text('chip"x-*\\\ncompute in0123.+-*/()@^`,#').map(lambda t: 'chip "x-*"\ncompute in0 ' + t))
def test_no_configuration_breaks_it(text: str) -> None:
    conf = SensorsConf([text])
    value = conf.compute("x-isa-0000", "in0", 1.0, {"in1_input": 7.0}.get)
    assert value is None or abs(value) < float("inf")
