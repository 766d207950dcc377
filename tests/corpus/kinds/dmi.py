"""DMI tables: a serial number is to be read where there is one, and none where there is a placeholder.

What is there is read plainly from dmidecode's text (of a dump: the text beside it), line by line.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.corpus.evaluation import Document, Goal, Mark, Result
from tests.corpus.index import Row

KIND = "dmi"
GOAL = Goal(detected=1.0, false_alarms=0.0)

_TITLE = re.compile(r"\s*(System|Base Board|Board|Chassis) Information( Block)?\s*")
_SERIAL = re.compile(r"\s*Serial Number:(.*)")
_MODEL = re.compile(r"\s*Product( Name)?:(.*)")
_PLACEHOLDER = re.compile(
    r"|[-. 0xX]*|n/?a|none|unknown|empty|default string|to be filled by o\.?e\.?m\.?"
    r"|not (specified|available|applicable)|(system|base ?board|board|chassis) serial ?number"
    r"|0?123456789\d*|(?P<all>.)(?P=all)*",
    re.IGNORECASE,
)


def mark(row: Row, document: Document) -> Mark | None:
    """*Detected* is the right serial number of the system, else of its board, else of its chassis; *clear* is none
    where there is none; the model must be right with either.
    """
    text = _text(row.file)
    if text is None:
        return Mark(row.subkind, Result.OPEN)
    serial, model = _read(text)
    unit = document.get("unit") or {}
    found = unit.get("serial", ""), unit.get("model", "")
    detail = f"wanted {serial or 'no serial number'}, {model or 'no model'}; said {found[0] or 'none'}, {found[1]}"
    right = found == (serial, model)
    if serial:
        return Mark(row.subkind, Result.DETECTED if right else Result.MISSED, detail)
    return Mark(row.subkind, Result.CLEAR if right else Result.FALSE_ALARM, detail)


def _text(file: Path) -> str | None:
    text = file.with_suffix(".orig.txt") if file.suffix == ".bin" else file
    return text.read_text("utf-8", "replace") if text.is_file() else None


def _read(text: str) -> tuple[str, str]:
    """The serial number that counts and the model; ``""`` for placeholders."""
    serials: dict[str, str] = {}
    model = ""
    title = ""
    for line in text.splitlines():
        if ":" not in line and line.strip() and not line.strip().startswith("DMI type"):
            found = _TITLE.fullmatch(line)
            # a list within a structure ("Characteristics") is indented deeper than its title, and no new one
            title = found[1].removeprefix("Base ") if found else title if line.startswith("\t\t") else ""
        elif title and (serial := _SERIAL.fullmatch(line)):
            serials.setdefault(title, serial[1].strip())
        elif title == "System" and not model and (product := _MODEL.fullmatch(line)):
            model = product[2].strip()
    real = [s for title in ("System", "Board", "Chassis") if not _PLACEHOLDER.fullmatch(s := serials.get(title, ""))]
    return (real[0] if real else ""), ("" if _PLACEHOLDER.fullmatch(model) else model)
