"""Standard streams that are always there, take every character, and pass no control sequence on to the terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from agent.cli.plain import clean
from agent.model import Text
from agent.texts import render


def settle() -> None:
    """Make good what a caller may have left undone: a stream that is closed leads nowhere (its descriptor would else go
    to the next file that is opened), and a character that the terminal's encoding lacks is written as an escape.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def release() -> None:
    """Drop what the streams do not take any more (full, or nobody reads it); Python would else try again at its end,
    complain, and exit with a status of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_json(document: Any) -> None:
    """Print one JSON document. Letters stay readable where the encoding has them; whatever could steer a terminal, and
    half a surrogate pair (from a file name that is no UTF-8), is escaped the JSON way, so a reader gets what was meant.
    """
    import json  # here: --help is in a hurry

    text = json.dumps(document, ensure_ascii=False, indent=2)
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf8")
    print(_UNUSUAL.sub(_escaped if unicode else _escaped_always, text))


def teller(language: str) -> Callable[[Text], None]:
    """:func:`tell` in this language, for whoever knows only what to say."""
    return lambda text: tell(text, language)


def tell(text: Text, language: str, details: str = "") -> None:
    """One line on standard error, whatever a receiver or a file name brought into it. Where nobody can read it, nobody
    is told.
    """
    line = f"{render(text, language)} {details}"
    with contextlib.suppress(OSError):
        print(f"aiodiag: {clean(' '.join(line.split()))}", file=sys.stderr, flush=True)


_UNUSUAL = re.compile(r"[^\x20-\x7e\n]")


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else _escaped_always(found)


def _escaped_always(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
