"""A network with its way in and its way out, fitted to one camera."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.mask_check import MaskCheck
from roadmask.daemon.tensor_pool import TensorPool
from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry, geometry
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.proof import Standing, prove
from roadmask.inference.steady import Steady


@dataclass(frozen=True)
class Network:
    """What turns a camera's pictures into masks.

    Attributes:
        engine: the loaded network.
        view: which part of the picture it sees, and where its masks lie in that picture.
        tensors: its inputs, going round between capture and inference.
        postprocess: its output into the subscribers' memory.
        standing: how far it is proved on this board.
        check: judges what it gives.
        steady: the temporal filter on its logits, where one is wanted.
    """

    engine: Engine
    view: Geometry
    tensors: TensorPool
    postprocess: Postprocess
    standing: Standing
    check: MaskCheck
    steady: Steady | None = None


def view_of(config: DaemonConfig, camera: tuple[int, int], input_size: tuple[int, int]) -> Geometry:
    """What a network of this input sees of a camera's picture.

    Raises:
        ConfigError: a crop outside the picture.
    """
    return geometry(
        camera, input_size, crop=config.crop, fit=config.fit, mask_size=config.mask_size
    )


def fit_network(engine: Engine, camera: tuple[int, int], config: DaemonConfig) -> Network:
    """``engine``, proved on this board, behind a camera of (width, height) px.

    Raises:
        ModelError: it answers its golden frames otherwise than certified.
        ConfigError: a crop outside the picture; a confidence or logits that it cannot give.
    """
    view = view_of(config, camera, engine.input_size)
    postprocess = Postprocess(engine, view, abstain=config.abstain)
    if config.confidence and not postprocess.gives_confidence:
        raise ConfigError(
            f"--confidence: model {engine.name} ends in class ids, which tell no confidence; "
            "leave the option out or give a model with logits"
        )
    steady = Steady(engine, config.steady) if config.steady else None
    standing = engine.standing or prove(engine, skip=config.no_verify)
    check = MaskCheck(config.mask, config.scene, engine, view.inner, standing.golden)
    return Network(engine, view, TensorPool(engine, view), postprocess, standing, check, steady)
