"""Types of the extension module: ring operations first, then the kernels."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.stream.publish.frame_info import FrameInfo

_Bytes = bytes | bytearray | memoryview | mmap.mmap | npt.NDArray[np.uint8]
# Item types and shapes are checked at run time, with a message that says what was expected.
_Array = npt.NDArray[Any] | memoryview
_Pixels = npt.NDArray[np.uint8]
_Part = tuple[int, int, int, int]  # x, y, width, height in px

VERSION: str

def crc32c(data: _Bytes, crc: int = 0) -> int: ...
def ring_populate(ring: _Bytes) -> None: ...
def ring_begin(ring: _Bytes, generation_offset: int) -> None: ...
def ring_commit(ring: _Bytes, generation_offset: int, generation: int) -> None: ...
def ring_holds(ring: _Bytes, generation_offset: int, generation: int) -> bool: ...
def ring_read(
    ring: _Bytes,
    generation_offset: int,
    generation: int,
    data_offset: int,
    out: _Bytes,
    stride: int = 0,
) -> bool: ...
def encode_frame(
    out: bytearray,
    prepared: bytes,
    info: FrameInfo,
    sequence: int,
    skipped_total: int,
    crc32c: int,
    now_ns: int,
    restarts: int = 0,
) -> int:
    """Write the FRAME of ``info`` over what is ``prepared`` for its slot; its mode and reasons.

    Raises:
        ValueError: a value that its field cannot hold; ``out`` is as it was.
    """

def readable(fd: int) -> bool:
    """Whether something waits there, without waiting."""

def send_each(message: bytes | bytearray, sockets: list[int]) -> tuple[int, list[int] | None]:
    """Send to each socket without blocking.

    Returns:
        When the last send began, ns CLOCK_BOOTTIME, and None or the errno of each (0: sent).
    """

def accept_living(listening: int, most: int) -> int:
    """The next waiting connection that has not hung up, non-blocking, or -errno.

    ``most``: connections that are tried before it says -EAGAIN.
    """

def peer_groups(socket: int) -> list[int]:
    """The supplementary groups of the process at the other end."""

class Policy:
    """What a subscriber takes, all through its life; ``model`` is a digest, or empty.

    Raises:
        ValueError: ``model`` has neither 0 nor 32 bytes.
    """

    def __init__(
        self, allow_not_live: bool, accept_unknown_age: bool, refuse: int, model: bytes
    ) -> None: ...

def judge(
    frame: bytes,
    status: bytes,
    model: bytes,
    policy: Policy,
    limit_ns: int,
    silence_ns: int,
    now_ns: int,
) -> int:
    """Why the newest frame may not be used now, as a NoMask; 0: it may.

    ``model`` is the entry of the identity table that the frame names, or empty.
    """

def judge_without_frame(sent_ns: int, silence_ns: int, now_ns: int) -> int:
    """Why there is no mask before the first frame, as a NoMask."""

def unusable_path(path: bytes) -> str | None:
    """Why a path can be no socket of ours."""

def foreign_publisher(fd: int, path: bytes, user: str) -> str:
    """Why the process that listens at the other end is not trusted; empty: it is."""

INBOX_MOST: int
INBOX_FRAME: int
INBOX_STATUS: int
INBOX_MORE: int
INBOX_BYE: int
INBOX_CLOSED: int
INBOX_MALFORMED: int

class Inbox:
    """The messages of one stream after its WELCOME, received and checked in one call.

    Raises:
        ValueError: the bytes are no WELCOME.
    """

    def __init__(
        self, welcome: bytes, most_plane_bytes: int = 2**64 - 1, ring: _Bytes | None = None
    ) -> None: ...
    def wait(self, fd: int, wait_ns: int) -> None:
        """Until something waits at ``fd``, or a signal came, without the interpreter's lock."""
    def read(self, fd: int, most: int = 0) -> int:
        """What was found among up to ``most`` messages (0: INBOX_MOST), as INBOX_ bits.

        What ended the stream is answered again by every later call.
        """
    def fetch(
        self,
        fd: int,
        handed: bytes,
        preview: bool,
        policy: Policy,
        limit_ns: int,
        silence_ns: int,
    ) -> tuple[bytes, bytes, tuple[_Pixels, _Pixels | None, _Pixels | None]] | int:
        """``read``, and ``take`` of the newest frame if that may be used and is not ``handed``.

        Returns:
            The FRAME, the newest message, the planes; else what was found, as INBOX_ bits.

        Raises:
            MemoryError: no room for the planes.
        """
    def close(self) -> None:
        """Read nothing any more, in any thread: the descriptor is closed."""
    def take(
        self, frame: bytes, preview: bool, policy: Policy, limit_ns: int, silence_ns: int
    ) -> tuple[_Pixels, _Pixels | None, _Pixels | None] | int:
        """Copies of the frame's planes, or why it may not be used now, as a NoMask.

        MALFORMED: an id of the mask is above 7.

        Raises:
            MemoryError: no room for them.
        """
    @property
    def past(self) -> list[bytes]:
        """The FRAMEs whose slots may still hold them, the oldest first."""
    @property
    def message(self) -> bytes: ...
    @property
    def frame(self) -> bytes: ...
    @property
    def status(self) -> bytes: ...
    @property
    def last_sequence(self) -> int: ...
    @property
    def check(self) -> str: ...
    @property
    def error(self) -> int: ...

def process_id() -> int:
    """As ``os.getpid``, without a system call: right in a fork, too."""

class UpsamplePlan:
    """Logits → mask for one pair of sizes; see ``kernels_reference.argmax_upsample``.

    Sizes are width and height. A run allocates nothing and releases the lock; runs of one plan
    wait for each other. The mask shows ``window`` of a network's input of ``input_size``.

    Raises:
        TypeError: a buffer holds other items than expected.
        ValueError: another shape, strides or value than expected, or a read-only output.
    """

    def __init__(
        self,
        logits_size: tuple[int, int],
        classes: int,
        size: tuple[int, int],
        table: _Array,
        first: int = 1,
        confidence_table: _Array | None = None,
        threshold: int = 0,
        step: float = 0.0625,
        input_size: tuple[int, int] | None = None,
        window: _Part | None = None,
        scores: str = "logits",
    ) -> None: ...
    def run(
        self, logits: _Array, out: _Array, confidence: _Array | None = None
    ) -> tuple[list[int], int]:
        """Pixels of each category; of the void ones, those of NaN, infinity or unknown class."""

class SteadyPlan:
    """Temporal filter on int8 logits, with its state; see ``kernels_reference.steady``.

    ``guarded`` is ``(C,) uint8``: 1 for a class whose pixels it never takes away.

    Raises:
        TypeError: a buffer holds other items than expected.
        ValueError: another shape or value than expected, or a read-only output.
    """

    def __init__(
        self, logits_size: tuple[int, int], guarded: _Array, first: int, weight: int, limit: int
    ) -> None: ...
    def run(self, logits: _Array, out: _Array) -> None:
        """Write ``(h, w, C)`` logits, steadied by those before; ``out`` may be ``logits``."""
    def reset(self) -> None:
        """The next logits count alone."""

def nearest_map(
    ids: _Array,
    out: _Array,
    table: _Array,
    input_size: tuple[int, int] | None = None,
    window: _Part | None = None,
) -> tuple[list[int], int]: ...
def geometry_fault(geometry: tuple[float, ...], ego: tuple[int, ...]) -> str:
    """The name of the products' Fault, NONE for a geometry that can be measured with."""

class FreeDistance:
    """Free distance for one camera geometry; see ``stream.products.reference``.

    ``geometry`` and ``ego`` are ``CameraGeometry.values`` and ``.corners``, ``transform`` is
    ``transform_of(mask)``; ``measure`` raises TypeError or ValueError for what is no
    ``(H, W) uint8`` whose rows are packed. Of all three classes.
    """

    def __init__(
        self, geometry: tuple[float, ...], ego: tuple[int, ...], limits: tuple[float, ...]
    ) -> None: ...
    def measure(self, mask: _Array, transform: tuple[float, ...]) -> tuple[int, bytes, bytes]:
        """A Fault, the columns' bytes, and the nearest one's."""

class Corridor:
    """The corridor ahead for one camera geometry."""

    def __init__(
        self, geometry: tuple[float, ...], ego: tuple[int, ...], limits: tuple[float, ...]
    ) -> None: ...
    def measure(
        self, mask: _Array, transform: tuple[float, ...], width_m: float, heading_deg: float
    ) -> tuple[int, bytes, list[float]]:
        """A Fault, the record's bytes, and the corners."""

class Occupancy:
    """The grid for one camera geometry."""

    def __init__(
        self, geometry: tuple[float, ...], ego: tuple[int, ...], form: tuple[float, ...]
    ) -> None: ...
    def measure(
        self, mask: _Array, transform: tuple[float, ...]
    ) -> tuple[int, bytes, int, int, bytes, bytes]:
        """A Fault, the cells, rows, columns, and the rows' bounds as bytes."""

class Contours:
    """Outlines of one category, without one's own vehicle."""

    def __init__(self, geometry: tuple[float, ...], ego: tuple[int, ...]) -> None: ...
    def measure(
        self, mask: _Array, transform: tuple[float, ...], category: int
    ) -> tuple[int, list[tuple[bool, int, int]], bytes, bytes]:
        """A Fault, (hole, first, count) of each, points and camera points as bytes."""

class PreprocessPlan:
    """Camera picture → network input for one pair of sizes; see ``kernels_reference.preprocess``.

    ``layout`` is bgr, grey, yuyv or nv12, ``crop`` the part of the picture that is used; rows of
    source and tensor may be apart. A run in two parts: ``start`` returns its number, and whoever
    calls ``finish`` with it, in any thread, works on it until it is done and gets the time at which
    it was, ns CLOCK_BOOTTIME; ``step_aside``: some ten µs later, so that another thread of them
    has Python's lock first. Errors as above.
    """

    def __init__(
        self,
        source_size: tuple[int, int],
        size: tuple[int, int],
        table: _Array | None = None,
        layout: str = "bgr",
        crop: _Part | None = None,
    ) -> None: ...
    def run(self, source: _Array, out: _Array) -> None: ...
    def start(self, source: _Array, out: _Array) -> int: ...
    def finish(self, job: int, step_aside: bool = False) -> int: ...

def flip_top_bits(source: _Array, out: _Array) -> None:
    """uint8 → int8 of the same shape; keeps the interpreter's lock, as it takes microseconds."""

def overlay(bgr: _Array, mask: _Array, palette_bgr: _Array, alpha: int, out: _Array) -> None: ...
def scene_stats(rgb: _Array) -> tuple[float, float, float, float, float, int]: ...
def kernel_level() -> str: ...
def kernel_levels() -> list[str]: ...
def set_kernel_level(name: str) -> None: ...

class Turns:
    """Two processes that take turns, over a page that both map: who asks, and who answers."""

    def __init__(self, memory: _Bytes) -> None: ...
    def forget(self) -> None:
        """What was asked and not answered counts as answered."""

    def ask(self, limit_s: float) -> tuple[int, int, bool] | None:
        """Hand over and wait.

        When the other began and ended, ns, and whether it has told more elsewhere; None when
        nothing came in time, or a signal did.
        """

    def wait(self, limit_s: float) -> tuple[int, int, bool] | None:
        """Wait on for what was asked; as ``ask``."""

    def next(self, limit_s: float) -> bool:
        """Wait to be asked; whether it came to that."""

    def answer(self, began_ns: int, ended_ns: int, told: bool) -> None: ...

def share_pages(ranges: list[tuple[int, int]], fd: int, offset: int) -> None:
    """Map a file over the pages of memory; what lies between and beside the ranges is kept.

    Args:
        ranges: addresses, rising, with the number of bytes at each.
        fd, offset: of the file; a multiple of the page.

    Raises:
        OSError: that cannot be.
    """
