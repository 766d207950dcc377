"""Every number of the limits, and why it is that one. All are ours: they follow from how the receiver is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from uploader.bundle.format import MAX_BUNDLE

_GIB = 1 << 30
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, and one more every ``every_s`` seconds."""

    burst: int
    every_s: float


RATES = {
    # A workshop has 200 units behind one address, which may all begin at once, and each of them again after a break:
    # five times that at once, and then 43 000 a day.
    "creations-of-address": Rate(1000, 2.0),
    # One unit makes a bundle in ten minutes at best; 60 for whoever sends what was gathered over weeks.
    "creations-of-case": Rate(60, 60.0),
    # As creations: a unit asks for a nonce before it seals.
    "enrolments-of-address": Rate(1000, 2.0),
    "enrolments-of-case": Rate(60, 60.0),
    # Two calls after an enrolment, at most.
    "proofs-of-address": Rate(2000, 1.0),
    "proofs-of-case": Rate(120, 30.0),
    # Numbers and serials that do not belong together. People mistype one in some hundred, but 200 units that ask at
    # once are all counted before their answers are known. A guesser gets 8 640 a day, of 10^6 RMA numbers with a
    # serial each.
    "guesses-of-address": Rate(300, 10.0),
    # Of one case, from wherever: 1 440 serials a day.
    "guesses-of-case": Rate(200, 60.0),
    # Bytes. 200 units with bundles of 300 MB each, which is ten times what a self-check makes.
    "bytes-of-address": Rate(64 * _GIB, _DAY_S / (64 * _GIB)),
}
"""What is counted in memory, by address or by case."""

REMEMBERED = 50_000
"""Addresses and cases that are counted at one time, some 10 MB; see :class:`~server_stub.limits.buckets.Limits`."""

UNFINISHED_OF_CASE = 8
"""Uploads of a case that are not whole: a unit sends one after another, and leaves one behind when it is exchanged."""

GIVEN_UP_AFTER = timedelta(days=1)
"""An upload that is not whole makes room for another one of its case after that, when nobody is writing to it. The
largest bundle takes as long at 6 KB/s; its sender keeps it, and begins again.
"""

BYTES_OF_CASE = 16 * MAX_BUNDLE
"""Bytes announced for a case within :data:`DAY`: sixteen bundles of the largest size, hundreds of a usual one."""

DAY = timedelta(days=1)

BUNDLES_OF_CASE = 1000
"""Bundles of a case, whatever became of them: some each day of a repair that takes half a year."""

KEYS_WAITING = 10
"""Keys of a unit that wait for a decision of staff. Each is a board, a TPM or a disk that was exchanged in one repair;
staff must be able to look at each.
"""

SPARE = 256 << 20
"""Bytes that stay free on the receiver's disk, for the database and for what is being received already."""
