"""The zoo as a table: names, sizes, costs, weights. Networks end to end: test_models_zoo."""

from pathlib import Path

import keras
import numpy as np
import pytest

from roadmask.errors import ConfigError, ModelError
from train.__main__ import main
from train.models import MODELS, at_size, build_model, count_macs
from train.models.encoders import encode
from train.models.pooling import grid_pool
from train.zoo import NETWORKS


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_the_list_names_every_network_with_its_stride(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--list-models"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(MODELS)
    assert max(map(len, lines)) <= 140
    fast_scnn = next(line for line in lines if line.startswith("fast_scnn"))
    assert "×32" in fast_scnn and "1/8" in fast_scnn and "Poudel" in fast_scnn


@pytest.mark.parametrize("name", ["roadnet", "unet_mini", "segformer_b0", "fast_scnn"])
def test_any_size_that_the_stride_divides(name: str) -> None:
    entry = NETWORKS[name]
    width, height = 5 * entry.stride, 3 * entry.stride
    model = build_model(name, (width, height), classes=5)
    assert model.name == name
    assert model.input_shape == (None, height, width, 3)
    stride = entry.output_stride
    assert model.output_shape == (None, height // stride, width // stride, 5)


def test_parameters_are_those_of_the_papers() -> None:
    # SegFormer-B0 on the 150 classes of ADE20K: 3,752,694 in the authors' published weights.
    assert trainable(build_model("segformer_b0", (64, 64), 150)) == 3_752_694
    # Fast-SCNN: 1.11 M (table 4 of the paper).
    assert trainable(build_model("fast_scnn", (64, 64), 19)) == pytest.approx(1.11e6, rel=0.05)
    # VGG16 without top, 14,714,688 (its Keras page); the decoder over it is the customary one,
    # 23,752,273 for one class in the library segmentation_models, and the U-Net's skip at full
    # resolution on top, which that one leaves out: 3 * 3 * 64 * 16 more weights.
    vgg = build_model("unet_vgg16", (32, 32), 2)
    assert vgg.count_params() == 23_752_273 + 3 * 3 * 64 * 16 + (3 * 3 * 16 + 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "expected", "tolerance"),
    [
        # Table 1 of Xie et al.: encoder and decoder together, ADE20K.
        ("segformer_b1", 150, 13.7e6, 0.005),
        ("segformer_b2", 150, 27.5e6, 0.005),
        ("segformer_b3", 150, 47.3e6, 0.005),
        ("segformer_b4", 150, 64.1e6, 0.005),
        ("segformer_b5", 150, 84.7e6, 0.005),
        # torchvision's lraspp_mobilenet_v3_large, 21 classes.
        ("lraspp_mobilenetv3", 21, 3_221_538, 0),
    ],
)
def test_parameters_of_the_large_ones(
    name: str, classes: int, expected: float, tolerance: float
) -> None:
    model = build_model(name, (64, 64), classes)
    assert trainable(model) == pytest.approx(expected, rel=tolerance, abs=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "parameters"),
    # Without top: as keras.applications' documentation and weight files have them. What a network
    # does not use (the last 1x1 of MobileNetV2, behind its tap) is not counted here.
    [("vgg16", 14_714_688), ("resnet50", 23_587_712), ("efficientnetb3", 10_783_528)],
)
def test_encoders_are_whole(encoder: str, parameters: int) -> None:
    features = encode(encoder, (64, 64))
    model = keras.Model(features.image, features.maps[32])
    assert model.count_params() == parameters
    shapes = {stride: 64 // x.shape[1] for stride, x in features.maps.items()}
    assert shapes == {stride: stride for stride in features.maps}


def test_costs_of_convolution_dense_transposed_and_attention() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, 2, padding="same")(image)  # 4 * 4 places * 3 * 3 * 3 * 4
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 4 * 4 * 3 * 3 * 4
    x = keras.layers.Conv2DTranspose(2, 2, 2)(x)  # 4 * 4 places of the input * 2 * 2 * 4 * 2
    x = keras.layers.Dense(5)(x)  # 8 * 8 * 2 * 5
    assert count_macs(keras.Model(image, x)) == 1728 + 576 + 512 + 640
    # Of the smallest SegFormer's 1.75 GMAC at 256x256, both attention products of stage 1 are
    # 2 blocks * 2 * 4096 queries * 64 keys * 32 channels = 33.6 M.
    model = build_model("segformer_b0", (256, 256))
    attention = [layer for layer in model.layers if hasattr(layer, "count_macs")]
    assert sum(layer.count_macs() for layer in attention[:2]) == 2 * 2 * 4096 * 64 * 32


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("segformer_b9", (64, 64)), "did you mean segformer_b"),
        (("segformer_b0", (100, 64)), "multiples of 32, such as 96x64"),
        (("unet_mini", (66, 64)), "multiples of 4, such as 64x64"),
        (("unet_mini", (0, 64)), "multiples of 4"),
        (("unet_mini", (64, 64), 1), "2 or more"),
        (("segformer_b0", (64, 64), 8, "imagenet"), "unet_resnet50"),
        (("segformer_b0", (64, 64), 8, "weights.pt"), "expected imagenet"),
    ],
)
def test_what_cannot_be_built_is_one_line(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model(*arguments)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_a_file_at_another_size_and_for_other_classes(tmp_path: Path) -> None:
    source = build_model("unet_mini", (64, 32))
    path = tmp_path / "source.keras"
    source.save(path)
    same = build_model("unet_mini", (32, 32), weights=path)
    for a, b in zip(source.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other = build_model("unet_mini", (32, 32), classes=19, weights=str(path))
    np.testing.assert_array_equal(other.get_weights()[0], source.get_weights()[0])
    assert other.output_shape[-1] == 19
    with pytest.raises(ModelError, match="another network"):
        build_model("roadnet", (32, 32), weights=path)
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be read") as caught:
        build_model("unet_mini", (32, 32), weights=path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="missing"):
        build_model("unet_mini", (32, 32), weights=tmp_path / "none.keras")


def test_the_same_weights_at_another_size() -> None:
    model = build_model("roadnet", (64, 32), classes=5)
    other = at_size(model, (96, 64))
    assert other.name == "roadnet" and other.output_shape == (None, 16, 24, 5)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
    foreign = keras.Model(model.inputs, model.outputs, name="mine")
    with pytest.raises(ConfigError, match="mine is no network of the zoo"):
        at_size(foreign, (96, 64))


def test_imagenet_weights_without_a_network_say_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "keras.src.backend.config._KERAS_DIR"  # read from KERAS_HOME when Keras was imported
    monkeypatch.setattr(home, str(tmp_path), raising=False)  # no earlier download
    # A proxy that nothing listens on: as good as no network, whatever the machine has.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="start without weights") as caught:
        build_model("unet_vgg16", (32, 32), weights="imagenet")
    assert "\n" not in str(caught.value)


def test_an_encoders_file_is_taken_and_its_normalisation_folded(tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    stock = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
    path = tmp_path / "vgg16_notop.h5"
    stock.save_weights(tmp_path / "vgg16_notop.weights.h5")
    (tmp_path / "vgg16_notop.weights.h5").rename(path)
    with pytest.raises(ModelError, match="do not fit vgg16"):
        build_model("unet_vgg16", (64, 64), weights=path)  # h5 of another layout

    path = tmp_path / "vgg16.weights.h5"
    stock.save_weights(path)
    features = encode("vgg16", (64, 64), str(path))
    ours = keras.Model(features.image, features.maps[2])
    theirs = keras.Model(stock.inputs, stock.get_layer("block2_conv2").output)
    pixels = np.random.default_rng(3).integers(0, 256, (1, 64, 64, 3)).astype(np.float32)
    expected = np.asarray(theirs(keras.applications.vgg16.preprocess_input(pixels.copy())))
    # The border differs: there, padding stands for mid-grey and not for the ImageNet mean.
    inner = np.s_[:, 4:-4, 4:-4]
    np.testing.assert_allclose(
        np.asarray(ours(pixels))[inner], expected[inner], rtol=1e-4, atol=1e-3
    )


def test_grids_divide_a_map_evenly_or_overlap_a_little() -> None:
    ramp = np.arange(8, dtype=np.float32)[None, :, None, None] * np.ones((1, 8, 8, 1), np.float32)

    def rows(bins: int) -> list[float]:
        pooled = np.asarray(grid_pool(keras.ops.convert_to_tensor(ramp), bins))
        return [float(v) for v in pooled[0, :, 0, 0]]

    assert rows(1) == [3.5]
    assert rows(2) == [1.5, 5.5]
    assert rows(3) == [1.5, 3.5, 5.5]  # windows of four rows, two apart
    assert len(rows(6)) == 6
