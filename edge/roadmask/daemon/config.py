"""What ``roadmask run`` takes: every setting, with its range, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from roadmask.daemon.camera_model import CameraSettings
from roadmask.inference.geometry import FITS, MASK_SIZES
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.inference.reading.read_as import ReadAs
from roadmask.stream.checks import MAX_AGE_MS
from roadmask.stream.protocol import DEFAULT_SOCKET
from roadmask.system.forms import CORES, CROP, Form
from roadmask.system.logs import FORMATS
from roadmask.system.ranges import (
    COUNT,
    LATENCY_MS,
    SECONDS,
    SHARE,
    STEADINESS,
    THREADS,
    between,
)
from roadmask.system.settings import check, setting

_MACHINE = "machine"
_OBSERVED = "observation"
_ADDRESS = Form(r"(\[[^\]]+\]|[^\[\]:]*):\d{1,5}", "HOST:PORT")
_PAIR = Form(r"[^=\0]+=[^\0]*", "KEY=VALUE")


@dataclass(frozen=True)
class SceneLimits:
    """When a picture is called bad: ``[scene]`` of the configuration."""

    dark: float = setting(
        0.98, "DARK above: share of pixels with luma under 16", within=SHARE, option=""
    )
    bright: float = setting(
        0.80, "OVEREXPOSED above: share of pixels with luma over 240", within=SHARE, option=""
    )
    detail: float = setting(
        6.0,
        "BLOCKED below: Laplacian energy, grey levels squared",
        within=between(0.0, 1e6),
        option="",
    )
    sharpness: float = setting(
        0.12, "BLOCKED below: ratio of energies two octaves apart", within=SHARE, option=""
    )
    noise: float = setting(
        2.0,
        "BLOCKED above: the same, the larger of two scales: nothing but noise",
        within=between(0.0, 1e6),
        option="",
    )
    raise_s: float = setting(0.5, "a reason is given after", unit="s", within=SECONDS, option="")
    clear_s: float = setting(
        1.0, "and taken back after so long without its cause", unit="s", within=SECONDS, option=""
    )
    every_s: float = setting(
        0.1, "between two looks; 0 switches all off", unit="s", within=SECONDS, option=""
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class MaskLimits:
    """When a mask is doubted: ``[mask]`` of the configuration."""

    area: float = setting(
        0.97, "IMPLAUSIBLE above: share of one category but void", within=SHARE, option=""
    )
    confidence: float | None = setting(
        None,
        "LOW_CONFIDENCE below: mean confidence; by default 4 times the golden frames' doubt",
        within=SHARE,
        option="",
    )
    saturation: float = setting(
        0.01,
        "DRIFT above: share of logits at an end of their type, over that of the golden frames",
        within=SHARE,
        option="",
    )
    flicker: float = setting(
        0.15,
        "FLICKER above: share of still pixels that change their category in a look",
        within=SHARE,
        option="",
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class DaemonConfig(ReadAs):
    """What ``roadmask run`` takes, on the command line or as ``[daemon]`` of a TOML file."""

    source: str = setting("/dev/video0", "camera, video, folder or town, as URI (docs/sources.md)")
    live: bool = setting(
        False, "a network stream or GStreamer pipeline shows the present: nothing else proves it"
    )
    latency_ms: float | None = setting(
        None,
        "at most so long from exposure to arrival, where no driver stamps the frames",
        unit="ms",
        within=LATENCY_MS,
    )
    model: str = setting(DEFAULT_MODEL, "a .tflite file, or the name of a shipped model")
    socket: str = setting(DEFAULT_SOCKET, "path of the socket that subscribers connect to")
    threads: int = setting(1, "threads of the network", within=THREADS)
    frames: int = setting(0, "publish so many, then stop; 0: run on", within=COUNT)
    labels: str = setting("", "label set of a model that names none", metavar="SET|FILE")
    mask_size: str = setting("network", "whose size masks have", choices=MASK_SIZES, metavar="SIZE")
    crop: str = setting("", "what the network sees", form=CROP, metavar="X,Y,W,H")
    fit: str = setting(
        "stretch",
        "fill the network's input, or keep proportions with void padding",
        choices=FITS,
        metavar="HOW",
    )
    max_age_ms: int = setting(250, "subscribers refuse older masks", unit="ms", within=MAX_AGE_MS)
    confidence: bool = setting(False, "publish a confidence plane")
    abstain: float = setting(
        0.0, "pixels with less confidence than this are void: no claim", within=SHARE
    )
    steady: float = setting(
        0.0,
        "weight of the frames before where logits hardly differ: less flicker",
        within=STEADINESS,
    )
    checksum: bool = setting(False, "send each mask's CRC-32C, for readers to check")
    preview: bool = setting(False, "publish the picture that the network sees")
    socket_mode: int = setting(0o660, "rights of the socket's file", octal=True, metavar="MODE")
    socket_group: str = setting("", "of the socket and of the folder made for it", metavar="GROUP")
    allow_users: tuple[str, ...] = setting(
        (), "a user who may read, beside our own and root", option="--allow-user", metavar="NAME"
    )
    allow_groups: tuple[str, ...] = setting(
        (), "a group whose members may read", option="--allow-group", metavar="NAME"
    )
    log_level: str = setting(
        "info",
        "least that is logged",
        choices=("debug", "info", "warning", "error"),
        metavar="LEVEL",
    )
    log_format: str = setting(
        "auto",
        "lines for people, for journald (auto: where it reads), or JSON",
        choices=FORMATS,
        metavar="FORM",
    )
    metrics: str = setting(
        "",
        "answer Prometheus here, such as 127.0.0.1:9464; the extra metrics",
        form=_ADDRESS,
        metavar="HOST:PORT",
        group=_OBSERVED,
    )
    flight: str = setting(
        "",
        "folder for the minute round each STALE or FAULT; the extra record",
        metavar="DIR",
        group=_OBSERVED,
    )
    flight_mib: float = setting(
        64.0,
        "of all files in it; the oldest go",
        unit="MiB",
        within=between(1.0, 1e6),
        group=_OBSERVED,
    )
    cores: str = setting("", "of the network", form=CORES, metavar="LIST", group=_MACHINE)
    delegate: str = setting(
        "", "TensorFlow Lite delegate (.so) to run on", metavar="LIB", group=_MACHINE
    )
    delegate_options: tuple[str, ...] = setting(
        (),
        "of the delegate",
        form=_PAIR,
        option="--delegate-option",
        metavar="KEY=VALUE",
        group=_MACHINE,
    )
    gpu: bool = setting(False, "run on LiteRT's GPU", group=_MACHINE)
    delegate_required: bool = setting(
        False, "end (exit code 2) rather than fall back to the processor", group=_MACHINE
    )
    no_verify: bool = setting(
        False, "start without the golden frames; every mask is UNVERIFIED", group=_MACHINE
    )
    realtime: int = setting(
        0,
        "SCHED_FIFO priority of every thread",
        within=between(1, 99, "off"),
        metavar="PRIORITY",
        group=_MACHINE,
    )
    lock_memory: bool = setting(False, "no page faults after warm-up", group=_MACHINE)
    budget_ms: float = setting(
        33.0,
        "a model that takes longer a frame does not take over from the one that runs",
        unit="ms",
        within=between(0.1, 60_000.0),
        group=_MACHINE,
    )
    max_fps: float = setting(
        0.0,
        "segment at most so many frames a second",
        within=between(0.01, 1000.0, "all"),
        metavar="FPS",
        group=_MACHINE,
    )
    standby: bool = setting(
        False,
        "a second process of the network waits, loaded, for the end of the first; 30 MiB",
        group=_MACHINE,
    )
    step_down: str = setting(
        "rate",
        "while heat or the supply hold the board back: half the frames, then a smaller network",
        choices=("off", "rate", "network"),
        metavar="PLAN",
        group=_MACHINE,
    )
    reduced_model: str = setting(
        "",
        "the smaller network; by default the next smaller of the shipped family",
        metavar="MODEL",
        group=_MACHINE,
    )
    scene: SceneLimits = field(default_factory=SceneLimits)  # the table [scene]
    mask: MaskLimits = field(default_factory=MaskLimits)  # the table [mask]
    camera: CameraSettings = field(default_factory=CameraSettings)  # the table [camera]

    def __post_init__(self) -> None:
        check(self)


TABLES = {
    "daemon": DaemonConfig,
    "scene": SceneLimits,
    "mask": MaskLimits,
    "camera": CameraSettings,
}
