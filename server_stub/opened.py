"""The database, for one command of ``aiodiag-server``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from server_stub.db import Database
from server_stub.settings import Settings


@contextmanager
def opened(data: Path) -> Iterator[Database]:
    """The database of the receiver that keeps its things below ``data``; let go of at the end. Raises what
    :class:`Database` does, and ``OSError``.
    """
    settings = Settings(data)
    settings.prepare()
    with closing(Database(settings.database_url)) as database:
        yield database
