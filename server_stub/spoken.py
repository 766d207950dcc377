"""What somebody reads out over the telephone, in the words of whoever types it in."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model import Text
from agent.model.spoken_code import SpokenCode
from agent.texts import render
from server_stub.faults import Named, named
from server_stub.pages.labels import VERDICT


@dataclass(frozen=True, slots=True)
class Spoken:
    """``label`` is the verdict; ``more`` is ``""`` unless there are faults that the code does not name; ``tail`` is
    the last four decimal digits of the bundle's SHA-256.
    """

    label: str
    faults: list[Named]
    more: str
    tail: str

    @classmethod
    def read(cls, typed: str, lang: str) -> Spoken:
        """Raises ``agent.model.spoken_code.Mistyped``."""
        code = SpokenCode.read(typed)
        return cls(
            label=render(VERDICT[code.verdict.value], lang),
            faults=[named(fault, lang) for fault in code.faults],
            more=render(Text("There are further faults."), lang) if code.more else "",
            tail=f"{code.tail:04d}",
        )
