"""Builds the guest image. Needs root (chroot), and no loop mount: the file system is filled as it is made.

Three layers, each rebuilt only when its own content changes: Debian's packages (a directory tree), the project in it,
and the file system with kernel and initial RAM disk beside it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import cache
from tests.bench.image import panel_module
from tests.debian_room import sources

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
GUEST = HERE.parent / "guest"
INSTALLED = "/opt/aiodiag"
STAMP = "opt/.bench-layer"


class Image(NamedTuple):
    """A built image: ``disk`` is a raw ext4 file system, never written to; ``key`` changes with its content."""

    disk: Path
    kernel: Path
    initrd: Path
    key: str


class BuildFailed(RuntimeError):
    """A builder's program failed; the text holds the end of what it said."""


def build() -> Image:
    """The image for today's recipe and project, from the cache or built (3 to 5 minutes the first time)."""
    recipe = tomllib.loads((HERE / "recipe.toml").read_text("utf-8"))
    base_key = cache.key(HERE / "recipe.toml", HERE / "build.py", HERE / "panel_module.py")
    project_key = cache.key(base_key, sorted(GUEST.iterdir()), _project_files())
    home = cache.cache_directory() / "image"
    image = Image(home / "root.ext4", home / "vmlinuz", home / "initrd", project_key)
    with cache.locked("image"):
        stamp = home / "key"
        if stamp.exists() and stamp.read_text() == project_key:
            return image
        home.mkdir(exist_ok=True)
        stamp.unlink(missing_ok=True)
        tree = home / "tree"
        _base(tree, recipe, base_key)
        _project(tree)
        _file_system(tree, image, recipe)
        stamp.write_text(project_key)
    return image


def _project_files() -> list[Path]:
    """Everything that goes into the wheel."""
    rooms = ("agent", "uploader", "server_stub")
    files = [p for room in rooms for p in (ROOT / room).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    wanted = [p for p in files if p.suffix != ".mo"]
    return [ROOT / "pyproject.toml", ROOT / "requirements.lock", *sorted(wanted)]


def _base(tree: Path, recipe: dict[str, Any], key: str) -> None:
    if (tree / STAMP).exists() and (tree / STAMP).read_text() == key:
        return
    _unmount_below(tree)
    if tree.exists():
        shutil.rmtree(tree)
    _tell("installing Debian's packages")
    options = [f"--dpkgopt=path-exclude={path}" for path in recipe["path_exclude"]]
    lines = sources(recipe["suite"])
    packages = ",".join(recipe["packages"])
    _run(
        [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={packages}",
            '--aptopt=APT::Install-Recommends "false"',
            *options,
            recipe["suite"],
            str(tree),
            *(["-"] if lines else []),
        ],
        stdin=lines,
    )
    _unmount_below(tree)
    _settle(tree, recipe)
    (tree / STAMP).write_text(key)


def _unmount_below(tree: Path) -> None:
    """What mmdebstrap mounted and could not unmount (somebody looks through its ``/proc``), or had no time to."""
    table = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    places = [line.split()[1] for line in table]
    for place in sorted((p for p in places if p.startswith(f"{tree}/")), reverse=True):
        _run(["/bin/umount", "--lazy", place])


def _settle(tree: Path, recipe: dict[str, Any]) -> None:
    """What makes a Debian a guest of the bench."""
    (modules,) = (tree / "lib/modules").iterdir()
    for name in recipe["with_drivers"]:
        kept = modules / "kernel" / name
        shutil.move(kept, modules / kept.name)
    for name in recipe["without_drivers"]:
        shutil.rmtree(modules / "kernel" / name)
    for name in recipe["with_drivers"]:
        kept = modules / "kernel" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(modules / kept.name, kept)
    panel_module.patch(modules / "kernel/drivers/gpu/drm/tiny/bochs.ko")
    configuration = tree / "etc/initramfs-tools"
    (configuration / "modules").write_text("\n".join(recipe["initrd_modules"]) + "\n")
    text = (configuration / "initramfs.conf").read_text()
    text = re.sub(r"(?m)^MODULES=.*$", "MODULES=list", text)
    (configuration / "initramfs.conf").write_text(re.sub(r"(?m)^COMPRESS=.*$", "COMPRESS=gzip", text))
    for unit in recipe["masked"]:
        (tree / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (tree / "etc/fstab").write_text("")
    (tree / "etc/hostname").write_text("aio\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost aio\n")
    (tree / "etc/machine-id").write_text("5ca1ab1e00000000000000000000a10d\n")
    (tree / "etc/systemd/journald.conf.d").mkdir(parents=True)
    # A crash must find the last words of the session before it on the disk.
    (tree / "etc/systemd/journald.conf.d/bench.conf").write_text("[Journal]\nStorage=persistent\nSyncIntervalSec=1s\n")
    (tree / "var/log/journal").mkdir(parents=True, exist_ok=True)
    _chroot(tree, "depmod", modules.name)
    _chroot(tree, "update-initramfs", "-u", "-k", modules.name)


def _project(tree: Path) -> None:
    """The wheel and what it needs, into a virtual environment of its own, with nothing fetched in the guest."""
    _tell("installing the project")
    wheels = tree / "opt/wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    shutil.rmtree(tree / INSTALLED.lstrip("/"), ignore_errors=True)
    wheels.mkdir()
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT)])
    (wheel,) = wheels.glob("hibertek_aiodiag-*.whl")
    pins = re.findall(r"(?m)^[A-Za-z0-9][^ ;]*==[^ ;\\]+", (ROOT / "requirements.lock").read_text("utf-8"))
    constraints = wheels / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n")
    _run([*pip, "download", "--constraint", str(constraints), "--dest", str(wheels), str(wheel)])
    _chroot(tree, "python3", "-m", "venv", INSTALLED)
    offline = ["install", "-q", "--no-index", "--find-links", "/opt/wheels", f"/opt/wheels/{wheel.name}"]
    _chroot(tree, f"{INSTALLED}/bin/pip", *offline)
    shutil.rmtree(wheels)
    command = tree / "usr/local/bin/aiodiag"
    command.unlink(missing_ok=True)
    command.symlink_to(f"{INSTALLED}/bin/aiodiag")
    bench = tree / "opt/bench"
    shutil.rmtree(bench, ignore_errors=True)
    shutil.copytree(GUEST, bench, ignore=shutil.ignore_patterns("__pycache__"))
    wants = tree / "etc/systemd/system/multi-user.target.wants"
    for unit in sorted(bench.glob("*.service")):
        shutil.copy(unit, tree / "etc/systemd/system" / unit.name)
        (wants / unit.name).unlink(missing_ok=True)
        (wants / unit.name).symlink_to(f"/etc/systemd/system/{unit.name}")
    _chroot(tree, "python3", "-m", "compileall", "-q", "/opt/bench")


def _file_system(tree: Path, image: Image, recipe: dict[str, Any]) -> None:
    _tell("making the file system")
    image.disk.unlink(missing_ok=True)
    size = f"{recipe['disk']['size_mib']}M"
    # A journal of its own, as on any customer's disk; no lazy initialisation, which would go on in the guest.
    features = ["-O", "^metadata_csum_seed", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    _run(["/sbin/mke2fs", "-q", "-t", "ext4", *features, "-L", "root", "-d", str(tree), str(image.disk), size])
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    (initrd,) = (tree / "boot").glob("initrd.img-*")
    shutil.copy(kernel, image.kernel)
    shutil.copy(initrd, image.initrd)


def _chroot(tree: Path, *argv: str) -> None:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    _run(["chroot", str(tree), "/usr/bin/env", "-i", f"PATH={path}", "LC_ALL=C.UTF-8", *argv])


def _run(argv: Sequence[str], *, stdin: str = "") -> None:
    # Git in a chroot or a build would look at our checkout through these.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, env=environment, timeout=900, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise BuildFailed(f"{argv[0]} ended with {done.returncode}:\n{said}")


def _tell(what: str) -> None:
    print(f"bench: {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
