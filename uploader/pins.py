"""What the agent remembers of a receiver since it first met it: its key, and to whom bundles for it are encrypted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent import durable
from agent.model import Text
from uploader import strict_json
from uploader.bundle.recipient import check_recipient
from uploader.http import ReceiverError
from uploader.keys import PublicKey
from uploader.strict_json import Malformed, field, optional_text

_MAX_PIN = 4096
_FOLDER = "receivers"


@dataclass(frozen=True, slots=True)
class Pin:
    """A receiver that was met. ``recipient`` (``age1...``) is ``None`` when it did not tell one."""

    base_url: str
    key: PublicKey
    recipient: str | None


def read_pin(state_dir: Path, base_url: str) -> Pin | None:
    """What is remembered of the receiver at ``base_url``; ``None`` before the first contact.

    Raises :class:`~uploader.http.ReceiverError` for a memory that is damaged: it is no first contact.
    """
    return _read(pin_path(state_dir, base_url))


def write_pin(state_dir: Path, pin: Pin) -> None:
    """Remember a receiver; on disk when this returns. Raises :class:`~uploader.http.ReceiverError`."""
    path = pin_path(state_dir, pin.base_url)
    told = {"base_url": pin.base_url, "key": pin.key.to_json(), "recipient": pin.recipient}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace(path, strict_json.canonical(told))
    except OSError as error:
        reason = Text("{path}: {error}", {"path": str(path), "error": error.strerror or ""})
        raise ReceiverError(reason) from error


def all_pins(state_dir: Path) -> Iterator[Pin]:
    """Every receiver that was met; raises like :func:`read_pin`."""
    for path in sorted((state_dir / _FOLDER).glob("*.json")):
        pin = _read(path)
        if pin is not None:
            yield pin


def _read(path: Path) -> Pin | None:
    try:
        with path.open("rb") as file:
            data = strict_json.loads(file.read(_MAX_PIN), max_size=_MAX_PIN, max_depth=4)
        recipient = optional_text(data, "recipient") if "recipient" in data else None  # earlier agents kept none
        if recipient is not None:
            check_recipient(recipient)
        return Pin(field(data, "base_url", str), PublicKey.from_json(field(data, "key", dict)), recipient)
    except FileNotFoundError:
        return None
    except (OSError, Malformed, TypeError) as error:
        raise ReceiverError(Text("{path} is damaged", {"path": str(path)}), str(error)) from error


def pin_path(state_dir: Path, base_url: str) -> Path:
    """The file with what is remembered of the receiver at ``base_url``."""
    return state_dir / _FOLDER / f"{hashlib.sha256(base_url.encode()).hexdigest()}.json"
