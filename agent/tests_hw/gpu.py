"""The graphics units under load: stress-ng draws with each of them, the same picture again and again.

Each frame uploads a texture, has a shader calculate every pixel and waits until that is done (``glFinish``). All
frames are the same work, so drawing that breaks off after some of them does not do so for what it was asked. It goes
through the render node, which needs neither a screen nor the rights of a display server, and so runs beside a desktop.

Readings of each graphics unit, subjects ``0000:00:02.0``: ``gpu_test.breaks`` (count), how often drawing broke off
after frames that were done; ``gpu_test.frames`` (count) and ``gpu_test.rate`` (Hz) of those, comparable between runs
of one version on one model only; ``gpu_test.seconds`` (s) that it worked; ``gpu_test.renderer``, what the driver calls
itself.
Source of the formats: stress-ng's stress-gpu.c and core-out-of-memory.c, and what 0.15.06 (Debian 12) prints over a
stand-in for the driver that draws, that ends the process in each of these ways, and that never comes back; drm_sysfs.c
(render nodes); of what Mesa does when the kernel takes no more work, iris_batch.c (``abort``) and amdgpu_cs.c (a line,
and by its version ``exit`` or ``abort`` after it).

stress-ng calls itself successful when a driver ends its worker, and tells of it with ``--verbose`` only. A break is
made of ``abort``, of a crash and of ``exit`` alone. A worker that was killed it takes for a want of memory, and every
error of OpenGL for "out of system resources": a program that makes the same calls again gets hardly another one than
GL_OUT_OF_MEMORY. Both are an ``error`` here, as is a driver that ends it and complains of too little memory, and all
that goes wrong before the first frame is done. A driver that gives a lost context a new one goes on drawing, and a
hang that lasts until the end looks like a slow unit: of both the kernel's log tells, which is watched meanwhile.

Why stress-ng: what Debian has of glmark2 needs a display server, or the rights of one (``drmSetMaster``), which a
session that runs does not give away. It could compare some pixels (``--validate``), but draws one frame of each scene
then (main-loop.cpp), which is no load. stress-ng looks at no pixel, so a wrong picture is not seen by this test. Where
a renderer of software or the driver of a virtual machine draws, nothing is said of the hardware.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.tests_hw._stress_ng import DONE, LINE, PLACE, long_enough
from agent.tests_hw._test import Bout, HardwareTest, Measured
from agent.tools.gap import program_gap

DRIVERS = ("amdgpu", "i915", "nouveau", "nvidia", "radeon", "xe")
"""PCI drivers of graphics hardware that have render nodes (drivers/gpu/drm: DRIVER_RENDER; NVIDIA's own). Those of
virtual machines (virtio_gpu, vmwgfx) and without hardware (vgem, vkms) have some as well.
"""
WIDTH, HEIGHT = 1920, 1080
"""Pixels of a frame; the screen of these units."""
LOOPS = 100
"""Turns of the shader's loop for each pixel: a sine, an exponential and a division; ours, computed and not measured: 10
to 40 ms for a frame of integrated graphics, far below the 640 ms that a kernel leaves it at least (i915's
preempt_timeout_ms).
"""
TEXTURE = 1024
"""Pixels of the texture's sides, 4 MiB for each frame; ours. With stress-ng's 4096 the processor is what is loaded."""

_NODES = "/sys/class/drm/renderD*"
_NODE = re.compile(r"/sys/class/drm/(renderD\d{1,4})/device", re.ASCII)
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.ASCII)  # setup.c of drivers/pci
_RENDERER = re.compile(LINE.format("info:") + r"gpu: GL_RENDERER: (.{1,200})$", re.MULTILINE | re.ASCII)
_SOFTWARE = re.compile(r"llvmpipe|softpipe|swrast|software|\bswr\b|swiftshader|virgl|svga3d", re.IGNORECASE)
"""Renderers that are none of the unit's (Mesa's lp_screen.c, sp_screen.c, swr_screen.cpp, virgl_screen.c,
svga_screen.c).
"""
_ENDED = re.compile(  # SIGABRT, SIGBUS, SIGSEGV on x86 (signal(7))
    LINE.format("debug:")
    + r"(?:gpu: child died: signal (?:6|7|11) |process \[\d{1,10}\] \(gpu\) aborted via exit\(\))",
    re.MULTILINE | re.ASCII,
)
_STARVED = re.compile(r".*(?:not enough memory|cannot allocate memory|out of memory|\(-12\)).*", re.IGNORECASE)
_SKIPPED = re.compile(
    LINE.format("info:") + r"gpu: (?:.*, skipping stressor|EGL: Failed to .*)$", re.MULTILINE | re.ASCII
)
_DENIED = re.compile(LINE.format("info:") + r"gpu: cannot open GPU device .*, errno=13 ", re.MULTILINE | re.ASCII)
_SPOILT = re.compile(  # of a worker that was killed, and of one whose frames were none since its context was lost
    rf"(?:{LINE.format('debug:')}gpu: child died: |^amdgpu: The CS has (?:been )?(?:cancelled|rejected)).*",
    re.MULTILINE | re.ASCII,
)
_COMPLAINT = re.compile(LINE.format("(?:fail|error|warn):") + r".*", re.MULTILINE | re.ASCII)
_METRICS = re.compile(  # bogo operations; seconds of real, user and system time; operations a second of real time
    LINE.format("metrc:") + r"gpu +(\d{1,15}) +(\d{1,9}\.\d\d) +[\d.]{1,20} +[\d.]{1,20} +(\d{1,15}\.\d\d) ",
    re.MULTILINE | re.ASCII,
)


class GpuTest(HardwareTest):
    """See the module."""

    name = "gpu"
    programs = ("stress-ng",)
    heats = (ComponentKind.CPU, ComponentKind.MOTHERBOARD)
    disturbs = Text("the picture may stutter and the fan may speed up")
    least_s = 10.0
    slack_s = 20.0
    measures: ClassVar = {
        "gpu_test.breaks": "count",
        "gpu_test.frames": "count",
        "gpu_test.rate": "Hz",
        "gpu_test.seconds": "s",
        "gpu_test.renderer": "",
    }

    def exercise(self, host: Host, bout: Bout) -> Iterator[Evidence | Gap]:
        """Draw with all graphics units side by side. It takes no seed: nothing in it is by chance."""
        tree = host.tree(f"{_NODES}/device", f"{_NODES}/device/driver")
        yield tree
        nodes = render_nodes(tree.tree())
        limit = bout.seconds + self.slack_s - 5

        def draw(unit: str) -> Evidence:
            size = ("--gpu-xsize", str(WIDTH), "--gpu-ysize", str(HEIGHT), "--gpu-tex-size", str(TEXTURE))
            work = ("--gpu", "1", "--gpu-devnode", f"/dev/dri/{nodes[unit]}", "--gpu-frag", str(LOOPS), *size)
            args = (*work, "--metrics", "--verbose", "--temp-path", PLACE, "--timeout", str(int(bout.seconds)))
            return host.output("stress-ng", "stress-ng", *args, subject=unit, timeout_s=limit - 5)

        yield from host.each(nodes, draw, timeout_s=limit, essential=True)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Measured]:
        """Readings of each unit that drew until the end, or that broke off after frames that were done."""
        reports = {e.subject: e for e in evidence if e.kind == "stress-ng"}
        for report in reports.values():
            yield from _drawn(report)
        if not reports:
            yield Gap("", Outcome.UNSUPPORTED, _none(Tree.merged(evidence)), essential=True)


TEST = GpuTest()


def render_nodes(tree: Tree) -> dict[str, str]:
    """The graphics units that hardware drivers have, by their PCI addresses, with the names of their render nodes; of
    the links that sysfs has beside each node.
    """
    found: dict[str, str] = {}
    for path in tree.paths(f"{_NODES}/device"):
        node, unit = _NODE.fullmatch(path), (tree.link(path) or "").rpartition("/")[2]
        if node and _ADDRESS.fullmatch(unit) and _driver(tree, path) in DRIVERS:
            found[unit] = node[1]
    return found


def _driver(tree: Tree, device: str) -> str:
    return (tree.link(f"{device}/driver") or "").rpartition("/")[2]


def _none(tree: Tree) -> Text:
    """Why nothing was exercised."""
    others = [driver for path in tree.paths(f"{_NODES}/device") if (driver := _driver(tree, path))]
    if others and not render_nodes(tree):
        return _not_hardware(others[0])
    return Text("the kernel shows no graphics unit that programs can draw with")


def _not_hardware(name: str) -> Text:
    return Text("{name} is not known to draw with graphics hardware", {"name": name[:100]})


def _drawn(report: Evidence) -> Iterator[Measured]:
    text = report.text()
    renderer, metrics, breaks = _RENDERER.search(text), _METRICS.search(text), len(_ENDED.findall(text))
    frames = int(metrics[1]) if metrics else 0
    whole = DONE.search(text) and metrics and frames and long_enough(report, float(metrics[2]))
    if renderer and _SOFTWARE.search(renderer[1]):
        yield Gap(report.subject, Outcome.UNSUPPORTED, _not_hardware(renderer[1]), essential=True)
        return
    broke_off = breaks and frames and not _STARVED.search(text)
    sound = whole and not _SPOILT.search(text) and not report.exit_status and not report.problem
    if not renderer or not metrics or not (sound or broke_off):
        yield _why_nothing(report, text, set_up=renderer is not None)
        return
    yield _reading(report, "breaks", breaks, "count")
    yield _reading(report, "frames", frames, "count")
    yield _reading(report, "seconds", float(metrics[2]), "s")
    yield _reading(report, "rate", float(metrics[3]), "Hz")
    yield _reading(report, "renderer", renderer[1].strip(), "")


def _why_nothing(report: Evidence, text: str, *, set_up: bool) -> Gap:
    """Where the driver was never set up for drawing (``set_up`` false), programs on this unit cannot draw with it."""
    if report.problem:
        return program_gap(report, report.subject, essential=True)
    if not set_up and _DENIED.search(text):
        remedy = "sudo aiodiag test gpu"
        return Gap(report.subject, Outcome.UNSUPPORTED, Text("needs root"), essential=True, remedy=remedy)
    skipped = None if set_up else _SKIPPED.search(text)
    told = skipped or _STARVED.search(text) or _SPOILT.search(text) or _COMPLAINT.search(text)
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    values = {"program": "stress-ng", "error": (told[0] if told else last).strip()[:200]}
    outcome = Outcome.UNSUPPORTED if skipped else Outcome.ERROR
    return Gap(report.subject, outcome, Text("{program} failed: {error}", values), essential=True)


def _reading(report: Evidence, quantity: str, value: Value, unit: str) -> Reading:
    return Reading(
        name=f"gpu_test.{quantity}",
        value=value,
        unit=unit,
        component=ComponentKind.MOTHERBOARD,
        subject=report.subject,
        source=report.source,
        time=report.time,
    )
