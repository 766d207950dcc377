"""The driver: so many mutants, judged one after the other in this one process, whose memory is measured."""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from server_stub.receiver import Receiver
from server_stub.settings import Settings
from tests.fuzz import judges, of_archives, of_bytes, of_json
from tests.fuzz.mutant import Mutant, Seed
from tests.fuzz.seeds import seal_all

MUTATIONS = (*of_bytes.MUTATIONS, *of_archives.MUTATIONS, *of_json.MUTATIONS)
LARGE_EVERY = 500
"""One mutant in so many is made of the large bundle, which costs as much as a thousand small ones."""
FORGET_EVERY = 1000
BY_UNIT_EVERY = 3
"""What a unit itself signed is read further by the intake than anything else, so more of it goes there."""


@dataclass
class Result:
    """Counts by kind of change. ``believed`` are mutants that the unit's own key signed: those may be."""

    judged: Counter[str] = field(default_factory=Counter)
    believed: Counter[str] = field(default_factory=Counter)
    taken_in: int = 0
    unchanged: int = 0
    failures: int = 0


def main() -> int:
    """Status 0: nothing wrong; 1: a failure; the mutants that showed it lie in ``--keep``."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the chance (default: %(default)s)")
    often = "one in so many goes through the receiver, too (default: %(default)s)"
    parser.add_argument("--intake-every", type=int, default=10, help=often)
    parser.add_argument("--keep", type=Path, default=Path(".dev/fuzz"), help="where failures are kept")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aiodiag-fuzz-") as folder:
        receiver = Receiver(Settings(Path(folder) / "receiver"))
        try:
            result = Fuzz(receiver, Path(folder), options).run()
        finally:
            receiver.close()
    report = {
        "count": sum(result.judged.values()),
        "taken_in": result.taken_in,
        "unchanged": result.unchanged,
        "failures": result.failures,
        "peak_memory_bytes": peak_memory(),
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "judged": dict(result.judged.most_common()),
        "believed_as_signed_by_the_unit": dict(result.believed),
    }
    print(json.dumps(report, indent=1))
    return 1 if result.failures else 0


class Fuzz:
    """The mutants of one run, made and judged one after the other."""

    def __init__(self, receiver: Receiver, folder: Path, options: argparse.Namespace) -> None:
        self._receiver = receiver
        self._options = options
        self._seeds, self._large = seal_all(receiver, folder)
        self._keys = frozenset(seed.key.public.keyid for seed in self._seeds)
        self._originals = {seed.data for seed in (*self._seeds, self._large)}
        self._result = Result()

    def run(self) -> Result:
        """Judge all of them; says on standard error how far it is."""
        for number in range(self._options.count):
            seed, mutant = self._mutant(number)
            self._judge(number, mutant, seed)
            if number % FORGET_EVERY == FORGET_EVERY - 1:
                judges.forget_files(self._receiver)
                done = f"{number + 1} of {self._options.count}, {self._result.failures} failures"
                print(done, file=sys.stderr, flush=True)
        return self._result

    def _mutant(self, number: int) -> tuple[Seed, Mutant]:
        """The same for the same number, but for keys and identifiers in the bundles that it is made of."""
        chance = random.Random(f"{self._options.seed}:{number}")
        seed = self._large if number % LARGE_EVERY == LARGE_EVERY - 1 else chance.choice(self._seeds)
        mutant = chance.choice(MUTATIONS)(chance, seed, self._seeds)
        if mutant.data and mutant.data not in self._originals:
            return seed, mutant
        self._result.unchanged += 1
        return seed, Mutant("last bit flipped", seed.data[:-1] + bytes([seed.data[-1] ^ 1]))

    def _judge(self, number: int, mutant: Mutant, seed: Seed) -> None:
        self._result.judged[mutant.how] += 1
        try:
            answer = judges.verify(mutant, seed, self._keys)
            if number % (BY_UNIT_EVERY if mutant.by_unit else self._options.intake_every) == 0:
                self._result.taken_in += 1
                judges.take_in(mutant, seed, self._receiver)
        except Exception:
            self._result.failures += 1
            self._options.keep.mkdir(parents=True, exist_ok=True)
            kept = self._options.keep / f"{self._options.seed}-{number}.zip"
            kept.write_bytes(mutant.data)
            print(f"mutant {number} ({mutant.how} of {seed.name}, kept as {kept}):", file=sys.stderr)
            traceback.print_exc(limit=-6)
            return
        if answer == judges.BELIEVED:
            self._result.believed[mutant.how] += 1


def peak_memory() -> int:
    """Bytes that this process had in memory at most. Not from getrusage, which counts the parent's before exec."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())
