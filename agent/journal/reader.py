"""Reading a journal, strictly: what its writer never wrote is damage."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from collections.abc import Iterator
from typing import IO, Any, cast

from agent.journal.errors import JournalDamaged
from agent.model.run_view import Record

RECORD_CAP = 4 * 1024 * 1024
"""Bytes of one line; bulk data belongs into attachments. Bounds the memory that a hostile journal can take; ours."""

ARTIFACTS = frozenset({"testRunArtifact", "testStepArtifact"})
"""The kinds of record after the first one. Source: OCP Test & Validation output 2.0, ``root.json``."""

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)  # RFC 3339 date-time


def read(source: str | os.PathLike[str] | IO[bytes]) -> Iterator[Record]:
    """The records of a journal, given as a path or as an open binary file (a journal inside a bundle).

    Stops before a torn last line, or zero bytes in its place, which any crash leaves. Raises :class:`JournalDamaged` at
    the first line that no journal can have, after having given all before it, and ``OSError`` when the file itself
    cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, "rb", opener=open_plain) as file:
            yield from read(file)
    else:
        for record, _ in scan(source):
            yield record


def scan(file: IO[bytes]) -> Iterator[tuple[Record, int]]:
    """Like :func:`read`, each record with the offset of its end in bytes. Starts at the file's position."""
    end = 0
    for number in itertools.count():
        line = file.readline(RECORD_CAP + 1)
        if len(line) > RECORD_CAP:
            raise JournalDamaged(number + 1, f"longer than {RECORD_CAP} bytes")
        if not line.endswith(b"\n"):
            # A reset leaves zero bytes where the file had grown and its last blocks were not written yet. What had been
            # brought to the disk is before them; where nothing is, the file is no journal.
            if number == 0 and b"\0" in line:
                raise JournalDamaged(1, "zero bytes")
            return
        end += len(line)
        try:
            record = parse(line, number)
        except ValueError as e:
            raise JournalDamaged(number + 1, str(e)) from e
        yield record, end


def parse(line: bytes, number: int) -> Record:
    """The record in line ``number`` (from 0); raises ``ValueError`` saying what is wrong when there is none."""
    try:
        record = _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as e:
        raise ValueError("not UTF-8") from e
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    if wrong := _wrong(record, number):
        raise ValueError(wrong)
    return cast(Record, record)


def open_plain(path: str, flags: int) -> int:
    """An ``opener`` for ``open`` that follows no link at the end of ``path`` and does not wait for a pipe's writer."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _wrong(record: Any, number: int) -> str:
    """What is wrong with the record in line ``number`` (from 0); ``""`` for nothing."""
    if not isinstance(record, dict):
        return "not an object"
    sequence, timestamp = record.get("sequenceNumber"), record.get("timestamp")
    if type(sequence) is not int or sequence != number:
        return f"sequence number {str(sequence)[:40]} instead of {number}"
    if not isinstance(timestamp, str) or not _TIMESTAMP.fullmatch(timestamp):
        return "no timestamp"
    kinds = record.keys() - {"sequenceNumber", "timestamp"}
    if len(kinds) != 1 or not kinds <= (ARTIFACTS if number else {"schemaVersion"}):
        return f"unknown kind of record: {', '.join(sorted(kinds))[:100]}"
    content = record[kinds.pop()]
    if not isinstance(content, dict):
        return "no content"
    if number == 0 and content.get("major") != 2:
        return f"version {str(content.get('major'))[:40]} instead of 2"
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a member twice")
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_number)
