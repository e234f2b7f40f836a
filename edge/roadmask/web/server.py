"""Run the application under uvicorn, and say where it listens."""

from __future__ import annotations

import socket
import sys

import uvicorn

from roadmask.errors import ConfigError
from roadmask.web.app import create_app
from roadmask.web.settings import ServeConfig

_BACKLOG = 128


def serve(config: ServeConfig) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError, ModelError, DataError: something that was given cannot be used.
    """
    app = create_app(config)
    listener = _listen(config)
    port = listener.getsockname()[1]
    shown = f"[{config.host}]" if ":" in config.host else config.host
    print(f"roadmask: http://{shown}:{port}/ (API: /docs)", file=sys.stderr, flush=True)
    settings = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="websockets-sansio",
        ws_max_size=4096,  # viewers only acknowledge
        ws_per_message_deflate=False,  # pictures are compressed already
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=512,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(settings).run(sockets=[listener])
    return 0


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
