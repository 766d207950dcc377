"""Standard streams that are always there, take every character, and pass no control sequence on to the terminal."""

from __future__ import annotations

import io
import os
import sys

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


def abandon_output() -> None:
    """Drop what standard output does not take any more; Python would else try again at its end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: Text, language: str) -> None:
    """One line on standard error, whatever a receiver or a file name brought into it."""
    print(f"aiodiag: {clean(' '.join(render(text, language).split()))}", file=sys.stderr, flush=True)
