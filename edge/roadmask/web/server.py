"""Run the application under uvicorn, and say where it listens."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from roadmask.errors import ConfigError
from roadmask.system.command_line import EXIT_DONE, complain, stop_on_signal
from roadmask.web.app import create_app
from roadmask.web.settings import ServeConfig

_BACKLOG = 128
_HEAD_S = 15.0
_SENT_S, _SENT_BYTES = 20.0, 1 << 15  # so much of an answer has to be taken in such a time
_GRACE_S, _LAST_S = 5.0, 0.5  # once told to end: for requests, and for what a cut one still says


class TimedProtocol(H11Protocol):
    """HTTP whose request heads must arrive, and whose answers be taken, in time.

    A connection that dawdles is closed: who reads nothing would keep an answer's memory, or the
    place of a video or an export, for ever.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _sent_timer: asyncio.TimerHandle | None = None
    _unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection owes its first head."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Whatever came, either a request is under way now or a head is still owed."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        super().connection_lost(exc)
        self._forget_head()
        self._forget_sent()

    def pause_writing(self) -> None:
        """More waits to be sent than is good: from now on it has to become less."""
        super().pause_writing()
        self._forget_sent()
        self._watch_sent()

    def resume_writing(self) -> None:
        """It has become little."""
        super().resume_writing()
        self._forget_sent()

    def _watch_sent(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._sent_timer = self.loop.call_later(_SENT_S, self._unread)

    def _forget_sent(self) -> None:
        if self._sent_timer is not None:
            self._sent_timer.cancel()
            self._sent_timer = None

    def _unread(self) -> None:
        if self.transport.get_write_buffer_size() > self._unsent - _SENT_BYTES:
            self.transport.abort()
        else:
            self._watch_sent()

    def _watch_head(self) -> None:
        # After an upgrade the connection is the WebSocket's.
        if self.transport.get_protocol() is not self or self._busy:
            self._forget_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_S, self._late)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        self._head_timer = None
        # A request that began since is not cut: its answer may take longer than its head.
        if not self._busy:
            self.transport.close()

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def _no_cancellation(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's is worth the log: a request that was cut is no fault."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class _Server(uvicorn.Server):
    """Says where it listens once it does, and once a signal ends it in order.

    uvicorn's own limit of a graceful end leaves a traceback for each request that it cuts.
    """

    def __init__(self, settings: uvicorn.Config, where: str, stop: threading.Event) -> None:
        super().__init__(settings)
        self._where, self._stop = where, stop
        logging.getLogger("uvicorn.error").addFilter(_no_cancellation)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """By now uvicorn listens to signals; one that came a moment before counts too."""
        await super().startup(sockets)
        complain(self._where)
        self.should_exit = self.should_exit or self._stop.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Requests have a moment to end in; then they are counted, and cut."""
        cutting = asyncio.create_task(self._cut())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def _cut(self) -> None:
        await asyncio.sleep(_GRACE_S)
        if tasks := list(self.server_state.tasks):
            several = "s were" if len(tasks) > 1 else " was"
            complain(
                f"{len(tasks)} request{several} still under way {_GRACE_S:g} s after the server "
                "was told to end: cut off"
            )
        for task in tasks:
            task.cancel()
        await asyncio.sleep(_LAST_S)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()  # who does not read would never let it close


def serve(config: ServeConfig) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError, ModelError, DataError: something that was given cannot be used.
    """
    app = create_app(config)
    listener = _listen(config)
    port = listener.getsockname()[1]
    shown = f"[{config.host}]" if ":" in config.host else config.host
    where = f"http://{shown}:{port}/ (API: /docs)"
    settings = uvicorn.Config(
        app,
        loop="asyncio",
        http=TimedProtocol,
        ws="websockets-sansio",
        ws_max_size=4096,  # viewers only acknowledge
        ws_per_message_deflate=False,  # pictures are compressed already
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.trusted_proxy),
        forwarded_allow_ips=list(config.trusted_proxy),
        limit_concurrency=512,
        timeout_keep_alive=10,
    )
    # uvicorn raises the signal that ended it once more; ours makes that a plain end.
    _Server(settings, where, stop_on_signal()).run(sockets=[listener])
    return EXIT_DONE


def _listen(config: ServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {config.host} port {config.port}: {error.strerror}; "
            "give another --port or --host"
        ) from error
    listener.listen(_BACKLOG)
    return listener
