"""The evaluations of one server: one under way, the last ones, and those stored by --results."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence

from pydantic import ValidationError

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.storage.folder import Folder
from roadmask.web.evaluations.export import as_csv, as_html, as_json
from roadmask.web.evaluations.job import Job
from roadmask.web.evaluations.schemas import Evaluation, JobInfo
from roadmask.web.networks.local import Network
from roadmask.web.pictures.encode import png
from roadmask.web.pictures.frames import Gallery
from roadmask.web.problems import ProblemError, busy
from roadmask.web.worker import Worker

RESULT = "result.json"
_KEPT = 8  # jobs in memory
_LISTED = 100  # stored ones, the newest
_RETRY_S = 10
_READERS = 16  # that may wait for the store
_log = logging.getLogger("roadmask.web")


class Evaluations:
    """Starts, cancels and finds them.

    Args:
        gallery: the split; None = there is nothing to evaluate.
        results: where each one's files are written; "" = nowhere.

    Raises:
        ConfigError: an address that cannot be written to.
    """

    def __init__(self, gallery: Gallery | None, results: str) -> None:
        self._gallery = gallery
        self.folder = Folder(results) if results else None
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._listing: asyncio.Task[list[str]] | None = None
        # Of their own: a store that does not answer holds nobody else up.
        self._work = Worker("the evaluation", 1)
        self._store_work = Worker("the store of results", _READERS)

    def start(self, networks: Sequence[Network], masks: bool) -> JobInfo:
        """Begin one.

        Raises:
            ProblemError: 404 no data set, 422 no place for masks, 503 one is under way.
        """
        gallery, folder = self._gallery, self.folder
        if gallery is None:
            raise ProblemError(404, "no data set is shown here: start the server with --dataset")
        if masks and folder is None:
            raise ProblemError(
                422, "there is no place for masks: start the server with --results ADDRESS"
            )
        if self._task is not None and not self._task.done():
            raise busy("an evaluation is under way, one at a time", _RETRY_S)
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"

        def keep(place: int, frame_id: str, mask: U8) -> None:
            assert folder is not None
            where = _layout(gallery.dataset.name, gallery.split, frame_id)
            folder.write(f"{name}/masks-{'ab'[place]}/{where}", png(mask))

        job = Job(name, networks, gallery, self._work, keep if masks else None)
        self._jobs[name] = job
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)
        self._task = asyncio.create_task(job.run(self._store))
        self._task.add_done_callback(_tell)
        return job.info

    def _store(self, evaluation: Evaluation) -> str | None:
        if self.folder is None:
            return None
        for file, data in (
            ("frames.csv", as_csv(evaluation)),
            ("report.html", as_html(evaluation)),
            (RESULT, as_json(evaluation)),  # the last one: what has it is whole
        ):
            self.folder.write(f"{evaluation.id}/{file}", data)
        return f"{self.folder.location}/{evaluation.id}"

    def cancel(self, name: str) -> JobInfo:
        """End one that is under way; one that has ended stays as it is.

        Raises:
            ProblemError: 404.
        """
        if name not in self._jobs:
            raise _unknown(name)
        job = self._jobs[name]
        if job.state == "running" and self._task is not None:
            self._task.cancel()
            job.state = "cancelled"
        return job.info

    async def all(self) -> list[JobInfo]:
        """Those of this process, then those that were stored before, the newest first.

        Raises:
            DataError: the store does not answer.
        """
        here = [job.info for job in reversed(self._jobs.values())]
        stored = [name for name in await self._stored() if name not in self._jobs]
        return here + [
            JobInfo(id=name, models=[], state="done", done=0, total=0, stored=self._at(name))
            for name in stored[::-1][:_LISTED]
        ]

    async def info(self, name: str) -> JobInfo:
        """One of them.

        Raises:
            ProblemError: 404.
        """
        if name in self._jobs:
            return self._jobs[name].info
        evaluation = await self.result(name)
        frames = len(evaluation.networks[0].frames)
        models = [network.model for network in evaluation.networks]
        return JobInfo(
            id=name, models=models, state="done", done=frames, total=frames, stored=self._at(name)
        )

    async def result(self, name: str) -> Evaluation:
        """A finished one's numbers, read back where they are not here.

        Raises:
            ProblemError: 404 there is none, or none yet; 422 what is stored is no evaluation.
        """
        job = self._jobs.get(name)
        if job is not None:
            if job.result is None:
                raise ProblemError(404, f"evaluation {name} is {job.state}: it has no result")
            return job.result
        if name not in await self._stored():  # a name is looked up, never made a path
            raise _unknown(name)
        folder = self.folder
        assert folder is not None

        def read() -> Evaluation:
            return Evaluation.model_validate_json(folder.read(f"{name}/{RESULT}"))

        try:
            return await self._store_work.run(read)
        except ValidationError as error:
            raise DataError(
                f"{self._at(name)}/{RESULT} is no evaluation of this version: "
                f"{error.errors()[0]['msg']}"
            ) from error

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for worker in (self._work, self._store_work):
            await asyncio.to_thread(worker.close)

    async def _stored(self) -> list[str]:
        """What lies there; whoever asks while somebody does waits for the same answer."""
        folder = self.folder
        if folder is None:
            return []
        if self._listing is None or self._listing.done():
            listing = self._store_work.run(lambda: folder.holding(RESULT))
            self._listing = asyncio.create_task(listing)
            # Whoever asked may have left before it failed.
            self._listing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._listing)

    def _at(self, name: str) -> str | None:
        return None if self.folder is None else f"{self.folder.location}/{name}"


def _layout(dataset: str, split: str, frame_id: str) -> str:
    """Where a mask of that frame lies in the data set's own layout."""
    if dataset.startswith("cityscapes"):
        return f"gtFine/{split}/{frame_id.split('_')[0]}/{frame_id}_gtFine_labelIds.png"
    return f"{split}annot/{frame_id}.png"


def _unknown(name: str) -> ProblemError:
    return ProblemError(404, f"evaluation {name[:80]!r} is unknown: GET /evaluations lists them")


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("an evaluation failed", exc_info=error)
