"""The JSON of evaluations; what ``result.json`` holds is ``Evaluation``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, NonNegativeInt, model_validator

from roadmask.evaluation.split_scores import NAMES
from roadmask.labels.label_set import CATEGORY_COUNT

Interval = tuple[float | None, float | None]


def _of_categories(values: dict[str, float | None]) -> dict[str, float | None]:
    if tuple(values) != NAMES:
        raise ValueError(f"the categories are not {', '.join(NAMES)}")
    return values


# What is read back was written by anybody: tables and files are made of it by place and by name.
ByCategory = Annotated[dict[str, float | None], AfterValidator(_of_categories)]
Row = Annotated[list[NonNegativeInt], Field(min_length=CATEGORY_COUNT, max_length=CATEGORY_COUNT)]
State = Literal["running", "done", "failed", "cancelled"]


class Wanted(BaseModel):
    """What to evaluate, on the split that the gallery shows."""

    a: str = Field(max_length=200, description="a name of GET /models")
    b: str | None = Field(default=None, max_length=200, description="a second one")
    masks: bool = Field(default=False, description="write the predictions too, as index PNGs")


class CategoryScore(BaseModel):
    """One category over the whole split; the interval is 95 % by bootstrap over its frames."""

    name: str
    iou: float | None
    interval: Interval


class GroupScore(BaseModel):
    """One drive, or city."""

    group: str
    images: int
    miou: float | None
    interval: Interval
    iou: ByCategory


class FrameScore(BaseModel):
    """One frame."""

    id: str
    group: str
    miou: float | None
    pixel_accuracy: float | None
    iou: ByCategory


class ConfidenceBin(BaseModel):
    """The pixels whose confidence lies between two bounds, shares from 0 to 1."""

    low: float
    high: float
    share: float = Field(description="of all pixels that count")
    confidence: float = Field(description="how sure it says it is, on average")
    accuracy: float = Field(description="how often it is right")


class ConfidenceScore(BaseModel):
    """Whether its confidence means what it says: a reliability diagram."""

    mean: float
    ece: float = Field(description="expected calibration error")
    bins: list[ConfidenceBin]


class NetworkScores(BaseModel):
    """One network over the split: the numbers of ``python -m benchmarks accuracy``, and more."""

    model: str
    digest: str
    miou: float | None
    interval: Interval
    iou: ByCategory
    iiou: float | None
    dice: float | None
    pixel_accuracy: float | None
    images: int
    categories: list[CategoryScore] = Field(min_length=len(NAMES), max_length=len(NAMES))
    groups: list[GroupScore]
    confidence: ConfidenceScore | None = Field(
        default=None, description="null: the network ends in class ids and tells none"
    )
    confusion: list[Row] = Field(
        min_length=CATEGORY_COUNT,
        max_length=CATEGORY_COUNT,
        description="pixels; rows are the truth, void first",
    )
    frames: list[FrameScore]


class Evaluation(BaseModel):
    """A finished evaluation."""

    kind: Literal["evaluation"] = "evaluation"
    id: str
    dataset: str
    split: str
    when: str = Field(description="UTC, ISO 8601")
    version: str
    networks: list[NetworkScores] = Field(min_length=1, max_length=2)
    agreement: list[float] | None = Field(
        default=None, description="of each frame: share of the pixels that both see alike"
    )

    @model_validator(mode="after")
    def _fits(self) -> Evaluation:
        counts = [len(network.frames) for network in self.networks]
        if self.agreement is not None:
            counts.append(len(self.agreement))
        if len(set(counts)) > 1:
            raise ValueError(f"its lists are of {' and '.join(map(str, counts))} frames")
        return self


class JobInfo(BaseModel):
    """A job, or the result of an earlier one that was read back."""

    id: str
    models: list[str]
    state: State
    done: int
    total: int
    reason: str | None = None
    stored: str | None = Field(default=None, description="where its files lie")


class Jobs(BaseModel):
    """All that can be asked for, the newest first."""

    results: str | None = Field(description="the address of --results")
    jobs: list[JobInfo]
