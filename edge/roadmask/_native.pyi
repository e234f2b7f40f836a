"""Types of the extension module: ring operations first, then the kernels."""

import mmap

import numpy as np
import numpy.typing as npt

_Bytes = bytes | bytearray | memoryview | mmap.mmap | npt.NDArray[np.uint8]

def crc32c(data: _Bytes, crc: int = 0) -> int: ...
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
