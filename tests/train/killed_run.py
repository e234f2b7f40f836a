"""Train a toy network in processes that are killed with SIGKILL, until one comes to the end.

``python killed_run.py CAMVID_FOLDER OUT KILLS SEED eager|graph`` imports TensorFlow once and forks
each process from there. Odd kills strike in the middle of writing a checkpoint, the others
anywhere. Prints how many processes it killed, and in how many of the kills a half-written file was
left.
"""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from roadmask.data.datasets import open_dataset
from train.config import FitConfig
from train.data.loader import Part
from train.loop.fit import CHECKPOINT, Fit

CONFIG = FitConfig(
    model="unet_mini",
    input_size=(32, 32),
    crop_size=(32, 32),
    batch_size=2,
    warmup_epochs=1.0,
    schedule="plateau",
    plateau_patience=1,
    seed=5,
)
DEADLINE_S = 120.0


def make_fit(root: Path, out: Path, kills: int, checkpoint_s: float) -> Fit:
    """A run long enough for so many kills; ``checkpoint_s`` 0: a checkpoint at every step."""
    epochs = 3 + kills // 2
    config = replace(CONFIG, epochs=epochs, validate_every=epochs // 2)
    parts = [Part(open_dataset("camvid", root, "train"), 7)]
    return Fit(config, parts, open_dataset("camvid", root, "val"), out, checkpoint_s=checkpoint_s)


def start(root: Path, out: Path, kills: int) -> int:
    """Fork a process that trains to the end; its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        make_fit(root, out, kills, 0.0).run()
        os._exit(0)
    except BaseException as error:
        print(f"run failed: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def half_written(out: Path) -> bool:
    """Whether a checkpoint is being written, or was when its process ended."""
    return any(out.glob(f".{Path(CHECKPOINT).stem}-*"))


def end(pid: int) -> None:
    """Kill it, stopped or not, and wait for its end."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def kill_once(pid: int, out: Path, steps: int, in_write: bool, chance: random.Random) -> bool:
    """Kill ``pid`` when it has written ``steps`` checkpoints; False if it ended before."""
    checkpoint, seen, written = out / CHECKPOINT, None, 0
    extra = chance.uniform(0, 0.05)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        now = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else None
        written += now != seen
        seen = now
        if written > steps and not in_write:
            time.sleep(extra)
            end(pid)
            return True
        if written > steps and half_written(out):
            # It may end the file, or itself, before a signal reaches it: look once it stands still.
            os.kill(pid, signal.SIGSTOP)
            if not os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
                return False
            if half_written(out):
                end(pid)
                return True
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.0005)
    raise TimeoutError(f"no checkpoint in {DEADLINE_S} s")


def main() -> None:
    """See the module."""
    root, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    tf.config.run_functions_eagerly(sys.argv[5] == "eager")
    chance = random.Random(seed)
    killed = left_half = 0
    for number in range(kills):
        pid = start(root, out, kills)
        steps = chance.randrange(1, 4)
        if not kill_once(pid, out, steps, number % 2 == 1, chance):
            break
        killed += 1
        left_half += half_written(out)
    _, status = os.waitpid(start(root, out, kills), 0)
    print(f"killed {killed}, half-written {left_half}, last status {status}")


if __name__ == "__main__":
    main()
