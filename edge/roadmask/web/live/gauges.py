"""The stream as Prometheus sees it, from the last status of the hub."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from roadmask.stream.modes import Mode
from roadmask.system.clock import now_ns
from roadmask.web.schemas import LiveStatus

_MODES = (*(mode.name for mode in Mode), "NONE")


class StreamGauges(Collector):
    """Gauges ``roadmask_stream_…``; ``status`` None: nobody knows, and nothing is told.

    What the stream does not say has no sample, so that a gap is no zero.
    """

    def __init__(self) -> None:
        self.status: LiveStatus | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As prometheus_client asks for it."""
        status = self.status
        if status is None:
            return
        yield _gauge("up", "Whether the daemon's socket is connected", float(status.connected))
        mode = GaugeMetricFamily(f"{_PREFIX}mode", "1 at the present mode", labels=["mode"])
        for name in _MODES:
            mode.add_metric([name], float(status.state == name))
        yield mode
        reasons = GaugeMetricFamily(f"{_PREFIX}reason", "1 for each reason", labels=["reason"])
        for reason in status.reasons:
            reasons.add_metric([reason.name], 1.0)
        yield reasons
        latency = GaugeMetricFamily(
            f"{_PREFIX}latency_seconds", "Capture to mask, last 2 s", labels=["quantile"]
        )
        if status.latency_ms is not None:
            for quantile, ms in (("0.5", status.latency_ms.p50), ("0.99", status.latency_ms.p99)):
                latency.add_metric([quantile], (ms or 0.0) / 1e3)
        yield latency
        age_ms = status.age_ms
        if age_ms is not None:
            age_ms += now_ns() / 1e6 - status.sent_ms
        for key, text, value, unit in (
            ("frames_per_second", "Published frames, last 2 s", status.fps, 1.0),
            ("age_seconds", "Since the newest picture was taken", age_ms, 1e3),
            ("network_seconds", "The network alone, newest frame", status.invoke_ms, 1e3),
            ("skipped", "Camera frames never segmented, so far", status.skipped_total, 1.0),
            ("sequence", "Number of the newest frame", status.sequence, 1.0),
            ("temperature_celsius", "Of the processor", status.temperature_c, 1.0),
        ):
            if value is not None:
                yield _gauge(key, text, value / unit)


_PREFIX = "roadmask_stream_"


def _gauge(key: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}{key}", text, value=value)
