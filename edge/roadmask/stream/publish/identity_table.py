"""The identities in the ring: a frame names a model or a camera by an index into them."""

from __future__ import annotations

import mmap

from roadmask.errors import PublishError
from roadmask.stream.protocol import IDENTITY_BYTES, Identity, IdentityKind, encode_identity
from roadmask.stream.ring import IDENTITY_COUNT


class IdentityTable:
    """What is in it is never rewritten: a frame of long ago still means the same.

    Args:
        memory: the ring's.
        offset: where the table begins in it.
    """

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory, self._offset = memory, offset
        self._known: list[tuple[IdentityKind, Identity]] = []

    def add(self, kind: IdentityKind, identity: Identity) -> int:
        """Its index, the one that it had before where it is known.

        Raises:
            PublishError: the table is full.
        """
        if (kind, identity) in self._known:
            return self._known.index((kind, identity))
        index = len(self._known)
        if index == IDENTITY_COUNT:
            raise PublishError(f"the identity table is full ({index}): start a new stream")
        start = self._offset + index * IDENTITY_BYTES
        # The next commit makes it visible before any frame refers to it.
        self._memory[start : start + IDENTITY_BYTES] = encode_identity(kind, identity)
        self._known.append((kind, identity))
        return index
