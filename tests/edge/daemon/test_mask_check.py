"""Masks that are doubted: none on a road, each reason for a network or a picture that earns it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from daemon_parts import daemon
from network_parts import HEIGHT, WIDTH, Net, colours, constant_output

from roadmask.daemon.config import DaemonConfig, MaskLimits, SceneLimits
from roadmask.daemon.mask_check import MaskCheck
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Rect
from roadmask.inference.golden import Golden, GoldenFrame, read_golden
from roadmask.inference.model_file import model_path
from roadmask.inference.preprocess import Preprocess
from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.stream.modes import NoMask, Reason
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.town.town import WEATHERS, Town

SHARED = Path(__file__).parents[4] / "shared" / "data"
TICK_NS = 100_000_000
MODELS = ("roadnet-480x352", "roadlite-288x224")
rng = np.random.default_rng(3)


class Watched:
    """A network, and the check that looks at what it makes of pictures."""

    def __init__(
        self, engine: Engine, golden: Golden | None, limits: MaskLimits | None = None
    ) -> None:
        self.engine, self._preprocess = engine, Preprocess(engine, engine.input_size)
        everything = Rect(0, 0, *engine.input_size)
        self.check = MaskCheck(limits or MaskLimits(), SceneLimits(), engine, everything, golden)
        self._now_ns = 0

    def after(self, pictures: Sequence[np.ndarray]) -> list[Reason]:
        """What is said after each of these BGR pictures, a look apart."""
        said = []
        for picture in pictures:
            self._preprocess.into(np.ascontiguousarray(picture), self.engine.input)
            self.engine.invoke()
            self._now_ns += TICK_NS
            small = cv2.resize(picture, (240, 176), interpolation=cv2.INTER_AREA)
            said.append(self.check.look(self.engine.output, small, self._now_ns))
        return said


def shipped(name: str) -> Watched:
    return Watched(Engine(name), read_golden(model_path(name).read_bytes()))


def town(weather: str) -> list[np.ndarray]:
    drive = Town(5, 480, 352, weather=weather)
    return [drive.frame(3 * i).image for i in range(12)]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("weather", WEATHERS)
def test_no_alarm_in_the_town(name: str, weather: str) -> None:
    assert not any(shipped(name).after(town(weather)))


@pytest.mark.parametrize("name", MODELS)
def test_no_alarm_on_real_roads(name: str) -> None:
    val, film = SHARED / "camvid" / "val", SHARED / "video" / "solidWhiteRight.mp4"
    if not val.is_dir() or not film.is_file():
        pytest.skip("no real frames beside this clone")
    frames = [cv2.imread(str(path)) for path in sorted(val.glob("*.jpg"))]
    assert len(frames) == 101 and not any(shipped(name).after(frames))
    reader = cv2.VideoCapture(str(film))
    frames = []
    while (read := reader.read())[0]:
        frames.append(read[1])
    assert len(frames) == 221 and not any(shipped(name).after(frames[::2]))


def test_one_category_everywhere_is_implausible_and_no_subscriber_gets_it(tmp_path: Path) -> None:
    value = np.zeros((1, HEIGHT, WIDTH, 8), np.float32)
    value[..., CATEGORY_NAMES.index("sky")] = 1
    value[0, 0, 0, 1] = 2  # all sky but for one pixel
    model, socket = tmp_path / "sky.tflite", tmp_path / "masks.sock"
    model.write_bytes(constant_output(value))
    config = DaemonConfig(
        source="synthetic:town?width=320&height=200",
        model=str(model),
        labels="cityscapes-8",
        input_range="0..1",
        socket=str(socket),
        max_age_ms=5000,
    )
    with daemon(config), Subscriber(socket, max_age_ms=5000, allow_not_live=True) as subscriber:
        deadline = now_ns() + 60_000_000_000
        while now_ns() < deadline:
            got = subscriber.receive(timeout_s=1)
            if subscriber.status and subscriber.status.reasons & Reason.IMPLAUSIBLE:
                break
        assert subscriber.status is not None
        assert subscriber.status.reasons & Reason.IMPLAUSIBLE
        assert got is None and subscriber.reason is NoMask.REFUSED


def test_a_mask_without_claims_is_not_implausible() -> None:
    watched = shipped(MODELS[1])
    nothing = np.zeros_like(watched.engine.output)
    picture = np.zeros((176, 240, 3), np.uint8)
    assert not any(watched.check.look(nothing, picture, i * TICK_NS) for i in range(12))


@pytest.mark.parametrize("name", MODELS)
def test_rows_in_disorder_are_of_low_confidence(name: str) -> None:
    pictures = [picture[rng.permutation(len(picture))] for picture in town("day")]
    watched = shipped(name)
    assert watched.after(pictures)[-1] & Reason.LOW_CONFIDENCE
    # … and it goes when the picture is right again.
    assert not watched.after(town("day") + town("dusk"))[-1]


def test_without_golden_frames_confidence_is_judged_by_the_setting_alone() -> None:
    pictures = [picture[rng.permutation(len(picture))] for picture in town("day")]
    assert not any(Watched(Engine(MODELS[0]), None).after(pictures))
    limits = MaskLimits(confidence=0.9)
    assert Watched(Engine(MODELS[0]), None, limits).after(pictures)[-1] & Reason.LOW_CONFIDENCE


def test_a_mask_that_boils_on_a_standing_picture_flickers() -> None:
    night = town("day")[0] // 6
    noise = [np.clip(night + rng.normal(0, 15, night.shape), 0, 255) for _ in range(12)]
    watched = shipped(MODELS[1])
    assert watched.after([picture.astype(np.uint8) for picture in noise])[-1] & Reason.FLICKER
    assert not shipped(MODELS[1]).after([night] * 12)[-1] & Reason.FLICKER


def test_logits_past_what_calibration_saw_are_drift(tmp_path: Path) -> None:
    # Logits of up to 2200 at the colours' own, in steps of 4: calibrated on a part of them.
    net = Net(
        (1 / 255,) * 3, input="uint8", quantised=(1 / 255, 0), output="int8",
        output_quantised=(4.0, 0),
    )  # fmt: skip
    model = tmp_path / "narrow.tflite"
    model.write_bytes(net.build())
    engine = Engine(model, labels="cityscapes-8")
    flat = [np.full((HEIGHT, WIDTH, 3), v[::-1], np.uint8) for v in colours(8)]
    ends = []
    for picture in flat:
        Preprocess(engine, engine.input_size).into(picture, engine.input)
        engine.invoke()
        ends.append(float(np.mean(np.abs(engine.output.astype(int)) >= 127)))
    assert min(ends) < max(ends)
    quiet, loud = flat[int(np.argmin(ends))], flat[int(np.argmax(ends))]
    Preprocess(engine, engine.input_size).into(quiet, engine.input)
    engine.invoke()
    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    frame = GoldenFrame("quiet", quiet, engine.output.copy(), mask, mask > 0)
    golden = Golden((frame,), 4.0, 0, 32.0)
    watched = Watched(engine, golden)
    assert not any(reason & Reason.DRIFT for reason in watched.after([quiet] * 12))
    assert watched.after([loud] * 12)[-1] & Reason.DRIFT
