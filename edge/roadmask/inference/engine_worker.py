"""The process that runs a network for the daemon: what crashes here takes no stream down.

``python -m roadmask.inference.engine_worker FD``: FD is one end of a SOCK_SEQPACKET pair. It is
told what to load, answers with what the network is, gets the shared memory of the tensors, and then
runs the network once for each message until the other end is gone. It loads no OpenCV.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import math
import mmap
import os
import pickle
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roadmask.arrays import Tensor
from roadmask.errors import RoadmaskError
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.inference.tensors import flat_bytes
from roadmask.labels.label_set import LabelSet
from roadmask.system.clock import now_ns
from roadmask.system.scheduling import lock_memory, pinned, use_realtime

RUN, LOADED, READY, DONE, FAILED, MOVED = b"r", b"l", b"y", b"d", b"f", b"m"
STAMPS = struct.Struct("=c7xqq")  # DONE, began, ended: CLOCK_BOOTTIME in ns
MESSAGE_BYTES = 1 << 16
Form = tuple[tuple[int, ...], np.dtype[Any]]  # shape and type of an array
_HERE = {
    "_processor",
    "_runner",
    "input",
    "output",
    "direct_input",
    "late",
    "standing",
    "ask_again",
}  # of an engine: native memory
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class EngineOrder:
    """What the process is to load, and how it is to run."""

    model: str
    threads: int = 1
    labels: str | LabelSet | None = None
    accelerator: Accelerator = Accelerator()  # noqa: RUF009 (frozen)
    cores: frozenset[int] = frozenset()
    realtime: int = 0
    lock_memory: bool = False
    read_as: ReadAs = AS_IT_SAYS
    direct: bool = True  # the tensor is what the network itself reads, see ``Engine.direct_input``


def shared_arrays(descriptor: int, forms: Sequence[Form]) -> list[Tensor]:
    """Arrays of these forms in a memory file, each on pages of its own; closes the descriptor."""
    memory = mmap.mmap(descriptor, memory_bytes(forms))
    os.close(descriptor)
    arrays, at = [], 0
    for shape, dtype in forms:
        arrays.append(np.frombuffer(memory, dtype, math.prod(shape), at).reshape(shape))
        at += _pages(shape, dtype)
    return arrays


def memory_bytes(forms: Sequence[Form]) -> int:
    """The size of the memory file that holds them."""
    return sum(_pages(shape, dtype) for shape, dtype in forms)


def _pages(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return -(-math.prod(shape) * dtype.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE


def main(descriptor: int) -> int:
    """Serve the other end of the pair until it is gone."""
    logging.disable()  # the daemon logs what it is told
    faulthandler.enable()  # a crash in native code names the thread that it came from
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon's end ends this process
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with socket.socket(fileno=descriptor) as peer:
        order: EngineOrder = pickle.loads(peer.recv(MESSAGE_BYTES))
        try:
            with pinned(order.cores):  # the interpreter's threads too
                engine = _load(order)
                _serve(peer, engine, order.direct)
        except RoadmaskError as error:
            peer.send(FAILED + pickle.dumps(error))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the daemon ended meanwhile
    return 0


def _load(order: EngineOrder) -> Engine:
    if order.realtime:
        use_realtime(order.realtime)
    if order.lock_memory:
        lock_memory()
    return Engine(order.model, order.threads, order.labels, order.accelerator, order.read_as)


def _serve(peer: socket.socket, engine: Engine, direct: bool) -> None:
    facts = {name: value for name, value in vars(engine).items() if name not in _HERE}
    tensors = (engine.direct_input if direct else engine.input, engine.output)
    invoke = engine.invoke_direct if direct else engine.invoke
    forms = [(array.shape, array.dtype) for array in tensors]
    peer.send(LOADED + pickle.dumps((facts, engine.operators, engine.placement, forms)))
    _, descriptors, _, _ = socket.recv_fds(peer, 1, 1)
    if not descriptors:
        return
    given, answer = (flat_bytes(array) for array in shared_arrays(descriptors[0], forms))
    tensor, output = (flat_bytes(array) for array in tensors)
    began_ns = now_ns()
    invoke()  # warm
    peer.send(READY + pickle.dumps(now_ns() - began_ns))
    placement = engine.placement
    while peer.recv(1):
        tensor[:] = given
        began_ns = now_ns()
        invoke()
        ended_ns = now_ns()
        answer[:] = output
        if engine.placement is not placement:
            placement = engine.placement
            peer.send(MOVED + pickle.dumps(placement))
        peer.send(STAMPS.pack(DONE, began_ns, ended_ns))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
