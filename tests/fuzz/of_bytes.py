"""Changes that know nothing of what they change: accidents of disks, networks and tools."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.fuzz.mutant import Mutant, Mutation, Seed


def bit_flips(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    data = bytearray(seed.data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return Mutant("bit flips", bytes(data))


def bit_flips_in_headers(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    data = bytearray(seed.data)
    entry = chance.choice(seed.entries)
    for _ in range(chance.choice((1, 1, 2, 4))):
        if chance.random() < 0.5:
            at = chance.randrange(entry.offset, entry.data_offset)
        else:
            at = chance.randrange(seed.central, len(data))
        data[at] ^= 1 << chance.randrange(8)
    return Mutant("bit flips in headers", bytes(data))


def truncation(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    ends = [e.end for e in seed.entries] + [e.data_offset for e in seed.entries] + [len(seed.data) - 22]
    at = chance.choice(ends) + chance.randint(-2, 2) if chance.random() < 0.5 else chance.randrange(len(seed.data))
    return Mutant("truncation", seed.data[: max(0, at)])


def beheading(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    return Mutant("beginning lost", seed.data[chance.randrange(1, len(seed.data)) :])


def hole(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    at, size = chance.randrange(len(seed.data)), chance.choice((1, 2, 4, 16, 512, 4096))
    return Mutant("bytes lost in the middle", seed.data[:at] + seed.data[at + size :])


def blank(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """A sector that reads as something else."""
    data = bytearray(seed.data)
    at, size = chance.randrange(len(data)), chance.choice((1, 4, 16, 512, 4096))
    size = min(size, len(data) - at)
    data[at : at + size] = chance.choice((b"\0" * size, b"\xff" * size, chance.randbytes(size)))
    return Mutant("bytes overwritten", bytes(data))


def insertion(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    at, size = chance.randrange(len(seed.data) + 1), chance.choice((1, 2, 4, 16, 512, 4096))
    return Mutant("bytes put in", seed.data[:at] + chance.randbytes(size) + seed.data[at:])


def repetition(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    at, size = chance.randrange(len(seed.data)), chance.choice((1, 4, 30, 512, 4096))
    return Mutant("bytes doubled", seed.data[: at + size] + seed.data[at:])


def splice(chance: random.Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """The beginning of one bundle and the end of another."""
    other = chance.choice(others)
    if chance.random() < 0.5:
        here, there = chance.randrange(len(seed.data)), chance.randrange(len(other.data))
    else:
        here, there = chance.choice(seed.entries).end, chance.choice(other.entries).end
    return Mutant("two bundles spliced", seed.data[:here] + other.data[there:])


def noise(chance: random.Random, _seed: Seed, _others: Sequence[Seed]) -> Mutant:
    return Mutant("noise", chance.choice((b"", b"PK\x03\x04", b"PK\x05\x06")) + chance.randbytes(chance.randrange(400)))


MUTATIONS: tuple[Mutation, ...] = (
    bit_flips,
    bit_flips_in_headers,
    truncation,
    beheading,
    hole,
    blank,
    insertion,
    repetition,
    splice,
    noise,
)
