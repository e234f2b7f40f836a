"""The process that runs a network for the daemon: what crashes here takes no stream down.

``python -m roadmask.inference.engine_worker FD``: FD is one end of a SOCK_SEQPACKET pair. It is
told what to load, answers with what the network is, gets the shared memory of the tensors (until
then it may be asked whether it is there), and then runs the network once for each turn that it is
given in there, until the other end is gone. It loads no OpenCV.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import pickle
import signal
import socket
import sys

from roadmask.errors import RoadmaskError
from roadmask.inference.engine import Engine
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.own_time import waited_ns
from roadmask.inference.shared_tensors import SharedTensors, places_of
from roadmask.inference.tensors import flat_bytes
from roadmask.system.clock import now_ns
from roadmask.system.scheduling import lock_memory, pinned, use_realtime

LOADED, READY, FAILED, MOVED = b"l", b"y", b"f", b"m"
ASK, HERE = b"?", b"h"
MESSAGE_BYTES = 1 << 16
_LOOK_S = 1.0  # between two looks whether the daemon is there
_NATIVE = {
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


def main(descriptor: int) -> int:
    """Serve the other end of the pair until it is gone."""
    logging.disable()  # the daemon logs what it is told
    faulthandler.enable()  # a crash in native code names the thread that it came from
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon's end ends this process
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with socket.socket(fileno=descriptor) as peer:
        told = peer.recv(MESSAGE_BYTES)
        if not told:
            return 0  # the daemon ended at its start
        order: EngineOrder = pickle.loads(told)
        try:
            with pinned(order.cores):  # the interpreter's threads too
                engine = _load(order)
                _serve(peer, engine, order)
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


def _serve(peer: socket.socket, engine: Engine, order: EngineOrder) -> None:
    direct = order.direct
    facts = {name: value for name, value in vars(engine).items() if name not in _NATIVE}
    tensors = (engine.direct_input if direct else engine.input, engine.output)
    invoke = engine.invoke_direct if direct else engine.invoke
    places = places_of(tensors)
    peer.send(LOADED + pickle.dumps((facts, engine.operators, engine.placement, places)))
    wanted, descriptors, _, _ = socket.recv_fds(peer, MESSAGE_BYTES, 1)
    while wanted == ASK:
        peer.send(HERE)
        wanted, descriptors, _, _ = socket.recv_fds(peer, MESSAGE_BYTES, 1)
    if not descriptors:
        return
    shared = SharedTensors(descriptors[0], pickle.loads(wanted))
    # What an accelerator reads is a copy in any case.
    joined = direct and not order.accelerator.name and shared.join(tensors)
    given, answer = (flat_bytes(array) for array in shared.arrays)
    tensor, output = (flat_bytes(array) for array in tensors)
    began_ns, waited_before_ns = now_ns(), waited_ns()
    invoke()  # warm
    # Its own time: who had no core for seconds would be waited for four times as long ever after.
    taken_ns = now_ns() - began_ns - (waited_ns() - waited_before_ns)
    peer.send(READY + pickle.dumps(taken_ns))
    placement, turns = engine.placement, shared.turns
    while True:
        if not turns.next(_LOOK_S):
            if _ended(peer):
                return
            continue
        if not joined:
            tensor[:] = given
        began_ns = now_ns()
        invoke()
        ended_ns = now_ns()
        if not joined:
            answer[:] = output
        moved = engine.placement is not placement
        if moved:
            placement = engine.placement
            peer.send(MOVED + pickle.dumps(placement))
        turns.answer(began_ns, ended_ns, moved)


def _ended(peer: socket.socket) -> bool:
    """Whether nobody is at the other end, who says nothing any more."""
    try:
        return not peer.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
