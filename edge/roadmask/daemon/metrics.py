"""``--metrics HOST:PORT``: what Prometheus is told of the daemon; the extra ``metrics``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client import start_http_server as _serve
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from roadmask import __version__
from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.journal import ModeChange, published
from roadmask.daemon.network import Network
from roadmask.errors import ConfigError
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.publish.publisher import Publisher

_log = logging.getLogger(__name__)
_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.033, 0.05, 0.1, 0.2, 0.5, 1, 2)
_ADDRESS = re.compile(r"\[?(?P<host>[^\]]*?)\]?:(?P<port>\d+)")
_REASONS = tuple(reason for reason in Reason if reason.name and reason is not Reason.NONE)


class Metrics:
    """A ``Reader`` of the journal that counts.

    Args:
        publisher, capture, board: asked when somebody scrapes.
        network: gives the network at work.
    """

    def __init__(
        self,
        publisher: Publisher,
        capture: CaptureThread,
        board: BoardWatch,
        network: Callable[[], Network],
    ) -> None:
        here = self.registry = CollectorRegistry()
        ProcessCollector(registry=here)
        self._network, self._now = network, _Now()
        here.register(self._now)
        build = Gauge("roadmask_build_info", "The daemon's version", ("version",), registry=here)
        build.labels(__version__).set(1)
        self._frames = Counter("roadmask_frames", "Masks published", registry=here)
        self._skipped = Counter(
            "roadmask_frames_skipped", "Camera frames never segmented", registry=here
        )
        histogram = partial(Histogram, buckets=_BUCKETS_S, registry=here)
        self._stages = histogram(
            "roadmask_stage_seconds", "Where the time of a frame goes", ("stage",)
        )
        self._age = histogram(
            "roadmask_mask_age_seconds", "From the exposure until the mask was published"
        )
        self._changes = Counter(
            "roadmask_mode_changes", "Times that a mode began", ("mode",), registry=here
        )
        self._ask(publisher, capture, board)

    def read(self, frames: list[bytes], changes: list[ModeChange]) -> None:
        """See ``Reader``."""
        for header, stages in map(published, frames):
            self._frames.inc()
            self._skipped.inc(header.skipped)
            for name, microseconds in (*stages._asdict().items(), ("network", header.infer_us)):
                self._stages.labels(name).observe(microseconds / 1e6)
            if header.capture_ns:
                self._age.observe((header.publish_ns - header.capture_ns) / 1e9)
        for change in changes:
            self._changes.labels(change.mode.name).inc()
            self._now.mode = change.mode, change.reasons
        engine = self._network().engine
        self._now.model = engine.name, engine.digest

    def _ask(self, publisher: Publisher, capture: CaptureThread, board: BoardWatch) -> None:
        """What is read when somebody scrapes."""

        def gauge(name: str, text: str, read: Callable[[], float | None]) -> None:
            Gauge(name, text, registry=self.registry).set_function(lambda: _or_nan(read()))

        def of_board(name: str, scale: float = 1.0) -> Callable[[], float | None]:
            def read() -> float | None:
                value = getattr(board.state, name, None)
                return None if value is None else value * scale

            return read

        def counter(name: str, text: str, read: Callable[[], float]) -> None:
            self.registry.register(_Read(name, text, read))

        gauge("roadmask_subscribers", "Readers connected", lambda: publisher.clients)
        counter("roadmask_messages_dropped", "Lost by slow readers", lambda: publisher.dropped)
        counter("roadmask_engine_restarts", "Engines replaced", lambda: publisher.engine_restarts)
        counter(
            "roadmask_camera_reopened", "Cameras found again", lambda: capture.statistics.reopened
        )
        counter(
            "roadmask_camera_decode_errors",
            "Pictures that could not be decoded",
            lambda: capture.statistics.decode_errors,
        )
        gauge("roadmask_temperature_celsius", "Hottest zone", of_board("temperature_c"))
        gauge("roadmask_clock_hertz", "First processor", of_board("clock_mhz", 1e6))
        gauge("roadmask_clock_ceiling_hertz", "Allowed now", of_board("ceiling_mhz", 1e6))
        gauge("roadmask_clock_full_hertz", "Possible", of_board("full_mhz", 1e6))


@contextmanager
def serving(address: str, metrics: Metrics) -> Iterator[None]:
    """Answer scrapes at ``HOST:PORT`` until the block ends.

    Raises:
        ConfigError: it cannot be listened at.
    """
    match = _ADDRESS.fullmatch(address)
    host, port = (match["host"], int(match["port"])) if match else ("", 0)
    try:
        server, thread = _serve(port, host or "127.0.0.1", metrics.registry)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--metrics {address}: {error}; give a free HOST:PORT of this machine"
        ) from error
    _log.info("metrics at http://%s:%d/metrics", host or "127.0.0.1", server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Now(Collector):
    """What holds at one moment; a scrape never sees the half of a change.

    Attributes:
        mode: with its reasons.
        model: name and digest of the network at work, once there is one.
    """

    def __init__(self) -> None:
        self.mode = Mode.FAULT, Reason.STARTING
        self.model: tuple[str, str] | None = None

    def collect(self) -> Iterator[Metric]:
        """See ``Collector``."""
        (mode, reasons), model = self.mode, self.model
        modes = GaugeMetricFamily("roadmask_mode", "1: the mode now", labels=("mode",))
        for each in Mode:
            modes.add_metric((each.name,), each is mode)
        why = GaugeMetricFamily("roadmask_reason", "1: a reason for it", labels=("reason",))
        for reason in _REASONS:
            why.add_metric((reason.name or "",), reason in reasons)
        labels = ("name", "sha256")
        models = GaugeMetricFamily("roadmask_model_info", "The network at work", labels=labels)
        if model is not None:
            models.add_metric(model, 1)
        yield from (models, modes, why)


class _Read(Collector):
    """A counter that somebody else counts."""

    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def collect(self) -> Iterator[Metric]:
        """See ``Collector``."""
        yield CounterMetricFamily(self._name, self._text, value=self._read())


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
