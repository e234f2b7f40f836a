"""A link between a browser and the server that is slow, or spoils what passes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CHUNK = 1 << 18
Alter = Callable[[bytes], bytes]


@contextmanager
def proxy(
    base: str, delay_s: float | Callable[[], float] = 0.0, alter: Alter = bytes
) -> Iterator[str]:
    """The URL of a TCP proxy before ``base``: each way takes ``delay_s``, at any rate.

    A delay that is called may change: what was sent first arrives first all the same.
    ``alter`` gives what the browser gets in place of a chunk of the server's.
    """
    delay = delay_s if callable(delay_s) else lambda: delay_s
    port = int(base.rpartition(":")[2])
    loop, writers = asyncio.new_event_loop(), list[asyncio.StreamWriter]()

    async def forward(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Alter
    ) -> None:
        def put(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data) if data else writer.close()

        data, due = b"-", 0.0
        while data:
            try:
                data = await reader.read(_CHUNK)
            except ConnectionError:
                data = b""
            due = max(due, loop.time() + delay())
            loop.call_at(due, put, to(data))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, there[1]))
        await asyncio.gather(forward(reader, there[1], bytes), forward(there[0], writer, alter))

    async def leave() -> None:
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})  # their streams ended

    listener = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()
        loop.run_until_complete(leave())
        loop.close()
