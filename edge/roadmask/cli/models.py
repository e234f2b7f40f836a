"""``roadmask models``: models in the field."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadmask.cli.accelerator import accelerator_of, add_accelerator
from roadmask.cli.network import add_network, read_as_of
from roadmask.system.ranges import SECONDS, THREADS, between

if TYPE_CHECKING:
    from roadmask.models_store.store import Installed, Store

MODELS_EXAMPLES = """\
examples:
  roadmask models sign net-480x352.tflite --private-key release.pem       (on the desktop)
  roadmask models install net-480x352.tflite --key release.pub.pem
  roadmask models switch net-480x352 --socket /run/roadmask-front/masks.v1.sock
  roadmask models rollback
  roadmask run --model /var/lib/roadmask/models/current/model.tflite
Signatures are checked with the keys given, else with /etc/roadmask/keys/*.pem.
A switch runs the model's golden frames on this board and times it first.
"""


def add_models(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask models``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _action(actions, "list", "what is installed, and which one runs", _list)
    listing.add_argument("--json", type=Path, metavar="FILE", help="write it as JSON")
    install = _action(actions, "install", "take a model file in", _install)
    install.add_argument("file", type=Path, metavar="FILE", help="a .tflite, FILE.sig beside it")
    install.add_argument(
        "--key", type=Path, action="append", default=[], metavar="PEM", help="public, Ed25519"
    )
    install.add_argument("--unsigned", action="store_true", help="take one without a signature")
    add_network(install)
    switch = _action(actions, "switch", "make an installed model run", _switch)
    switch.add_argument("name", metavar="NAME", help="its name, or its digest's beginning")
    switch.add_argument(
        "--budget-ms",
        type=between(0.1, 10_000.0),
        default=33.0,
        metavar="MS",
        help="slowest that may run here (default: 33, a frame at 30 fps)",
    )
    switch.add_argument("--threads", type=THREADS, default=1, metavar="N")
    switch.add_argument(
        "--socket",
        action="append",
        default=[],
        metavar="PATH",
        help="of a running daemon, which must take the model over, else all is rolled back",
    )
    switch.add_argument(
        "--wait", type=SECONDS, default=60.0, metavar="S", help="for it; default: 60"
    )
    add_network(switch)
    add_accelerator(switch.add_argument_group("accelerator", "that the daemon will use"))
    _action(actions, "rollback", "make the model before run again", _rollback)
    sign = _action(actions, "sign", "vouch for a model file", _sign)
    sign.add_argument("file", type=Path, metavar="FILE")
    sign.add_argument("--private-key", type=Path, required=True, metavar="PEM", help="Ed25519")


def _action(actions: Any, name: str, text: str, body: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    if name != "sign":
        parser.add_argument(
            "--store", type=Path, metavar="DIR", help="default: /var/lib/roadmask/models"
        )
    parser.set_defaults(body=body)
    return parser


def _store(options: argparse.Namespace) -> Store:
    from roadmask.models_store.store import DEFAULT_STORE, Store

    return Store(options.store or DEFAULT_STORE)


def _list(options: argparse.Namespace) -> int:
    from roadmask.system.files import write_json

    store = _store(options)
    current, previous = store.current(), store.previous()
    models = store.installed()
    if options.json:
        roles = {model.digest: role for role, model in _roles(current, previous)}
        rows = [
            {
                "name": model.name,
                "sha256": model.digest,
                "signed_by": model.signed_by,
                "role": roles.get(model.digest),
            }
            for model in models
        ]
        write_json(options.json, {"kind": "models", "models": rows})
    for model in models:
        role = next((r for r, m in _roles(current, previous) if m.digest == model.digest), "")
        print(f"{role:9}{model.name} {model.digest[:12]} {_vouched(model)}")
    if not models:
        print(f"no model is installed in {store.root}")
    return 0


def _roles(current: Installed | None, previous: Installed | None) -> list[tuple[str, Installed]]:
    named = (("current", current), ("previous", previous))
    return [(role, model) for role, model in named if model is not None]


def _vouched(model: Installed) -> str:
    return f"signed by {model.signed_by}" if model.signed_by else "UNSIGNED"


def _install(options: argparse.Namespace) -> int:
    from roadmask.inference.engine import Engine
    from roadmask.models_store.store import known_keys

    def check(path: Path) -> None:
        Engine(path, labels=options.labels, read_as=read_as_of(options))

    store, keys = _store(options), known_keys(options.key)
    model = store.install(options.file, keys, unsigned=options.unsigned, check=check)
    print(f"installed {model.name} {model.digest[:12]}, {_vouched(model)}")
    return 0


def _switch(options: argparse.Namespace) -> int:
    from roadmask.inference.engine import Engine
    from roadmask.models_store.proof import prove
    from roadmask.system.command_line import EXIT_GATE, complain
    from roadmask.tools.switched import took_over

    store = _store(options)
    model = store.find(options.name)

    def load(path: Path) -> Engine:
        accelerator = accelerator_of(options)
        return Engine(path, options.threads, options.labels, accelerator, read_as_of(options))

    proof = prove(model, load, options.budget_ms)
    before = store.current()
    store.switch(model)
    for socket in options.socket:
        if trouble := took_over(socket, model.digest, options.wait):
            if before is not None:
                store.switch(before)
            back = f"{before.name} is current again" if before else "there is none to go back to"
            complain(f"{model.name} is not taken over by the daemon at {socket}: {trouble}; {back}")
            return EXIT_GATE
    print(
        f"{model.name} {model.digest[:12]} runs, in a daemon within a second or so: {proof.frames} "
        f"golden frames as certified, {proof.invoke_ms:.1f} ms a frame"
    )
    return 0


def _rollback(options: argparse.Namespace) -> int:
    model = _store(options).rollback()
    print(f"{model.name} {model.digest[:12]} runs, in a daemon within a second or so")
    return 0


def _sign(options: argparse.Namespace) -> int:
    from roadmask.models_store.signature import sign

    print(f"wrote {sign(options.file, options.private_key)}")
    return 0
