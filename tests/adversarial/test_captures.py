"""Ten thousand captures that something happened to: each gets an answer, soon, in little memory."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.corpus.evaluation import broken_steps
from tests.corpus.index import rows

pytestmark = pytest.mark.adversarial

SEED = 20261125
MUTATED = 10_000
BATCH = 2_500
MEMORY_MOST = 300_000_000
"""Bytes, of all processes together: issue 4."""
NOISE = 100_000_000
"""Bytes of a file that is nothing but noise."""


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 5, 50))):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def words_swapped(data: bytes, chance: random.Random) -> bytes:
    words = data.split(b" ")
    for _ in range(chance.choice((1, 5, 50))):
        one, other = chance.randrange(len(words)), chance.randrange(len(words))
        words[one], words[other] = words[other], words[one]
    return b" ".join(words)


def numbers_blown_up(data: bytes, chance: random.Random) -> bytes:
    words = data.split(b" ")
    digits = [index for index, word in enumerate(words) if word.strip().isdigit()]
    for index in chance.sample(digits, min(len(digits), 5)):
        words[index] = chance.choice((b"-1", b"9" * 40, b"1e999", b"NaN", b"0x" + b"f" * 30, b"18446744073709551616"))
    return b" ".join(words)


def repeated(data: bytes, chance: random.Random) -> bytes:
    return data * chance.choice((2, 10, 50))


def noise_inside(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.choice((1, 100, 10_000))) + data[at:]


def spliced(data: bytes, chance: random.Random) -> bytes:
    """Its head before its own tail, with something missing or doubled in between."""
    return data[: chance.randrange(len(data) + 1)] + data[chance.randrange(len(data) + 1) :]


MUTATIONS: Sequence[Callable[[bytes, random.Random], bytes]] = (
    truncated,
    flipped,
    lines_swapped,
    words_swapped,
    numbers_blown_up,
    repeated,
    noise_inside,
    spliced,
)


class Answers(NamedTuple):
    """What ``aiodiag diagnose --json`` said, its exit status, the most memory (bytes, proportional set size) that its
    processes had together, how long it took (s).
    """

    documents: list[dict[str, Any]]
    status: int
    memory: int
    seconds: float


def test_mutated_captures(shared: Path, tmp_path: Path) -> None:
    originals = [row.file for row in rows(shared) if row.file.is_file()]
    chance = random.Random(SEED)
    for first in range(0, MUTATED, BATCH):
        folder = tmp_path / str(first)
        folder.mkdir()
        files = [folder / str(number) for number in range(first, min(first + BATCH, MUTATED))]
        for file in files:
            file.write_bytes(chance.choice(MUTATIONS)(chance.choice(originals).read_bytes(), chance))
        unharmed(diagnose(files), files)


def noises() -> Iterator[tuple[str, Callable[[random.Random], Iterator[bytes]]]]:
    """A name, and what gives the file piece by piece."""

    def bytes_of_all_kinds(chance: random.Random) -> Iterator[bytes]:
        while True:
            yield chance.randbytes(1 << 20)

    def one_line(_chance: random.Random) -> Iterator[bytes]:
        while True:
            yield b"a" * (1 << 20)

    def after(beginning: bytes, line: bytes) -> Callable[[random.Random], Iterator[bytes]]:
        def pieces(chance: random.Random) -> Iterator[bytes]:
            yield beginning
            while True:
                yield b"".join(line % chance.randrange(1 << 30) for _ in range(10_000))

        return pieces

    yield "bytes", bytes_of_all_kinds
    yield "line", one_line
    yield "zeros", lambda _chance: iter(lambda: bytes(1 << 20), None)
    yield "kernel-log", after(b"", b"[%9d.000000] ata1.00: failed command: READ FPDMA QUEUED\n")
    yield "syslog", after(b"", b"Nov 25 22:00:00 aio kernel: usb 1-%d: reset high-speed USB device\n")
    yield "smartctl", after(b"smartctl 7.3 2022-02-28 r5338\n=== START OF INFORMATION SECTION ===\n", b"%d x y z\n")
    yield "smartctl-json", after(b'{"smartctl": {"version": [7, 3]}, "x": [', b"%d,")
    yield "dmidecode", after(b"# dmidecode 3.4\nSMBIOS 3.2 present.\n", b"Handle 0x%04X, DMI type 1, 27 bytes\n")
    yield "sensors", after(b"coretemp-isa-0000\nAdapter: ISA adapter\n", b"temp%d: +40.0 C\n")
    yield "hex", after(b"00ffffffffffff00", b"%08x")


def test_a_hundred_megabytes_of_noise(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    files = []
    for name, pieces in noises():
        file = tmp_path / name
        with file.open("wb") as out:
            for piece in pieces(chance):
                out.write(piece)
                if out.tell() >= NOISE:
                    break
        files.append(file)
    unharmed(diagnose(files), files)


def unharmed(answers: Answers, files: Sequence[Path]) -> None:
    assert [document["input"] for document in answers.documents] == [str(file) for file in files]
    assert answers.status in (0, 1, 2, 3)
    for document in answers.documents:
        if document["refused"]:
            assert "broke" not in document["refused"]["text"], document
        else:
            assert not broken_steps(document), document
    assert answers.memory < MEMORY_MOST
    print(f"{len(files)} files, {len(files) / answers.seconds:.0f}/s, at most {answers.memory / 1e6:.0f} MB")


def diagnose(files: Sequence[Path]) -> Answers:
    command = [sys.executable, "-m", "agent.cli.main", "diagnose", "--json", *map(str, files)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        memory = [0]
        measuring = threading.Thread(target=_measure, args=(process.pid, memory))
        measuring.start()
        out, _ = process.communicate()
        measuring.join()
    return Answers(json.loads(out), process.returncode, memory[0], time.monotonic() - began)


def _measure(pid: int, most: list[int]) -> None:
    """Keep the most memory that the process and its children had at one time, until it is gone."""
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            most[0] = max(most[0], sum(_pss(p) for p in (process, *process.children(recursive=True))))
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        pass


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
