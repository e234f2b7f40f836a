"""Networks behind another server's API; its address comes from the command line alone."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import numpy as np
from pydantic import ValidationError

from roadmask.arrays import U8
from roadmask.errors import ConfigError, DataError
from roadmask.labels.label_set import CATEGORY_COUNT, CATEGORY_NAMES
from roadmask.web.networks.local import Finish, Picture, Result
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.decode import decode_index_picture
from roadmask.web.problems import ProblemError
from roadmask.web.schemas import Model, Models, Prediction
from roadmask.web.settings import MIB, PeerAddress
from roadmask.web.worker import Worker

_ANSWER_BYTES = 64 * MIB
_ASK_S, _LIST_S = 60.0, 3.0
_KEEP_S = 15.0  # a peer's list of models
_MOST_MODELS = 100
_UNDER_WAY = 4


class Peer:
    """Another server: what it has, and its answers; each is checked as any upload is."""

    def __init__(self, address: PeerAddress) -> None:
        self.address = address
        self.worker = Worker(f"peer {address.name}", 2 * _UNDER_WAY)
        self._slots = asyncio.Semaphore(_UNDER_WAY)
        headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
        # No redirects and no proxies of the environment: it speaks to that address or not at all.
        self._client = httpx.AsyncClient(
            base_url=address.url, headers=headers, follow_redirects=False, trust_env=False
        )
        self._list: list[Model] = []
        self._listed_s = -_KEEP_S

    async def describe(self) -> list[Model]:
        """Entries of ``GET /models``; one that says why, where the peer does not answer."""
        if time.monotonic() - self._listed_s > _KEEP_S:
            self._list, self._listed_s = await self._read_models(), time.monotonic()
        return self._list

    async def _read_models(self) -> list[Model]:
        name = self.address.name
        try:
            data = await self._ask("GET", "/models", _LIST_S)
            found = Models.model_validate_json(data).models
        except (ProblemError, ValidationError) as error:
            text = f"peer {name} sent no list of models"
            reason = error.detail if isinstance(error, ProblemError) else text
            return [Model(name=f"@{name}", peer=name, available=False, reason=reason)]
        own = [model for model in found if model.peer is None and model.available]
        return [
            model.model_copy(update={"name": f"{model.name}@{name}", "peer": name})
            for model in own[:_MOST_MODELS]
        ]

    async def predict(self, model: str, picture: Picture, confidence: bool) -> Prediction:
        """The peer's own answer.

        Raises:
            ProblemError: its refusal, or 502 or 504 where it does not answer as it should.
        """
        file = await self.worker.run(picture.file)
        query = {"model": model, "format": "json", "confidence": str(confidence).lower()}
        async with self._slots:
            data = await self._ask(
                "POST", "/predict/", _ASK_S, params=query, files={"image": ("image", bytes(file))}
            )
        try:
            return Prediction.model_validate_json(data)
        except ValidationError:
            raise self._broken("sent something that is no prediction") from None

    async def _ask(self, method: str, path: str, limit_s: float, **content: Any) -> bytes:
        answer = bytearray()
        try:
            async with self._client.stream(method, path, timeout=limit_s, **content) as response:
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > _ANSWER_BYTES:
                        raise self._broken(f"sent more than {_ANSWER_BYTES} bytes")
        except httpx.TimeoutException:
            raise self._broken(f"did not answer within {limit_s:g} s", 504) from None
        except httpx.HTTPError as error:
            text = str(error) or type(error).__name__
            raise self._broken(f"cannot be reached: {text}") from error
        if response.status_code != 200:
            raise self._refused(response, bytes(answer))
        return bytes(answer)

    def _refused(self, response: httpx.Response, answer: bytes) -> ProblemError:
        status = response.status_code
        if status not in (404, 413, 422, 503):
            return self._broken(f"answered {status}; its token may be missing (--peer-token)")
        try:
            detail = str(httpx.Response(status, content=answer).json()["detail"])[:500]
        except (ValueError, KeyError, TypeError, RecursionError):
            detail = "no reason given"
        again = re.fullmatch("[0-9]{1,4}", response.headers.get("retry-after", ""))
        headers = {"Retry-After": again[0] if again else "2"} if status == 503 else None
        return ProblemError(status, f"peer {self.address.name}: {detail}", headers)

    def _broken(self, what: str, status: int = 502) -> ProblemError:
        return ProblemError(status, f"peer {self.address.name} at {self.address.url} {what}")

    async def close(self) -> None:
        """Leave it."""
        await self._client.aclose()
        self.worker.close()


class PeerNetwork:
    """One network of a peer: ``NAME@PEER``."""

    def __init__(self, peer: Peer, model: str) -> None:
        self.name = f"{model}@{peer.address.name}"
        self._peer, self._model = peer, model

    async def tells_confidence(self) -> bool:
        """As ``Network``; a peer that does not answer says nothing."""
        described = await self._peer.describe()
        return any(model.gives_confidence for model in described if model.name == self.name)

    def check_room(self) -> None:
        """As ``Network``."""
        if self._peer.worker.full is not None:
            raise self._peer.worker.full

    async def predict(self, picture: Picture, confidence: bool, finish: Finish[Result]) -> Result:
        """As ``Network``; the mask comes from the peer, the pixels from here."""
        answer = await self._peer.predict(self._model, picture, confidence)

        def work() -> Result:
            image = picture.pixels()
            mask = self._plane(answer.mask, image, CATEGORY_COUNT)
            plane = None if answer.confidence is None else self._plane(answer.confidence, image)
            counts = np.bincount(mask.ravel(), minlength=CATEGORY_COUNT)
            shares = {
                name: float(n) / mask.size for name, n in zip(CATEGORY_NAMES, counts, strict=True)
            }
            outcome = Outcome(
                mask, plane, shares, 0.0, self.name, answer.digest[:64], answer.invoke_ms
            )
            return finish(image, outcome)

        return await self._peer.worker.run(work)

    def _plane(self, uri: str, image: U8, below: int = 256) -> U8:
        height, width = image.shape[:2]
        try:
            plane = decode_index_picture(base64.b64decode(uri.partition(",")[2]), width * height)
        except (DataError, ValueError):
            plane = None
        if plane is None or plane.shape != (height, width) or plane.dtype != np.uint8:
            raise ProblemError(502, f"{self.name} sent no mask of {width}x{height} px")
        if plane.max() >= below:
            raise ProblemError(502, f"{self.name} sent a mask with ids of {below} or more")
        return plane


def read_peers(given: Sequence[str], tokens: Mapping[str, str]) -> tuple[PeerAddress, ...]:
    """``NAME=URL`` arguments with their tokens.

    Raises:
        ConfigError: not of that form, or a token for a peer that is not there.
    """
    peers: dict[str, PeerAddress] = {}
    for text in given:
        name, equals, url = text.partition("=")
        parts = httpx.URL(url) if equals else httpx.URL()
        usable = parts.scheme in ("http", "https") and parts.host and not parts.query
        if not name.isidentifier() or not usable or parts.userinfo or name in peers:
            raise ConfigError(
                f"--peer {text}: expected NAME=URL with a name of its own and an http or https "
                "address, e.g. desk=http://192.168.1.7:8000"
            )
        peers[name] = PeerAddress(name, url.rstrip("/"), tokens.get(name, ""))
    if extra := set(tokens) - set(peers):
        raise ConfigError(f"--peer-token {min(extra)}=…: there is no --peer {min(extra)}=URL")
    return tuple(peers.values())
