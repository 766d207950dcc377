"""What the tests by fio have in common: the errors that it goes on after, and its JSON, which may be broken off.

Of errors of the medium the kernel says ENODATA, EREMOTEIO or EILSEQ as well as EIO (Linux, block/blk-core.c,
``blk_errors``); fio ends at the first but ``--ignore_error`` names them. Source of the formats: fio 3.33 (Debian 12).
"""

from __future__ import annotations

import re
from typing import Any

from agent.model import Evidence, Gap, Outcome, Text
from agent.tools.gap import program_gap

SURVIVED = "EIO:61:84:110:121"
"""By number where fio knows no name: ENODATA, EILSEQ, ETIMEDOUT, EREMOTEIO (include/uapi/asm-generic/errno.h)."""
FAILED = re.compile(
    r"^fio: io_u error on file [^\n]{1,200}: (?:Input/output error|No data available|Remote I/O error"
    r"|Connection timed out|Invalid or incomplete multibyte or wide character): (?P<what>read|write)"
    r" offset=(?P<offset>\d{1,19}), buflen=(?P<length>\d{1,10})$",
    re.MULTILINE | re.ASCII,
)
"""A read or write that failed (``what``), with its ``offset`` and ``length`` in bytes."""


def job(printed: Evidence) -> Any:
    """The one job of fio's JSON; ``None`` where there is none."""
    jobs = table(printed.json(), "jobs")
    return jobs[0] if isinstance(jobs, list) and jobs else None


def table(outer: Any, key: str) -> Any:
    """What an object holds under ``key``; ``None`` where it is no object, or holds nothing there."""
    return outer.get(key) if isinstance(outer, dict) else None


def whole(outer: Any, key: str) -> int | None:
    """A whole number (0 to 2^63 - 1) in an object; ``None`` for what is none."""
    value = table(outer, key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None


def why_nothing(printed: Evidence, said: str, subject: str = "") -> Gap:
    """Why there is no result: what became of the program, or the first of what it complained of."""
    if printed.problem:
        return program_gap(printed, subject, essential=True)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    values = {"program": "fio", "error": lines[0][:200] if lines else "?"}
    return Gap(subject, Outcome.ERROR, Text("{program} failed: {error}", values), essential=True)
