"""Freezes the agent and makes a Debian package of it: ``package.py OUT`` writes ``OUT/aiodiag`` and ``OUT/*.deb``.

Both are the same bytes whenever they are made of the same commit in the same environment: times are the commit's
(``SOURCE_DATE_EPOCH``, reproducible-builds.org), and names and modes are set here.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compile_texts import compile_po
from works import copyright_file

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "packaging"
NAME = "aiodiag"
MAINTAINER = "Hibertek <aiodiag@hibertek.invalid>"
LIBRARY = "usr/lib/aiodiag"
"""Where polkit's policy and the agent look for the helper. Below /usr/lib, for these are programs and libraries of one
package that nobody starts by hand (FHS 3.0, 4.7.1); /opt is for what no package manager of the system knows (3.13).
"""

CONTROL = "DEBIAN"
SCRIPTS = ("postinst", "postrm", "prerm")
"""What dpkg runs; in ``packaging/debian``."""

DEPENDS = ("dmidecode", "nvme-cli", "smartmontools", "stressapptest")
"""Without these a self-check cannot judge drives and memory, which it must (``agent/plans/quick.toml``)."""
ESSENTIAL = frozenset({"util-linux"})
"""Debian is never without (Policy 3.8); nobody depends on it."""
BESIDES = ("polkitd",)
"""What programs of the agent's list need, and do not bring along themselves."""

DESCRIPTION = """diagnostics for Hibertek all-in-one PCs
 Reads the serial number, probes panel, board sensors, storage, memory and
 temperatures, exercises the hardware where it is asked to, judges what was
 read, and sends the signed result to the RMA case.
 .
 Without root it asks for an administrator's password, by polkit, for what only
 root may read; it goes on without where that is refused."""


def freeze(out: Path, epoch: int) -> Path:
    """The agent as a folder of programs, by PyInstaller, in ``out``. It speaks all its languages, whatever was compiled
    in the checkout before.
    """
    for texts in sorted((ROOT / "agent/texts/locale").glob("*/LC_MESSAGES/*.po")):
        compile_po(texts)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "PyInstaller", "--log-level", "WARN", "--noconfirm", "--distpath", out]
        subprocess.run([*command, "--workpath", work, HERE / "aiodiag.spec"], cwd=ROOT, env=environment, check=True)
    for library in sorted((out / NAME / "_internal").rglob("*.so*")):
        _forget_places(library)
    return out / NAME


def _forget_places(library: Path) -> None:
    """A Python that was built in a home has libraries that look for others there. On a unit somebody may have such a
    home, and what they put there would be loaded by root.
    """
    said = subprocess.run(["/usr/bin/chrpath", "--list", library], check=False, capture_output=True, text=True).stdout
    _, is_told, places = said.partition("PATH=")
    if is_told and not all(place.startswith("$ORIGIN") for place in places.strip().split(":")):
        subprocess.run(["/usr/bin/chrpath", "--delete", library], check=True, stdout=subprocess.DEVNULL)


def package(frozen: Path, out: Path, epoch: int) -> Path:
    """The Debian package of a frozen agent, in ``out``."""
    version: str = runpy.run_path(str(ROOT / "agent" / "__init__.py"))["__version__"]
    architecture = _said("dpkg", "--print-architecture")
    deb = out / f"{NAME}_{version}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work) / "tree"
        _fill(tree, frozen, version, epoch)
        _control(tree, version, architecture)
        _settle(tree, epoch)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        # One thread: with more the compressed bytes depend on their number.
        command = ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "--build", tree, deb]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return deb


def _fill(tree: Path, frozen: Path, version: str, epoch: int) -> None:
    shutil.copytree(frozen, tree / LIBRARY, symlinks=True)
    command = tree / "usr/bin" / NAME
    command.parent.mkdir(parents=True)
    command.symlink_to(f"../lib/{NAME}/{NAME}")
    for source, place in (
        (HERE / "polkit/org.hibertek.aiodiag.policy", "usr/share/polkit-1/actions"),
        (HERE / "systemd/aiodiag-resume.service", "usr/lib/systemd/system"),
    ):
        (tree / place).mkdir(parents=True)
        shutil.copy(source, tree / place)
    told = tree / "usr/share/doc" / NAME
    told.mkdir(parents=True)
    (told / "copyright").write_text(copyright_file(frozen), "utf-8")
    changes = (
        f"{NAME} ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n -- {MAINTAINER}  {_day(epoch)}\n"
    )
    (told / "changelog.gz").write_bytes(gzip.compress(changes.encode(), mtime=0))


def _settle(tree: Path, epoch: int) -> None:
    """Modes that do not depend on who builds: all may read, root alone may write."""
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            started = path.parent == tree / LIBRARY or (path.parent == tree / CONTROL and path.name in SCRIPTS)
            path.chmod(0o755 if path.is_dir() or started else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _control(tree: Path, version: str, architecture: str) -> None:
    files = [path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink()]
    fields = {
        "Package": NAME,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": -(-sum(path.stat().st_size for path in files) // 1024),
        "Depends": ", ".join([_libc(), *DEPENDS]),
        "Recommends": ", ".join(sorted(_recommended())),
        "Section": "misc",
        "Priority": "optional",
        "Description": DESCRIPTION,
    }
    control = tree / CONTROL
    control.mkdir()
    (control / "control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    sums = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files)  # noqa: S324 dpkg's own
    (control / "md5sums").write_text("".join(sums))
    for script in SCRIPTS:
        shutil.copy(HERE / "debian" / script, control)


def _recommended() -> Iterator[str]:
    """What the agent uses where it is there (``aiodiag doctor`` says for what)."""
    programs: dict[str, Any] = runpy.run_path(str(ROOT / "agent/tools/programs.py"))["PROGRAMS"]
    yield from {program.package for program in programs.values()} - {*DEPENDS, *ESSENTIAL}
    yield from BESIDES


def _libc() -> str:
    """Everything else that is linked against is in the folder. What was linked here needs this machine's at most."""
    return f"libc6 (>= {os.confstr('CS_GNU_LIBC_VERSION').split()[1]})"  # type: ignore[union-attr]


def _day(epoch: int) -> str:
    """As deb-changelog(5) has it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(epoch))


def _epoch() -> int:
    """Seconds since 1970: as the environment says, else when the commit was made."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _said("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    [folder] = sys.argv[1:]
    made = Path(folder).absolute()
    print(package(freeze(made, _epoch()), made, _epoch()))
