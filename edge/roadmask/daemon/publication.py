"""From the network's output to the subscribers, beside the next inference where one is due."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8, Tensor
from roadmask.daemon.frame_slot import Captured
from roadmask.daemon.health import Health
from roadmask.daemon.looks import Looks
from roadmask.daemon.network import Network
from roadmask.daemon.stage_times import StageTimes
from roadmask.inference.tensors import flat_bytes
from roadmask.sources import SourceKind
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import Stages
from roadmask.stream.publish.frame_info import Indices
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.system.clock import now_ns

_FLAGS = {
    SourceKind.LIVE: Flag.NONE,
    SourceKind.FILE: Flag.FILE,
    SourceKind.SYNTHETIC: Flag.SYNTHETIC,
}


class _Inferred(NamedTuple):
    frame: Captured
    taken_ns: int
    inferred_ns: int


class Publication:
    """Postprocesses and publishes one frame at a time, in the order of ``put``.

    A context manager; its end waits for the last frame and raises what went wrong with one.

    Args:
        publisher: the stream.
        network: what inferred the frames.
        kind: of the source; every header says it.
        looks, health: judge what is published.
        times: takes down when each frame passed each stage.

    Attributes:
        identity: where the network's names stand in the stream's table.
    """

    def __init__(
        self,
        publisher: Publisher,
        network: Network,
        kind: SourceKind,
        looks: Looks,
        health: Health,
        times: StageTimes | None = None,
    ) -> None:
        self._kind = kind
        self._publisher, self._engine = publisher, network.engine
        self._standing = network.standing
        self.identity = Indices()  # of the network, in the stream's table
        self._postprocess, self._tensors = network.postprocess, network.tensors
        self._steady = network.steady
        if self._steady is not None:
            self._steady.forget()  # it may have been at work before another network
        self._looks, self._health, self._times = looks, health, times
        geometry, output = network.view, network.engine.output
        width, height = geometry.network
        self._rgb = np.empty((height, width, 3), np.uint8)
        x, y, width, height = geometry.inner
        self._picture = self._rgb[y : y + height, x : x + width]  # without the padding
        self._field: U8 | None = None  # where the preview shows more than the network sees
        if geometry.preview_size != geometry.network:
            self._field = np.empty((*geometry.preview_size[::-1], 3), np.uint8)
        (sx, sy), (ox, oy) = geometry.preview_transform
        self._warp = np.array([[sx, 0, ox], [0, sy, oy]])
        # Made here: to combine flags takes longer than all else about them.
        self._flags = _FLAGS[kind], _FLAGS[kind] | Flag.DRIVER_TIME
        self._flags_ageless = _FLAGS[kind] | Flag.AGE_UNKNOWN
        self._geometry, self._transform_of = geometry, geometry.camera
        self._transform = geometry.transform(geometry.camera)
        self._change = threading.Condition()  # guards all below
        self._pending: _Inferred | None = None
        self._output = np.empty_like(output)
        self._output_bytes = flat_bytes(self._output)
        self._engine_bytes = flat_bytes(output)
        self._error: Exception | None = None
        self._closed = self._failed = False
        self._thread = threading.Thread(target=self._run, name="publication", daemon=True)

    def __enter__(self) -> Publication:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def of(self, network: Network) -> Publication:
        """Another one in this one's place, for what another network infers."""
        looks = self._looks._replace(mask=network.check)
        return Publication(self._publisher, network, self._kind, looks, self._health, self._times)

    def fail(self) -> None:
        """Say that the network failed on the frame after those of ``put``, until the next one.

        A frame that is still on its way out would take that back.
        """
        self._failed = True
        self._tell_failure()

    def put(
        self,
        frame: Captured,
        taken_ns: int,
        inferred_ns: int,
        *,
        beside: bool,
    ) -> None:
        """Publish a frame, here or beside the caller.

        Waits while the frame before is still being published, which takes far less time than an
        inference.

        Args:
            frame: what was inferred, with its times.
            taken_ns, inferred_ns: when the inference began and ended.
            beside: in the thread, with a copy of the network's output, because it has the next
                frame to infer. Else here: to wake a thread costs more than the publication.
        """
        if self._pending is not None:
            with self._change:
                self._change.wait_for(lambda: self._pending is None)
        if self._error is not None:
            raise self._error
        self._failed = False
        done = _Inferred(frame, taken_ns, inferred_ns)
        if not beside:
            self._publish(done, self._engine.output)
            return
        frame.prepared = self._tensors.keep(frame.prepared)
        self._output_bytes[:] = self._engine_bytes
        with self._change:
            self._pending = done
            self._change.notify_all()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._pending is not None or self._closed)
                pending = self._pending
            if pending is None:
                return
            try:
                self._publish(pending, self._output)
                if self._failed:
                    self._tell_failure()
            except Exception as error:  # raised where the loop, or the end, will see it
                self._error = error
            with self._change:
                self._pending = None
                self._change.notify_all()

    def _tell_failure(self) -> None:
        self._publisher.set_mode(Mode.FAULT, Reason.INFERENCE_FAILED)

    def _draw_preview(self, tensor: Tensor, out: U8) -> None:
        if self._field is None:
            self._tensors.preprocess.preview(tensor, out)
            return
        self._tensors.preprocess.preview(tensor, self._rgb)
        size = self._field.shape[1], self._field.shape[0]
        cv2.warpAffine(self._picture, self._warp, size, dst=self._field)
        out[:] = self._field

    def _publish(self, done: _Inferred, output: npt.NDArray[Any]) -> None:
        frame = done.frame
        slot = self._publisher.begin()
        logits, steady = output, self._steady
        if steady is not None:
            logits = steady.of(output, frame.frame_id, frame.capture_ns)
        counts = self._postprocess.into(slot.mask, slot.confidence, logits)
        if slot.preview is not None:
            self._draw_preview(frame.prepared.tensor, slot.preview)
        postprocessed_ns = now_ns()
        seen = self._looks.reasons
        placement = self._engine.placement
        if placement.fallback:
            seen |= Reason.CPU_FALLBACK
        if not self._standing.verified or self._standing.ran_on != placement.latency_class:
            seen |= Reason.UNVERIFIED
        mode, reasons = self._health.judge(
            frame, seen, postprocessed_ns, self._postprocess.invalid / self._postprocess.claimed
        )
        if steady is not None and mode not in (Mode.OK, Mode.DEGRADED):
            steady.forget()
        if frame.size != self._transform_of:
            self._transform_of = frame.size
            self._transform = self._geometry.transform(frame.size)
        self._publisher.publish(
            FrameInfo(
                capture_ns=frame.capture_ns,
                frame_id=frame.frame_id,
                skipped=frame.skipped,
                infer_us=(done.inferred_ns - done.taken_ns) // 1000,
                mode=mode,
                reasons=reasons,
                flags=self._flags[frame.driver_time] if frame.age_known else self._flags_ageless,
                camera_size=frame.size,
                scale=self._transform.scale,
                offset=self._transform.offset,
                counts=tuple(counts),
                identity=self.identity,
                stages=Stages(
                    (frame.available_ns - frame.capture_ns) // 1000,
                    (frame.ready_ns - frame.available_ns) // 1000,
                    (done.taken_ns - frame.ready_ns) // 1000,
                    (postprocessed_ns - done.inferred_ns) // 1000,
                ),
            )
        )
        if self._looks.due(frame.capture_ns):  # after the mask is out: it is for the next ones
            self._tensors.preprocess.preview(frame.prepared.tensor, self._rgb)
            self._looks.look(self._picture, output, frame.capture_ns)
        self._tensors.release(frame.prepared)
        if self._times is not None:
            self._times.add(
                frame.frame_id,
                frame.capture_ns,
                frame.available_ns,
                frame.ready_ns,
                done.taken_ns,
                done.inferred_ns,
                postprocessed_ns,
                self._publisher.sent_ns,
            )
