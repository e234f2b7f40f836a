"""Which network a picture is prepared for: the present one, or the next that is to take over."""

from __future__ import annotations

from roadmask.daemon.network import Network
from roadmask.inference.tensors import Prepared
from roadmask.sources import Frame


class Intake:
    """A ``Preparation`` of the network that is set, and remembers for which one it was.

    Attributes:
        network: what pictures are prepared for from now on; set it from any thread.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._networks: dict[int, Network] = {}  # by ``id`` of a tensor that lives in its pool

    @property
    def needed(self) -> tuple[int, int]:
        """As of ``Preparation``."""
        return self.network.tensors.needed

    def begin(self, frame: Frame, idle: bool) -> Prepared:
        """As of ``Preparation``; a network that takes over has no frame waiting for it."""
        network = self.network
        prepared = network.tensors.begin(frame, idle)
        self._networks[id(prepared)] = network
        return prepared

    def release(self, prepared: Prepared) -> None:
        """As of ``Preparation``."""
        self._networks[id(prepared)].tensors.release(prepared)

    def network_of(self, prepared: Prepared) -> Network:
        """What a tensor was prepared for."""
        return self._networks[id(prepared)]

    def forget(self, network: Network) -> None:
        """None of its tensors is under way any more."""
        for key in [key for key, value in self._networks.items() if value is network]:
            del self._networks[key]
