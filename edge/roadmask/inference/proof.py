"""What a network must show on this board before its masks may be OK."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from roadmask.errors import ModelError
from roadmask.inference.engine import Engine, EngineLostError
from roadmask.inference.golden import Golden, Verdict, unpack, verify
from roadmask.inference.model_file import GOLDEN_NAME, digest, read_block, read_model

_log = logging.getLogger(__name__)
_TRIES = 3  # of an engine that crashes over them, or takes longer than a mask may be old


@dataclass(frozen=True)
class Standing:
    """How far a network is proved here.

    Attributes:
        verified: its file is sealed, and its golden frames were answered as certified.
        text: how that came, in at most 88 bytes: its name in the stream's identity table.
        digest: SHA-256 of the golden frames; zeros where there are none.
        ran_on: ``Placement.latency_class`` of what answered them.
        golden: the golden frames; None where there are none, or nobody asked.
    """

    verified: bool
    text: str
    digest: bytes = bytes(32)
    ran_on: str = ""
    golden: Golden | None = None


def prove(engine: Engine, *, skip: bool = False) -> Standing:
    """Run the network's golden frames where it runs, before its first mask.

    An accelerator that answers otherwise than certified is given up for the processor, like one
    that fails, unless it is required.

    Args:
        engine: the network.
        skip: say that nothing is proved, and prove nothing.

    Raises:
        ModelError: they are damaged, or answered otherwise than certified.
    """
    standing = Standing(False, "unverified: --no-verify") if skip else _prove(engine)
    log = _log.debug if standing.verified else _log.warning  # a start says it in its own lines
    log("%s: %s", engine.name, standing.text)
    return standing


def _prove(engine: Engine) -> Standing:
    data = read_model(engine.path)
    if digest(data) != engine.digest:
        raise ModelError(f"model {engine.path} was replaced meanwhile: start again")
    block = read_block(data, GOLDEN_NAME)
    if block is None:
        return Standing(False, "unverified: the model holds no golden frames")
    golden = unpack(block)
    wrong = _ask(engine, golden)
    if wrong and engine.give_up_accelerator(wrong):
        wrong = _ask(engine, golden)
    if wrong:
        raise ModelError(
            f"model {engine.path}: {wrong}: this board, or an option that was given, makes "
            "something else of it; `roadmask doctor --verify` shows each frame"
        )
    engine.ask_again = lambda: _wrong(verify(engine, golden))
    ran_on = engine.placement.latency_class
    text = f"{len(golden.frames)} golden frames as certified on {ran_on}"
    certified = hashlib.sha256(block).digest()
    if not engine.sealed:
        return Standing(
            False, f"unverified: the model carries no digest; {text}", certified, ran_on, golden
        )
    return Standing(True, f"verified: {text}", certified, ran_on, golden)


def _ask(engine: Engine, golden: Golden) -> str:
    """What is wrong with the answers, empty for nothing; an engine that is lost gets others."""
    for left in reversed(range(_TRIES)):
        ran_on = engine.placement.latency_class
        try:
            wrong = _wrong(verify(engine, golden))
        except EngineLostError as error:
            if not left:
                raise
            _log.error("%s", error)
            engine.recover()
            continue
        if engine.placement.latency_class == ran_on:  # all of them, by one
            return wrong
    raise EngineLostError(f"model {engine.path}: nothing ran all of its golden frames")


def _wrong(verdicts: Sequence[Verdict]) -> str:
    wrong = [verdict for verdict in verdicts if not verdict.passed]
    if not wrong:
        return ""
    return (
        f"{len(wrong)} of {len(verdicts)} golden frames are not answered as certified "
        f"({wrong[0].name}: {wrong[0].wrong_pixels} wrong pixels)"
    )
