"""What a command says of a network, over what its file says."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.system.forms import INPUT_RANGE, SIZE
from roadmask.system.settings import setting

_GROUP = "network"


@dataclass(frozen=True)
class ReadAs:
    """Each is empty where the command says nothing.

    Attributes:
        input_range: of the numbers that the network was trained on, see ``pixels.input_range``.
        channels: their order, ``rgb`` or ``bgr``.
        size: ``WIDTHxHEIGHT`` of an input that has no fixed size.
        output: name or number of the output to take, where there are several.
    """

    input_range: str = setting(
        "",
        "of the numbers that a silent network was trained on",
        form=INPUT_RANGE,
        metavar="R",
        group=_GROUP,
    )
    channels: str = setting(
        "", "their order, where it is silent", choices=("rgb", "bgr"), metavar="ORDER", group=_GROUP
    )
    size: str = setting(
        "", "of an input that has no fixed size", form=SIZE, metavar="WxH", group=_GROUP
    )
    output: str = setting(
        "", "which of several, or its number from 0", metavar="NAME", group=_GROUP
    )

    @property
    def arguments(self) -> list[str]:
        """The same on a command line."""
        given = {
            "--input-range": self.input_range,
            "--channels": self.channels,
            "--size": self.size,
            "--output": self.output,
        }
        return [f"{name}={value}" for name, value in given.items() if value]


AS_IT_SAYS = ReadAs()
