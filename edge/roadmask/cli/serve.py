"""The command line of ``roadmask serve``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.cli.network import add_network, read_as_of
from roadmask.errors import ConfigError

SERVE_TEXT = "console and prediction API: look at the stream, upload, compare"
SERVE_EXAMPLES = """\
examples:
  roadmask serve --socket /tmp/masks.sock
  roadmask serve --model roadnet-480x352 --model float.tflite --dataset town
  roadmask serve --host 0.0.0.0 --token-file token.txt --peer desk=http://192.168.1.7:8000
  curl -F image=@frame.png http://127.0.0.1:8000/predict/ -o mask.png
Only this machine reaches it unless --host says otherwise, which takes a token.
"""


def add_serve(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask serve``."""
    parser.epilog = SERVE_EXAMPLES
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=8000, help="default: 8000; 0 = any free one, which is printed")
    add(
        "--model",
        action="append",
        default=[],
        metavar="M",
        help="a .tflite file, or the name of a shipped model; again for more",
    )
    add("--threads", type=int, default=1, help="threads of each network (default: 1)")
    add("--socket", help="the daemon's socket, for the live page")
    add("--dataset", default="", metavar="NAME", help="gallery: camvid, cityscapes or town")
    add("--root", default="", metavar="DIR", help="folder of the data set")
    add("--split", default="val", help="default: val")
    add("--token-file", type=Path, metavar="F", help="file with the token that callers must give")
    add(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="another server whose models can be compared; again for more",
    )
    add(
        "--peer-token",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the token that a peer asks for",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which this server may be asked for, beside its address",
    )
    add("--max-upload-mib", type=int, default=32, metavar="N", help="default: 32 MiB")
    add("--max-megapixels", type=float, default=25, metavar="N", help="default: 25")
    add("--queue", type=int, default=16, metavar="N", help="waiting per model (default: 16)")
    add_network(parser)
    parser.set_defaults(body=_serve)


def _serve(options: argparse.Namespace) -> int:
    try:
        from roadmask.web.server import serve
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"roadmask serve needs {error.name}: install the extra, pip install 'roadmask[web]'"
        ) from error
    from roadmask.inference.model_file import DEFAULT_MODEL
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.web.networks.peers import read_peers
    from roadmask.web.settings import MIB, Limits, ServeConfig, read_token

    for name in ("max_upload_mib", "max_megapixels", "queue"):
        if not 0 < getattr(options, name) <= 100_000:
            raise ConfigError(
                f"--{name.replace('_', '-')} {getattr(options, name)}: expected more than 0"
            )
    upload_bytes = options.max_upload_mib * MIB
    return serve(
        ServeConfig(
            host=options.host,
            port=options.port,
            models=tuple(options.model or [DEFAULT_MODEL]),
            labels=options.labels or "",
            read_as=read_as_of(options),
            threads=options.threads,
            socket=options.socket or str(DEFAULT_SOCKET),
            dataset=options.dataset,
            root=options.root,
            split=options.split,
            token=read_token(options.token_file) if options.token_file else "",
            peers=read_peers(options.peer, _peer_tokens(options.peer_token)),
            allow_hosts=tuple(options.allow_host),
            limits=Limits(
                upload_bytes=upload_bytes,
                memory_bytes=8 * upload_bytes,
                pixels=round(options.max_megapixels * 1e6),
                queue=options.queue,
            ),
        )
    )


def _peer_tokens(given: list[str]) -> dict[str, str]:
    from roadmask.web.settings import read_token

    tokens = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals:
            raise ConfigError(f"--peer-token {text}: expected NAME=FILE")
        tokens[name] = read_token(file)
    return tokens
