"""What a model must show on this board before it may run: certified masks, in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roadmask.errors import ModelError
from roadmask.inference.engine import Engine
from roadmask.inference.golden import read_golden, verify
from roadmask.inference.model_file import digest, read_model
from roadmask.models_store.store import Installed

_WARM_UP, _TIMED = 3, 15


@dataclass(frozen=True)
class Proof:
    """What it showed.

    Attributes:
        frames: golden frames that it answered as certified.
        invoke_ms: median time of the network alone.
    """

    frames: int
    invoke_ms: float


def prove(model: Installed, load: Callable[[Path], Engine], budget_ms: float) -> Proof:
    """Load an installed model as it will run, ask it its golden frames, then time it.

    Raises:
        ModelError: the file is damaged, no golden frames, another answer than certified, slower
            than ``budget_ms``.
    """
    data = read_model(model.path)
    if digest(data) != model.digest:
        raise ModelError(f"{model.path} is not what was installed: install it anew")
    engine, golden = load(model.path), read_golden(data)
    if golden is None:
        raise ModelError(
            f"model {model.name} holds no golden frames, so nothing proves it on this board: "
            "convert it anew with `python -m convert`"
        )
    verdicts = verify(engine, golden)
    if wrong := [verdict for verdict in verdicts if not verdict.passed]:
        raise ModelError(
            f"model {model.name}: {len(wrong)} of {len(verdicts)} golden frames are not answered "
            f"as certified ({wrong[0].name}: {wrong[0].wrong_pixels} wrong pixels); "
            "this board does not compute it right"
        )
    invoke_ms = _median_ms(engine)
    if invoke_ms > budget_ms:
        raise ModelError(
            f"model {model.name} takes {invoke_ms:.1f} ms a frame here, {budget_ms:g} ms are "
            "allowed: take a smaller one, or give --budget-ms"
        )
    return Proof(len(verdicts), invoke_ms)


def _median_ms(engine: Engine) -> float:
    times = []
    for _ in range(_WARM_UP + _TIMED):
        begin = time.perf_counter()
        engine.invoke()
        times.append(time.perf_counter() - begin)
    return 1000 * sorted(times[_WARM_UP:])[_TIMED // 2]
