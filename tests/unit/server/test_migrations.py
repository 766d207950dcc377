"""The tables that the migrations make are those of the models, on either database; and nothing is lost on the way."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from server_stub.cases import open_case
from server_stub.db import Base, Database, schema
from server_stub.db.schema import SchemaNewer
from server_stub.settings import Settings
from tests.storages import Postgres, Storage
from tests.unit.server.test_serve import server


@pytest.fixture
def url(tmp_path: Path, storage: Storage) -> str:
    """An empty database."""
    return storage.database or f"sqlite:///{tmp_path / 'receiver.sqlite3'}"


def engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def described(engine: Engine) -> dict[str, Any]:
    """Every table of a database, as it says itself."""
    found = inspect(engine)
    described = {
        name: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(name)},
            "key": found.get_pk_constraint(name)["constrained_columns"],
            "indexes": sorted(
                (index["name"], index["column_names"], bool(index["unique"]), _condition(index))
                for index in found.get_indexes(name)
            ),
            "unique": sorted(tuple(one["column_names"]) for one in found.get_unique_constraints(name)),
            "refers": sorted(
                (tuple(one["constrained_columns"]), one["referred_table"], tuple(one["referred_columns"]))
                for one in found.get_foreign_keys(name)
            ),
        }
        for name in found.get_table_names()
        if name != "alembic_version"
    }
    engine.dispose()
    return described


def _condition(index: Any) -> str:
    options = index.get("dialect_options", {})
    return str(options.get("sqlite_where", options.get("postgresql_where", "")))


def test_migrations_make_the_tables_of_the_models(
    url: str, storage: Storage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    Database(url).close()
    migrated = engine(url)
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    if storage.database:
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.database() as other:
            Base.metadata.create_all(made := engine(other))
            assert described(migrated) == described(made)
    else:
        Base.metadata.create_all(made := engine(f"sqlite:///{tmp_path / 'other.sqlite3'}"))
        assert described(migrated) == described(made)


def test_migrations_are_numbered_one_after_the_other() -> None:
    scripts = ScriptDirectory.from_config(schema.config())
    assert scripts.get_heads() == [schema.newest()]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == [f"{n:04d}" for n in range(len(numbers), 0, -1)]


def test_what_is_up_to_date_is_left_alone(url: str) -> None:
    for _ in range(2):
        database = Database(url)
        with database.write() as session:
            open_case(session, serial="HB24A0017")
        database.close()
    with (reading := engine(url)).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM cases")).scalar() == 2
        assert schema.version(connection) == schema.newest()
    reading.dispose()


def test_a_database_of_a_newer_receiver_is_refused_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = Settings(data)
    settings.prepare()
    Database(settings.database_url).close()
    with (writing := engine(settings.database_url)).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9000'"))
    writing.dispose()
    with pytest.raises(SchemaNewer):
        Database(settings.database_url)
    done = server("serve", "--port", "0", "--data", str(data))
    assert (done.returncode, done.stdout) == (2, "")
    known = f"this receiver knows {schema.newest()} and older"
    assert done.stderr == f"aiodiag-server: the database has version 9000, and {known}: update it\n"


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A receiver with one more migration, whose body is given."""

    def add(body: str) -> str:
        newest = schema.newest()
        number = f"{int(newest) + 1:04d}"
        folder = tmp_path / "migrations"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        source = (
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = {number!r}\ndown_revision = {newest!r}\ndef upgrade():\n{textwrap.indent(body, '    ')}\n"
        )
        (folder / "versions" / f"{number}_more.py").write_text(source)
        monkeypatch.setattr(schema, "MIGRATIONS", folder)
        return number

    return add


def test_a_table_that_others_refer_to_is_changed_and_keeps_its_rows(url: str, another: Any) -> None:
    database = Database(url)
    with database.write() as session:
        open_case(session, serial="HB24A0017")
    database.close()
    number = another(
        'with op.batch_alter_table("units", recreate="auto") as batch:\n'
        '    batch.add_column(sa.Column("colour", sa.String(), nullable=False, server_default="grey"))\n'
        '    batch.alter_column("board", new_column_name="mainboard")'
    )
    Database(url).close()
    with (reading := engine(url)).connect() as connection:
        joined = "SELECT units.colour, units.mainboard, units.serial FROM units JOIN cases ON cases.unit_id = units.id"
        assert connection.execute(text(joined)).all() == [("grey", "", "HB24A0017")]
        assert schema.version(connection) == number
    reading.dispose()


def test_a_migration_that_fails_changes_nothing(url: str, another: Any) -> None:
    Database(url).close()
    before = schema.newest()
    another('op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))\nraise ValueError("no")')
    with pytest.raises(ValueError, match="no"):
        Database(url)
    with (reading := engine(url)).connect() as connection:
        assert not inspect(connection).has_table("half")
        assert schema.version(connection) == before
    reading.dispose()
