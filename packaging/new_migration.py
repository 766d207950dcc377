"""Writes a new migration: what the models have and the tables, after all migrations, have not."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from sqlalchemy import create_engine

from server_stub.db import Database
from server_stub.db.schema import config, newest


def main(words: str) -> int:
    """Returns 0; 2 without words for what changes."""
    if not words:
        print("new_migration: say what changes, in a few words", file=sys.stderr)
        return 2
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'empty.sqlite3'}"
        Database(url).close()
        engine = create_engine(url)
        with engine.connect() as connection:
            made = config()
            made.attributes["connection"] = connection
            command.revision(made, words, autogenerate=True, rev_id=f"{int(newest()) + 1:04d}")
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
