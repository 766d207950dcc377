"""Connections and transactions. SQLite is the default, PostgreSQL the other one; nothing outside this folder knows.

Whoever writes is alone: SQLite's own write lock sees to it on the one, an advisory lock on the other. So what a
transaction reads before it writes is still true when it is committed, and nothing needs to be tried again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from server_stub.db import postgres
from server_stub.db.schema import upgrade

_BUSY_MS = 10_000


class Database:
    """Sessions: :meth:`read` for looking, :meth:`write` for changing. Objects stay readable after both.

    The tables are made, or brought up to date, when it is opened. Raises ``db.schema.SchemaNewer`` when a newer
    receiver has been here, ``db.postgres.DriverMissing``, and ``SQLAlchemyError`` when the database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._engine = postgres.engine(url) if make_url(url).get_backend_name() == "postgresql" else _sqlite(url)
        self._writing = self._engine.execution_options(aiodiag_write="lasting")
        self._noting = self._engine.execution_options(aiodiag_write="passing")
        self._owning: Connection | None = None
        self._turn = _turns() if self._engine.dialect.name == "sqlite" else nullcontext
        try:
            upgrade(self._writing)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot; nothing is written."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an exception. It waits its turn when it begins, because
        a reader that turns writer has seen what may be true no longer. Raises ``OperationalError`` after ten seconds.

        Where it need not be ``lasting``, nobody waits for the disk: a power cut may undo it, as long as nothing that is
        lasting was committed after it.
        """
        engine = self._writing if lasting else self._noting
        with self._turn(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def own(self) -> bool:
        """Keep other receivers from this database until :meth:`close`; false when there is one. A file is its data
        directory's, and owned with that.
        """
        if self._engine.dialect.name == "postgresql":
            self._owning = postgres.own(self._engine)
            return self._owning is not None
        return True

    def close(self) -> None:
        """Let go of all connections."""
        if self._owning is not None:
            postgres.disown(self._owning)
        self._engine.dispose()


def _turns() -> Callable[[], AbstractContextManager[None]]:
    """One thread after another. SQLite alone would let each ask again and again, with pauses, and with a connection in
    its hand that others need for reading.
    """
    lock = threading.Lock()

    @contextmanager
    def turn() -> Iterator[None]:
        if not lock.acquire(timeout=_BUSY_MS / 1000):
            raise OperationalError("BEGIN IMMEDIATE", None, TimeoutError("another thread is writing"))
        try:
            yield
        finally:
            lock.release()

    return turn


def _sqlite(url: str) -> Engine:
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    database = make_url(url).database
    if database:
        os.close(os.open(database, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A connection is used for one kind of transaction after another. In WAL mode NORMAL leaves the disk to the next
    transaction that is FULL (SQLite documentation, ``PRAGMA synchronous``).
    """
    writes = connection.get_execution_options().get("aiodiag_write")
    if not writes:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if writes == 'lasting' else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
