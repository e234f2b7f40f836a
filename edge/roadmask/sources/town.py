"""The synthetic town as a source: an endless drive whose truth is known."""

from __future__ import annotations

from roadmask.arrays import Image
from roadmask.errors import ConfigError
from roadmask.sources.pace import Pace
from roadmask.sources.source import EndOfStream, Frame, Source, SourceKind
from roadmask.sources.uri import SourceUri, nearest
from roadmask.system.clock import now_ns
from roadmask.town.town import WEATHERS, Town, TownFrame

WORLDS = ("town",)


class TownSource(Source):
    """Frames of ``Town``; ``frame_id`` is the town's index, so a reader can compute the truth.

    Options: ``seed``, ``width``, ``height``, ``fps``, ``weather``, ``count`` (frames until the
    end), ``prerender`` (frames rendered at open and shown in turn: the truth of ``frame_id`` is
    that of ``frame_id % prerender``), ``realtime=0``.
    """

    kind = SourceKind.SYNTHETIC

    def __init__(self, uri: SourceUri) -> None:
        if uri.target not in WORLDS:
            raise ConfigError(
                f"source {uri.text!r}: unknown world {uri.target!r}; {nearest(uri.target, WORLDS)}"
            )
        options = uri.options
        options.only(
            ("seed", "width", "height", "fps", "weather", "count", "prerender", "realtime")
        )
        self.uri, self.name = uri.text, uri.name
        width = options.integer("width", 1280, 64, 4096)
        height = options.integer("height", 720, 64, 4096)
        self.size = (width, height)
        self.fps = options.number("fps", 30.0, 0.01, 1000)
        self.realtime = options.switch("realtime", True)
        weather = options.text("weather", "", WEATHERS) or None
        self._seed = options.integer("seed", 1, 0, 2**31 - 1)
        self._count = options.integer("count", 0, 0, 2**31 - 1)
        self._town = Town(self._seed, width, height, self.fps, weather=weather)
        self._pace = Pace(self.fps, self.realtime)
        self._drawn: TownFrame | None = None  # the last one, whose truth is asked for next
        prerender = options.integer("prerender", 0, 0, 1024)
        self._rendered: list[Image] = [self._town.frame(i).image for i in range(prerender)]

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame of the drive; late real-time callers skip frames."""
        index = self._pace.next(timeout_s)
        if index is None:
            return None
        if self._count and index >= self._count:
            raise EndOfStream
        if self._rendered:
            image = self._rendered[index % len(self._rendered)]
        else:
            image = self._frame(index).image
        return Frame(image, now_ns(), index)  # drawing is no exposure: it does not count as age

    def truth(self, frame_id: int) -> Image:
        """``(H, W) uint8`` categories of that frame."""
        index = frame_id % len(self._rendered) if self._rendered else frame_id
        return self._frame(index).category_mask

    def _frame(self, index: int) -> TownFrame:
        drawn = self._drawn
        if drawn is None or drawn.index != index:
            drawn = self._drawn = self._town.frame(index)
        return drawn

    def describe(self) -> str:
        """Seed, size, rate."""
        width, height = self.size
        rate = f"{self.fps:g} fps" if self.realtime else "as fast as taken"
        return f"{self.name}: synthetic town, seed {self._seed}, {width}x{height}, {rate}"
