"""The command line of ``roadmask serve``."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from roadmask.cli.network import accept_negative_ranges
from roadmask.cli.options import add_settings, given
from roadmask.errors import ConfigError

SERVE_EXAMPLES = """\
examples:
  roadmask serve --socket /tmp/masks.sock
  roadmask serve --model s --model float.tflite --dataset town
  roadmask serve --host 0.0.0.0 --token-file token.txt --peer desk=http://192.168.1.7:8000
  curl -F image=@frame.png http://127.0.0.1:8000/predict/ -o mask.png
Only this machine reaches it unless --host says otherwise, which takes a token.
"""


def add_serve(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask serve``."""
    from roadmask.web.settings import ServeConfig

    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file, [serve] in it")
    add_settings(parser, ServeConfig)
    accept_negative_ranges(parser)
    parser.set_defaults(body=_serve)


def _serve(options: argparse.Namespace) -> int:
    try:
        from roadmask.web.server import serve
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"roadmask serve needs {error.name}: install the extra, pip install 'roadmask[web]'"
        ) from error
    from roadmask.cli.config_file import serve_config
    from roadmask.web.networks.peers import read_peers
    from roadmask.web.settings import ServeConfig, limits_of, read_token

    config = serve_config(options.config, given(ServeConfig, options))
    return serve(
        dataclasses.replace(
            config,
            token=read_token(config.token_file) if config.token_file else "",
            peers=read_peers(config.peer, _peer_tokens(config.peer_token)),
            limits=limits_of(config),
        )
    )


def _peer_tokens(pairs: Iterable[str]) -> dict[str, str]:
    from roadmask.web.settings import read_token

    tokens = {}
    for text in pairs:
        name, _, file = text.partition("=")
        tokens[name] = read_token(file)
    return tokens
