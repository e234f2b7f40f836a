"""The few reads of a FlatBuffer that the model file needs."""

from __future__ import annotations

import struct


def read_u32(data: bytes, at: int) -> int:
    """The number at a place of a FlatBuffer."""
    return int(struct.unpack_from("<I", data, at)[0])


def read_field(data: bytes, table: int, slot: int) -> int:
    """Position of a table's field, 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    offset = 4 + 2 * slot
    if offset >= size:
        return 0
    inside = struct.unpack_from("<H", data, vtable + offset)[0]
    return table + inside if inside else 0


def read_vector(data: bytes, table: int, slot: int) -> list[int]:
    """Positions of the tables that a field's vector lists."""
    at = read_field(data, table, slot)
    if not at:
        return []
    start = at + read_u32(data, at)
    count = read_u32(data, start)
    if start + 4 + 4 * count > len(data):
        raise IndexError(f"vector of {count} at {start}")
    places = range(start + 4, start + 4 + 4 * count, 4)
    return [place + read_u32(data, place) for place in places]


def _bytes(data: bytes, table: int, slot: int) -> bytes:
    at = read_field(data, table, slot)
    if not at:
        return b""
    start = at + read_u32(data, at)
    size = read_u32(data, start)
    if start + 4 + size > len(data):
        raise IndexError(f"{size} bytes at {start}")
    return data[start + 4 : start + 4 + size]
