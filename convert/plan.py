"""What to convert, and on what it is calibrated, measured and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.daemon.latency import DEFAULT_SOURCE
from convert.judge.gates import Gates
from convert.quantise.converter import MODES
from roadmask.errors import ConfigError
from roadmask.inference.pixels import Pixels

DEFAULT_VIDEO = "synthetic:town?seed=3&width=640&height=360"


@dataclass(frozen=True)
class ConversionPlan:
    """One conversion.

    Attributes:
        model: the ``.keras`` or ``.h5`` file.
        size: width and height of the input in px, where it is not the file's own.
        custom_objects: Python file with layers that the file names.
        calibration: manifest or folder; ``calibration_root`` is the manifest's data set.
        eval_dataset, eval_root, eval_split, eval_count: the evaluation set; the count is the
            town's.
        labels: label set, where the number of classes does not tell.
        truth_labels: label set of the evaluation masks, where not the data set's own.
        input_range, channels: what the network takes for pixels; found out where not told.
        mode: of ``convert.quantise.converter.MODES``.
        float_layers: that int8 leaves in float.
        recover: epochs of a fine-tune on the calibration frames where they are missed; 0: none.
        repair: let layers go to float until the gates of accuracy are passed.
        allow_float: let operators without an INT8 form stay in float.
        temperature: of the confidences, written into the file.
        gates: what it may cost.
        history: folder of the accepted conversions; None judges against the float model alone.
        video: URI of the drive that flicker is measured on.
        latency_source: URI of the frames that are timed; latency_frames in each phase.
        time: measure latency.
        threads: of the interpreter while timing.

    Raises:
        ConfigError: choices that exclude each other.
    """

    model: Path
    calibration: Path
    calibration_root: Path | None = None
    eval_dataset: str = "town"
    eval_root: Path | None = None
    eval_split: str = "val"
    eval_count: int = 100
    labels: str = ""
    size: tuple[int, int] | None = None
    custom_objects: Path | None = None
    truth_labels: str = ""
    input_range: Pixels | None = None
    channels: str = ""
    mode: str = "int8"
    float_layers: tuple[str, ...] = ()
    recover: int = 0
    repair: bool = False
    allow_float: bool = False
    temperature: float = 1.0
    gates: Gates = field(default_factory=Gates)
    history: Path | None = None
    video: str = DEFAULT_VIDEO
    latency_source: str = DEFAULT_SOURCE
    latency_frames: int = 200
    time: bool = True
    threads: int = 1
    verbose: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"--mode {self.mode}: expected one of {', '.join(MODES)}")
        if self.mode != "int8" and (self.float_layers or self.recover or self.repair):
            option = "--float-layers" if self.float_layers else "--recover"
            option = "--repair" if self.repair else option
            raise ConfigError(f"{option} goes with --mode int8, not with {self.mode}")
        if not self.time and self.gates.max_latency_ms is not None:
            raise ConfigError("give --max-latency-ms or --no-latency, not both")
        if self.float_layers and self.repair:
            raise ConfigError("give --float-layers or --repair, not both: repair picks them")
        if self.float_layers and self.recover:
            raise ConfigError("give --float-layers or --recover, not both: it trains all in INT8")
