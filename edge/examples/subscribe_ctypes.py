"""Masks through the C interface by ctypes: no roadmask package, only ``libroadmask.so.1``.

python edge/examples/subscribe_ctypes.py SOCKET [FRAMES] [--allow-not-live]

The loader finds the library as for any program (ldconfig, or LD_LIBRARY_PATH=P/lib).
edge/cpp/examples/subscribe.c does the same in the same order.
"""

from __future__ import annotations

import argparse
import ctypes
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_float,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
)

ALLOW_NOT_LIVE, MODEL, FLAT = 1, 1, 1


class Options(ctypes.Structure):
    """``roadmask_options``."""

    _fields_ = (
        ("size", c_uint32),
        ("flags", c_uint32),
        ("max_age_ms", c_int64),
        ("refuse", c_uint32),
        ("reserved", c_uint32),
        ("max_ring_bytes", c_uint64),
        ("publisher_user", c_char_p),
        ("model", c_char_p),
    )


class Frame(ctypes.Structure):
    """``roadmask_frame``."""

    _fields_ = (
        *((name, c_uint32) for name in ("size", "mode", "reasons", "flags")),
        *((name, c_uint64) for name in ("stream_id", "sequence", "capture_ns", "publish_ns")),
        *((name, c_uint64) for name in ("valid_until_ns", "frame_id", "skipped_total")),
        ("skipped", c_uint32),
        ("infer_us", c_uint32),
        ("stage_us", c_uint32 * 4),
        *((name, c_float) for name in ("scale_x", "scale_y", "offset_x", "offset_y")),
        ("camera_width", c_uint32),
        ("camera_height", c_uint32),
        ("shares", c_uint16 * 8),
        *((name, POINTER(c_uint8)) for name in ("pixels", "confidence", "preview")),
        *((name, c_uint32) for name in ("width", "height", "stride", "confidence_stride")),
        *((name, c_uint32) for name in ("preview_width", "preview_height", "preview_stride")),
        ("reserved", c_uint32),
    )


class Identity(ctypes.Structure):
    """``roadmask_identity``."""

    _fields_ = (
        ("size", c_uint32),
        ("kind", c_uint32),
        ("sha256", c_uint8 * 32),
        ("name", c_char * 96),
        ("colors", c_uint32),
        ("colors_rgb", c_uint8 * 3 * 32),
    )


def load() -> ctypes.CDLL:
    """The library, with the types of what is called here."""
    library = ctypes.CDLL("libroadmask.so.1")
    handle = ctypes.c_void_p
    library.roadmask_mask_new.restype = handle
    library.roadmask_mode_name.restype = library.roadmask_category_name.restype = c_char_p
    library.roadmask_mask_age_ns.restype = c_int64
    for name, *types in (
        ("options_init", POINTER(Options), c_uint32),
        ("open", c_char_p, POINTER(Options), POINTER(handle)),
        ("receive", handle, handle, c_int64),
        ("mask_frame", handle, POINTER(Frame)),
        ("mask_identity", handle, c_uint32, POINTER(Identity)),
        ("mask_age_ns", handle),
        ("reason_text", handle, c_char_p, ctypes.c_size_t),
        ("reason_names", c_uint32, c_char_p, ctypes.c_size_t),
        ("mask_free", handle),
        ("free", handle),
    ):
        getattr(library, f"roadmask_{name}").argtypes = types
    return library


def share_of(frame: Frame, category: int) -> float:
    """Fraction of the mask's pixels."""
    data = ctypes.string_at(frame.pixels, frame.stride * frame.height)
    rows = (data[row * frame.stride :][: frame.width] for row in range(frame.height))
    return sum(row.count(category) for row in rows) / (frame.width * frame.height)


def tell(library: ctypes.CDLL, mask: ctypes.c_void_p, frame: Frame) -> None:
    """One line about one mask."""
    text, model = ctypes.create_string_buffer(256), Identity(ctypes.sizeof(Identity))
    library.roadmask_reason_names(frame.reasons, text, len(text))
    known = library.roadmask_mask_identity(mask, MODEL, ctypes.byref(model))
    print(
        f"mask {frame.sequence} {library.roadmask_mode_name(frame.mode).decode()} "
        f"{text.value.decode()} age {library.roadmask_mask_age_ns(mask) / 1e6:.1f} ms, "
        f"{library.roadmask_category_name(FLAT).decode()} {share_of(frame, FLAT):.3f}, "
        f"model {model.name.decode() if known else 'unknown'}",
        flush=True,
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket")
    parser.add_argument("frames", type=int, nargs="?", default=-1)
    parser.add_argument("--allow-not-live", action="store_true")
    given = parser.parse_args()
    library, options = load(), Options()
    library.roadmask_options_init(ctypes.byref(options), ctypes.sizeof(options))
    options.flags |= ALLOW_NOT_LIVE if given.allow_not_live else 0
    subscriber, mask = ctypes.c_void_p(), ctypes.c_void_p(library.roadmask_mask_new())
    path = given.socket.encode()
    if library.roadmask_open(path, ctypes.byref(options), ctypes.byref(subscriber)) != 0:
        parser.error("the library does not take these options")
    seen = 0
    while seen != given.frames:
        frame = Frame(ctypes.sizeof(Frame))
        why = library.roadmask_receive(subscriber, mask, 250)
        if why or not library.roadmask_mask_frame(mask, ctypes.byref(frame)):
            text = ctypes.create_string_buffer(256)
            library.roadmask_reason_text(subscriber, text, len(text))
            print(f"stop: no mask: {text.value.decode()}", flush=True)
        else:
            seen += 1
            tell(library, mask, frame)
    library.roadmask_mask_free(mask)
    library.roadmask_free(subscriber)


if __name__ == "__main__":
    main()
