"""What stress-ng says of drawing, from a clean run to a driver that ends it, and what is concluded from it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Severity, Text, Tree, Verdict
from agent.rules import apply
from agent.rules.gpu_test import broke_off
from agent.tests_hw import Bout
from agent.tests_hw.gpu import DRIVERS, TEST, render_nodes

TIME = "2026-01-02T03:04:05.678Z"
UNIT = "0000:00:02.0"
COMMAND = (
    "stress-ng --gpu 1 --gpu-devnode /dev/dri/renderD128 --gpu-frag 100 --gpu-xsize 1920 --gpu-ysize 1080"
    " --gpu-tex-size 1024 --metrics --verbose --temp-path /tmp --timeout "
)
# 0.15.06 (Debian 12) over a stand-in for the driver, here with other numbers.
STARTED = """stress-ng: debug: [4711] stress-ng 0.15.06
stress-ng: debug: [4711] main: can't set oom_score_adj
stress-ng: info:  [4711] setting to a 10 second run per stressor
stress-ng: info:  [4711] dispatching hogs: 1 gpu
stress-ng: debug: [4711] starting stressors
stress-ng: debug: [4716] gpu: started [4716] (instance 0)
"""
DRAWS = """stress-ng: info:  [4717] gpu: GL_VENDOR: Intel
stress-ng: info:  [4717] gpu: GL_VERSION: OpenGL ES 3.2 Mesa 22.3.6
stress-ng: info:  [4717] gpu: GL_RENDERER: Mesa Intel(R) UHD Graphics 630 (CFL GT2)
stress-ng: debug: [4711] 1 stressor started
"""
OVER = """stress-ng: debug: [4716] gpu: exited [4716] (instance 0)
stress-ng: debug: [4711] process [4716] terminated
stress-ng: metrc: [4711] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s CPU used \
per       RSS Max
stress-ng: metrc: [4711]                           (secs)    (secs)    (secs)   (real time) (usr+sys time) instance \
(%)          (KB)
stress-ng: metrc: [4711] gpu                 615     10.02      1.31      0.44        61.38         351.43        \
17.47         98016
stress-ng: debug: [4711] metrics-check: all stressor metrics validated and sane
stress-ng: info:  [4711] successful run completed in 10.12s
"""
PASSED = STARTED + DRAWS + OVER
EARLY = OVER.replace(" 615     10.02 ", " 151      2.46 ").replace("in 10.12s", "in 2.53s")
ABORTED = "stress-ng: debug: [4716] gpu: child died: signal 6 'SIGABRT' (instance 0)\n"
CRASHED = """stress-ng: debug: [4716] gpu: child died: signal 11 'SIGSEGV' (instance 0)
stress-ng: debug: [4716] gpu: killed by SIGSEGV, restarting again (instance 0)
"""
EXITED = "stress-ng: debug: [4711] process [4716] (gpu) aborted via exit() which was not expected\n"
KILLED = """stress-ng: debug: [4716] gpu: child died: signal 9 'SIGKILL' (instance 0)
stress-ng: debug: [4716] gpu: assuming killed by OOM killer, restarting again (instance 0)
"""
RESOURCES = "stress-ng: warn:  [4711] process [4716] (gpu) aborted early, out of system resources\n"
LOST = "amdgpu: The CS has been cancelled because the context is lost.\n"
REFUSED = """amdgpu: The CS has been rejected (-125), but the context isn't robust.
amdgpu: The process will be terminated.
"""
NO_DRIVER = "stress-ng: info:  [4717] gpu: EGL: failed to initialize EGL, skipping stressor\n"
NO_CONTEXT = "stress-ng: info:  [4717] gpu: EGL: Failed to create context\n"
NOTHING = OVER.replace(" 615     10.02 ", "   0      0.10 ").replace(" 61.38 ", "  0.00 ")
DENIED = """stress-ng: info:  [4711] gpu: cannot open GPU device '/dev/dri/renderD128', errno=13 (Permission denied), \
skipping stressor
stress-ng: info:  [4711] setting to a 10 second run per stressor
stress-ng: error: [4711] No stress workers invoked (one or more were unsupported)
"""
LATE = Text("no answer within {seconds} s", {"seconds": 20.0})


def report(text: str, exit_status: int | None = 0, problem: Text | None = None, unit: str = UNIT) -> Evidence:
    return Evidence("stress-ng", unit, text.encode(), f"{COMMAND}10", TIME, exit_status, 10.2, problem=problem)


def values(*evidence: Evidence) -> dict[str, object]:
    return {seen.name: seen.value for seen in TEST.interpret(evidence) if isinstance(seen, Reading)}


def readings(*evidence: Evidence) -> list[Reading]:
    return [seen for seen in TEST.interpret(evidence) if isinstance(seen, Reading)]


def judged(*evidence: Evidence) -> list[Finding]:
    return list(broke_off(Readings(readings(*evidence))))


def only_gap(*evidence: Evidence) -> Gap:
    (gap,) = TEST.interpret(evidence)
    assert isinstance(gap, Gap)
    assert gap.essential
    return gap


def links(**nodes: tuple[str, str]) -> Evidence:
    """Of each render node: the device that it belongs to, and its driver."""
    tree = Tree()
    for node, (device, driver) in nodes.items():
        path = f"/sys/class/drm/{node}/device"
        tree.files[path] = {"link": f"../../../{device}"}
        tree.files[f"{path}/driver"] = {"link": f"../../../bus/pci/drivers/{driver}"}
    return Evidence("tree", "", tree.encode(), "/sys/class/drm", TIME, 0)


class TestWhatIsConcluded:
    def test_a_clean_run_is_measured_and_no_finding(self) -> None:
        assert values(report(PASSED)) == {
            "gpu_test.breaks": 0,
            "gpu_test.frames": 615,
            "gpu_test.rate": 61.38,
            "gpu_test.seconds": 10.02,
            "gpu_test.renderer": "Mesa Intel(R) UHD Graphics 630 (CFL GT2)",
        }
        assert {reading.subject for reading in readings(report(PASSED))} == {UNIT}
        assert judged(report(PASSED)) == []

    @pytest.mark.parametrize(
        ("how", "count"),
        [(ABORTED, 1), (CRASHED + DRAWS + CRASHED, 2), (EXITED, 1), (REFUSED + EXITED, 1)],
        ids=["abort", "crash", "exit", "exit with reasons"],
    )
    def test_a_driver_that_ends_drawing_in_the_middle_is_told(self, how: str, count: int) -> None:
        (finding,) = judged(report(STARTED + DRAWS + how + EARLY))
        assert (finding.code, finding.subject, finding.values["count"]) == ("GPU-5501", UNIT, count)
        assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.WARNING), "the driver may be wrong"
        names = [reading.name for reading in finding.evidence]
        assert names == ["gpu_test.breaks", "gpu_test.frames", "gpu_test.renderer"]
        for language in LANGUAGES:
            assert UNIT in message(finding, language)
            assert str(count) in message(finding, language)

    def test_one_that_broke_off_counts_even_where_the_rest_broke_down(self) -> None:
        assert values(report(STARTED + DRAWS + ABORTED + EARLY, -9, LATE))["gpu_test.breaks"] == 1
        assert values(report(STARTED + DRAWS + ABORTED + EARLY, 3))["gpu_test.breaks"] == 1

    @pytest.mark.parametrize("subject", ["", UNIT])
    def test_a_hang_of_which_the_kernel_tells_is_told_once(self, subject: str) -> None:
        name, part = "kernel_log_watch.gpu_hang.count", ComponentKind.MOTHERBOARD
        told = Reading(name, 2, "count", part, subject, "dmesg", TIME)
        seen = [*readings(report(STARTED + DRAWS + ABORTED + EARLY)), told]
        severities = {finding.code: finding.severity for finding in apply(seen)}
        assert severities == {"LOG-8540": Severity.WARNING, "GPU-5501": Severity.INFO}

    @pytest.mark.parametrize("how", [ABORTED, CRASHED, EXITED], ids=["abort", "crash", "exit"])
    def test_what_ends_before_the_first_frame_is_no_fault_of_the_unit(self, how: str) -> None:
        assert only_gap(report(STARTED + DRAWS + how + NOTHING)).outcome is Outcome.ERROR

    def test_a_want_of_memory_is_no_fault_of_the_unit(self) -> None:
        gap = only_gap(report(STARTED + DRAWS + RESOURCES + EARLY, 3))
        assert gap.outcome is Outcome.ERROR
        assert "out of system resources" in str(gap.reason)
        gap = only_gap(report(STARTED + DRAWS + KILLED + OVER))
        assert gap.outcome is Outcome.ERROR
        assert "SIGKILL" in str(gap.reason)

    @pytest.mark.parametrize(
        "complaint",
        [
            "amdgpu: Not enough memory for command submission.",
            REFUSED.replace("-125", "-12"),
            "iris: Failed to submit batchbuffer: Cannot allocate memory",
        ],
    )
    def test_a_driver_that_gets_too_little_memory_is_no_fault_of_the_unit(self, complaint: str) -> None:
        gap = only_gap(report(f"{STARTED}{DRAWS}{complaint}\n{ABORTED}{EARLY}"))
        assert gap.outcome is Outcome.ERROR
        assert complaint.partition("\n")[0] in str(gap.reason)

    def test_a_context_that_was_lost_is_no_pass(self) -> None:
        """Frames after that are none, and whether one was done before it nobody knows."""
        gap = only_gap(report(STARTED + DRAWS + LOST * 40 + OVER))
        assert gap.outcome is Outcome.ERROR
        assert "context is lost" in str(gap.reason)

    def test_an_end_before_its_time_is_an_error_and_never_a_zero(self) -> None:
        assert only_gap(report(STARTED + DRAWS + EARLY)).outcome is Outcome.ERROR
        assert only_gap(report(STARTED + DRAWS, -9, LATE)).reason == LATE
        assert only_gap(report(PASSED, -9, LATE)).reason == LATE
        assert only_gap(report(PASSED, None, LATE)).reason == LATE
        assert only_gap(report(PASSED, 2)).outcome is Outcome.ERROR
        assert only_gap(report(STARTED + DRAWS + OVER.replace("successful", "unsuccessful"))).outcome is Outcome.ERROR
        assert only_gap(report("", -11)).outcome is Outcome.ERROR

    def test_a_first_frame_that_is_never_done_is_no_pass(self) -> None:
        stuck = OVER.replace(" 615     10.02 ", "   0     10.02 ").replace(" 61.38 ", "  0.00 ")
        assert only_gap(report(STARTED + DRAWS + stuck)).outcome is Outcome.ERROR

    def test_a_shader_that_is_not_compiled_is_an_error_of_a_driver_that_is_there(self) -> None:
        said = "stress-ng: info:  [4717] gpu: failed to compile vertex shader, skipping stressor\n"
        assert only_gap(report(STARTED + DRAWS + said + RESOURCES + NOTHING, 3)).outcome is Outcome.ERROR

    def test_one_that_was_asked_for_less_is_whole_sooner(self) -> None:
        text = STARTED + DRAWS + EARLY
        asked = Evidence("stress-ng", UNIT, text.encode(), f"{COMMAND}2", TIME, 0, 2.6)
        assert values(asked)["gpu_test.seconds"] == 2.46


class TestWhatCannotBeTold:
    @pytest.mark.parametrize(
        "renderer",
        [
            "llvmpipe (LLVM 15.0.6, 256 bits)",
            "softpipe",
            "Software Rasterizer",
            "SWR (LLVM 12.0, 256 bits)",
            "virgl (AMD Radeon)",
            "SVGA3D; build: RELEASE;  LLVM;",
            "zink Vulkan 1.3(llvmpipe (LLVM 15.0.6, 256 bits) (MESA_LLVMPIPE))",
        ],
    )
    def test_where_the_processor_draws_nothing_is_said(self, renderer: str) -> None:
        text = PASSED.replace("Mesa Intel(R) UHD Graphics 630 (CFL GT2)", renderer)
        gap = only_gap(report(text))
        assert (gap.outcome, gap.subject) == (Outcome.UNSUPPORTED, UNIT)
        assert renderer in str(gap.reason)
        broken = text.replace(OVER, ABORTED + EARLY)
        assert judged(report(broken)) == []
        assert only_gap(report(broken)).outcome is Outcome.UNSUPPORTED

    @pytest.mark.parametrize(
        "renderer",
        [
            "Mesa Intel(R) HD Graphics 530 (SKL GT2)",
            "AMD Radeon Graphics (raven, LLVM 15.0.6, DRM 3.49, 6.1.0-18-amd64)",
            "NV137",
            "NVIDIA GeForce RTX 3060/PCIe/SSE2",
        ],
    )
    def test_hardware_is_not_taken_for_software(self, renderer: str) -> None:
        text = PASSED.replace("Mesa Intel(R) UHD Graphics 630 (CFL GT2)", renderer)
        assert values(report(text))["gpu_test.renderer"] == renderer

    def test_without_a_renderer_nobody_knows_what_drew(self) -> None:
        assert only_gap(report(STARTED + OVER)).outcome is Outcome.ERROR
        assert only_gap(report(STARTED + ABORTED + EARLY)).outcome is Outcome.ERROR

    @pytest.mark.parametrize("why", [NO_DRIVER, NO_CONTEXT], ids=["no driver", "no context"])
    def test_where_programs_cannot_draw_it_is_unsupported(self, why: str) -> None:
        gap = only_gap(report(STARTED + why + RESOURCES + NOTHING, 3))
        assert gap.outcome is Outcome.UNSUPPORTED
        assert str(gap.reason) == f"stress-ng failed: {why.strip()}"

    def test_a_render_node_that_is_for_others_needs_root(self) -> None:
        gap = only_gap(report(DENIED))
        assert (gap.outcome, str(gap.reason)) == (Outcome.UNSUPPORTED, "needs root")
        assert gap.remedy == "sudo aiodiag test gpu"

    def test_a_program_that_is_not_there_is_unsupported_with_its_package(self) -> None:
        missing = Text("{program} is not installed", {"program": "stress-ng"})
        gap = only_gap(report("", None, missing))
        assert (gap.outcome, gap.subject) == (Outcome.UNSUPPORTED, UNIT)
        assert gap.remedy == "sudo apt-get install stress-ng"

    @pytest.mark.parametrize("driver", ["virtio-pci", "virtio_gpu", "vmwgfx", "bochs-drm", "vgem"])
    def test_a_made_up_graphics_unit_is_none(self, driver: str) -> None:
        gap = only_gap(links(renderD128=(UNIT, driver)))
        assert gap.outcome is Outcome.UNSUPPORTED
        assert driver in str(gap.reason)

    def test_without_a_render_node_there_is_nothing_to_exercise(self) -> None:
        assert only_gap(links()).outcome is Outcome.UNSUPPORTED

    @given(st.text(alphabet="0123456789.-naif٣ ", max_size=40))
    def test_odd_numbers_hurt_nobody(self, number: str) -> None:
        for old in ("615", "10.02", "61.38", "4717", "signal 6"):
            for seen in TEST.interpret([report((STARTED + DRAWS + ABORTED + OVER).replace(old, number))]):
                assert isinstance(seen, Gap) or seen.to_json()


class TestWhatItStarts:
    def unit(self, root: Path, node: str, device: str, driver: str) -> None:
        """As drm_sysfs.c has it: the node's folder in the device's, and links from both classes."""
        bus = root / "sys/bus/pci/drivers" / driver
        real = root / "sys/devices/pci0000:00" / device
        (real / "drm" / node).mkdir(parents=True)
        bus.mkdir(parents=True, exist_ok=True)
        (root / "sys/class/drm").mkdir(parents=True, exist_ok=True)
        (root / "sys/class/drm" / node).symlink_to(f"../../devices/pci0000:00/{device}/drm/{node}")
        (real / "drm" / node / "device").symlink_to(f"../../../{device}")
        (real / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")

    def test_one_for_each_unit_that_hardware_drives(self, tmp_path: Path) -> None:
        self.unit(tmp_path, "renderD128", UNIT, "i915")
        self.unit(tmp_path, "renderD129", "0000:01:00.0", "amdgpu")
        self.unit(tmp_path, "renderD130", "0000:00:07.0", "virtio-pci")
        tree, *ran = TEST.exercise(Host(str(tmp_path)), Bout(10.5, 42, tmp_path))
        assert isinstance(tree, Evidence)
        sources = {e.subject: e.source for e in ran if isinstance(e, Evidence)}
        other = COMMAND.replace("renderD128", "renderD129")
        assert sources == {UNIT: f"{COMMAND}10", "0000:01:00.0": f"{other}10"}
        gaps = list(TEST.interpret([tree, *(e for e in ran if isinstance(e, Evidence))]))
        assert {gap.subject for gap in gaps if isinstance(gap, Gap)} == {UNIT, "0000:01:00.0"}

    @pytest.mark.parametrize("driver", DRIVERS)
    def test_drivers_of_hardware_are_known(self, driver: str) -> None:
        assert render_nodes(links(renderD128=(UNIT, driver)).tree()) == {UNIT: "renderD128"}

    def test_what_is_not_on_pci_is_no_unit(self) -> None:
        assert render_nodes(links(renderD128=("platform-gpu", "i915")).tree()) == {}


def over_the_stand_in(tmp_path: Path, does: str) -> Evidence:
    """The very command, but for the device, with the stand-in loaded in place of the driver."""
    compiler = shutil.which("cc")
    if not Path("/usr/bin/stress-ng").exists() or compiler is None:
        pytest.skip("stress-ng or a C compiler is not installed")
    library = tmp_path / "driver.so"
    source = Path(__file__).with_name("stand_in_driver.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", library, source], check=True, timeout=60)
    command = f"{COMMAND}5".replace("/dev/dri/renderD128", "/dev/null").split()
    surroundings = {**os.environ, "LD_PRELOAD": str(library), "STAND_IN": does}
    ran = subprocess.run(command, env=surroundings, capture_output=True, check=False, timeout=60)
    return Evidence("stress-ng", UNIT, ran.stdout or ran.stderr, f"{COMMAND}5", TIME, ran.returncode, 5.0)


@pytest.mark.load
class TestTheRealProgram:
    def test_draws_with_a_driver(self, tmp_path: Path) -> None:
        seen = values(over_the_stand_in(tmp_path, "draw"))
        assert seen["gpu_test.breaks"] == 0
        assert isinstance(seen["gpu_test.frames"], int)
        assert 0 < seen["gpu_test.frames"] <= 100, "20 a second at most"

    @pytest.mark.parametrize(("does", "counts"), [("abort", {1}), ("exit", {1}), ("crash", {1, 2})])
    def test_is_ended_by_its_driver(self, tmp_path: Path, does: str, counts: set[int]) -> None:
        """After a crash it starts again, and after 2 s and more crashes again."""
        (finding,) = judged(over_the_stand_in(tmp_path, does))
        assert finding.values["count"] in counts

    @pytest.mark.parametrize("does", ["error", "lost", "killed", "crash-at-once"])
    def test_breaks_down_in_a_way_that_proves_nothing(self, tmp_path: Path, does: str) -> None:
        assert only_gap(over_the_stand_in(tmp_path, does)).outcome is Outcome.ERROR

    @pytest.mark.parametrize("does", ["no-driver", "no-context", "software"])
    def test_cannot_draw_with_hardware(self, tmp_path: Path, does: str) -> None:
        assert only_gap(over_the_stand_in(tmp_path, does)).outcome is Outcome.UNSUPPORTED

    def test_is_held_up_until_the_end_and_that_looks_like_a_slow_unit(self, tmp_path: Path) -> None:
        seen = values(over_the_stand_in(tmp_path, "hang"))
        assert (seen["gpu_test.breaks"], seen["gpu_test.frames"]) == (0, 39)

    def test_says_that_there_is_no_such_device(self) -> None:
        if not Path("/usr/bin/stress-ng").exists() or Path("/dev/dri/renderD191").exists():
            pytest.skip("stress-ng is not installed, or there are as many graphics units")
        args = f"{COMMAND}5".replace("renderD128", "renderD191").split()[1:]
        gap = only_gap(Host().output("stress-ng", "stress-ng", *args, subject=UNIT, timeout_s=30))
        assert gap.outcome is Outcome.UNSUPPORTED
        assert "cannot open GPU device '/dev/dri/renderD191', errno=2" in str(gap.reason)

    def test_is_not_started_where_there_is_no_graphics_unit(self, tmp_path: Path) -> None:
        if Host().glob("/sys/class/drm/renderD*"):
            pytest.skip("this machine has a render node")
        (tree,) = TEST.exercise(Host(), Bout(10, 1, tmp_path))
        assert isinstance(tree, Evidence)
        assert only_gap(tree).outcome is Outcome.UNSUPPORTED
