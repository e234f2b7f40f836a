"""Read ``multipart/form-data`` into memory, never to disk, within limits on bytes and time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from roadmask.web.problems import ProblemError, busy
from roadmask.web.settings import MIB, Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# What is wrong with a form is told to who sent it; anybody could fill the log with it.
logging.getLogger("python_multipart").setLevel(logging.ERROR)
_DISCARD_BYTES, _DISCARD_S = 128 * MIB, 10.0
_PARTS = 64


@dataclass
class Part:
    """One field of a form."""

    name: str
    filename: str | None
    data: bytearray = field(default_factory=bytearray)


class Admission:
    """How much memory the bodies of all uploads under way may take together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0

    @contextmanager
    def hold(self, announced: int) -> Iterator[Callable[[int], None]]:
        """Account for a body while the block runs, by what has come of it: words cost no room.

        Yields:
            What is to be called with the length of each chunk; it raises as this does.

        Raises:
            ProblemError: 503, there is no room now for ``announced`` bytes.
        """
        held = 0

        def take(size: int) -> None:
            nonlocal held
            self._check(size)
            held += size
            self.held += size

        self._check(announced)
        try:
            yield take
        finally:
            self.held -= held

    def _check(self, size: int) -> None:
        if self.held + size > self.limits.memory_bytes:
            raise busy("too many uploads at once", 2)


def announced_bytes(request: Request, limits: Limits) -> int:
    """Length of the body as its header says it; the limit where it says nothing (chunked).

    Raises:
        ProblemError: 400 or 413.
    """
    text = request.headers.get("content-length")
    if text is None:
        return limits.upload_bytes
    if not text.isdecimal():
        raise ProblemError(400, f"Content-Length is {text[:40]!r}: expected a number of bytes")
    if int(text) > limits.upload_bytes:
        raise _too_large(int(text), limits)
    return int(text)


async def read_form(request: Request, limits: Limits, take: Callable[[int], None]) -> list[Part]:
    """The parts of a ``multipart/form-data`` body; ``take`` is told of every chunk's length.

    Raises:
        ProblemError: 400, 408, 413 or 415.
    """
    boundary = _boundary(request.headers.get("content-type", ""))
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks)
        with anyio.fail_after(limits.body_s):
            received = 0
            async for chunk in request.stream():
                received += len(chunk)
                if received > limits.upload_bytes:
                    raise _too_large(received, limits)
                take(len(chunk))
                parser.write(chunk)
    except FormParserError as error:
        raise ProblemError(400, f"the body is no valid multipart/form-data: {error}") from error
    except TimeoutError:
        raise ProblemError(408, f"the body did not arrive within {limits.body_s:g} s") from None
    return form.finish()


async def discard(request: Request) -> None:
    """Read what the client still sends, so that it gets to read our refusal; within limits."""
    if request.headers.get("expect", "").lower() == "100-continue":
        return  # it waits for our word before it sends
    received = 0
    try:
        with anyio.fail_after(_DISCARD_S):
            async for chunk in request.stream():
                received += len(chunk)
                if received > _DISCARD_BYTES:
                    return
    except (TimeoutError, RuntimeError):  # RuntimeError: the stream was read already
        pass


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            415,
            f"the body is {content_type[:60] or 'of no declared type'}: expected "
            "multipart/form-data with a file in the part 'image'",
        )
    return boundary


def _too_large(size: int, limits: Limits) -> ProblemError:
    return ProblemError(
        413, f"the upload has {size} bytes or more: at most {limits.upload_bytes} are taken"
    )


class _Form:
    """What a parser tells of a form. It does not hold the parser: in a cycle of references the
    bodies would lie about until the garbage collector comes, which large ones do not hasten.
    """

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._ended = False

    @property
    def callbacks(self) -> MultipartCallbacks:
        """For ``MultipartParser``."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def finish(self) -> list[Part]:
        if not self._ended:
            raise ProblemError(400, "the form ends before its last boundary: send it again")
        return self._parts

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_headers(self) -> None:
        if len(self._parts) == _PARTS:
            raise ProblemError(413, f"the form has more than {_PARTS} parts")
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        if name is None:
            raise ProblemError(400, "a part of the form has no name in its Content-Disposition")
        shown = None if filename is None else filename.decode(errors="replace")
        self._parts.append(Part(name.decode(errors="replace"), shown))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._parts[-1].data += data[start:end]

    def _on_end(self) -> None:
        self._ended = True
