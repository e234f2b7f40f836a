from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import traceback
from pathlib import Path

import numpy as np
import pytest

from roadmask._native import crc32c, ring_begin, ring_commit, ring_holds, ring_read
from roadmask.errors import ProtocolError
from roadmask.stream import ring


def test_layout_places_everything_without_overlap() -> None:
    layout = ring.RingLayout((512, 256), True, (512, 256), 8)
    # 8 generations x 64 = 512; 32 identities x 256 = 8192; next page after 8704 is 12288.
    assert layout.identity_offset == 512
    assert layout.slots_offset == 12288
    # 512 x 256 = 131072 twice, then 393216 bytes of preview = 655360, a multiple of 4096.
    assert layout.confidence_start == 131072
    assert layout.preview_start == 262144
    assert layout.slot_bytes == 655360
    assert layout.ring_bytes == 12288 + 8 * 655360


def test_layout_aligns_odd_sizes() -> None:
    layout = ring.RingLayout((33, 3), True, None, 2)
    assert layout.confidence_start == 128  # 99 bytes, to the next 64
    assert layout.slot_bytes == 4096


def test_a_commit_is_read_and_a_lap_is_seen() -> None:
    memory = bytearray(4096)
    ring_begin(memory, 64)
    memory[1024:1032] = b"pixels!!"
    ring_commit(memory, 64, 7)
    out = bytearray(8)
    assert ring_read(memory, 64, 7, 1024, out)
    assert out == b"pixels!!"
    assert ring_holds(memory, 64, 7)
    assert not ring_read(memory, 64, 8, 1024, out)
    ring_begin(memory, 64)
    assert not ring_read(memory, 64, 7, 1024, out)
    assert not ring_holds(memory, 64, 7)


def test_read_follows_the_stride() -> None:
    memory = np.arange(256, dtype=np.uint8)
    memory[:8] = 0
    ring_commit(memory, 0, 1)
    out = np.zeros((3, 4), np.uint8)
    assert ring_read(memory, 0, 1, 16, out, 10)
    assert out.tolist() == [[16, 17, 18, 19], [26, 27, 28, 29], [36, 37, 38, 39]]


@pytest.mark.parametrize(
    ("generation_offset", "data_offset", "rows", "stride"),
    [
        (4, 0, 1, 0),  # unaligned
        (256, 0, 1, 0),  # behind the end
        (1 << 62, 0, 1, 0),
        (0, 250, 1, 0),  # the row ends behind the end
        (0, 1 << 62, 1, 0),
        (0, 0, 40, 8),  # the last row does
        (0, 0, 3, 1 << 62),  # stride x rows overflows 64 bits
        (0, 0, 2, 4),  # stride shorter than a row
    ],
)
def test_read_outside_the_ring_is_refused(
    generation_offset: int, data_offset: int, rows: int, stride: int
) -> None:
    memory = bytearray(256)
    out = np.zeros((rows, 8), np.uint8)
    with pytest.raises(ValueError):
        ring_read(memory, generation_offset, 0, data_offset, out, stride)


def test_read_only_memory_cannot_be_begun() -> None:
    with pytest.raises((BufferError, TypeError, ValueError)):
        ring_begin(bytes(64), 0)


def test_crc32c_of_the_rfc() -> None:
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"6789", crc32c(b"12345")) == crc32c(b"123456789") == 0xE3069283


def test_ring_is_sealed_and_its_size_checked() -> None:
    fd, memory = ring.create(8192)
    read_only = ring.open_read_only(fd)
    try:
        memory[100] = 42
        assert ring.checked_size(read_only) == 8192
        view = ring.map_read_only(read_only, 8192)
        assert view[100] == 42
        assert not view.flags.writeable
        for descriptor in (fd, read_only):
            with pytest.raises(PermissionError):
                mmap.mmap(descriptor, 8192)
            with pytest.raises(OSError):
                os.pwrite(descriptor, b"x", 0)
            with pytest.raises(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(read_only)
        os.close(fd)


def test_an_unsealed_memfd_and_a_pipe_are_refused() -> None:
    fd = os.memfd_create("plain", os.MFD_ALLOW_SEALING)
    read_end, write_end = os.pipe()
    try:
        for descriptor in (fd, read_end):
            with pytest.raises(ProtocolError) as caught:
                ring.checked_size(descriptor)
            assert caught.value.check == "seals"
        fcntl.fcntl(fd, 1033, ring.SEALS & ~0x10)  # all but FUTURE_WRITE
        with pytest.raises(ProtocolError):
            ring.checked_size(fd)
    finally:
        for descriptor in (fd, read_end, write_end):
            os.close(descriptor)


def try_to_write(got: int) -> None:
    """What a hostile subscriber could try with the descriptor that it is given; all must fail."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    descriptors = [got]
    try:  # reopened for writing: root may, the owner's user may, others may not even try
        os.fchmod(got, 0o666)
        descriptors.append(os.open(f"/proc/self/fd/{got}", os.O_RDWR))
    except PermissionError:
        pass
    for descriptor in descriptors:
        for protection in (mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_WRITE):
            with pytest.raises(OSError):
                mmap.mmap(descriptor, 8192, flags=mmap.MAP_SHARED, prot=protection)
        for attempt in (
            lambda d: os.pwrite(d, b"x", 0),
            lambda d: os.writev(d, [b"x"]),
            lambda d: os.ftruncate(d, 4096),
            lambda d: os.ftruncate(d, 16384),
            lambda d: os.posix_fallocate(d, 0, 16384),
            lambda d: os.sendfile(d, d, 0, 16),
            lambda d: os.copy_file_range(d, d, 16, 0, 4096),
            lambda d: fcntl.fcntl(d, 1033, 0x8),  # F_SEAL_WRITE would stop the publisher
        ):
            with pytest.raises(OSError):
                attempt(descriptor)
        for mode in (0x3, 0x1 | 0x10, 0x8):  # punch hole, zero range, collapse
            assert libc.fallocate(descriptor, mode, ctypes.c_long(0), ctypes.c_long(4096)) < 0
        address = libc.mmap(None, 8192, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        pointer = ctypes.c_void_p(address)
        assert libc.mprotect(pointer, 8192, mmap.PROT_READ | mmap.PROT_WRITE) < 0
        assert libc.madvise(pointer, 8192, 9) < 0  # MADV_REMOVE
        # /proc/self/mem ignores page protection, but not VM_MAYWRITE of a shared mapping.
        with Path("/proc/self/mem").open("r+b", buffering=0) as own_memory:
            own_memory.seek(address)
            with pytest.raises(OSError):
                own_memory.write(b"x")
        libc.munmap(pointer, 8192)
    # A private mapping is writable, and is nobody else's.
    private = mmap.mmap(got, 8192, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    private[0] = 0
    private.close()
    for descriptor in descriptors[1:]:
        os.close(descriptor)


@pytest.mark.parametrize("uid", [0, 65534])
def test_every_write_route_to_the_ring_is_closed(uid: int) -> None:
    """As root, and as another user who was given the descriptor."""
    if os.geteuid() != 0 and uid != os.geteuid():
        pytest.skip("needs root to become another user")
    fd, memory = ring.create(8192)
    memory[:8192] = b"\x5a" * 8192
    got = ring.open_read_only(fd)  # what SCM_RIGHTS carries
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(fd)
            os.setgid(uid)
            os.setuid(uid)
            # As after exec: a process that gave up root may look at itself again.
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
            try_to_write(got)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    try:
        assert memory[:8192] == b"\x5a" * 8192
        memory[0] = 1  # the publisher still writes
        assert fcntl.fcntl(fd, 1034) & ring.SEALS == ring.SEALS
    finally:
        os.close(got)
        os.close(fd)


def test_every_page_exists_where_populating_is_not_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU's user emulation ignores the flag, and readers refused such a ring."""
    monkeypatch.setattr(ring, "_MAP_POPULATE", 0)
    fd, memory = ring.create(5 * mmap.PAGESIZE)
    try:
        ring.check_memory(fd, 5 * mmap.PAGESIZE, 1 << 20)
    finally:
        memory.close()
        os.close(fd)
