"""Where images and snapshots are kept: by content, so that what is unchanged is not built again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "AIODIAG_BENCH_CACHE"


def cache_directory() -> Path:
    """``$AIODIAG_BENCH_CACHE``, else ``.dev/bench`` of this checkout: two checkouts with different contents would take
    each other's away. Made on first use.
    """
    directory = Path(os.environ.get(CACHE_VARIABLE) or Path(__file__).resolve().parents[2] / ".dev" / "bench")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def key(*parts: str | bytes | Path | Iterable[Path]) -> str:
    """16 hexadecimal digits over texts and the contents of files, with their order."""
    digest = hashlib.sha256()
    for part in parts:
        paths = [part] if isinstance(part, Path) else [] if isinstance(part, str | bytes) else list(part)
        data = (
            [part]
            if isinstance(part, str | bytes)
            else [content for p in paths for content in (p.name, p.read_bytes())]
        )
        for item in data:
            raw = item.encode() if isinstance(item, str) else item
            digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One builder of ``name`` at a time; a second one waits, and then finds it built. Ends with its process."""
    path = cache_directory() / f"{name}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def only(folder: Path, keep: str) -> None:
    """Remove every entry of ``folder`` but ``keep``: what was built for another content is never asked for again."""
    for entry in folder.iterdir():
        if entry.name != keep:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
