"""A Keras network that rounds as its INT8 form will, and still can be trained.

Rounding has no slope, so the gradient goes past it (straight-through; Bengio et al., 2013). Weights
are rounded symmetrically for each output channel. A batch norm behind them need not be folded
first: it scales whole channels, and their steps with them. Outputs are rounded for the whole
tensor, over the range that the batch has, where the converter ends an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

KerasModel = Any
_STEPS = 255  # of an int8 tensor; a weight has 127 to either side of 0
# These hand on what they were given, on the same steps.
_PASSED = {
    "InputLayer", "Identity", "Dropout", "SpatialDropout2D", "Reshape", "Flatten", "Permute",
    "MaxPooling2D", "ZeroPadding2D", "Cropping2D",
}  # fmt: skip
_CLIPPING = {"relu", "relu6", "linear"}  # activations that are a part of the operator before


def rounded(tensor: Any) -> Any:
    """Of the whole tensor's steps, 0 among them."""
    import tensorflow as tf

    low = tf.minimum(tf.reduce_min(tensor), 0.0)
    high = tf.maximum(tf.reduce_max(tensor), 0.0)
    step = tf.maximum(high - low, 1e-12) / _STEPS
    zero = tf.round(-low / step)
    steps = tf.clip_by_value(tf.round(tensor / step) + zero, 0.0, float(_STEPS))
    return tensor + tf.stop_gradient((steps - zero) * step - tensor)


def rounded_weights(kernel: Any, axes: tuple[int, ...]) -> Any:
    """Of steps that the weights along ``axes`` share."""
    import tensorflow as tf

    step = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True), 1e-12) / 127
    return kernel + tf.stop_gradient(tf.round(kernel / step) * step - kernel)


def kernels(model: KerasModel) -> list[tuple[Any, tuple[int, ...]]]:
    """Weights of convolutions and dense layers, and the axes that one output channel has."""
    import keras

    found = []
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.SeparableConv2D):
            found += [(layer.depthwise_kernel, (0, 1)), (layer.pointwise_kernel, (0, 1, 2))]
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            found.append((layer.kernel, (0, 1)))
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            found.append((layer.kernel, (0, 1, 3)))
        elif isinstance(layer, keras.layers.Conv2D):
            found.append((layer.kernel, (0, 1, 2)))
        elif isinstance(layer, keras.layers.Dense):
            found.append((layer.kernel, (0,)))
    return found


def rounding_network(model: KerasModel) -> Callable[[Any], Any]:
    """Pictures → logits as INT8 gives them, by the weights of ``model``, which are shared."""
    import keras

    network, weights = _rounding_outputs(model), kernels(model)

    def call(images: Any) -> Any:
        values = [(kernel, rounded_weights(kernel.value, axes)) for kernel, axes in weights]
        with keras.StatelessScope(state_mapping=values):
            return network(images, training=False)

    return call


def _rounding_outputs(model: KerasModel) -> KerasModel:
    """The same layers with a rounding behind each that ends an operator.

    All that is added bears a name of the network's own. Keras's would be numbered through the
    process, and TensorFlow sorts a graph by name before it joins operators, so that their sums
    come in another order.
    """
    import keras

    class Rounded(keras.layers.Layer):  # type: ignore[misc]
        def call(self, tensor: Any) -> Any:
            return rounded(tensor)

    nested: dict[str, KerasModel] = {}
    roundings: dict[str, Any] = {}

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        name = layer.name  # a shared layer comes here once for each of its uses
        if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
            if name not in nested:
                nested[name] = _rounding_outputs(layer)  # which rounds its own ends
            return nested[name](*given, **options)
        made = layer(*given, **options)
        if name not in ends:
            return made
        rounding = roundings.setdefault(name, Rounded(name=f"{name}_rounded"))
        return keras.tree.map_structure(rounding, made)

    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    ends = {layer.name for layer in model.layers if _ends_operator(layer, model)}
    return keras.models.clone_model(model, clone_function=lambda each: each, call_function=call)


def _ends_operator(layer: Any, model: KerasModel) -> bool:
    if type(layer).__name__ in _PASSED:
        return False
    inside = {each.name for each in model.layers}
    behind = [n.operation for n in layer._outbound_nodes if n.operation.name in inside]
    if len(behind) != 1:
        return True
    kind = type(behind[0]).__name__
    if kind == "BatchNormalization":
        return not _has_kernel(layer)
    clipping = getattr(getattr(behind[0], "activation", None), "__name__", "") in _CLIPPING
    return not (kind == "ReLU" or (kind == "Activation" and clipping))


def _has_kernel(layer: Any) -> bool:
    return hasattr(layer, "kernel") or hasattr(layer, "pointwise_kernel")
