"""Hardware that the guest knows through ACPI: tables in ACPI's own language (``asl/``), over registers in memory."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "asl"


def table(name: str, folder: Path, **numbers: int) -> list[str]:
    """QEMU's arguments for the table of ``asl/NAME.asl``, compiled into ``folder``; ``numbers`` are what the source
    leaves open, by name.
    """
    source = folder / f"{name}.asl"
    defined = "".join(f"#define {key} {value:#x}\n" for key, value in numbers.items())
    source.write_text(defined + (SOURCES / source.name).read_text("utf-8"), "utf-8")
    words = [shutil.which("iasl") or "/usr/bin/iasl", "-p", str(folder / name), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{source.name}: {done.stderr.strip()[-500:]}")
    return ["-acpitable", f"file={folder / name}.aml"]


def decikelvin(celsius: float) -> int:
    """A temperature as ACPI has it (ACPI 6.5, 11.4.14): tenths of a kelvin, from °C."""
    return round((celsius + 273.15) * 10)
