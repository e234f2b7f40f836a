"""One evaluation under way: a split, frame by frame, by one network or by two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timezone
from typing import TypeVar

import numpy as np

from roadmask import __version__
from roadmask.arrays import U8
from roadmask.data.datasets import Sample
from roadmask.errors import RoadmaskError
from roadmask.evaluation.split_scores import SplitScores
from roadmask.web.evaluations.schemas import Evaluation, JobInfo, State
from roadmask.web.networks.local import Network, Picture
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.frames import Gallery
from roadmask.web.problems import ProblemError
from roadmask.web.worker import Worker

Result = TypeVar("Result")
Keep = Callable[[int, str, U8], None]
_BUSY = 503


class Job:
    """Asks the networks for each frame's mask, beside whoever else asks them.

    Args:
        name: its id.
        networks: one or two.
        gallery: the split.
        worker: where it is scored and stored.
        keep: takes each prediction: which network's, the frame's id, the mask; None = nobody.

    Attributes:
        result: when it is done.
    """

    def __init__(
        self,
        name: str,
        networks: Sequence[Network],
        gallery: Gallery,
        worker: Worker,
        keep: Keep | None,
    ) -> None:
        self.name, self.networks, self._gallery = name, networks, gallery
        self._worker, self._keep = worker, keep
        self.state: State = "running"
        self.done = 0
        self.reason: str | None = None
        self.stored: str | None = None
        self.result: Evaluation | None = None
        self._scores = [SplitScores() for _ in networks]
        self._digests = ["" for _ in networks]
        self._tell = [False for _ in networks]
        self._agreement: list[float] = []

    @property
    def info(self) -> JobInfo:
        """As the API tells it."""
        return JobInfo(
            id=self.name,
            models=[network.name for network in self.networks],
            state=self.state,
            done=self.done,
            total=len(self._gallery.dataset),
            reason=self.reason,
            stored=self.stored,
        )

    async def run(self, finish: Callable[[Evaluation], str | None]) -> None:
        """To the end; ``finish`` stores the result and says where. Cancel the task to stop it."""
        try:
            self._tell = [await network.tells_confidence() for network in self.networks]
            for index in range(len(self._gallery.dataset)):
                await self._one(index)
                self.done = index + 1
            worker = self._worker
            evaluation = await _when_free(lambda: worker.run(self._evaluation))
            self.stored = await _when_free(lambda: worker.run(lambda: finish(evaluation)))
            self.result, self.state = evaluation, "done"
        except asyncio.CancelledError:
            self.state = "cancelled"
            raise
        except (RoadmaskError, ProblemError) as error:
            said = error.detail if isinstance(error, ProblemError) else str(error)
            self.state, self.reason = "failed", said
        except BaseException:
            self.state, self.reason = "failed", "the server failed; its log says how"
            raise

    async def _one(self, index: int) -> None:
        dataset = self._gallery.dataset
        frame = (dataset.ids[index], dataset.group(index))
        sample = await _when_free(lambda: self._gallery.sample(frame[0]))
        asked = (self._ask(place, sample) for place in range(len(self.networks)))
        made = await asyncio.gather(*asked)
        await _when_free(lambda: self._worker.run(lambda: self._add(frame, sample, made)))

    async def _ask(self, place: int, sample: Sample) -> Outcome:
        def finish(_: U8, outcome: Outcome) -> Outcome:
            self._digests[place] = outcome.digest
            return outcome

        picture, network, tells = (
            Picture(array=sample.image),
            self.networks[place],
            self._tell[place],
        )
        return await _when_free(lambda: network.predict(picture, tells, finish))

    def _add(self, frame: tuple[str, str], sample: Sample, made: Sequence[Outcome]) -> None:
        for place, (scores, each) in enumerate(zip(self._scores, made, strict=True)):
            scores.add(frame, sample.mask, each.mask, sample.instances, each.confidence)
            if self._keep is not None:
                self._keep(place, frame[0], each.mask)
        if len(made) == 2:
            self._agreement.append(float(np.mean(made[0].mask == made[1].mask)))

    def _evaluation(self) -> Evaluation:
        networks = [
            {"model": network.name, "digest": digest, **scores.report()}
            for network, digest, scores in zip(
                self.networks, self._digests, self._scores, strict=True
            )
        ]
        return Evaluation.model_validate(
            {
                "id": self.name,
                "dataset": self._gallery.dataset.name,
                "split": self._gallery.split,
                "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "version": __version__,
                "networks": networks,
                "agreement": self._agreement or None,
            }
        )


async def _when_free(ask: Callable[[], Awaitable[Result]]) -> Result:
    """The answer, after waiting in the line as long as it is full."""
    while True:
        try:
            return await ask()
        except ProblemError as problem:
            if problem.status != _BUSY:
                raise
            await asyncio.sleep(float((problem.headers or {}).get("Retry-After", 1)))
