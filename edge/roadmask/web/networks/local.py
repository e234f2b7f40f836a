"""The networks that can be asked: those loaded here, and those of peers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from roadmask.arrays import U8
from roadmask.errors import ConfigError, DataError, ModelError
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import (
    MODELS_FOLDER,
    digest,
    model_path,
    read_metadata,
    read_model,
)
from roadmask.inference.postprocess import MOST_INVALID
from roadmask.inference.predictor import Predictor
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.decode import decode_picture
from roadmask.web.pictures.encode import png
from roadmask.web.schemas import Model
from roadmask.web.settings import ServeConfig
from roadmask.web.worker import Worker

Result = TypeVar("Result")
Finish = Callable[[U8, Outcome], Result]


@dataclass(frozen=True)
class Picture:
    """A picture on its way to a network: as it was uploaded, or as its pixels BGR."""

    data: bytes | bytearray | None = None
    array: U8 | None = None
    max_pixels: int = 0

    def pixels(self) -> U8:
        """``(H, W, 3) uint8`` BGR.

        Raises:
            DataError: the upload is no picture.
        """
        if self.array is not None:
            own: U8 = self.array.copy()  # whoever asks may draw on it
            return own
        assert self.data is not None
        return decode_picture(self.data, self.max_pixels)

    def file(self) -> bytes | bytearray:
        """As a PNG, JPEG or WebP file."""
        if self.data is not None:
            return self.data
        assert self.array is not None
        return png(self.array)


class Network(Protocol):
    """Something that turns pictures into masks."""

    name: str

    async def predict(self, picture: Picture, confidence: bool, finish: Finish[Result]) -> Result:
        """What ``finish`` makes of the picture's pixels and the outcome, in a worker's thread."""

    async def tells_confidence(self) -> bool:
        """Whether ``predict`` can be asked for the confidence."""

    def check_room(self) -> None:
        """Raise the 503 that ``predict`` would raise now, before a body is read."""


class LocalNetwork:
    """A network loaded in this process, with a thread of its own."""

    def __init__(self, name: str, engine: Engine, queue: int) -> None:
        self.name = name
        self.predictor = Predictor(engine)
        self.worker = Worker(f"model {name}", queue)

    async def tells_confidence(self) -> bool:
        """As ``Network``."""
        return self.predictor.gives_confidence

    def check_room(self) -> None:
        """As ``Network``."""
        if self.worker.full is not None:
            raise self.worker.full

    async def predict(self, picture: Picture, confidence: bool, finish: Finish[Result]) -> Result:
        """As ``Network``."""

        def work() -> Result:
            image = picture.pixels()
            if confidence and not self.predictor.gives_confidence:
                raise DataError(f"model {self.name} ends in class ids, which tell no confidence")
            made = self.predictor.segment(image, confidence)
            if made.invalid > MOST_INVALID:
                raise ModelError(
                    f"model {self.name} gave nothing that can be read for {made.invalid:.1%} of "
                    "the pixels (NaN, infinity or unknown classes): `roadmask inspect` it"
                )
            digest, invoke_ms = self.predictor.engine.digest, self.predictor.invoke_ms
            return finish(
                image, Outcome(**vars(made), model=self.name, digest=digest, invoke_ms=invoke_ms)
            )

        return await self.worker.run(work)

    def describe(self) -> Model:
        """Its entry in ``GET /models``."""
        engine = self.predictor.engine
        return Model(
            name=self.name,
            digest=engine.digest,
            labels=engine.labels.name,
            input_size=engine.input_size,
            kind="float" if engine.input_spec.dtype == np.float32 else "int8",
            gives_confidence=self.predictor.gives_confidence,
            runtime=engine.runtime,
            scores=engine.info.scores if engine.info else {},
        )


def load_networks(config: ServeConfig) -> dict[str, LocalNetwork]:
    """Every ``--model``, under its own name; one more of that name gets its file's, or a number.

    Raises:
        ModelError, ConfigError: a file that cannot be used.
    """
    networks: dict[str, LocalNetwork] = {}
    for given in config.models:
        path = model_path(given)
        # A model that names its label set keeps it: a foreign one may stand beside ours.
        own = read_metadata(read_model(path)) is not None
        engine = (
            Engine(path, config.threads)
            if own
            else Engine(path, config.threads, config.labels or None, read_as=config)
        )
        names = (engine.name, engine.path.stem, *(f"{engine.path.stem}-{n}" for n in range(2, 99)))
        name = next(n for n in names if n not in networks and "@" not in n)
        networks[name] = LocalNetwork(name, engine, config.limits.queue)
    if not networks:
        raise ConfigError("no --model is given: name at least one")
    return networks


def known_scores(networks: Mapping[str, LocalNetwork]) -> dict[str, dict[str, Any]]:
    """Scores by digest: of the networks that are loaded, and of the models that ship."""
    scores = {}
    for file in MODELS_FOLDER.glob("*.tflite"):
        data = read_model(file)
        if (info := read_metadata(data)) is not None:
            scores[digest(data)] = info.scores
    for network in networks.values():
        if (info := network.predictor.engine.info) is not None:
            scores[network.predictor.engine.digest] = info.scores
    return scores


def elapsed_ms(started: float) -> float:
    """Since ``time.perf_counter()`` was ``started``."""
    return 1e3 * (time.perf_counter() - started)
