"""The shared memory of the mask stream: a sealed memfd that only the publisher can write.

Layout: generations (64 bytes each, so that no two share a cache line), identities, slots.
A slot holds mask, confidence and preview of one frame.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roadmask._native import ring_populate
from roadmask.errors import Check, ProtocolError
from roadmask.stream.protocol import IDENTITY_BYTES

GENERATION_STRIDE = 64
IDENTITY_COUNT = 32
_PAGE = 4096
_BLOCK = 512  # the unit of st_blocks, whatever the file system
_BYTE = np.dtype(np.uint8)
_ALIGN = 64

# Absent from the `fcntl` and `os` modules of Python 3.10.
_F_ADD_SEALS, _F_GET_SEALS = 1033, 1034
_F_SEAL_SEAL, _F_SEAL_SHRINK, _F_SEAL_GROW, _F_SEAL_FUTURE_WRITE = 0x1, 0x2, 0x4, 0x10
_MFD_NOEXEC_SEAL = 0x8
_MAP_POPULATE = 0x8000
SEALS = _F_SEAL_SEAL | _F_SEAL_SHRINK | _F_SEAL_GROW | _F_SEAL_FUTURE_WRITE


def _aligned(value: int, alignment: int = _ALIGN) -> int:
    return -(-value // alignment) * alignment


@dataclass(frozen=True)
class RingLayout:
    """Where everything lies in a ring; sizes are (width, height) in px, offsets in bytes."""

    mask_size: tuple[int, int]
    confidence: bool
    preview_size: tuple[int, int] | None
    slots: int
    room: int = 0  # bytes that a slot has at least

    @property
    def identity_offset(self) -> int:
        """Start of the identity table."""
        return _aligned(self.slots * GENERATION_STRIDE)

    @property
    def slots_offset(self) -> int:
        """Start of slot 0, on a page."""
        return _aligned(self.identity_offset + IDENTITY_COUNT * IDENTITY_BYTES, _PAGE)

    @property
    def mask_bytes(self) -> int:
        """Bytes of one mask."""
        return self.mask_size[0] * self.mask_size[1]

    @property
    def confidence_start(self) -> int:
        """Offset of the confidence plane within a slot."""
        return _aligned(self.mask_bytes)

    @property
    def preview_start(self) -> int:
        """Offset of the preview within a slot."""
        return self.confidence_start + (_aligned(self.mask_bytes) if self.confidence else 0)

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, whole pages."""
        preview = 3 * self.preview_size[0] * self.preview_size[1] if self.preview_size else 0
        return _aligned(max(self.preview_start + preview, self.room), _PAGE)

    @property
    def ring_bytes(self) -> int:
        """Bytes of the whole ring."""
        return self.slots_offset + self.slots * self.slot_bytes


def create(size: int) -> tuple[int, mmap.mmap]:
    """A new ring: its descriptor and the only writable mapping that will ever exist of it.

    Sealed after mapping: nobody, this process included, can write by the descriptor, map it
    writable, punch holes, resize it or take a seal off. The memory goes with its last user,
    so nothing stays behind however a process ends.
    """
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create("roadmask", flags | _MFD_NOEXEC_SEAL)
    except OSError:  # before Linux 6.3
        fd = os.memfd_create("roadmask", flags)
    try:
        os.ftruncate(fd, size)
        memory = mmap.mmap(fd, size, flags=mmap.MAP_SHARED | _MAP_POPULATE)
        if os.fstat(fd).st_blocks * _BLOCK < size:  # a wish, which emulators do not grant
            for page in range(0, size, mmap.PAGESIZE):
                memory[page] = 0
        fcntl.fcntl(fd, _F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd, memory


def open_read_only(fd: int) -> int:
    """A descriptor of the same ring for one subscriber: read-only, its file position its own."""
    path, flags = f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except PermissionError:  # a subscriber of our own user changed the mode: no seal bars that
        os.fchmod(fd, 0o400)
        return os.open(path, flags)


def checked_size(fd: int) -> int:
    """Size in bytes of a ring that a publisher sent, once its seals are known to hold.

    Raises:
        ProtocolError: ``seals``: the memory could shrink under the reader, or others write it.
    """
    try:
        seals = fcntl.fcntl(fd, _F_GET_SEALS)
    except OSError as error:
        raise ProtocolError(Check.SEALS, f"the descriptor is no memfd: {error.strerror}") from error
    if seals & SEALS != SEALS:
        raise ProtocolError(Check.SEALS, f"ring has seals {seals:#x}, expected {SEALS:#x}")
    return os.fstat(fd).st_size


def check_memory(fd: int, size: int, most: int) -> None:
    """The ring may be mapped: it is not larger than ``most`` bytes, and all of it is there.

    A page that was never written would be made by who reads it first, and charged to it. Under
    the seals no hole comes later.

    Raises:
        ProtocolError: ``ring_size``.
    """
    if size > most:
        raise ProtocolError(
            Check.RING_SIZE, f"ring of {size} bytes, this reader maps {most}: see max_ring_bytes"
        )
    there = os.fstat(fd).st_blocks * _BLOCK
    if there < size:
        raise ProtocolError(Check.RING_SIZE, f"ring of {size} bytes, of which {there} exist")


def map_read_only(fd: int, size: int) -> npt.NDArray[np.uint8]:
    """The ring's bytes, mapped until the last view of them is gone; present from the start.

    Raises:
        OSError: no room for it.
    """
    memory = np.frombuffer(mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ), _BYTE)
    ring_populate(memory)
    return memory


def time_namespace() -> int:
    """Inode of this process's time namespace, 0 where there is none to see.

    In another one CLOCK_BOOTTIME is shifted, and every age would be wrong.
    """
    try:
        return Path("/proc/self/ns/time").stat().st_ino
    except OSError:
        return 0
