"""Networks in the forms that users bring, each telling the colours of ``test_foreign`` apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from roadmask.labels.catalogue import CITYSCAPES_19, CITYSCAPES_34
from tests.convert.test_foreign import COLOURS, HEIGHT, WIDTH, draw

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


def expected(seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    image, ids = draw(seed)
    table = np.zeros(12, int)
    for camvid, category, _ in COLOURS:
        table[camvid] = category
    return image[..., ::-1], table[ids]


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
