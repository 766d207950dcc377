"""What ``sensors`` of lm-sensors printed elsewhere, as text or as JSON, in one shape.

Source of the layouts: lm-sensors ``prog/sensors/chips.c`` (3.0 to 3.6). Its JSON is not always JSON: a value that could
not be read leaves a comma without a successor, and a chip may have two features of one name. So both are read by their
tokens, and a file that was cut off ends with what it had.
"""

from __future__ import annotations

import contextlib
import json
import re

from agent.model import Evidence

Printed = dict[str, dict[str, dict[str, float]]]
"""Chip (``coretemp-isa-0000``) -> feature, as it is labelled -> the kernel's name of the value (``temp1_input``) -> the
value in V, rpm, °C, A or W; for alarms and faults 0 or 1.
"""

KINDS = ("sensors-json", "sensors-text")

_BUS = re.compile(r"-(?:isa|pci|i2c|spi|hid|virtual|acpi|mdio|scsi)-")
_CHIP = re.compile(rf"[A-Za-z0-9_.:]{{1,40}}{_BUS.pattern}[0-9a-f]+(?:-[0-9a-f]+)?")
_ADAPTER = re.compile(rf"^[ \t>]*{_CHIP.pattern}[ \t\r]*\n[ \t>]*Adapter: ", re.MULTILINE)
_OBJECT = re.compile(r"\ufeff?(?:\s*ERROR: [^\n]{0,200}\n)*\s*\{")
"""With complaints before it, where those went into the same file."""
_TOKEN = re.compile(r'"((?:[^"\\\n]|\\.){0,200})"\s*:\s*(?:(\{)|(-?[0-9.]{1,30}(?:[eE][+-]?[0-9]{1,3})?)|)|(\})')
_KEY = re.compile(r"((?:in|fan|temp|curr|power)[0-9]{1,3}_[a-z_]{1,20}): *(-?[0-9]{1,12}(?:\.[0-9]{1,6})?)")
_FEATURE = re.compile(r"([^:]{1,40}):(?:\s+(.*))?")
_NAME = re.compile(r"(?:in|fan|temp|curr|power)[0-9]{1,3}")
_QUANTITY = r"([+-]?[0-9]{1,9}(?:\.[0-9]{1,6})?) ?[^\sA-Za-z0-9]{0,3}(RPM|mV|V|C|F|mA|A|mW|uW|kW|W)\b"
_VALUE = re.compile(_QUANTITY)
_LIMIT = re.compile(r"(min|max|low|high|crit low|lcrit|crit|avg|target) *= *" + _QUANTITY)
_WORDS = {"low": "min", "high": "max", "crit low": "lcrit", "avg": "average"}
_UNITS = {
    "V": ("in", 1.0), "mV": ("in", 1e-3), "RPM": ("fan", 1.0), "C": ("temp", 1.0), "F": ("temp", 1.0),
    "A": ("curr", 1.0), "mA": ("curr", 1e-3), "uW": ("power", 1e-6), "mW": ("power", 1e-3), "W": ("power", 1.0),
    "kW": ("power", 1e3),
}  # fmt: skip
_FEATURES_MOST = 200
"""Features of one chip; ours, four times what the largest has."""


def printed(evidence: Evidence) -> Printed:
    """What is in evidence of one of :data:`KINDS`; nothing in any other. Never raises."""
    match evidence.kind:
        case "sensors-json":
            return parse_json(evidence.text())
        case "sensors-text":
            return parse_text(evidence.text())
    return {}


def parse_json(text: str) -> Printed:
    """What ``sensors -j`` printed. Never raises."""
    found: Printed = {}
    path: list[str] = []
    features: dict[str, dict[str, float]] = {}
    for token in _TOKEN.finditer(text):
        name, opened, number, closed = token.groups()
        if closed:
            del path[-1:]
        elif opened:
            path.append(_unescaped(name))
            if len(path) == 1:
                features = found.setdefault(path[0], {})
            elif len(path) == 2 and len(features) < _FEATURES_MOST:
                path[1] = _distinct(path[1], features)
                features[path[1]] = {}
        elif number and len(path) == 2 and path[1] in features and (value := _number(number)) is not None:
            features[path[1]][name] = value
    return found


def parse_text(text: str) -> Printed:
    """What ``sensors``, ``sensors -f`` or ``sensors -u`` printed, quoted in a mail or not; of a chip that is printed
    again the first counts. Never raises.
    """
    found: Printed = {}
    features: dict[str, dict[str, float]] | None = None
    label = ""
    for line in (raw.strip(" \t>\ufeff") for raw in text.splitlines()):
        if _CHIP.fullmatch(line):
            features, label = (None if line in found else found.setdefault(line, {})), ""
        elif features is None or len(features) >= _FEATURES_MOST:
            continue
        elif key := _KEY.fullmatch(line):
            features.setdefault(label or key[1].partition("_")[0], {})[key[1]] = float(key[2])
        elif line.startswith("(") and label in features:
            features[label] |= _limits(features[label], line)
        elif (feature := _FEATURE.fullmatch(line)) and feature[1] != "Adapter":
            label = _take(features, feature[1].strip(), feature[2] or "")
    return found


def is_text(head: str) -> bool:
    """Whether a text begins like what ``sensors`` prints: a chip with its adapter, or with a value."""
    if not _BUS.search(head):  # no chip: soon seen
        return False
    if _ADAPTER.search(head):
        return True
    return any(values for features in parse_text(head).values() for values in features.values())


def is_json(head: str) -> bool:
    """Whether a text begins like what ``sensors -j`` prints: a chip with a value."""
    chips = parse_json(head).items() if _OBJECT.match(head) and _BUS.search(head) else ()
    return any(_CHIP.fullmatch(chip) and any(features.values()) for chip, features in chips)


def _take(features: dict[str, dict[str, float]], label: str, rest: str) -> str:
    """File one line; gives the name under which its limits are to be filed, as they may go on in the next line."""
    value = _VALUE.match(rest)
    if value is None:
        faulty = rest.startswith("FAULT") and _NAME.fullmatch(label)
        if rest and not faulty:
            return ""
        name = _distinct(label, features)
        features[name] = {f"{label}_fault": 1.0} if faulty else {}
        return name
    kind, number = _si(value)
    name = _distinct(label, features, kind)
    # The kernel's name shows only where nobody labelled the input; else any will do that is free.
    free = label if _NAME.fullmatch(label) and label.startswith(kind) else f"{kind}{500 + len(features)}"
    values = {f"{free}_input": number}
    features[name] = values | _limits(values, rest[value.end() :])
    return name


def _limits(values: dict[str, float], text: str) -> dict[str, float]:
    """Limits and alarms in the rest of a line, or in the next."""
    first = next(iter(values), "")
    prefix = first.partition("_")[0]
    found = {}
    for limit in _LIMIT.finditer(text):
        kind, number = _si(limit, 2)
        if first.startswith(kind):
            found[f"{prefix}_{_WORDS.get(limit[1], limit[1])}"] = number
    if re.search(r"\bALARM\b", text):
        found[f"{prefix}_alarm"] = 1.0
    return found


def _si(quantity: re.Match[str], first: int = 1) -> tuple[str, float]:
    """The kind of a value and the value in SI units; what is in °F in °C."""
    kind, scale = _UNITS[quantity[first + 1]]
    number = float(quantity[first]) * scale
    return kind, round((number - 32) / 1.8 if quantity[first + 1] == "F" else number, 6)


def _distinct(label: str, features: dict[str, dict[str, float]], kind: str = "") -> str:
    """The label, with more where another feature of the chip has it already."""
    if label not in features:
        return label
    return next(name for n in range(2, len(features) + 3) if (name := f"{label} ({kind or '#'}{n})") not in features)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 2**63 else None


def _unescaped(text: str) -> str:
    with contextlib.suppress(ValueError):
        text = str(json.loads(f'"{text}"'))
    return "".join(c if c.isprintable() else " " for c in text)[:64]
