"""Networks that somebody else made: each is right to the last pixel, or refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from contract_parts import (
    HOLES,
    IMAGENET,
    NINETEEN,
    ONE,
    SIGNED,
    STEPS,
    TWO,
    U8,
    UNIT,
    Row,
    answer,
    engine_of,
    expected,
    told,
)
from metadata_parts import with_labels, with_standard
from network_parts import HEIGHT, OPERATOR, WIDTH, Draft, Net, constant_output, schema

from roadmask.errors import ConfigError, ModelError
from roadmask.inference import litert
from roadmask.inference.contract import read_contract
from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata
from roadmask.inference.predictor import Predictor
from roadmask.inference.preprocess import Preprocess


def two_outputs(first: int, second: int) -> bytes:
    draft = Draft()
    given = draft.tensor((1, HEIGHT, WIDTH, 3), "uint8", (1 / 255, 0), name="picture")
    outputs = []
    for name, channels in (("a", first), ("b", second)):
        value = np.zeros((1, HEIGHT, WIDTH, channels), np.float32)
        value[..., channels - 1] = 1
        kept = draft.tensor(value.shape, value=value)
        shape = draft.tensor((4,), "int32", value=np.array(value.shape))
        made = draft.tensor(value.shape, name=name)
        outputs.append(
            draft.operator(OPERATOR.RESHAPE, [kept, shape], [made], schema.ReshapeOptionsT())
        )
    return draft.build([given], outputs)


def own_block(data: bytes, labels: str = "cityscapes-8", **more: object) -> bytes:
    info = ModelInfo("own", labels, (WIDTH, HEIGHT), **more)  # type: ignore[arg-type]
    return write_metadata(data, {METADATA_NAME: info.to_json().encode()})


def constant(dtype: str = "float32", channels: int = 8, quantised: object = None) -> bytes:
    value = np.zeros((1, HEIGHT, WIDTH, channels), dtype)
    value[..., channels - 1] = 1
    return constant_output(value, quantised)  # type: ignore[arg-type]


def shaped(data: bytes, shape: tuple[int, ...]) -> bytes:
    """The file with another shape of the picture."""
    before, after = (np.array(s, np.int32).tobytes() for s in ((1, HEIGHT, WIDTH, 3), shape))
    assert data.count(before) == 1
    return data.replace(before, after)


FLOAT, FLOAT_UNIT = Net(), Net(**UNIT)
RIGHT = [
    # the range of float inputs: told by the command
    Row("float 0..1", FLOAT_UNIT, read_as=told("0..1")),
    Row("float -1..1", Net(**SIGNED), read_as=told("-1..1")),
    Row("float 0..255", FLOAT, read_as=told("0..255")),
    Row("float imagenet", Net(**IMAGENET), read_as=told("imagenet")),
    Row("float, another range", Net((2 / 255,) * 3, (-0.5,) * 3), read_as=told("-0.5..1.5")),
    Row("float, channels B G R", Net(**UNIT, bgr=True), read_as=told("0..1", channels="bgr")),
    # … by our block, by TensorFlow Lite's metadata, by the graph
    Row("float, our block", own_block(FLOAT_UNIT.build(), normalisation=(1 / 255, 0.0)),
        labels=None, answers=FLOAT_UNIT),
    Row("float, our block says BGR",
        own_block(Net(**UNIT, bgr=True).build(), normalisation=(1 / 255, 0.0), color_order="BGR"),
        labels=None, answers=FLOAT_UNIT),
    Row("float, mean and deviation", with_standard(Net(**SIGNED).build(), [127.5], [127.5]),
        answers=FLOAT),
    Row("float, three of each",
        with_standard(Net(**IMAGENET).build(), [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        answers=FLOAT),
    Row("float, the command over the metadata",
        with_standard(FLOAT_UNIT.build(), [127.5], [127.5]), read_as=told("0..1"), answers=FLOAT),
    Row("float, the graph divides by 255", Net(leading=(1 / 255, 1e-9))),
    Row("float, the graph scales to -1..1", Net(leading=(1 / 127.5, -1.0))),
    Row("float, the graph makes 2 x - 1", Net(**UNIT, leading=(2.0, -1.0))),
    # integer inputs
    Row("uint8 0..1", U8),
    Row("uint8 -1..1", Net(**SIGNED, input="uint8", quantised=(1 / 127.5, 128))),
    Row("uint8 -1..1 in 1/128", Net(**SIGNED, input="uint8", quantised=(1 / 128, 128))),
    Row("uint8 0..255", Net(input="uint8", quantised=(1.0, 0))),
    Row("int8 0..1", Net(**UNIT, input="int8", quantised=(1 / 255, -128))),
    Row("int8 -1..1", Net(**SIGNED, input="int8", quantised=(1 / 127.5, 0))),
    Row("int8 0..255", Net(input="int8", quantised=(1.0, -128))),
    Row("uint8 imagenet", Net(**IMAGENET, input="uint8", quantised=(4.76 / 255, 114))),
    Row("int8 imagenet", Net(**IMAGENET, input="int8", quantised=(4.76 / 255, -14))),
    Row("uint8, 0..1 in a wider range", Net(**UNIT, input="uint8", quantised=(1 / 127.5, 128)),
        read_as=told("0..1")),
    Row("uint8, a range that is told",
        Net((1.5 / 255,) * 3, input="uint8", quantised=(1.6 / 255, 0)), read_as=told("0..1.5")),
    Row("uint8 B G R", replace(U8, bgr=True), read_as=told(channels="bgr")),
    # outputs
    Row("uint8 logits", replace(U8, output="uint8", output_quantised=STEPS)),
    Row("int8 logits", replace(U8, output="int8", output_quantised=(110.0, 0))),
    Row("softmax", replace(U8, end="softmax", gain=0.1)),
    Row("softmax in int8",
        replace(U8, end="softmax", output="int8", output_quantised=(1 / 256, -128))),
    Row("softmax in uint8",
        replace(U8, end="softmax", output="uint8", output_quantised=(1 / 256, 0))),
    Row("sigmoid", replace(U8, end="sigmoid", gain=0.0004)),
    Row("sigmoid in uint8",
        replace(U8, end="sigmoid", gain=0.0004, output="uint8", output_quantised=(1 / 256, 0))),
    Row("ArgMax int32", replace(U8, end="argmax", output="int32")),
    Row("ArgMax int64", replace(U8, end="argmax", output="int64")),
    Row("ArgMax with an axis of 1", replace(U8, end="argmax", output="int64", extra=True)),
    Row("19 classes", NINETEEN, labels="cityscapes-19"),
    Row("19 classes, ArgMax", replace(NINETEEN, end="argmax", output="int32"),
        labels="cityscapes-19"),
    Row("11 of camvid-11, whose last is ignored", replace(U8, classes=11), labels="camvid-11"),
    Row("a label file that travels along",
        with_labels(NINETEEN.build(), [
            "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light",
            "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
            "bus", "train", "motorcycle", "bicycle"]),
        labels=None, answers=NINETEEN),
    Row("one class, a logit", replace(U8, one_class=3), labels=ONE),
    Row("one class, a logit in int8",
        replace(U8, one_class=3, output="int8", output_quantised=(110.0, 0)), labels=ONE),
    Row("one class, a sigmoid", replace(U8, one_class=3, end="sigmoid"), labels=ONE),
    Row("one class of two, a sigmoid in int8",
        replace(U8, one_class=3, end="sigmoid", output="int8", output_quantised=(1 / 256, -128)),
        labels=TWO),
    # sizes
    Row("a size for an input that has none", Net(**UNIT, dynamic=True),
        read_as=told("0..1", size=f"{WIDTH}x{HEIGHT}")),
    Row("a size by our block", own_block(Net(**UNIT, dynamic=True).build(),
        normalisation=(1 / 255, 0.0)), labels=None, answers=FLOAT),
]  # fmt: skip
REFUSED = [
    Row("float, no range", FLOAT_UNIT, "float32 and nothing .* --input-range"),
    Row("float, a scale that tells nothing", Net(leading=(0.5, 0.0)), "--input-range"),
    Row("uint8 of no usual range", replace(U8, quantised=(3 / 255, 100)), "--input-range"),
    Row("uint8, pixels said to be 0..255", U8, "pixels are said to be 0..255",
        read_as=told("0..255")),
    Row("uint8, metadata that does not fit", with_standard(U8.build(), [0.0], [1.0]),
        "said to be 0..255"),
    Row("a word for a range", U8, "0..1, -1..1", read_as=told("unit")),
    Row("no size", Net(**UNIT, dynamic=True), "no fixed size .* --size", read_as=told("0..1")),
    Row("another size", U8, "fixed at 48x32", read_as=told(size="96x64")),
    Row("no labels", U8, "--labels", labels=None),
    Row("unknown labels of our block", own_block(U8.build(), "moon-3"), "--labels", labels=None),
    Row("a label file of other things", with_labels(constant(channels=2), ["cat", "dog"]),
        "some of which are in no label set.*--labels", labels=None),
    Row("21 classes as 19", replace(U8, classes=21), "21 classes", labels="cityscapes-19"),
    Row("21 classes as 19, ArgMax", replace(U8, classes=21, end="argmax", output="int64"),
        "ArgMax over 21 classes", labels="cityscapes-19"),
    Row("a feature map of 112", constant(channels=112), "112 classes"),
    Row("7 classes as 8", replace(U8, classes=7), "7 classes"),
    Row("channels first, output", replace(U8, transposed=True), "channels come first"),
    Row("channels first, input", shaped(constant(), (1, 3, HEIGHT, WIDTH)), "channels first"),
    Row("grey pictures", shaped(constant(), (1, HEIGHT, WIDTH, 1)), "not three channels"),
    *(Row(end, replace(U8, end=end, gain=0.003), "neither softmax nor sigmoid")
      for end in ("exp alone", "exp + 1", "1 / (1 + exp x)")),
    Row("two outputs that fit", two_outputs(8, 8), "give --output"),
    Row("an output that is not there", two_outputs(8, 8), "--output c", read_as=told(output="c")),
    Row("int8 logits without a scale", constant("int8"), "without a scale"),
    Row("int16 values", constant("int16", quantised=(0.1, 0)), "int16"),
    Row("one answer for the picture", constant_output(np.zeros((1, 8), np.float32)), "expected"),
    Row("two pictures", constant_output(np.zeros((2, 8, 8, 8), np.float32)), "expected"),
]  # fmt: skip


@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row.name)
def test_right_to_the_last_pixel(row: Row, tmp_path: Path) -> None:
    engine = engine_of(row, tmp_path)
    net = row.answers or row.net
    assert isinstance(net, Net)
    image, mask = expected(net, engine.labels)
    assert len(np.unique(mask)) > 1
    given, postprocess = answer(engine, image)
    np.testing.assert_array_equal(given, mask)
    assert postprocess.invalid == 0


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_refused_by_name(row: Row, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ModelError), match=row.refused):
        engine_of(row, tmp_path)


def test_the_table_is_large_enough() -> None:
    assert len(RIGHT) + len(REFUSED) >= 40


@pytest.mark.parametrize("wrong", ["-1..1", "0..255", "imagenet"])
def test_the_networks_here_notice_another_range(wrong: str, tmp_path: Path) -> None:
    engine = engine_of(Row("", FLOAT_UNIT, read_as=told(wrong)), tmp_path)
    image, mask = expected(FLOAT_UNIT, engine.labels)
    assert (answer(engine, image)[0] != mask).mean() > 0.2


def test_the_preview_shows_the_picture_whatever_the_network_sees(tmp_path: Path) -> None:
    for row in RIGHT[:28]:
        engine = engine_of(row, tmp_path)
        net = row.answers or row.net
        assert isinstance(net, Net)
        image, _ = expected(net, engine.labels)
        preprocess = Preprocess(engine, (WIDTH, HEIGHT))
        preprocess.into(image, engine.input)
        shown = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        preprocess.preview(engine.input, shown)
        assert np.abs(shown.astype(int) - image[..., ::-1]).max() <= 2, row.name


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_a_network_that_says_nothing_is_void(value: float, tmp_path: Path) -> None:
    data = constant_output(np.full((1, HEIGHT // 4, WIDTH // 4, 8), value, np.float32))
    engine = engine_of(Row("", data), tmp_path)
    mask, postprocess = answer(engine, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert not mask.any() and postprocess.invalid == postprocess.claimed == mask.size


def test_ids_and_channels_outside_the_set_are_void(tmp_path: Path) -> None:
    ids = np.ones((1, HEIGHT, WIDTH), np.int64)
    ids[0, :2], ids[0, 2], ids[0, 3] = 19, -1, 255
    engine = engine_of(Row("", constant_output(ids), labels="cityscapes-19"), tmp_path)
    mask, postprocess = answer(engine, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert postprocess.invalid == 4 * WIDTH and not mask[:4].any() and (mask[4:] == 1).all()
    values = np.zeros((1, HEIGHT, WIDTH, 8), np.float32)
    values[..., 6] = 1  # the set has classes 0 to 5, and 7
    values[:, 0, 0, 7] = 2
    engine = engine_of(Row("", constant_output(values), labels=HOLES), tmp_path)
    mask, postprocess = answer(engine, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert postprocess.invalid == mask.size - 1 and mask[0, 0] == 1


def test_void_of_the_map_needs_no_reason(tmp_path: Path) -> None:
    values = np.zeros((1, HEIGHT, WIDTH, 2), np.float32)
    values[..., 0] = 1
    engine = engine_of(Row("", constant_output(values), labels=TWO), tmp_path)
    mask, postprocess = answer(engine, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert not mask.any() and postprocess.invalid == 0


def test_an_output_is_chosen_by_name_number_or_because_it_alone_fits(tmp_path: Path) -> None:
    for read_as, output in ((told(output="b"), "b"), (told(output="0"), "a")):
        contract = read_contract(two_outputs(8, 8), "cityscapes-8", read_as)
        assert contract.output is not None and contract.output.tensor.name == output
    engine = engine_of(Row("", two_outputs(21, 8)), tmp_path)
    assert engine.output_spec.shape == (1, HEIGHT, WIDTH, 8)
    mask, _ = answer(engine, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert (mask == 7).all()


def test_a_picture_says_how_much_of_it_nobody_knows(tmp_path: Path) -> None:
    values = np.zeros((1, HEIGHT, WIDTH, 8), np.float32)
    values[..., 5], values[0, : HEIGHT // 2, :, 2] = 1, np.nan
    predictor = Predictor(engine_of(Row("", constant_output(values)), tmp_path))
    made = predictor.segment(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    # The row in the middle blends with the one above at the same size: its weight is 0, no number.
    assert 0.5 <= made.invalid <= 0.55
    assert made.shares["void"] == pytest.approx(made.invalid) and made.shares["flat"] == 0


def test_xnnpack_is_left_out_where_it_alone_cannot_prepare_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module, _ = litert.runtime()

    def refuse_with_xnnpack(**options: object) -> object:
        if "experimental_op_resolver_type" not in options:
            raise RuntimeError("XNNPACK: failed to create runtime")
        return module.Interpreter(**options)

    stand_in = SimpleNamespace(
        Interpreter=refuse_with_xnnpack, OpResolverType=module.OpResolverType
    )
    monkeypatch.setattr(litert, "runtime", lambda: (stand_in, "ai-edge-litert"))
    engine = engine_of(Row("", U8), tmp_path)
    image, mask = expected(U8, engine.labels)
    np.testing.assert_array_equal(answer(engine, image)[0], mask)
    assert engine.placement.on_xnnpack == 0
    assert "failed to create runtime" in engine.placement.describe()
    assert "XNNPACK cannot prepare this network" in caplog.text
