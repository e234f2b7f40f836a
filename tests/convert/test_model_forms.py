"""Networks in other forms, each of known answer: right to the pixel, or refused in one line.

Each tells the colours of ``test_foreign`` apart by the nearest mean, a 1x1 convolution.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.__main__ import main
from convert.forms.float_file import FloatFile
from convert.forms.load import check_form, load
from convert.plan import ConversionPlan
from roadmask.errors import RoadmaskError
from roadmask.labels.catalogue import CITYSCAPES_8, CITYSCAPES_19, CITYSCAPES_34
from tests.convert.test_foreign import COLOURS, HEIGHT, WIDTH, colours, draw

assert colours  # a fixture
Keras = Any
IMAGE = (HEIGHT, WIDTH, 3)
FIRST = (3, HEIGHT, WIDTH)
OWN = """
import keras

class Twice(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x

class Whole(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.head = keras.layers.Conv2D(8, 1, name="head")

    def build(self, shape):
        self.head.build(shape)
        self.built = True

    def call(self, x):
        return self.head(x)

    def get_config(self):
        return {"name": self.name}
"""


def head(classes: dict[int, int] | None = None, count: int = 8) -> list[np.ndarray[Any, Any]]:
    """Kernel and bias; ``classes``: category → class."""
    kernel, bias = np.zeros((1, 1, 3, count)), np.full(count, -0.5)
    for _, category, rgb in COLOURS:
        mean = np.array(rgb, float) / 255
        at = classes[category] if classes else category
        kernel[0, 0, :, at], bias[at] = 2 * mean, -mean @ mean
    return [kernel, bias]


def built(*layers: Any, image: tuple[int | None, ...] = IMAGE, count: int = 8) -> Keras:
    """``layers`` with the head at the place of None."""
    import keras

    first = image[0] == 3
    order = "channels_first" if first else "channels_last"
    made = keras.layers.Conv2D(count, 1, name="head", data_format=order)
    scale = keras.layers.Rescaling(1 / 255)
    model = keras.Sequential(
        [keras.Input(image), scale, *(made if each is None else each for each in layers)]
    )
    made.set_weights(head(count=count) if count == 8 else head(of_set(count), count))
    return model


def of_set(count: int) -> dict[int, int]:
    """A class of the label set for each category."""
    labels = {19: CITYSCAPES_19, 34: CITYSCAPES_34}[count]
    return {c.category: c.class_id for c in reversed(labels.classes) if not c.ignored}


def sharp(model: Keras) -> Keras:
    """The same with logits so far apart that a softmax has a winner in eight bits too."""
    model.get_layer("head").set_weights([40 * w for w in model.get_layer("head").get_weights()])
    return model


def layers() -> Any:
    import keras

    return keras.layers


def normalised(axis: int, image: tuple[int, ...]) -> Keras:
    made = built(None, layers().BatchNormalization(axis=axis, epsilon=0.0), image=image)
    mean, variance = np.linspace(-1, 1, 8), np.linspace(1, 4, 8)
    # Scale and offset undo the statistics: the same values come out.
    made.layers[-1].set_weights([np.sqrt(variance), mean, mean, variance])
    return made


def two_ways(image: tuple[int, ...], axis: int) -> Keras:
    import keras

    order = "channels_first" if image[0] == 3 else "channels_last"
    given = keras.Input(image)
    unit = keras.layers.Rescaling(1 / 255)(given)
    makers = [keras.layers.Conv2D(4, 1, data_format=order, name=f"half{i}") for i in range(2)]
    whole = keras.layers.Concatenate(axis=axis)([make(unit) for make in makers])
    kernel, bias = head()
    for i, make in enumerate(makers):
        make.set_weights([kernel[..., 4 * i : 4 * i + 4], bias[4 * i : 4 * i + 4]])
    return keras.Model(given, whole)


def nested() -> Keras:
    import keras

    given = keras.Input(IMAGE)
    return keras.Model(given, built(None)(given))


def own(name: str) -> Any:
    space: dict[str, Any] = {}
    exec(OWN, space)
    return space[name]


def whole() -> Keras:
    made = own("Whole")(name="whole")
    made.build((None, *IMAGE))
    kernel, bias = head()
    made.head.set_weights([kernel / 255, bias])
    return made


def in_policy(policy: str, build: Callable[[], Keras]) -> Callable[[], Keras]:
    """What ``build`` makes while Keras's layers compute in another precision."""

    def made() -> Keras:
        import keras

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return build()
        finally:
            keras.config.set_dtype_policy(before)

    return made


def mixed_branches() -> Keras:
    """Sums, a resize and a normalisation in 16 bits, the end in 32, as Keras's guide says."""
    import keras

    given = keras.Input(IMAGE)
    unit = keras.layers.Rescaling(1 / 255)(given)
    made = keras.layers.Conv2D(8, 1, name="head")
    same = keras.layers.BatchNormalization(epsilon=0.0, name="same")
    logits = same(made(unit))
    half = keras.layers.Average()([logits, logits])
    made.set_weights(head())
    same.set_weights([np.ones(8), np.zeros(8), np.zeros(8), np.ones(8)])
    return keras.Model(given, keras.layers.Activation("linear", dtype="float32")(half))


def separable() -> Keras:
    made = built(layers().DepthwiseConv2D(1, use_bias=False), None)
    made.layers[1].set_weights([np.ones((1, 1, 3, 1))])
    return made


def two_outputs() -> Keras:
    import keras

    given = keras.Input(IMAGE)
    return keras.Model(given, [keras.layers.Conv2D(8, 1)(given) for _ in range(2)])


def lite(model: Keras, *, mode: str = "") -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "int8":
        converter.representative_dataset = lambda: [[expected(5)[0][None].astype(np.float32)]]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def turned_round(model: Keras) -> Keras:
    """Channels first at both ends, channels last within, as PyTorch's exporter writes."""
    import keras

    given = keras.Input(FIRST)
    made = model(keras.layers.Permute((2, 3, 1))(given))
    return keras.Model(given, keras.layers.Permute((3, 1, 2))(made))


def onnx_file(*more: Any, image: tuple[Any, ...] = FIRST, turned: bool = False) -> bytes:
    """Pixels / 255, a 1x1 convolution, and ``more`` (operator, its constants, attributes)."""
    from onnx import TensorProto, helper, numpy_helper

    kernel, bias = head()
    constants = {
        "unit": np.float32(1 / 255),
        "kernel": kernel[0, 0].T[:, :, None, None].astype(np.float32),
        "bias": bias.astype(np.float32),
    }
    chain: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("Mul", {"unit": constants.pop("unit")}, {}), ("Conv", constants, {}), *more
    ]  # fmt: skip
    if turned:
        chain = [("Transpose", {}, {"perm": [0, 3, 1, 2]}), *chain]
        chain.append(("Transpose", {}, {"perm": [0, 2, 3, 1]}))
    nodes, weights, last = [], [], "picture"
    for number, (kind, own_constants, attributes) in enumerate(chain):
        for name, value in own_constants.items():
            weights.append(numpy_helper.from_array(np.asarray(value), f"{name}{number}"))
        inputs = [last, *(f"{name}{number}" if name else "" for name in own_constants)]
        last = f"out/{number}"
        nodes.append(helper.make_node(kind, inputs, [last], **attributes))
    ends = [
        helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", *image]),
        helper.make_tensor_value_info(last, TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())


def resized(mode: str, corners: str = "half_pixel") -> list[Any]:
    """Halved and brought back: exact where all of a block's pixels are of one class."""
    scales = np.array([1, 1, 2, 2], np.float32)
    return [
        ("AveragePool", {}, {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Resize", {"roi": np.zeros(0, np.float32), "scales": scales},
            {"mode": mode, "coordinate_transformation_mode": corners}),
    ]  # fmt: skip


ONNX_SOFTMAX = [
    ("Mul", {"forty": np.float32(40)}, {}),
    ("Softmax", {}, {"axis": 1}),
]


@dataclass(frozen=True)
class Row:
    """A network, how it is asked for, and what is to come of it (empty: the right classes)."""

    name: str
    build: Callable[[], Keras]
    refused: str = ""
    suffix: str = ".keras"
    size: tuple[int, int] | None = None
    labels: str = ""
    own: bool = False


ANY = (None, None, 3)
MIXED = "mixed_float16"
PRECISIONS = (MIXED, "mixed_bfloat16", "float16", "bfloat16", "float64")
SIZE = (WIDTH, HEIGHT)
RIGHT = [
    Row("logits", lambda: built(None)),
    Row("softmax", lambda: sharp(built(None, layers().Softmax()))),
    Row("sigmoid", lambda: built(None, layers().Activation("sigmoid"))),
    Row("h5", lambda: built(None), suffix=".h5"),
    Row("h5, softmax", lambda: sharp(built(None, layers().Softmax())), suffix=".h5"),
    Row("any size", lambda: built(None, image=ANY), size=SIZE),
    Row("any size, h5", lambda: built(None, image=ANY), suffix=".h5", size=SIZE),
    Row("channels first", lambda: built(None, image=FIRST)),
    Row("channels first, any size", lambda: built(None, image=(3, None, None)), size=SIZE),
    Row("channels first, batch norm", lambda: normalised(1, FIRST)),
    Row("channels first, two ways", lambda: two_ways(FIRST, 1)),
    Row("batch norm", lambda: normalised(-1, IMAGE)),
    Row("two ways", lambda: two_ways(IMAGE, -1)),
    Row("nested", nested),
    Row("flat", lambda: built(None, layers().Reshape((-1, 8)))),
    Row("flat softmax", lambda: sharp(built(None, layers().Reshape((-1, 8)), layers().Softmax()))),
    Row("19 classes", lambda: built(None, count=19)),
    Row("34 classes", lambda: built(None, count=34), labels="cityscapes-34"),
    Row("depthwise first", separable),
    Row("a layer of its own", lambda: built(None, own("Twice")()), own=True),
    Row("subclassed", whole, size=SIZE, own=True),
    *(Row(policy, in_policy(policy, lambda: built(None))) for policy in PRECISIONS),
    *(Row(f"{policy}, branches", in_policy(policy, mixed_branches)) for policy in PRECISIONS[:2]),
    Row(
        "mixed, softmax in float32",
        in_policy(MIXED, lambda: sharp(built(None, layers().Softmax(dtype="float32")))),
    ),
    Row("mixed, h5", in_policy(MIXED, lambda: built(None)), suffix=".h5"),
    Row("mixed, any size", in_policy(MIXED, lambda: built(None, image=ANY)), size=SIZE),
    Row("mixed, channels first", in_policy(MIXED, lambda: normalised(1, FIRST))),
    Row("mixed, nested", in_policy(MIXED, nested)),
    Row("mixed, flat", in_policy(MIXED, lambda: built(None, layers().Reshape((-1, 8))))),
    Row(
        "mixed, a layer of its own", in_policy(MIXED, lambda: built(None, own("Twice")())), own=True
    ),
    Row("mixed, subclassed", in_policy(MIXED, whole), size=SIZE, own=True),
    Row("SavedModel", lambda: built(None), suffix=""),
    Row("SavedModel, any size", lambda: built(None, image=ANY), suffix="", size=SIZE),
    Row("SavedModel, flat", lambda: built(None, layers().Reshape((-1, 8))), suffix=""),
    Row("SavedModel, 19 classes", lambda: built(None, count=19), suffix=""),
    Row("SavedModel, own layer", lambda: built(None, own("Twice")()), suffix=""),
    Row("tflite", lambda: lite(built(None)), suffix=".tflite"),
    Row("tflite, softmax", lambda: lite(sharp(built(None, layers().Softmax()))), suffix=".tflite"),
    Row("tflite, flat", lambda: lite(built(None, layers().Reshape((-1, 8)))), suffix=".tflite"),
    Row("tflite, turned round", lambda: lite(turned_round(built(None))), suffix=".tflite"),
    Row("ONNX", onnx_file, suffix=".onnx"),
    Row("ONNX, softmax", lambda: onnx_file(*ONNX_SOFTMAX), suffix=".onnx"),
    Row("ONNX, any size", lambda: onnx_file(image=(3, "h", "w")), suffix=".onnx", size=SIZE),
    Row("ONNX, channels last", lambda: onnx_file(image=IMAGE, turned=True), suffix=".onnx"),
]
REFUSED = [
    Row("a layer of its own, not given", lambda: built(None, own("Twice")()), "--custom-objects"),
    Row("any size, none given", lambda: built(None, image=ANY), "give it with --size"),
    Row("another fixed size", lambda: built(None), "leave the option out", size=(32, 32)),
    Row("channels first, flattened",
        lambda: built(None, layers().Reshape((8, -1)), image=FIRST), "Reshape cannot be turned"),
    Row("one answer for the picture", lambda: built(None, layers().GlobalAveragePooling2D()),
        "expected logits"),
    Row("two outputs", two_outputs, "2 outputs"),
    Row("SavedModel, any size, none given",
        lambda: built(None, image=ANY), "give it with --size", suffix=""),
    Row("SavedModel, two outputs", two_outputs, "2 outputs", suffix=""),
    Row("SavedModel, another size", lambda: built(None), "leave the option out", "", (32, 32)),
    Row("SavedModel, mixed", in_policy(MIXED, lambda: built(None)), "computes in float16",
        suffix=""),
    Row("SavedModel, mixed, any size", in_policy("mixed_bfloat16", lambda: built(None, image=ANY)),
        "computes in bfloat16", suffix="", size=SIZE),
    Row("tflite, quantised", lambda: lite(built(None), mode="int8"), "quantised already",
        suffix=".tflite"),
    Row("tflite, float16", lambda: lite(built(None), mode="float16"), "float16 weights",
        suffix=".tflite"),
    Row("tflite, any size", lambda: lite(built(None, image=ANY)), "of fixed size",
        suffix=".tflite"),
    Row("tflite, two outputs", lambda: lite(two_outputs()), "2 outputs", suffix=".tflite"),
    Row("tflite, cut off", lambda: lite(built(None))[:900], "damaged", suffix=".tflite"),
    Row("ONNX, any size, none given", lambda: onnx_file(image=(3, "h", "w")), "give it with --size",
        suffix=".onnx"),
    Row("ONNX, an operator that is lacking", lambda: onnx_file(("HardSwish", {}, {})),
        "no form for HardSwish .* onnx2tf", suffix=".onnx"),
    Row("ONNX, corners aligned", lambda: onnx_file(*resized("linear", "align_corners")),
        "onnx2tf", suffix=".onnx"),
    Row("ONNX, cut off", lambda: onnx_file()[:100], "cannot be read", suffix=".onnx"),
    Row("missing", lambda: b"", "neither", suffix=".xyz"),
]  # fmt: skip


def saved(row: Row, folder: Path) -> ConversionPlan:
    from convert.tensorflow_import import import_tensorflow

    import_tensorflow()
    path = folder / f"net{row.suffix}"
    made = row.build()
    if isinstance(made, bytes):
        path.write_bytes(made)
    elif row.suffix:
        made.save(path)
    else:
        made.export(path, verbose=False)
    file = folder / "own.py"
    file.write_text(OWN)
    return ConversionPlan(
        model=path,
        calibration=folder,
        size=row.size,
        labels=row.labels,
        custom_objects=file if row.own else None,
    )


def expected(seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    image, ids = draw(seed)
    table = np.zeros(12, int)
    for camvid, category, _ in COLOURS:
        table[camvid] = category
    return image[..., ::-1], table[ids]


def scores_of(graph: Any, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the float network answers to a picture of 0 to 255."""
    scale, offset = graph.normalisation
    fed = (image[None] * scale + offset).astype(np.float32)
    if not isinstance(graph, FloatFile):
        return np.asarray(graph.model(fed))[0]
    from ai_edge_litert.interpreter import Interpreter

    network = Interpreter(model_content=graph.flatbuffer())
    network.allocate_tensors()
    network.set_tensor(network.get_input_details()[0]["index"], fed)
    network.invoke()
    return np.asarray(network.get_tensor(network.get_output_details()[0]["index"]))[0]


@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row.name)
def test_the_form_is_understood_and_every_pixel_right(row: Row, tmp_path: Path) -> None:
    plan = saved(row, tmp_path)
    check_form(plan)
    graph, _ = load(plan)
    assert graph.input_size == SIZE
    image, categories = expected(5)
    scores = scores_of(graph, image)
    assert scores.shape[:2] == (HEIGHT, WIDTH)
    labels = {8: CITYSCAPES_8, 19: CITYSCAPES_19, 34: CITYSCAPES_34}[scores.shape[2]]
    made = labels.category_table[scores.argmax(-1)]
    assert (made == categories).mean() >= 0.999


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_refused_in_one_line(row: Row, tmp_path: Path) -> None:
    with pytest.raises(RoadmaskError, match=row.refused) as refusal:
        plan = saved(row, tmp_path)
        check_form(plan)
        load(plan)
    assert "\n" not in str(refusal.value)


def test_the_page_tells_how_many() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "conversion.md").read_text().split())
    assert f"{len(RIGHT)} that are right in 99.9 %" in page
    assert f"{len(REFUSED)} that are refused in one line" in page


@pytest.mark.slow
@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row.name)
def test_int8_is_within_its_gates(
    row: Row, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, out = saved(row, tmp_path), tmp_path / "m.tflite"
    arguments = [
        *(str(plan.model), "--out", str(out), "--calibration", str(colours / "train")),
        *("--eval-dataset", "camvid", "--eval-root", str(colours), "--no-history"),
        *("--video", f"{colours / 'val'}?realtime=0", "--no-latency", "--allow-float"),
    ]
    if row.size:
        arguments += ["--size", f"{WIDTH}x{HEIGHT}"]
    if row.labels:
        arguments += ["--labels", row.labels]
    if plan.custom_objects:
        arguments += ["--custom-objects", str(plan.custom_objects)]
    assert main(arguments) == 0, capsys.readouterr().err
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["pixel_agreement"] >= 0.99
    assert "64x48" in report["understood"]
