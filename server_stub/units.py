"""Units by their serial."""

from __future__ import annotations

import unicodedata
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub.db import Unit

_SERIAL_CAP = 64


def tidy_serial(typed: str) -> str:
    """A serial as it is compared: upper case, no white space around; ``""`` when it cannot be one (empty, more than
    64 characters, or with control characters).
    """
    text = typed.strip().upper()
    if len(text) > _SERIAL_CAP or any(unicodedata.category(c)[0] == "C" for c in text):
        return ""
    return text


def take_unit(session: Session, serial: str, *, model: str, board: str = "", shipped: date | None) -> Unit:
    """The unit with this (tidy) serial; made when it is new, and told what was not known of it yet."""
    unit = session.scalar(select(Unit).where(Unit.serial == serial))
    if unit is None:
        unit = Unit(serial=serial, model="", board="", shipped=None)
        session.add(unit)
    unit.model = model or unit.model
    unit.board = board or unit.board
    unit.shipped = shipped or unit.shipped
    return unit
