"""Bytes of the mask stream to values and back, without a socket; ``docs/protocol.md`` is the text.

Every message is one SEQPACKET record of at least 256 bytes, little-endian. Pixels never travel
here: a frame says where in the shared ring they lie.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from roadmask.errors import Check, ProtocolError
from roadmask.stream.modes import Flag, MessageType, Mode, Reason

MAGIC = b"RMSK"
MAJOR = 1
MINOR = 2
MESSAGE_BYTES = 256
MAX_MESSAGE_BYTES = 4096  # a later minor version may append up to here
CATEGORY_COUNT = 8
DEFAULT_SOCKET = "/run/roadmask/masks.v1.sock"

_PREFIX = struct.Struct("<4sHHHH")
_FRAME = struct.Struct("<4sHHHHI 7Q 5I 4B 4I 2Q 2I Q 2I 4f 2I 8H 16x I 3B x Q")
_WELCOME = struct.Struct("<4sHHHHI 6Q 2I 2Q 2I Q 4I Q")
_STAGES = struct.Struct("<4I")
_STAGES_OFFSET = 192  # from minor version 1 on; 0 before
_RESTARTS_OFFSET = 208
_TYPE, _WORD, _TIME = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
_TIMES = struct.Struct("<12xI4Q8xQ20xI60xI64xQ")
_IDENTITY = struct.Struct("<II 32s 88s 128s")
IDENTITY_BYTES = _IDENTITY.size
assert _FRAME.size == 224 and _WELCOME.size == 128 and IDENTITY_BYTES == 256
NO_IDENTITY = 255
# A capture time that no reader of any minor version, and no arithmetic of 64 bits, takes for past.
UNKNOWN_NS = (1 << 63) - 1
KEY = slice(16, 32)  # of a FRAME's bytes: its stream and sequence
MODEL = 92  # of a FRAME's bytes: the index of its model
_MODE_BITS = 0x3
_REASON_BITS = 0xFFFFFF00


class FrameHeader(NamedTuple):
    """A FRAME, STATUS or BYE message: all three have this layout.

    STATUS and BYE repeat the last frame's sequence and times, point at no pixels, and have their
    own ``sent_ns`` and mode. Times are ns CLOCK_BOOTTIME, sizes px, offsets bytes into the ring.
    """

    magic: bytes
    type: int
    length: int
    major: int
    minor: int
    flag_bits: int
    stream_id: int  # random at each start of a publisher
    sequence: int  # from 1; also the generation of the slot
    capture_ns: int
    publish_ns: int
    sent_ns: int  # when this very message was sent
    frame_id: int  # the camera's
    skipped_total: int  # camera frames never segmented, since the publisher's start
    skipped: int  # the same, since the last published frame
    infer_us: int
    mode_bits: int
    max_age_ms: int
    slot: int
    model: int  # indices into the identity table, 255 = unknown
    calibration: int
    camera: int
    labels: int
    mask_width: int
    mask_height: int
    mask_stride: int
    confidence_stride: int
    mask_offset: int
    confidence_offset: int  # 0 = no such plane
    preview_width: int
    preview_height: int
    preview_offset: int  # RGB, three bytes a pixel; 0 = no such plane
    preview_stride: int
    crc32c: int  # of the mask's bytes, row by row without padding; 0 = not computed
    scale_x: float  # camera pixel = scale x mask pixel + offset, pixel centres at integers
    scale_y: float
    offset_x: float
    offset_y: float
    camera_width: int
    camera_height: int
    share_0: int  # pixels of each category, of 65535
    share_1: int
    share_2: int
    share_3: int
    share_4: int
    share_5: int
    share_6: int
    share_7: int
    # Since minor version 2; 0 before.
    engine_restarts: int = 0  # since the publisher's start
    verification_entry: int = 0  # index into the identity table + 1; 0 = unknown
    geometry_entry: int = 0
    ego_entry: int = 0
    arrival_ns: int = 0  # with AGE_UNKNOWN only: when the picture came; it is older than that

    @property
    def mode(self) -> Mode:
        """OK, DEGRADED, STALE or FAULT."""
        return Mode(self.mode_bits & _MODE_BITS)

    @property
    def reasons(self) -> Reason:
        """Why the mode is not OK."""
        return Reason(self.mode_bits & _REASON_BITS)

    @property
    def flags(self) -> Flag:
        """Where the frame comes from, and its planes."""
        return Flag(self.flag_bits)

    @property
    def shares(self) -> tuple[float, ...]:
        """Fraction of the mask's pixels in each category, 0 to 1."""
        counts = (
            self.share_0,
            self.share_1,
            self.share_2,
            self.share_3,
            self.share_4,
            self.share_5,
            self.share_6,
            self.share_7,
        )
        return tuple(count / 65535 for count in counts)

    @property
    def seen_ns(self) -> int:
        """The capture time; the arrival, where the capture time is not known."""
        return self.arrival_ns if self.flag_bits & Flag.AGE_UNKNOWN else self.capture_ns

    @property
    def valid_until_ns(self) -> int:
        """The publisher's own limit; a subscriber may ask for less, never for more."""
        return self.seen_ns + self.max_age_ms * 1_000_000


class Welcome(NamedTuple):
    """The first message of a connection; the ring's file descriptor comes with it."""

    magic: bytes
    type: int
    length: int
    major: int
    minor: int
    flag_bits: int
    stream_id: int
    sequence: int  # the first FRAME to come has a higher one
    sent_ns: int
    ring_bytes: int
    slots_offset: int
    slot_bytes: int
    slots: int
    generation_stride: int
    generation_offset: int
    identity_offset: int
    identity_stride: int
    identity_count: int  # entries that the table has room for
    frame_period_ns: int
    heartbeat_ms: int
    silence_ms: int
    max_age_ms: int
    reserved: int
    time_namespace: int  # inode of /proc/self/ns/time; 0 = unknown


class Identity(NamedTuple):
    """What a frame was made with: its name and SHA-256, and a label set's colours.

    ``body``: of GEOMETRY the 128 bytes of its numbers, of EGO four a corner, else empty;
    ``camera_geometry`` reads both.
    """

    name: str
    digest: bytes = bytes(32)
    colors_rgb: tuple[tuple[int, int, int], ...] = ()
    body: bytes = b""


class IdentityKind(enum.IntEnum):
    """Kinds of identity, in the order of a frame's seven indices."""

    EMPTY = 0
    MODEL = 1
    CALIBRATION = 2
    CAMERA = 3
    LABELS = 4
    VERIFICATION = 5  # how the golden frames ended, and their digest
    GEOMETRY = 6  # the camera model by which the mask may be measured
    EGO = 7  # what the camera sees of its own vehicle


def frame_indices(header: FrameHeader) -> tuple[int, ...]:
    """The header's indices into the identity table, in the order of their kinds."""
    later = header.verification_entry, header.geometry_entry, header.ego_entry
    earlier = header.model, header.calibration, header.camera, header.labels
    return (*earlier, *((entry - 1) % 256 for entry in later))


Message = FrameHeader | Welcome


def encode(message: Message) -> bytes:
    """The message's 256 bytes."""
    buffer = bytearray(MESSAGE_BYTES)
    layout = _WELCOME if isinstance(message, Welcome) else _FRAME
    layout.pack_into(buffer, 0, *message)
    return bytes(buffer)


class Stages(NamedTuple):
    """Where the time of a frame went besides the network, µs; all 0 where nobody says so."""

    capture: int  # from exposure until it was decoded
    preprocess: int
    wait: int  # for the network
    postprocess: int


def encode_stages_into(buffer: bytearray, stages: Stages) -> None:
    """Add the stages to a FRAME's bytes."""
    _STAGES.pack_into(buffer, _STAGES_OFFSET, *(min(max(stage, 0), 0xFFFFFFFF) for stage in stages))


def decode_stages(data: bytes) -> Stages:
    """The stages of a FRAME that is known to be one."""
    return Stages._make(_STAGES.unpack_from(data, _STAGES_OFFSET))


def encode_restarts_into(buffer: bytearray, restarts: int) -> None:
    """Say in a FRAME's or STATUS's bytes how often the engine was started again."""
    _WORD.pack_into(buffer, _RESTARTS_OFFSET, min(restarts, 0xFFFFFFFF))


def turn_into_status(buffer: bytearray, kind: MessageType, sent_ns: int, mode_bits: int) -> None:
    """Make a STATUS or BYE of a FRAME's bytes, in place: it no longer points at pixels."""
    _TYPE.pack_into(buffer, 4, kind)
    (flags,) = _WORD.unpack_from(buffer, 12)
    _WORD.pack_into(buffer, 12, flags & ~(Flag.PREVIEW | Flag.CONFIDENCE))
    _TIME.pack_into(buffer, 48, sent_ns)
    _WORD.pack_into(buffer, 80, mode_bits)
    buffer[88:92] = bytes(4)  # slot
    buffer[96:152] = bytes(56)  # sizes, strides and offsets of the planes, CRC


def decode(data: bytes | bytearray | memoryview, size: int | None = None) -> Message | None:
    """The message in the first ``size`` bytes of ``data``; None for a type of a later version.

    Raises:
        ProtocolError: ``size``, ``magic`` or ``version``; values are not checked here.
    """
    size = len(data) if size is None else size
    if size < MESSAGE_BYTES:
        raise ProtocolError(
            Check.SIZE, f"message of {size} bytes, expected at least {MESSAGE_BYTES}"
        )
    magic, kind, length, major, _ = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise ProtocolError(Check.MAGIC, f"message begins with {magic!r}, expected {MAGIC!r}")
    if major != MAJOR:
        raise ProtocolError(
            Check.VERSION, f"protocol {major}, this client speaks {MAJOR}: update it"
        )
    if length != size:
        raise ProtocolError(Check.SIZE, f"message announces {length} bytes and has {size}")
    if kind == MessageType.WELCOME:
        return Welcome._make(_WELCOME.unpack_from(data))
    if MessageType.FRAME <= kind <= MessageType.BYE:
        return FrameHeader._make(_FRAME.unpack_from(data))
    return None


def unpack_times(data: bytes) -> tuple[int, ...]:
    """Those values of a FRAME that are asked of every one, at a tenth of the price of all.

    Returns:
        flag_bits, stream_id, sequence, capture_ns, publish_ns, frame_id, max_age_ms, crc32c,
        arrival_ns.
    """
    return _TIMES.unpack_from(data)


def decode_header(data: bytes) -> FrameHeader:
    """The values of a FRAME, STATUS or BYE that is known to be one."""
    return FrameHeader._make(_FRAME.unpack_from(data))


def encode_identity(kind: int, identity: Identity) -> bytes:
    """One entry of the identity table: 256 bytes. A name is cut at 87 bytes of UTF-8."""
    # A file's name may hold bytes that are no UTF-8.
    name = identity.name.encode(errors="backslashreplace")[:87].decode(errors="ignore").encode()
    body = b"".join(bytes((*rgb, 0)) for rgb in identity.colors_rgb[:32]) or identity.body
    count = len(body) // 4 if kind != IdentityKind.GEOMETRY else 0
    return _IDENTITY.pack(kind, count, identity.digest, name, body)


def decode_identity(data: bytes | memoryview) -> tuple[int, Identity]:
    """Kind and identity of one table entry.

    Raises:
        ProtocolError: ``identity``.
    """
    if len(data) < IDENTITY_BYTES:
        raise ProtocolError(
            Check.IDENTITY, f"entry of {len(data)} bytes, expected {IDENTITY_BYTES}"
        )
    kind, count, digest, name, colors = _IDENTITY.unpack_from(data)
    if kind > IdentityKind.EGO or count > 32:
        raise ProtocolError(Check.IDENTITY, f"entry of kind {kind} with {count} colours")
    text = name.split(b"\0", 1)[0].decode(errors="replace")
    if kind in (IdentityKind.GEOMETRY, IdentityKind.EGO):
        body = colors[: 4 * count] if kind == IdentityKind.EGO else colors
        return kind, Identity(text, digest, (), body if any(body) else b"")
    rgb = tuple((colors[4 * i], colors[4 * i + 1], colors[4 * i + 2]) for i in range(count))
    return kind, Identity(text, digest, rgb)
