from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Readings, Tree, Verdict
from agent.probes.cpu import PROBE, SYSFS
from agent.rules.cpu import old_microcode

ROOT = Path(__file__).resolve().parents[3]
NOW = "2026-01-02T03:04:05.000Z"
BLOCK = """processor\t: {n}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 158
model name\t: Intel(R) Core(TM) i5-7400T CPU @ 2.40GHz
stepping\t: 9
microcode\t: 0xf0
cpu MHz\t\t: 800.012
flags\t\t: fpu vme de aes
"""
# Two cores with two threads each; the fourth logical processor is switched off and has no topology.
I5: dict[str, object] = {
    "/proc/cpuinfo": "\n".join(BLOCK.format(n=n) for n in range(3)),
    SYSFS + "present": "0-3\n",
    SYSFS + "online": "0-2\n",
    SYSFS + "cpu0/topology/physical_package_id": "0\n",
    SYSFS + "cpu1/topology/physical_package_id": "0\n",
    SYSFS + "cpu2/topology/physical_package_id": "0\n",
    SYSFS + "cpu0/topology/thread_siblings_list": "0,2\n",
    SYSFS + "cpu1/topology/thread_siblings_list": "1\n",
    SYSFS + "cpu2/topology/thread_siblings_list": "0,2\n",
    SYSFS + "cpu0/cpufreq/cpuinfo_max_freq": "2900000\n",
    SYSFS + "cpu1/cpufreq/cpuinfo_max_freq": "3000000\n",
    SYSFS + "cpu0/cpufreq/scaling_cur_freq": "1200000\n",
    SYSFS + "cpu0/cache/index3/size": "6144K\n",
    SYSFS + "vulnerabilities/meltdown": "Mitigation: PTI\n",
}


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "files", NOW)


def read(files: dict[str, object]) -> Readings:
    return Readings(r for r in PROBE.interpret([tree(files)]) if isinstance(r, Reading))


def test_a_processor() -> None:
    (component,) = (i for i in PROBE.interpret([tree(I5)]) if isinstance(i, Component))
    assert component == Component(
        ComponentKind.CPU,
        "cpu",
        manufacturer="GenuineIntel",
        model="Intel(R) Core(TM) i5-7400T CPU @ 2.40GHz",
        firmware="0xf0",
        source="/proc/cpuinfo",
    )
    assert {r.name.removeprefix("cpu."): r.value for r in read(I5)} == {
        "vendor": "GenuineIntel",
        "brand": "Intel(R) Core(TM) i5-7400T CPU @ 2.40GHz",
        "microcode": "0xf0",
        "family": 6,
        "model": 158,
        "stepping": 9,
        "frequency_advertised": 2_400_000_000,
        "frequency_max": 3_000_000_000,
        "frequency_now": 1_200_000_000,
        "virtual": False,
        "sockets": 1,
        "cores": 2,
        "threads": 4,
        "threads_online": 3,
        "l3_cache": 6_291_456,
        "vulnerability.meltdown": "Mitigation: PTI",
    }


def test_without_cpufreq_the_kernel_s_own_frequency_counts() -> None:
    assert read({"/proc/cpuinfo": BLOCK.format(n=0)}).number("cpu.frequency_now", "cpu") == 800_012_000


def test_asking_py_cpuinfo_leaves_it_as_it_was() -> None:
    from cpuinfo import cpuinfo

    before = cpuinfo.DataSource
    read(I5)
    assert cpuinfo.DataSource is before


def test_no_program_is_found_through_the_path(tmp_path: Path) -> None:
    for name in ("file", "uname", "cat", "python", "python3"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/started\n")
        (tmp_path / name).chmod(0o755)
    code = (
        "from agent.host import Host; from agent.probes.cpu import PROBE; "
        "print(len(list(PROBE.interpret(list(PROBE.gather(Host()))))))"
    )
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    assert int(done.stdout) > 5
    assert not (tmp_path / "started").exists()


def test_this_machine_has_a_processor() -> None:
    evidence = [e for e in PROBE.gather(Host()) if isinstance(e, Evidence)]
    readings = Readings(r for r in PROBE.interpret(evidence) if isinstance(r, Reading))
    online = readings.number("cpu.threads_online", "cpu")
    with open("/proc/stat", encoding="ascii") as stat:
        lines = [line for line in stat if line.startswith("cpu") and line[3].isdigit()]
    assert online == len(lines)


def test_nothing_to_read() -> None:
    (gap,) = PROBE.interpret([tree({"/proc/cpuinfo": {"error": "ENOENT"}})])
    assert isinstance(gap, Gap)
    assert (gap.outcome, gap.essential) == (Outcome.UNSUPPORTED, True)


def test_old_microcode_is_told_on_hardware_only() -> None:
    vulnerable = {SYSFS + "vulnerabilities/spec_rstack_overflow": "Vulnerable: Safe RET, no microcode\n"}
    (finding,) = old_microcode(read({**I5, **vulnerable}))
    assert finding.verdict is Verdict.UNKNOWN
    assert [r.name for r in finding.evidence] == ["cpu.vulnerability.spec_rstack_overflow", "cpu.microcode"]
    guest = {"/proc/cpuinfo": BLOCK.format(n=0).replace("aes", "aes hypervisor")}
    assert not list(old_microcode(read({**I5, **vulnerable, **guest})))
    assert not list(old_microcode(read(I5)))
    assert not list(old_microcode(read(vulnerable)))


@given(
    st.binary(max_size=100)
    | st.dictionaries(
        st.sampled_from([*I5, SYSFS + "vulnerabilities/Bad Name"]),
        st.sampled_from(
            ["", "9" * 50, "-1", "5-1", "0-99999", "cpu MHz: 1e999", "cpu MHz: nan\nmodel name: @ 9GHz", "stepping: -5"]
        )
        | st.text("processrvendmlaghz:@.0123 \n\x07", max_size=60)
        | st.just({"error": "EIO"})
        | st.none(),
    ).map(lambda files: json.dumps(files).encode())
)
def test_anything_may_be_evidence(data: bytes) -> None:
    for item in PROBE.interpret([Evidence("tree", "", data, "files", NOW)]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
