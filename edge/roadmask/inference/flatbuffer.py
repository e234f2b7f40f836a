"""The few reads of a FlatBuffer that the model file needs."""

from __future__ import annotations

import struct


def read_u32(data: bytes, at: int) -> int:
    """The number at a place of a FlatBuffer."""
    return int(struct.unpack_from("<I", data, at)[0])


def read_field(data: bytes, table: int, slot: int) -> int:
    """Position of a table's field, 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise IndexError(f"vtable at {vtable}")
    size = struct.unpack_from("<H", data, vtable)[0]
    offset = 4 + 2 * slot
    if offset >= size:
        return 0
    inside = struct.unpack_from("<H", data, vtable + offset)[0]
    return table + inside if inside else 0


def read_number(data: bytes, table: int, slot: int, form: str = "I") -> int:
    """A scalar field of ``struct``'s ``form``, 0 where it is absent."""
    at = read_field(data, table, slot)
    return int(struct.unpack_from(f"<{form}", data, at)[0]) if at else 0


def read_table(data: bytes, table: int, slot: int) -> int:
    """Position of the table that a field points to, 0 where it is absent."""
    at = read_field(data, table, slot)
    return at + read_u32(data, at) if at else 0


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


def read_numbers(data: bytes, table: int, slot: int, form: str = "i") -> list[float]:
    """A field's vector of numbers of ``struct``'s ``form``, empty where it is absent."""
    at = read_field(data, table, slot)
    if not at:
        return []
    start = at + read_u32(data, at)
    return list(struct.unpack_from(f"<{read_u32(data, start)}{form}", data, start + 4))


def read_integers(data: bytes, table: int, slot: int) -> list[int]:
    """A field's vector of int32, empty where it is absent."""
    return [int(number) for number in read_numbers(data, table, slot)]


def read_bytes(data: bytes, table: int, slot: int) -> bytes:
    """A field's vector of bytes, or its text, empty where it is absent."""
    start, size = bytes_at(data, table, slot)
    return data[start : start + size]


def bytes_at(data: bytes, table: int, slot: int) -> tuple[int, int]:
    """Where they begin, and how many they are."""
    at = read_field(data, table, slot)
    if not at:
        return 0, 0
    start = at + read_u32(data, at)
    size = read_u32(data, start)
    if start + 4 + size > len(data):
        raise IndexError(f"{size} bytes at {start}")
    return start + 4, size
