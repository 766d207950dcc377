"""PostgreSQL, with what SQLite gives: one writer at a time, readers that see one moment, and one receiver."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

_WRITER = 0x61696F6469616701
"""Advisory lock of whoever writes: "aiodiag" and a number. Such locks are of one database. Ours."""
_RECEIVER = 0x61696F6469616702
"""Advisory lock of the receiver that runs."""

_WAIT = "10s"
"""How long a writer waits its turn, as with SQLite; and a receiver for one that is just ending. Ours."""
_DEAD_S = 30
"""Seconds without a sign of life after which either side begins to ask for one, and gives the other up after three
more questions: a receiver whose machine lost its power must not keep its locks for two hours (Linux's default). Ours.
"""
_CONNECTIONS = 40
"""As many as there are threads that answer requests (anyio's default), so that none waits for a connection."""


class DriverMissing(OSError):
    """The extra that brings PostgreSQL's driver is not installed."""


def engine(url: str) -> Engine:
    """Connections to the database at ``url``; none is made yet. Raises :class:`DriverMissing`."""
    settings = {"connect_timeout": 10, "keepalives_idle": _DEAD_S, "keepalives_interval": 10, "keepalives_count": 3}
    try:
        made = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,  # after the database was started again, the first request shall not fail
            pool_size=5,
            max_overflow=_CONNECTIONS - 5,
            hide_parameters=True,  # an error's text goes to a log, and parameters hold what customers said
            connect_args=settings,
        )
    except ImportError as error:
        raise DriverMissing("PostgreSQL needs: pip install 'hibertek-aiodiag[server-postgres]'") from error
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def own(engine: Engine) -> Connection | None:
    """A connection that keeps other receivers away for as long as it lasts; ``None`` when there is another one.

    It ends with the database as well: a receiver that is started elsewhere meanwhile is not noticed. Both then keep to
    the leases of uploads, so that nothing is lost; but what has come of an upload lies with one of them only.
    """
    connection = engine.execution_options(isolation_level="AUTOCOMMIT").connect()
    try:
        connection.exec_driver_sql(f"SET lock_timeout = '{_WAIT}'")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_RECEIVER})")
    except OperationalError as error:
        connection.close()
        if getattr(error.orig, "sqlstate", "") == "55P03":  # lock_not_available
            return None
        raise
    return connection


def disown(connection: Connection) -> None:
    """Let another receiver have the database; at once, and not when the server sees that the connection is gone."""
    with suppress(SQLAlchemyError):  # gone already, and the lock with it
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_RECEIVER})")
    connection.invalidate()
    connection.close()


def _prepare(connection: DBAPIConnection, _record: Any) -> None:
    cursor = connection.cursor()
    for setting in (
        "idle_in_transaction_session_timeout = '60s'",
        f"tcp_keepalives_idle = {_DEAD_S}",
        "tcp_keepalives_interval = 10",
        "tcp_keepalives_count = 3",
    ):
        cursor.execute(f"SET {setting}")
    cursor.close()
    connection.commit()


def _begin(connection: Connection) -> None:
    """A writer's statements must each see what was committed before them (READ COMMITTED): a snapshot that is taken
    for the whole transaction is taken before the lock is, and is old when the lock comes. The lock is given back by
    the server after the commit can be seen.
    """
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    writes = options.get("aiodiag_write")
    if writes:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT}'")
        if writes != "lasting":
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
