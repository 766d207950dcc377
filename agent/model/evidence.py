"""Raw evidence: what was read, byte for byte, before anybody interpreted it.

A probe gathers evidence and then interprets it. Only gathering touches the machine, so a rule or an interpreter written
next year can judge an old bundle again from its evidence, and a captured file is as good a test as a machine.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.model.text import Text

_JSON = {"tree", "udev", "psutil", "cpuinfo", "profile", "earlier-run"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One captured output. ``kind`` tells the interpreter what it is (``smartctl-json``, ``tree``, ``edid``).

    ``subject`` names the device (``""`` for the unit), ``source`` the command line or call, ``time`` is UTC, ISO 8601,
    ``duration_s`` is in seconds. ``exit_status`` is ``None`` where no program ran; a negative one is the signal that
    ended it. ``truncated`` says that the output went over its cap. ``problem`` says why it is not whole.
    """

    kind: str
    subject: str
    data: bytes
    source: str
    time: str
    exit_status: int | None = None
    duration_s: float = 0.0
    truncated: bool = False
    problem: Text | None = None

    @property
    def file_name(self) -> str:
        """A name for the attachment, from kind and subject, of letters, digits, ``.``, ``_`` and ``-`` only."""
        suffix = ".json" if self.kind.endswith("json") or self.kind in _JSON else ".txt"
        stem = f"{self.kind}-{self.subject}" if self.subject else self.kind
        return re.sub(r"[^A-Za-z0-9._-]+", "_", stem)[:100] + suffix

    def text(self) -> str:
        """The data as UTF-8; what is not is replaced."""
        return self.data.decode("utf-8", "replace")

    def json(self) -> Any:
        """The data as JSON; ``None`` when it is not JSON (a crashed program leaves half an object)."""
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            return None

    def tree(self) -> Tree:
        """The data as a :class:`Tree`; an empty one when it is not."""
        loaded = self.json()
        return Tree(loaded if isinstance(loaded, dict) else {})

    def header(self) -> dict[str, Any]:
        """Everything but ``data``."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "source": self.source,
            "time": self.time,
            "exit_status": self.exit_status,
            "duration_s": self.duration_s,
            "truncated": self.truncated,
            "problem": self.problem.to_json() if self.problem else None,
        }

    @classmethod
    def from_header(cls, header: Mapping[str, Any], data: bytes) -> Evidence:
        """Inverse of :meth:`header`; raises ``KeyError`` when it is not one."""
        problem = header["problem"]
        return cls(
            kind=str(header["kind"]),
            subject=str(header["subject"]),
            data=data,
            source=str(header["source"]),
            time=str(header["time"]),
            exit_status=header["exit_status"],
            duration_s=float(header["duration_s"]),
            truncated=bool(header["truncated"]),
            problem=Text.from_json(problem) if problem else None,
        )


class Tree:
    """Files as captured from sysfs, procfs or the like: path -> text, ``{"base64": ...}``, ``{"link": ...}`` or
    ``{"error": "EACCES"}``. Paths are absolute and those of the machine, wherever the capture came from.
    """

    def __init__(self, files: Mapping[str, Any] | None = None) -> None:
        self.files: dict[str, Any] = dict(files or {})

    @classmethod
    def merged(cls, evidence: Iterable[Evidence]) -> Tree:
        """The files of all evidence of kind ``tree``, as one; the last capture of a path counts."""
        tree = cls()
        for e in evidence:
            if e.kind == "tree":
                tree.files.update(e.tree().files)
        return tree

    def encode(self) -> bytes:
        """The JSON that :meth:`Evidence.tree` reads."""
        return json.dumps(self.files, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    def paths(self, pattern: str) -> list[str]:
        """Captured paths that match a shell pattern, in which ``*`` stays within a ``/``; sorted, numbers by value."""
        wanted = pattern.split("/")
        start = _WILD.split(pattern, maxsplit=1)[0]  # rules most files out at once; a tree is searched again and again
        found = (p for p in self.files if p.startswith(start) and _matches(p.split("/"), wanted))
        return sorted(found, key=natural_key)

    def text(self, path: str) -> str | None:
        """The file's text without surrounding white space; ``None`` when absent, unreadable or binary."""
        value = self.files.get(path)
        return value.strip() if isinstance(value, str) else None

    def integer(self, path: str) -> int | None:
        """The file's text as an integer (decimal, or hexadecimal after ``0x``); ``None`` when it is none."""
        text = self.text(path)
        if text is None:
            return None
        try:
            return int(text, 0) if text.lower().startswith(("0x", "-0x")) else int(text, 10)
        except ValueError:
            return None

    def binary(self, path: str) -> bytes | None:
        """The file's bytes; ``None`` when absent or unreadable."""
        value = self.files.get(path)
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        if isinstance(value, dict) and isinstance(value.get("base64"), str):
            try:
                return base64.b64decode(value["base64"], validate=True)
            except ValueError:
                return None
        return None

    def link(self, path: str) -> str | None:
        """Where a symbolic link points, as it is written; ``None`` when it is none."""
        value = self.files.get(path)
        return value["link"] if isinstance(value, dict) and isinstance(value.get("link"), str) else None

    def error(self, path: str) -> str | None:
        """The name of the errno (``EACCES``, ``ENODATA``, ``EIO``) that reading ended in; ``None`` when it was read."""
        value = self.files.get(path)
        return value["error"] if isinstance(value, dict) and isinstance(value.get("error"), str) else None


_WILD = re.compile(r"[*?\[]")


def _matches(parts: list[str], wanted: list[str]) -> bool:
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def natural_key(text: str) -> list[tuple[int, int | str]]:
    """Sort key in which ``temp10`` comes after ``temp2``."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", text) if part]
