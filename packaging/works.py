"""Whose works are in the frozen agent, and under which licences: the package's ``copyright`` (Debian Policy 12.5)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import NamedTuple

from PyInstaller.archive.readers import CArchiveReader

OURS = "hibertek-aiodiag"
FROZEN_BY = "pyinstaller"
"""Its bootloader is the program that is started, and its hooks are in there."""

COMMON = Path("/usr/share/common-licenses")

HEAD = """The Hibertek AIO diagnostics agent
Copyright Hibertek

This package grants no licence to the agent itself; what its receiver may do with it is what Hibertek agreed with them.

It contains the works of others that are named below, each under the licence that is given with it. Where one refers to
a common licence, its text is in /usr/share/common-licenses.
"""


class Work(NamedTuple):
    """A work of others: its name and version, and the texts that come with it."""

    name: str
    texts: tuple[str, ...]


def copyright_file(frozen: Path) -> str:
    """The whole text. Raises ``LookupError`` for a part of which nobody knows whose it is, or that has no licence."""
    works = [_python(), *_distributions(frozen), *_libraries(frozen)]
    parts = [HEAD]
    for work in works:
        texts = [_by_reference(text).strip() for text in work.texts if text.strip()]
        if not texts:
            raise LookupError(f"no licence of {work.name} is to be found")
        parts.append("\n\n".join([f"{'=' * 78}\n{work.name}\n{'=' * 78}", *texts]) + "\n")
    return "\n".join(parts)


def _by_reference(text: str) -> str:
    """The terms of a licence that every Debian has are named and not quoted (Policy 12.5)."""
    for licence in sorted(COMMON.iterdir()):
        terms = re.search(r"TERMS AND CONDITIONS.*END OF TERMS AND CONDITIONS", licence.read_text("utf-8"), re.DOTALL)
        if terms and not licence.is_symlink():
            wherever_lines_break = r"\s+".join(map(re.escape, terms[0].split()))
            text = re.sub(wherever_lines_break, f"[Its terms and conditions are in {licence}]", text)
    return text


def _python() -> Work:
    name = f"Python {sys.version.split()[0]}"
    beside = Path(os.__file__).with_name("LICENSE.txt")
    if beside.exists():
        return Work(name, (beside.read_text("utf-8"),))
    return Work(name, (_debian_copyright(_debian_package(Path(os.__file__).name)),))


def _distributions(frozen: Path) -> Iterator[Work]:
    owners = packages_distributions()
    names = {re.sub(r"[-_.]+", "-", owner).lower() for top in _modules(frozen) for owner in owners.get(top, ())}
    for name in sorted({*names, FROZEN_BY} - {OURS}):
        found = distribution(name)
        licence = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
        stated = [licence, *(v for v in found.metadata.get_all("Classifier", []) if v.startswith("License ::"))]
        yield Work(f"{found.name} {found.version}", ("\n".join(filter(None, stated)), *_licence_files(found)))


def _licence_files(found: Distribution) -> Iterator[str]:
    for file in found.files or ():
        inside = file.parts[0].endswith(".dist-info")
        if inside and re.match(r"(?i)licen[cs]e|copying|notice|authors", file.name):
            yield file.read_text("utf-8")


def _modules(frozen: Path) -> set[str]:
    """Top-level names: of modules in the archives of both programs, and of what lies beside them."""
    found = {path.name.split(".")[0] for path in (frozen / "_internal").iterdir()}
    for program in ("aiodiag", "aiodiag-helper"):
        archive = CArchiveReader(str(frozen / program)).open_embedded_archive("PYZ.pyz")
        found |= {name.split(".")[0] for name in archive.toc}
    return found


def _libraries(frozen: Path) -> Iterator[Work]:
    """Of Debian: shared libraries that lie in the folder by themselves."""
    names = sorted(path.name for path in (frozen / "_internal").glob("lib*.so*") if "libpython" not in path.name)
    for package in sorted({_debian_package(name) for name in names}):
        version = _said("dpkg-query", "--show", "--showformat=${Version}", package)
        yield Work(f"{package.partition(':')[0]} {version}, from Debian", (_debian_copyright(package),))


def _debian_package(file: str) -> str:
    for line in _said("dpkg-query", "--search", f"*/{file}").splitlines():
        package, _, path = line.partition(": ")
        if re.match(r"(/usr)?/lib/([^/]+-linux-gnu|python3\.\d+)/[^/]+$", path):
            return package
    raise LookupError(f"nobody knows whose {file} is")


def _debian_copyright(package: str) -> str:
    return Path(f"/usr/share/doc/{package.partition(':')[0]}/copyright").read_text("utf-8")


def _said(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
