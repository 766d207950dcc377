"""A piece is written and digested while the next one arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from server_stub.receiver import Receiver, outlasted
from server_stub.uploads.writer import Writer

T = TypeVar("T")


class Behind:
    """One call of a writer at a time, in a thread, of which the last may still go on while others arrive: what went
    wrong in it is raised by the next. Left, it closes the writer, after that call.
    """

    def __init__(self, here: Receiver, writer: Writer) -> None:
        self.writer = writer
        self._here = here
        self._last: asyncio.Future[None] | None = None

    async def write(self, piece: bytearray) -> None:
        """Begin to write a piece, once the one before it is written; so there are two in memory at most. Where uploads
        wait for a thread, this one takes in no more meanwhile: whoever wants an answer at once would wait for it.
        """
        await self._settle()
        self._last = self._here.begin_in_upload_thread(self.writer.write, piece)
        if self._here.upload_threads_are_taken:
            await self._settle()

    async def then(self, call: Callable[[], T]) -> T:
        """Call something of the writer after all that was written."""
        await self._settle()
        return await self._here.in_upload_thread(call)

    async def _settle(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            await outlasted(last)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Whatever happened: nobody writes any more when the file is closed."""
        with suppress(Exception):  # the request failed already, and why is on its way
            await self._settle()
        await self._here.in_upload_thread(self.writer.close)
