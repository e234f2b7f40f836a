"""The version of a shared library, from wherever it tells one."""

from __future__ import annotations

import ctypes
import re
import struct
from contextlib import suppress
from pathlib import Path

UNKNOWN = "version unknown"
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SONAME = 5, 14
_NUMBERED = re.compile(r"\.so\.(\d+(?:\.\d+)*)$")


def library_version(name: str) -> str:
    """What the library says of itself, else its file's name, else its SONAME.

    Args:
        name: a path, or one that the loader finds.

    Raises:
        OSError: it cannot be loaded.
    """
    library = ctypes.CDLL(name)
    return _said(library) or (_named(path) if (path := _path(library)) else UNKNOWN)


def _said(library: ctypes.CDLL) -> str:
    """By the functions of those that have one; libedgetpu's tells its compiler and date too."""
    with suppress(AttributeError):
        tell = library.edgetpu_version
        tell.restype = ctypes.c_char_p
        text = (tell() or b"").decode(errors="replace")
        return " ".join(text.split())[:100]
    with suppress(AttributeError):
        number = ctypes.c_uint32()
        if library.vkEnumerateInstanceVersion(ctypes.byref(number)) == 0:
            packed = number.value
            return f"{packed >> 22 & 0x7F}.{packed >> 12 & 0x3FF}.{packed & 0xFFF}"
    return ""


def _path(library: ctypes.CDLL) -> Path | None:
    """The file that the loader took, links followed."""

    class LinkMap(ctypes.Structure):
        _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))

    found = ctypes.POINTER(LinkMap)()
    request = 2  # RTLD_DI_LINKMAP
    if ctypes.CDLL(None).dlinfo(ctypes.c_void_p(library._handle), request, ctypes.byref(found)):
        return None
    return Path(found.contents.name.decode(errors="surrogateescape")).resolve()


def _named(path: Path) -> str:
    """``libvulkan.so.1.3.239``: 1.3.239; a SONAME's number is that of the interface alone."""
    if (numbers := _NUMBERED.search(path.name)) and "." in numbers[1]:
        return numbers[1]
    with suppress(OSError, struct.error, ValueError):
        if numbers := _NUMBERED.search(soname(path.read_bytes())):
            return f"interface {numbers[1]}, {UNKNOWN}"
    return UNKNOWN


def soname(elf: bytes) -> str:
    """The name in a 64-bit, little-endian ELF file; empty where it has none.

    Raises:
        ValueError, struct.error: it is no such file.
    """
    if elf[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not ELF of 64 bits")
    (headers,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = [struct.unpack_from("<IIQQQQ", elf, headers + turn * size) for turn in range(count)]
    values: dict[int, int] = {}
    for kind, _, offset, _, _, length in segments:
        if kind == _PT_DYNAMIC:
            values |= dict(struct.iter_unpack("<QQ", elf[offset : offset + length]))
    if _DT_SONAME not in values:
        return ""
    strings = values[_DT_STRTAB]
    for kind, _, offset, address, _, length in segments:
        if kind == _PT_LOAD and address <= strings < address + length:
            begin = offset + strings - address + values[_DT_SONAME]
            return elf[begin : elf.index(b"\0", begin)].decode()
    raise ValueError("its strings are in no segment")
