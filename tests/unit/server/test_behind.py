"""What is written while more arrives: one call at a time, in order, and none after the file is closed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from server_stub.receiver import UPLOAD_THREADS, Receiver
from server_stub.settings import Settings
from server_stub.uploads.behind import Behind
from server_stub.uploads.writer import Writer


class Slow:
    """A writer that takes its time, and says when it does what. Two calls at once are a failure of their own."""

    def __init__(self, broken: bytes | None = None) -> None:
        self.did: list[str] = []
        self.began = threading.Event()
        self._broken = broken
        self._alone = threading.Lock()

    def write(self, data: bytes) -> None:
        self.began.set()
        self._do(bytes(data).decode(), broken=data == self._broken)

    def finish(self) -> int:
        self._do("finish")
        return 7

    def close(self) -> None:
        self._do("close")

    def _do(self, what: str, *, broken: bool = False) -> None:
        assert self._alone.acquire(blocking=False), "two calls at once"
        try:
            time.sleep(0.05)
            self.did.append(what)
            if broken:
                raise OSError(28, "no room")
        finally:
            self._alone.release()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Receiver]:
    with closing(Receiver(Settings(tmp_path))) as receiver:
        yield receiver


def run(here: Receiver, writer: Slow, request: Callable[[Behind], Awaitable[Any]]) -> Any:
    async def all_of_it() -> Any:
        async with Behind(here, cast("Writer", writer)) as behind:
            return await request(behind)

    return asyncio.run(all_of_it())


def test_pieces_are_written_in_order_before_what_follows(here: Receiver) -> None:
    writer = Slow()

    async def request(behind: Behind) -> int:
        for piece in (b"a", b"b", b"c"):
            await behind.write(bytearray(piece))
        return await behind.then(behind.writer.finish)

    assert run(here, writer, request) == 7
    assert writer.did == ["a", "b", "c", "finish", "close"]


@pytest.mark.parametrize("last", ["write", "then"])
def test_what_goes_wrong_is_raised_by_the_next_call(here: Receiver, last: str) -> None:
    writer = Slow(broken=b"b")

    async def request(behind: Behind) -> None:
        await behind.write(bytearray(b"a"))
        await behind.write(bytearray(b"b"))
        if last == "write":
            await behind.write(bytearray(b"c"))
        else:
            await behind.then(behind.writer.finish)

    with pytest.raises(OSError, match="no room"):
        run(here, writer, request)
    assert writer.did == ["a", "b", "close"]


@pytest.mark.parametrize("where", ["arriving", "settling", "finishing"])
def test_a_request_that_is_given_up_leaves_nobody_writing(here: Receiver, where: str) -> None:
    """As where the receiver is stopped: whoever is in a thread comes to an end there before the file is closed."""
    writer = Slow()

    async def request(behind: Behind) -> None:
        await behind.write(bytearray(b"a"))
        if where == "arriving":
            await asyncio.sleep(60)
        elif where == "settling":
            await behind.write(bytearray(b"b"))
            await asyncio.sleep(60)
        else:
            await behind.then(behind.writer.finish)

    async def given_up() -> None:
        async with Behind(here, cast("Writer", writer)) as behind:
            await request(behind)

    async def main() -> None:
        task = asyncio.create_task(given_up())
        await asyncio.to_thread(writer.began.wait)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert writer.did[0] == "a"
    assert writer.did[-1] == "close"


def test_more_is_taken_in_meanwhile_only_where_a_thread_is_free(here: Receiver) -> None:
    writer, others_end = Slow(), threading.Event()

    async def request(behind: Behind) -> None:
        await behind.write(bytearray(b"a"))
        assert writer.did == [], "it is written while more arrives"
        await behind.then(behind.writer.finish)
        others = [here.begin_in_upload_thread(others_end.wait) for _ in range(UPLOAD_THREADS)]
        waiting = asyncio.create_task(behind.write(bytearray(b"b")))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        others_end.set()
        await waiting
        assert writer.did == ["a", "finish", "b"]
        await asyncio.gather(*others)

    run(here, writer, request)
