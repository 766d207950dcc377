"""What was found, as digits that a person reads out over the telephone.

6 digits without a fault and 3 more for each of at most 3 faults: 6, 9, 12 or 15, spoken in groups of three. They are

- one for the verdict: 1 pass, 2 fail, 3 incomplete; 3 more when there are further faults that it does not name;
- three for each fault, the worst first: those of its code (``LOG-8400``: 840), whose own check digit follows from them;
- the last four of the bundle's SHA-256 read as a decimal number, to tell bundles of one case apart (one time in 10 000
  they are the same);
- Damm's check digit over all of them: every single wrong digit and every swap of neighbours is noticed, and most other
  mistakes nine times in ten.

It does not tell which unit it is about, when it was, which part of a kind (subject, values, confidence), any fault
after the third, or that it is true: nothing is signed. Who needs that takes the picture or the bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.check_digit import check_digit
from agent.model.outcome import RunVerdict

MAX_FAULTS = 3
"""Ours: more than five groups of three are not read back without a mistake."""
_VERDICTS = (RunVerdict.PASS, RunVerdict.FAIL, RunVerdict.INCOMPLETE)
_GROUP = 3
_TAIL = 4
_FIXED = 1 + _TAIL + 1
_SEPARATORS = str.maketrans("", "", " -.\t")


class Mistyped(ValueError):
    """These are not the digits of a code; the check digit says so, or there are too few or too many of them."""


@dataclass(frozen=True, slots=True)
class SpokenCode:
    """``faults`` are the four digits of fault codes, the worst first, at most ``MAX_FAULTS``; ``more`` says that there
    were others; ``tail`` is the last four decimal digits of the bundle's SHA-256, 0 to 9999.
    """

    verdict: RunVerdict
    faults: tuple[int, ...]
    more: bool
    tail: int

    def __str__(self) -> str:
        """The digits, in groups of three."""
        first = 1 + _VERDICTS.index(self.verdict) + (len(_VERDICTS) if self.more else 0)
        digits = f"{first}{''.join(f'{fault // 10:03d}' for fault in self.faults)}{self.tail:0{_TAIL}d}"
        digits += str(check_digit(digits))
        return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))

    @classmethod
    def of(cls, verdict: RunVerdict, faults: Sequence[int], sha256: str) -> SpokenCode:
        """The code of a bundle: all its faults (four digits each, the worst first), and its SHA-256 (hexadecimal)."""
        tail = int(sha256, 16) % 10**_TAIL
        return cls(verdict, tuple(faults[:MAX_FAULTS]), len(faults) > MAX_FAULTS, tail)

    @classmethod
    def read(cls, typed: str) -> SpokenCode:
        """What somebody typed; blanks, dashes and full stops do not count. Raises :class:`Mistyped`."""
        digits = typed[:100].translate(_SEPARATORS)
        faults, rest = divmod(len(digits) - _FIXED, _GROUP)
        if not (digits.isascii() and digits.isdigit()) or rest or not 0 <= faults <= MAX_FAULTS:
            raise Mistyped("a code has 6, 9, 12 or 15 digits")
        if check_digit(digits) != 0:
            raise Mistyped("a digit is wrong")
        more, verdict = divmod(int(digits[0]) - 1, len(_VERDICTS))
        if more not in {0, 1} or (more and faults < MAX_FAULTS):
            raise Mistyped("a digit is wrong")
        named = [digits[1 + _GROUP * at :][:_GROUP] for at in range(faults)]
        codes = tuple(int(three) * 10 + check_digit(three) for three in named)
        return cls(_VERDICTS[verdict], codes, bool(more), int(digits[-_TAIL - 1 : -1]))
