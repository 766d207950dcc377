"""The version of the tables: read, and brought up to date by the migrations (``migrations/versions``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaNewer(OSError):
    """A newer receiver has been at this database; what an older one does to it nobody can know."""


def newest() -> str:
    """The version that this program knows: migrations are numbered with four digits, one after the other."""
    return max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def version(connection: Connection) -> str:
    """The version of the tables in a database; ``""`` where no migration was there yet."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none() or ""


def upgrade(engine: Engine) -> None:
    """Bring the tables up to date, in one transaction of ``engine``, whose transactions write: all of it, or nothing.

    Raises :class:`SchemaNewer`, and changes nothing then.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Alembic changes a table by making a new one and dropping the old one, which others refer to. Before the
            # transaction: within one the pragma does nothing.
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                _upgrade(connection)
        finally:
            if engine.dialect.name == "sqlite":
                connection.connection.cursor().execute("PRAGMA foreign_keys=ON")


def config() -> Config:
    """What Alembic needs to know; it is imported where there is something to do."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return made


def _upgrade(connection: Connection) -> None:
    found, known = version(connection), newest()
    if found > known:
        raise SchemaNewer(
            f"the database has version {found[:40]}, and this receiver knows {known} and older: update it"
        )
    if found == known:
        return
    from alembic import command

    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        assert broken is None, f"a migration left {broken[0]} without what it refers to"
