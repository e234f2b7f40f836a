"""What ``roadmask run`` takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from roadmask.daemon.scene import SceneLimits
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.stream.protocol import DEFAULT_SOCKET


@dataclass(frozen=True)
class DaemonConfig:
    """What ``roadmask run`` takes, on the command line or as ``[daemon]`` of a TOML file."""

    source: str = "/dev/video0"  # URI, see docs/sources.md
    live: bool = False  # a network stream or a pipeline shows the present: nothing proves it
    latency_ms: float = -1.0  # at most from exposure to arrival; -1 = as the source knows
    model: str = DEFAULT_MODEL  # path, or stem of a shipped model
    socket: str = str(DEFAULT_SOCKET)
    threads: int = 1  # of the network
    cores: str = ""  # of the network, such as 2 or 0,2-3; "" = any
    delegate: str = ""  # shared library of a TensorFlow Lite delegate
    delegate_options: tuple[str, ...] = ()  # KEY=VALUE
    gpu: bool = False  # LiteRT's GPU
    delegate_required: bool = False  # no fallback to the processor
    realtime: int = 0  # SCHED_FIFO priority, 1 to 99; 0 = none
    lock_memory: bool = False  # no page faults after warm-up
    max_fps: float = 0.0  # segment at most so many frames a second; 0 = all
    frames: int = 0  # published, then stop; 0 = until told
    labels: str = ""  # label set, where the model file names none
    input_range: str = ""  # numbers it was trained on, such as 0..1 or imagenet, where it is silent
    channels: str = ""  # rgb or bgr
    size: str = ""  # WIDTHxHEIGHT of an input that has no fixed size
    output: str = ""  # name or number of the output, where there are several
    mask_size: str = "network"  # or "camera"
    crop: str = ""  # X,Y,W,H in camera px: what the network sees; "" = all
    fit: str = "stretch"  # or "letterbox": keep proportions, with void padding
    max_age_ms: int = 250  # subscribers refuse older masks
    confidence: bool = False  # publish a confidence plane
    checksum: bool = False  # send each mask's CRC-32C
    preview: bool = False  # publish the network's RGB input
    socket_mode: int = 0o660
    socket_group: str = ""  # of the socket and of its folder; "" = the daemon's own
    allow_users: tuple[str, ...] = ()
    allow_groups: tuple[str, ...] = ()
    scene: SceneLimits = field(default_factory=SceneLimits)  # the table [scene]
