"""Networks by name: ``NAME`` of this process, ``NAME@PEER`` of another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from roadmask.web.networks.local import LocalNetwork, Network
from roadmask.web.networks.peers import Peer, PeerNetwork
from roadmask.web.problems import ProblemError
from roadmask.web.schemas import Model

_STUCK_S = 10.0  # that one picture may take before this server counts as not ready


class Networks:
    """What can be asked for; a name is looked up, never opened as a file or an address."""

    def __init__(self, local: Mapping[str, LocalNetwork], peers: Sequence[Peer] = ()) -> None:
        self.local = local
        self.default = next(iter(local))
        self._peers = {peer.address.name: peer for peer in peers}

    def find(self, name: str | None) -> Network:
        """The network of that name.

        Raises:
            ProblemError: 404.
        """
        if name is None:
            return self.local[self.default]
        if name in self.local:
            return self.local[name]
        model, at, peer = name.rpartition("@")
        if at and model and peer in self._peers:
            return PeerNetwork(self._peers[peer], model)
        known = ", ".join((*self.local, *(f"NAME@{peer}" for peer in self._peers)))
        raise ProblemError(404, f"model {name[:80]!r} is unknown: this server has {known}")

    @property
    def stuck(self) -> str | None:
        """Which network is held up by one picture, in words."""
        for name, network in self.local.items():
            if (taken_s := network.worker.occupied_s) > _STUCK_S:
                return f"model {name} has been busy with one picture for {taken_s:.0f} s"
        return None

    async def describe(self) -> list[Model]:
        """Entries of ``GET /models``."""
        lists = await asyncio.gather(*(peer.describe() for peer in self._peers.values()))
        own = [network.describe() for network in self.local.values()]
        return own + [model for models in lists for model in models]

    async def close(self) -> None:
        """Wait for what runs, and leave the peers."""
        for peer in self._peers.values():
            await peer.close()
        for network in self.local.values():
            network.worker.close()
