"""The JSON of the API, as its OpenAPI description states it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, Field

DataUri = Annotated[str, Field(pattern=r"^data:image/png;base64,[A-Za-z0-9+/=]*$")]
Size = tuple[int, int]


class Format(str, Enum):
    """Form of a predicted mask."""

    PNG = "png"
    COLOR = "color"
    OVERLAY = "overlay"
    JSON = "json"
    NPZ = "npz"


class BatchFormat(str, Enum):
    """Form of a batch."""

    ZIP = "zip"
    JSON = "json"


class TruthForm(str, Enum):
    """Form of a frame's true mask."""

    PNG = "png"
    COLOR = "color"


class TruthLabels(str, Enum):
    """Label set of an uploaded truth."""

    CITYSCAPES_8 = "cityscapes-8"
    CITYSCAPES_19 = "cityscapes-19"
    CITYSCAPES_34 = "cityscapes-34"
    CAMVID_11 = "camvid-11"


class Scores(BaseModel):
    """A mask against its truth; void in the truth is not scored, absent categories are null."""

    miou: float | None
    iou: dict[str, float | None]
    dice: float | None
    pixel_accuracy: float | None
    scored_pixels: int
    difference: DataUri = Field(description="grey PNG: 0 right, 255 wrong, 128 not scored")
    truth: DataUri = Field(description="greyscale PNG of the true categories, 0 = not scored")


class Prediction(BaseModel):
    """A mask with what is known about it."""

    model: str
    digest: str
    size: Size = Field(description="width, height, after EXIF rotation")
    invoke_ms: float = Field(description="the network alone", allow_inf_nan=False)
    total_ms: float = Field(description="from the whole upload to this answer")
    shares: dict[str, float]
    mask: DataUri = Field(description="8-bit greyscale PNG of category ids 0-7")
    confidence: DataUri | None = None
    mean_confidence: float | None = None
    scores: Scores | None = None


class ProblemItem(BaseModel):
    """Why one picture of a batch has no mask."""

    title: str
    status: int
    detail: str


class BatchItem(BaseModel):
    """One picture of a batch: a prediction or a problem."""

    name: str
    prediction: Prediction | None = None
    problem: ProblemItem | None = None


class Batch(BaseModel):
    """The answer to ``/predict/batch?format=json``."""

    predictions: list[BatchItem]


class Model(BaseModel):
    """A network that can be asked for."""

    name: str
    peer: str | None = None
    available: bool = True
    reason: str | None = None
    digest: str = ""
    labels: str = ""
    input_size: Size | None = None
    kind: str = Field(default="", description="int8 or float")
    gives_confidence: bool = False
    runtime: str = ""
    scores: dict[str, Any] = {}


class Models(BaseModel):
    """All of them."""

    default: str
    models: list[Model]


class Label(BaseModel):
    """One category."""

    id: int
    name: str
    color: tuple[int, int, int]
    css: str


class Labels(BaseModel):
    """The label set of every mask."""

    name: str
    labels: list[Label]


class GalleryInfo(BaseModel):
    """The data set that is shown."""

    dataset: str
    split: str
    count: int


class Config(BaseModel):
    """What the pages draw themselves from."""

    version: str
    live: bool
    socket: str
    gallery: GalleryInfo | None
    limits: dict[str, int]
    login: bool
    formats: list[str]
    truth_labels: list[str]


class Status(BaseModel):
    """Health of the server."""

    status: str


class GalleryItem(BaseModel):
    """One frame of the data set."""

    id: str
    image: str
    truth: str


class GalleryPage(BaseModel):
    """Some frames of it."""

    dataset: str
    split: str
    total: int
    matching: int
    offset: int
    items: list[GalleryItem]


class GalleryPrediction(Prediction):
    """A frame's prediction with its scores and links."""

    id: str
    image: str
    truth: str
    previous: str | None
    next: str | None


class Comparison(BaseModel):
    """Two networks on one picture."""

    a: Prediction
    b: Prediction
    agreement: float = Field(description="share of the pixels that are alike")
    difference: DataUri = Field(description="grey PNG: 255 where they differ")
    id: str | None = None
    image: str | None = None
    truth: str | None = None
    previous: str | None = None
    next: str | None = None


class ReasonText(BaseModel):
    """Why the mode is not OK."""

    name: str
    text: str


class LiveModel(BaseModel):
    """The network behind the stream; scores where this server knows the same file."""

    name: str
    digest: str
    scores: dict[str, Any]


class LatencyMs(BaseModel):
    """Capture to published mask, over the last seconds."""

    p50: float | None
    p99: float | None


class LiveStatus(BaseModel):
    """A text message of the WebSocket ``/live``."""

    type: str = "status"
    connected: bool
    state: str = Field(description="OK, DEGRADED, STALE, FAULT, or NONE without a stream")
    reasons: list[ReasonText] = []
    why: str | None = Field(default=None, description="in plain words, while there is no mask")
    live: bool = False
    source: list[str] = Field(default=[], description="REPLAY, SYNTHETIC, FILE: not the road")
    model: LiveModel | None = None
    camera: str | None = None
    camera_size: Size | None = None
    fps: float | None = None
    latency_ms: LatencyMs | None = None
    invoke_ms: float | None = None
    age_ms: float | None = None
    skipped_total: int | None = None
    sequence: int | None = None
    temperature_c: float | None = None
    subscribers: int | None = None
    viewers: int
    sent_ms: float = Field(description="of the server's CLOCK_BOOTTIME, as a frame's capture_ms")
    has_preview: bool = False
    socket: str
    max_age_ms: int | None = None
