"""Both subscribers behind one face, so that a sentence about them is one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from cpp_parts import Driven, driven

from roadmask.stream.modes import NoMask, Reason
from roadmask.stream.subscribe.subscriber import Subscriber

LANGUAGES = ("python", "cpp")


class Reader(Protocol):
    """``look`` is ``latest``: whether it gave a mask. ``reason`` and ``text`` say why not."""

    @property
    def reason(self) -> NoMask: ...
    @property
    def text(self) -> str: ...
    def look(self) -> bool: ...
    def view(self) -> bool: ...


class PythonReader:
    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    @property
    def reason(self) -> NoMask:
        return self._subscriber.reason

    @property
    def text(self) -> str:
        return self._subscriber.reason_text

    def look(self) -> bool:
        return self._subscriber.latest() is not None

    def view(self) -> bool:
        return self._subscriber.latest(copy=False) is not None


class CppReader:
    def __init__(self, running: Driven) -> None:
        self._running = running
        self.reason, self.text = NoMask.NOT_CONNECTED, ""

    def look(self) -> bool:
        return self._ask("latest")

    def view(self) -> bool:
        return self._ask("view")

    def _ask(self, question: str) -> bool:
        kind, _, rest = self._running.ask(question).partition(" ")
        if kind == "mask":
            self.reason, self.text = NoMask.NONE, ""
            return True
        number, _, self.text = rest.split(" ", 2)
        self.reason = NoMask(int(number))
        return False


@contextmanager
def reader(language: str, path: Path | str, **options: Any) -> Iterator[Reader]:
    """A subscriber in that language; ``options`` as ``Subscriber`` takes them."""
    if language == "python":
        with Subscriber(path, **options) as subscriber:
            yield PythonReader(subscriber)
    else:
        with driven("probe", path, *_words(options)) as running:
            yield CppReader(running)


def _words(options: dict[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if name == "max_age_ms":
            name = "max_age"
        if isinstance(value, Reason):
            value = int(value)
        if value is not False:
            yield "--" + name.replace("_", "-")
            if value is not True:
                yield str(value)
