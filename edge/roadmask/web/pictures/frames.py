"""The frames of a data set that are shown: found by id, read or drawn in a thread, a few kept."""

from __future__ import annotations

from collections import OrderedDict

from roadmask.data.datasets import Dataset, Sample, open_dataset
from roadmask.web.problems import ProblemError
from roadmask.web.schemas import GalleryInfo
from roadmask.web.settings import ServeConfig
from roadmask.web.worker import Worker

_CACHED = 8  # samples


class Gallery:
    """A split of a data set whose samples are read, or drawn, one after another in a thread.

    Args:
        dataset: the split.
        split: its name.
        queue: how many readers may wait.
    """

    def __init__(self, dataset: Dataset, split: str, queue: int) -> None:
        self.dataset, self.split = dataset, split
        self.worker = Worker("the gallery", queue)
        self._places = {frame_id: index for index, frame_id in enumerate(dataset.ids)}
        self._cache: OrderedDict[int, Sample] = OrderedDict()  # of the worker's thread alone

    @property
    def info(self) -> GalleryInfo:
        """What it shows."""
        return GalleryInfo(dataset=self.dataset.name, split=self.split, count=len(self.dataset.ids))

    def place(self, frame_id: str) -> int:
        """The frame's place; an id is looked up, never made a path.

        Raises:
            ProblemError: 404.
        """
        if frame_id not in self._places:
            raise ProblemError(
                404,
                f"frame {frame_id[:80]!r} is not in {self.dataset.name} {self.split}: "
                "GET /gallery lists those that are",
            )
        return self._places[frame_id]

    def neighbour(self, place: int, step: int) -> str | None:
        """The id of the frame before or after, None at the ends."""
        at = place + step
        return self.dataset.ids[at] if 0 <= at < len(self.dataset.ids) else None

    async def sample(self, frame_id: str) -> Sample:
        """The frame with its truth; not to be written to.

        Raises:
            ProblemError: 404 no such frame, 503 too many ask.
            DataError: its files cannot be read.
        """
        place = self.place(frame_id)
        return await self.worker.run(lambda: self._read(place))

    def _read(self, place: int) -> Sample:
        if place not in self._cache:
            self._cache[place] = self.dataset[place]
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(place)
        return self._cache[place]


def open_gallery(config: ServeConfig) -> Gallery | None:
    """The data set of the command line, if one is named.

    Raises:
        ConfigError, DataError: there is no such data set.
    """
    if not config.dataset:
        return None
    dataset = open_dataset(config.dataset, config.root or None, config.split)
    return Gallery(dataset, config.split, config.limits.queue)
