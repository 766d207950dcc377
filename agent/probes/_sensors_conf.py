"""The configuration of lm-sensors: which input of a chip is which, and what lies between the pin and the wire.

A monitoring chip measures its pins; the board's resistor dividers are known only to ``sensors3.conf`` and the files in
``sensors.d``. Of their statements (sensors.conf(5)) ``chip``, ``label``, ``compute`` and ``ignore`` are applied;
``set`` writes to the hardware and is passed over. A ``chip`` line whose I2C bus is defined by a ``bus`` line fits no
chip here, so that its inputs stay raw and unlabelled rather than those of another bus.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"(?!")|(\w+(?:\.[0-9]+)?|\.[0-9]+)|([-+*/(),@^`])|#.*|[ \t\f\v]+', re.ASCII)
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+")
_PRIORITY = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "^": 4, "`": 4}
_PREFIX = {"-": "negate", "^": "^", "`": "`"}

Token = tuple[str, str]
"""What it is (``text`` for a quoted string, ``word``, ``number``, ``sign``) and how it is written."""
Lookup = Callable[[str], float | None]


@dataclass(slots=True)
class _Section:
    """What one ``chip`` line and the lines below it say; expressions in reverse Polish notation."""

    patterns: list[str]
    labels: dict[str, str] = field(default_factory=dict)
    computes: dict[str, list[Token]] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)


class SensorsConf:
    """The statements of all configuration files; of those that fit a chip the last section wins, as in libsensors."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._sections = [section for text in texts for section in _sections(text)]

    def label(self, chip: str, feature: str) -> str | None:
        """The label of ``in0``, ``fan1``, ... of a chip named as ``sensors`` names it (``nct6798-isa-0290``)."""
        return next((s.labels[feature] for s in self._fitting(chip) if feature in s.labels), None)

    def ignored(self, chip: str, feature: str) -> bool:
        """Whether the input is not wired on this board."""
        return any(feature in s.ignored for s in self._fitting(chip))

    def compute(self, chip: str, feature: str, raw: float, lookup: Lookup) -> float | None:
        """The value on the wire for the ``raw`` one at the pin, in the same unit; ``raw`` where nothing is to be
        computed, ``None`` where that fails. ``lookup`` gives the value of another feature by name.
        """
        expression = next((s.computes[feature] for s in self._fitting(chip) if feature in s.computes), None)
        return raw if expression is None else _evaluate(expression, raw, lookup)

    def _fitting(self, chip: str) -> Iterator[_Section]:
        return (s for s in reversed(self._sections) if any(_fits(pattern, chip) for pattern in s.patterns))


def _fits(pattern: str, chip: str) -> bool:
    """Whether a pattern (``it87-*``, ``lm75-i2c-*-48``, ``*-isa-0290``) names a chip."""
    wanted, parts = pattern.split("-"), chip.split("-")
    if len(wanted) == 2 and wanted[1] == "*":
        return wanted[0] in ("*", parts[0])
    if len(wanted) != len(parts):
        return False
    same = all(w in ("*", p) for w, p in zip(wanted[:-1], parts[:-1], strict=True))
    return same and (wanted[-1] == "*" or _address(wanted[-1]) == _address(parts[-1]))


def _address(text: str) -> int | str:
    try:
        return int(text, 16)
    except ValueError:
        return text


def _sections(text: str) -> Iterator[_Section]:
    """The sections of one file. A line that is not understood is passed over, as libsensors does."""
    current: _Section | None = None
    buses: set[str] = set()
    for line in re.sub(r"\\[ \t\f\v]*\r?\n", " ", text).splitlines():
        match _tokens(line):
            case [("word", "bus"), (_, name), *_]:
                buses.add(name)
            case [("word", "chip"), *names] if names:
                if current is not None:
                    yield current
                current = _Section([name for _, name in names if not _on_bus(name, buses)])
            case [("word", statement), ("word" | "text", feature), *rest] if current is not None:
                _take(current, statement, feature, rest)
    if current is not None:
        yield current


def _on_bus(pattern: str, buses: set[str]) -> bool:
    return any(f"-{bus}-" in pattern for bus in buses)


def _take(section: _Section, statement: str, feature: str, rest: list[Token]) -> None:
    """Of several statements for one feature in a section the first counts."""
    match statement, rest:
        case "label", [("word" | "text", label)]:
            section.labels.setdefault(feature, label)
        case "ignore", []:
            section.ignored.add(feature)
        case "compute", _ if ("sign", ",") in rest:
            expression = _postfix(rest[: rest.index(("sign", ","))])
            if expression is not None:
                section.computes.setdefault(feature, expression)


def _tokens(line: str) -> list[Token]:
    """The tokens of one line; none when it has anything else in it."""
    tokens: list[Token] = []
    position = 0
    line = line.strip()
    while position < len(line):
        found = _TOKEN.match(line, position)
        if found is None:
            return []
        if found[1] is not None:
            tokens.append(("text", re.sub(r"\\(.)", r"\1", found[1])))
        elif found[2] is not None:
            tokens.append(("number" if _NUMBER.fullmatch(found[2]) else "word", found[2]))
        elif found[3] is not None:
            tokens.append(("sign", found[3]))
        position = found.end()
    return tokens


def _postfix(tokens: list[Token]) -> list[Token] | None:
    """An infix expression in reverse Polish notation (Dijkstra's shunting yard, so no depth of brackets can break it);
    ``None`` when it is malformed. Signs as in sensors.conf(5): ``+ - * /``, negation, ``^`` for e to the power of,
    ````` for the natural logarithm, ``@`` for the raw value.
    """
    output: list[Token] = []
    waiting: list[str] = []
    operand_next = True
    for kind, text in tokens:
        if kind != "sign" or text == "@":
            if not operand_next:
                return None
            output.append((kind, text))
            operand_next = False
        elif operand_next and text in _PREFIX:
            waiting.append(_PREFIX[text])
        elif operand_next and text == "(":
            waiting.append(text)
        elif not operand_next and text == ")":
            while waiting and waiting[-1] != "(":
                output.append(("sign", waiting.pop()))
            if not waiting:
                return None
            waiting.pop()
        elif not operand_next and text in "+-*/":
            while waiting and _PRIORITY.get(waiting[-1], 0) >= _PRIORITY[text]:
                output.append(("sign", waiting.pop()))
            waiting.append(text)
            operand_next = True
        else:
            return None
    if operand_next or "(" in waiting:
        return None
    return output + [("sign", sign) for sign in reversed(waiting)]


def _evaluate(expression: list[Token], raw: float, lookup: Lookup) -> float | None:
    stack: list[float] = []
    try:
        for kind, text in expression:
            if kind == "number":
                stack.append(float(text))
            elif kind != "sign":
                other = lookup(text)
                if other is None:
                    return None
                stack.append(other)
            elif text == "@":
                stack.append(raw)
            else:
                stack.append(_apply(text, stack))
    except (ArithmeticError, ValueError):
        return None
    return stack[0] if math.isfinite(stack[0]) else None


def _apply(sign: str, stack: list[float]) -> float:
    right = stack.pop()
    match sign:
        case "negate":
            return -right
        case "^":
            return math.exp(right)
        case "`":
            return math.log(right)
    left = stack.pop()
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right
