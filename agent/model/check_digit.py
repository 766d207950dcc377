"""Check digits, for codes and numbers that people read out and type."""

from __future__ import annotations

import re

_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
_RMA = re.compile(r"HB(\d{2})-(\d{6})-(\d)", re.ASCII)


def check_digit(digits: str) -> int:
    """Damm's check digit: notices every single wrong digit and every swap of neighbours.

    Source: H. Michael Damm, Total anti-symmetrische Quasigruppen, Marburg 2004 (order-10 table).
    """
    state = 0
    for digit in digits:
        state = _DAMM[state][int(digit)]
    return state


def is_rma_number(text: str) -> bool:
    """Whether ``text`` is a well-formed RMA number, ``HBYY-NNNNNN-C`` with the check digit over the eight digits.

    Whether there is such a case, only the receiver knows.
    """
    match = _RMA.fullmatch(text)
    return match is not None and check_digit(match[1] + match[2]) == int(match[3])
