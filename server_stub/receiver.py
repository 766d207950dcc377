"""One running receiver: its parts, put together once and handed to the routes."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import Depends, Request

from server_stub.age import AgeIdentity
from server_stub.blobs import Blobs
from server_stub.db import Database
from server_stub.intake import Intake
from server_stub.limits import Limits
from server_stub.settings import Settings
from server_stub.storage import open_blobs
from server_stub.tpm.makers import Makers
from server_stub.uploads import Uploads
from uploader.keys import DeviceKey, SigningKey

UPLOAD_THREADS = 8
"""Threads that take in uploads and their parts at one time. However many units send, most of the threads are left for
whoever wants an answer at once, and few compete for the interpreter. Ours.
"""

P = ParamSpec("P")
T = TypeVar("T")


class DataInUse(Exception):
    """Another receiver runs on this data directory, or on this database."""


class Receiver:
    """Owns the data directory and the database while it lives. Raises :class:`DataInUse` when somebody else does,
    ``OSError``, ``ValueError`` and ``SQLAlchemyError`` when what it keeps things in cannot be used, and
    ``uploader.keys.KeyUnusable`` when the receiver's key or age identity cannot.
    """

    def __init__(self, settings: Settings) -> None:
        settings.prepare()
        self.settings = settings
        self._lock = _lock(settings)
        self.key: SigningKey = DeviceKey.load_or_create(settings.key)
        self.age = AgeIdentity.load_or_create(settings.age)
        self.makers = Makers.load(settings.makers)
        self.blobs: Blobs = open_blobs(settings)
        self.limits = Limits()
        self._upload_threads = ThreadPoolExecutor(UPLOAD_THREADS, "upload")
        self._begun = 0  # calls in them, and those that wait for one
        self.db = Database(settings.database_url)
        if not self.db.own():
            self.db.close()
            os.close(self._lock)
            raise DataInUse("another receiver runs on this database")
        self.uploads = Uploads(self.db, settings.spool)
        self.intake = Intake(self.db, self.blobs, self.uploads)
        self.intake.settle_pending(list(self.uploads.recover()))

    def begin_in_upload_thread(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> asyncio.Future[T]:
        """Begin ``call`` in a thread, in the caller's context. Uploads share few threads, and wait their turn for them.
        What comes of it is for :func:`outlasted`.
        """
        run = partial(copy_context().run, partial(call, *args, **named))
        begun = asyncio.get_running_loop().run_in_executor(self._upload_threads, run)
        self._begun += 1
        begun.add_done_callback(self._one_is_over)
        return begun

    def _one_is_over(self, _: asyncio.Future[Any]) -> None:
        self._begun -= 1

    @property
    def upload_threads_are_taken(self) -> bool:
        """Whether uploads wait for a thread."""
        return self._begun > UPLOAD_THREADS

    async def in_upload_thread(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """The answer of ``call`` from such a thread; nobody leaves before it is over."""
        return await outlasted(self.begin_in_upload_thread(call, *args, **named))

    def public_base(self, request: Request) -> str:
        """Where a browser reaches this receiver, without a slash at the end."""
        return (self.settings.public_url or str(request.base_url)).rstrip("/")

    def close(self) -> None:
        """Let go of the data directory."""
        self._upload_threads.shutdown()
        self.db.close()
        os.close(self._lock)


async def outlasted(begun: asyncio.Future[T]) -> T:
    """What comes of something in a thread, which cannot be told to stop: whoever is cancelled meanwhile waits for its
    end all the same, or would close a file that is written to.
    """
    cancelled: asyncio.CancelledError | None = None
    while not begun.done():
        try:
            await asyncio.wait([begun])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        begun.exception()  # seen, so that nobody complains of it
        raise cancelled
    return begun.result()


def _lock(settings: Settings) -> int:
    lock = os.open(settings.data / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise DataInUse(f"another receiver runs on {settings.data}") from error
    return lock


def _receiver(request: Request) -> Receiver:
    receiver: Receiver = request.app.state.receiver
    return receiver


Here = Annotated[Receiver, Depends(_receiver)]
"""The receiver, for a route."""
