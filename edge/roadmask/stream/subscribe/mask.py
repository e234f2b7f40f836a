"""What a subscriber gets: the pixels of one frame with everything that was said about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from roadmask._native import ring_holds, ring_read
from roadmask.arrays import U8
from roadmask.errors import ProtocolError
from roadmask.stream.camera_geometry import CameraGeometry, geometry_of
from roadmask.stream.modes import NOT_LIVE, Flag, Mode, Reason
from roadmask.stream.protocol import (
    IDENTITY_BYTES,
    NO_IDENTITY,
    FrameHeader,
    Identity,
    IdentityKind,
    Stages,
    Welcome,
    decode_header,
    decode_identity,
    decode_stages,
    frame_indices,
    unpack_times,
)
from roadmask.system.clock import now_ns

_AGE_UNKNOWN = int(Flag.AGE_UNKNOWN)  # an enumeration's operators cost microseconds


class Planes(NamedTuple):
    """A frame's pixels: ids and confidence ``(H, W)``, preview ``(h, w, 3)`` RGB, all uint8."""

    mask: U8
    confidence: U8 | None
    preview: U8 | None


AnyPlanes = tuple[U8, U8 | None, U8 | None]  # the same, unnamed: a name for each costs its time


class MappedRing:
    """A publisher's ring as this process sees it: read-only, whole, its bounds checked."""

    def __init__(self, memory: U8, welcome: Welcome) -> None:
        self.memory = memory
        self.welcome = welcome

    def generation_offset(self, header: FrameHeader) -> int:
        """Where the generation of the frame's slot lies."""
        return self.welcome.generation_offset + header.slot * self.welcome.generation_stride

    def planes(self, header: FrameHeader, preview: bool) -> Planes:
        """The frame's planes in place, read-only."""
        size = header.mask_height, header.mask_width
        confidence = picture = None
        if header.confidence_offset:
            confidence = self._view(header.confidence_offset, header.confidence_stride, *size)
        if preview and header.preview_offset:
            size3 = header.preview_height, header.preview_width, 3
            picture = self._view(header.preview_offset, header.preview_stride, *size3)
        mask = self._view(header.mask_offset, header.mask_stride, *size)
        return Planes(mask, confidence, picture)

    def identity(self, index: int, kind: IdentityKind) -> Identity | None:
        """The table's entry, if it is a whole one and of ``kind``."""
        if index == NO_IDENTITY:
            return None
        try:
            found, identity = decode_identity(self.entry(index))
        except ProtocolError:  # of a later minor version, or malformed
            return None
        return identity if found == kind else None

    def entry(self, index: int) -> bytes:
        """The table's entry; empty for no index."""
        if index == NO_IDENTITY:
            return b""
        start = self.welcome.identity_offset + index * self.welcome.identity_stride
        return self.memory[start : start + IDENTITY_BYTES].tobytes()

    def identities(self) -> bytes:
        """The table's entries up to the first empty one, 256 bytes each."""
        entries = []
        for index in range(self.welcome.identity_count):
            entry = self.entry(index)
            if not any(entry[:4]):
                break
            entries.append(entry)
        return b"".join(entries)

    def copy(self, header: FrameHeader, offset: int, stride: int, *shape: int) -> U8 | None:
        """A plane's pixels, or None if the frame was overwritten before the copy was whole."""
        out = np.empty(shape, np.uint8)
        whole = ring_read(
            self.memory, self.generation_offset(header), header.sequence, offset, out, stride
        )
        return out if whole else None

    def _view(self, offset: int, stride: int, *shape: int) -> U8:
        inner = (shape[2], 1) if len(shape) == 3 else (1,)
        return np.lib.stride_tricks.as_strided(
            self.memory[offset:], shape, (stride, *inner), writeable=False
        )


class Mask:
    """One frame's mask; times are ns CLOCK_BOOTTIME, sizes (width, height) px.

    Attributes:
        pixels: ``(H, W) uint8`` category ids, 0 = no claim. In a copy all are at most 7; a view is
            the publisher's memory, where an id above 7 means no more than 0.
        confidence: ``(H, W) uint8``, 255 x the category's probability against the runner-up alone,
            by the model's temperature: 128 = undecided, 255 = certain. None if not published.
        preview: ``(h, w, 3) uint8`` RGB, the network's input, or None.
        sequence: count of published frames, from 1.
        stream_id: random at each start of the publisher.
        capture_timestamp_ns: when the camera took it; where ``age_known`` is False, when it came.
        age_known: False: a subscriber that accepts masks of unknown age got one.
        publish_timestamp_ns: when its pixels were complete.
        frame_id: the camera's own count.
        crc32c: of the mask's bytes, 0 = not computed.
        copied: the planes are this process's own, not views of the ring.
        limit_ns: the age from which this mask may not be used.
    """

    __slots__ = (
        "_bytes",
        "_header",
        "_ring",
        "age_known",
        "capture_timestamp_ns",
        "confidence",
        "copied",
        "crc32c",
        "frame_id",
        "limit_ns",
        "pixels",
        "preview",
        "publish_timestamp_ns",
        "sequence",
        "stream_id",
    )

    def __init__(
        self, ring: MappedRing, frame: bytes, limit_ns: int, planes: AnyPlanes, copied: bool
    ) -> None:
        self.pixels, self.confidence, self.preview = planes
        # Unpacked by hand: with a name for each, this takes as long as a tenth of the copy.
        (
            flag_bits,
            self.stream_id,
            self.sequence,
            self.capture_timestamp_ns,
            self.publish_timestamp_ns,
            self.frame_id,
            max_age_ms,
            self.crc32c,
            arrival_ns,
        ) = unpack_times(frame)
        self.age_known = not flag_bits & _AGE_UNKNOWN
        if not self.age_known:
            self.capture_timestamp_ns = arrival_ns
        self.limit_ns = min(limit_ns, max_age_ms * 1_000_000)
        self.copied = copied
        self._ring = ring
        self._bytes = frame
        self._header: FrameHeader | None = None

    @property
    def header(self) -> FrameHeader:
        """The message as it came."""
        if self._header is None:
            self._header = decode_header(self._bytes)
        return self._header

    @property
    def valid(self) -> bool:
        """Still young enough and, for a view, not overwritten until now.

        Ask *after* the use of a view: what was computed from it counts only if this is True.
        """
        return self.whole and 0 <= self.age_ns <= self.limit_ns

    @property
    def whole(self) -> bool:
        """A copy, or a view that was not overwritten until now."""
        return self.copied or ring_holds(
            self._ring.memory, self._ring.generation_offset(self.header), self.header.sequence
        )

    @property
    def age_ns(self) -> int:
        """Time since capture, now; where ``age_known`` is False, the least that it can be."""
        return now_ns() - self.capture_timestamp_ns

    @property
    def age_ms(self) -> float:
        """Time since capture, now."""
        return self.age_ns / 1e6

    @property
    def valid_until_ns(self) -> int:
        """The time at which this mask expires."""
        return self.capture_timestamp_ns + self.limit_ns

    @property
    def skipped(self) -> int:
        """Camera frames never segmented, since the frame before."""
        return self.header.skipped

    @property
    def skipped_total(self) -> int:
        """The same, since the publisher's start."""
        return self.header.skipped_total

    @property
    def infer_us(self) -> int:
        """Time of the network alone."""
        return self.header.infer_us

    @property
    def stages(self) -> Stages:
        """Where the time went besides the network, µs; all 0 from a publisher that does not say."""
        return decode_stages(self._bytes)

    @property
    def mode(self) -> Mode:
        """OK or DEGRADED: nothing else is handed out."""
        return self.header.mode

    @property
    def reasons(self) -> Reason:
        """Why it is not OK."""
        return self.header.reasons

    @property
    def flags(self) -> Flag:
        """Where it comes from."""
        return self.header.flags

    @property
    def live(self) -> bool:
        """From a camera, now: neither replayed nor synthetic nor from a file."""
        return not self.header.flag_bits & NOT_LIVE

    @property
    def shares(self) -> tuple[float, ...]:
        """Fraction of the pixels in each of the 8 categories."""
        return self.header.shares

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px."""
        return self.header.mask_width, self.header.mask_height

    @property
    def camera_size(self) -> tuple[int, int]:
        """(width, height) px of the camera's picture."""
        return self.header.camera_width, self.header.camera_height

    @property
    def scale(self) -> tuple[float, float]:
        """Camera pixel = scale x mask pixel + offset, (x, y), both counted at pixel centres."""
        return self.header.scale_x, self.header.scale_y

    @property
    def offset(self) -> tuple[float, float]:
        """See ``scale``."""
        return self.header.offset_x, self.header.offset_y

    @property
    def model(self) -> Identity | None:
        """The network's name and digest."""
        return self._ring.identity(self.header.model, IdentityKind.MODEL)

    @property
    def calibration(self) -> Identity | None:
        """The quantisation's calibration set."""
        return self._ring.identity(self.header.calibration, IdentityKind.CALIBRATION)

    @property
    def camera(self) -> Identity | None:
        """The camera's name and digest."""
        return self._ring.identity(self.header.camera, IdentityKind.CAMERA)

    @property
    def labels(self) -> Identity | None:
        """The label set, with its colours."""
        return self._ring.identity(self.header.labels, IdentityKind.LABELS)

    @property
    def verification(self) -> Identity | None:
        """How the model's golden frames ended on this board, and their digest."""
        return self._ring.identity(frame_indices(self.header)[4], IdentityKind.VERIFICATION)

    @property
    def geometry_identity(self) -> Identity | None:
        """The camera model by which the mask may be measured, and its digest."""
        return self._ring.identity(frame_indices(self.header)[5], IdentityKind.GEOMETRY)

    @property
    def geometry(self) -> CameraGeometry | None:
        """The same in numbers, with the ego mask; None where the daemon was not told."""
        found = self.geometry_identity
        if found is None:
            return None
        ego = self._ring.identity(frame_indices(self.header)[6], IdentityKind.EGO)
        return geometry_of(found.body, ego.body if ego else b"")

    def __repr__(self) -> str:
        width, height = self.size
        return (
            f"<Mask {self.sequence} {width}x{height} {self.mode.name} age {self.age_ms:.1f} ms"
            f"{'' if self.live else ' not live'}>"
        )
