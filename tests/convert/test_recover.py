from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from convert.__main__ import main
from convert.quantise.equalise import equalise, factors, joints
from convert.quantise.graph import ExportGraph
from roadmask.arrays import F32, U8
from roadmask.inference.model_file import read_metadata
from roadmask.labels.catalogue import CAMVID_11


def network(wild_by: float = 256, *, forked: bool = False) -> Any:
    """A small one, whose every second channel is so much smaller and met by large weights.

    ``forked``: its tensor is also added to another, so that no channel can be scaled.
    """
    from convert.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras
    from keras import layers

    from train.loop.backend import prepare_backend

    prepare_backend(4, 1)
    image = keras.Input((64, 96, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="first")(x)
    x = wild = layers.ReLU(6.0)(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="second")(x)
    if forked:
        x = layers.Add()([x, layers.AveragePooling2D(2)(wild)])
    logits = layers.Conv2D(8, 1, name="logits")(layers.ReLU()(x))
    model = keras.Model(image, logits, name="wild")
    factor = np.where(np.arange(16) % 2, wild_by, 1).astype(np.float32)
    gamma, beta, *rest = model.get_layer("norm").get_weights()
    model.get_layer("norm").set_weights([gamma / factor, beta / factor, *rest])
    kernel, bias = model.get_layer("second").get_weights()
    model.get_layer("second").set_weights([kernel * factor[:, None], bias])
    return model


@pytest.fixture(scope="module")
def frames(camvid_folder: Path) -> list[U8]:
    from roadmask.imaging.nearest import nearest
    from roadmask.town.town import Town

    town = Town(11, 96, 72)
    pictures = [town.frame(40 * number).image[..., ::-1] for number in range(6)]
    return [np.stack([nearest(p[..., c].copy(), (96, 64)) for c in range(3)], -1) for p in pictures]


def graph_of(model: Any) -> ExportGraph:
    from convert.quantise.graph import export_graph

    return export_graph(model)


def test_a_small_channel_is_raised_as_far_as_its_tensor_and_weights_allow() -> None:
    peak, reach = np.float32([4, 4 / 64, 0]), np.float32([1 / 64, 1, 1])
    assert factors(peak, reach) == pytest.approx([1, 64, 1])
    # ReLU6: beyond 6 a channel would be clipped, and one that is clipped already must stay so.
    assert factors(np.float32([6, 1, 3]), np.float32([1, 1, 1]), 6) == pytest.approx(
        [1, 6**0.5, 2**0.5]
    )
    assert factors(np.float32([5, 1e-9]), np.float32([1, 1]), 6)[1] == 1024


def test_equalised_channels_change_nothing_in_float(frames: list[U8]) -> None:
    graph = graph_of(network())
    pictures = np.stack(frames) * np.float32(1 / 127.5) - 1
    before = np.asarray(graph.model(pictures))
    assert [joint.maker.name for joint in joints(graph.model)] == ["norm", "second"]
    assert equalise(graph.model, list(pictures)) == 2
    gamma = graph.model.get_layer("norm").get_weights()[0]
    assert gamma.max() / gamma.min() < 8  # they were apart by 256
    assert np.asarray(graph.model(pictures)) == pytest.approx(before, abs=1e-4)
    assert [joint.maker.name for joint in joints(graph_of(network(forked=True)).model)] == []


def test_the_rounding_network_errs_as_int8_does(frames: list[U8], tmp_path: Path) -> None:
    from convert.quantise.converter import Quantiser
    from convert.quantise.fake_quant import rounding_network
    from roadmask.inference.engine import Engine

    graph, path = graph_of(network()), tmp_path / "m.tflite"
    path.write_bytes(Quantiser(graph, frames[:1]).convert("int8"))
    engine = Engine(path, labels="cityscapes-8")
    engine.input[:] = frames[0]
    engine.invoke()
    spec = engine.output_spec
    int8: F32 = np.float32(spec.scale) * (engine.output.astype(np.float32) - spec.zero_point)
    picture = frames[0][None] * np.float32(1 / 127.5) - 1
    real = np.asarray(graph.model(picture))[0]
    rounded = np.asarray(rounding_network(graph.model)(picture))[0]
    assert np.abs(rounded - int8).mean() < 0.3 * np.abs(real - int8).mean()


def test_every_kind_of_network_is_rounded_where_its_operators_end() -> None:
    import keras
    from keras import layers

    from convert.quantise.fake_quant import kernels, rounding_network

    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.DepthwiseConv2D(3, padding="same")])
    image = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 1)(image)))
    x = layers.SeparableConv2D(4, 3, padding="same")(inner(layers.MaxPooling2D(1)(x)))
    outer = keras.Model(image, layers.Dense(8)(layers.Conv2DTranspose(4, 1)(x)))
    assert [axes for _, axes in kernels(outer)] == [
        (0, 1, 2), (0, 1), (0, 1), (0, 1, 2), (0, 1, 3), (0,)
    ]  # fmt: skip
    picture = np.random.default_rng(1).normal(size=(1, 8, 8, 3)).astype(np.float32)
    real, said = np.asarray(outer(picture)), np.asarray(rounding_network(outer)(picture))
    assert 0 < np.abs(real - said).max() < 0.2 * np.abs(real).max()
    assert len(np.unique(said)) <= 256


def test_training_helps_what_cannot_be_equalised_and_repeats(
    frames: list[U8], monkeypatch: pytest.MonkeyPatch
) -> None:
    from convert.quantise import recover as module
    from convert.quantise.recover import recover

    monkeypatch.setattr(module, "LEARNING_RATE", 3e-4)  # there are but 20 steps
    graph = graph_of(network(32, forked=True))
    weights = graph.model.get_weights()
    made = [recover(graph, frames, 10) for _ in range(2)]
    before, even, after = made[0].loss
    assert made[0].equalised == 0 and even == before and made[0].best > 0
    assert after < 0.9 * before
    assert made[0].digest == made[1].digest and made[0].loss == made[1].loss
    for mine, given in zip(graph.model.get_weights(), weights, strict=True):
        assert np.array_equal(mine, given)  # the network itself is as it was


@pytest.fixture
def own_truth(camvid_folder: Path, tmp_path: Path) -> Path:
    """The data set with masks of what the hard network says in float, so that IoU means something.

    The network itself lies beside it.
    """
    model, root = network(), tmp_path / "own"
    shutil.copytree(camvid_folder, root)
    ids = {c.category: c.class_id for c in reversed(CAMVID_11.classes)}
    for path in (root / "val").iterdir():
        picture = cv2.resize(cv2.imread(str(path))[..., ::-1], (96, 64))
        said = np.asarray(model(picture[None].astype(np.float32)))[0].argmax(-1)
        mask = np.vectorize(lambda category: ids.get(category, 0))(said).astype(np.uint8)
        mask = cv2.resize(mask, (96, 72), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(root / "valannot" / path.name), mask)
    model.save(root / "wild.keras")
    for path in sorted((root / "train").iterdir())[4:]:  # one step of training is enough
        path.unlink()
        (root / "trainannot" / path.name).unlink()
    return root


def test_a_missed_gate_is_passed_by_recovered_weights_and_the_file_says_so(
    own_truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.tflite"
    arguments = [
        *(str(own_truth / "wild.keras"), "--out", str(out)),
        *("--calibration", str(own_truth / "train")),
        *("--eval-dataset", "camvid", "--eval-root", str(own_truth)),
        *("--video", "synthetic:town?seed=1&width=96&height=64", "--no-latency", "--no-history"),
        *("--max-miou-drop", "100", "--max-category-drop", "100", "--min-miou", "0"),
    ]
    assert main([*arguments, "--min-agreement", "95"]) == 1
    assert "; try --recover 10 or --repair; see" in capsys.readouterr().err
    assert main([*arguments, "--min-agreement", "95", "--recover", "1", "--repair"]) == 0
    assert "recovery: 1 epochs" in capsys.readouterr().out
    report = json.loads(out.with_suffix(".json").read_text())
    record = report["recover"]
    assert record["kept"] and record["missed_before"] and record["equalised"] == 2
    assert record["agreement"]["after"] >= 0.95 > record["agreement"]["before"]
    assert record["loss"]["after"] <= record["loss"]["equalised"] < record["loss"]["before"]
    assert report["repair"] is None  # there was nothing left to repair
    info = read_metadata(out.read_bytes())
    assert info is not None
    told = info.extra["quantisation"]["recover"]
    assert told == report["certificate"]["recover"] and "kept" not in told
    page = out.with_suffix(".html").read_text()
    assert "Recovered weights" in page and "Channels of 2 tensors evened out" in page

    # Both: recovered weights miss this one, and pass it with the last layer in float.
    assert main([*arguments, "--min-agreement", "98.3", "--recover", "1", "--repair"]) == 0
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["recover"]["weights_sha256"] == record["weights_sha256"]
    assert report["float_layers"] == ["logits"]
    [missed] = report["repair"]["missed_before"]  # by the recovered weights
    assert missed.startswith(f"{100 * record['agreement']['after']:.2f} %")
    info = read_metadata(out.read_bytes())
    assert info is not None
    both = {"mode": "int8", "float_layers": ["logits"], "recover": told}
    assert info.extra["quantisation"] == both
    page = out.with_suffix(".html").read_text()
    assert "Recovered weights" in page and "Layers kept in float" in page


def test_a_rejection_tells_what_was_tried() -> None:
    from types import SimpleNamespace

    from convert.judge.outcome import Outcome
    from convert.plan import ConversionPlan

    change = {"before": 0.5, "after": 0.625}
    record = {"epochs": 3, "kept": False, "agreement": change, "miou": {"int8": change}}
    trial: Any = SimpleNamespace(missed=["mean IoU"], floor=[])
    plan = ConversionPlan(Path("net.keras"), Path("frames"), recover=3)
    assert Outcome(trial, cast(Any, None), recover=record).advice(plan) == (
        "--recover 3 brought mean IoU from 50.00 to 62.50 and the pixels that agree from 50.00 to "
        "62.50 %, and is not kept; try --repair"
    )


def shared() -> Any:
    """Layers and a nested network that are used twice, some of them frozen."""
    from keras import Input, Model, Sequential, layers

    image = Input((48, 64, 3))
    convolution, norm = layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()
    inner = Sequential([Input((48, 64, 4)), layers.Conv2D(4, 1), layers.ReLU()])
    convolution.trainable = False
    x = layers.Conv2D(4, 1)(image)
    for _ in range(2):
        x = inner(layers.ReLU()(norm(convolution(x))))
    return Model(image, layers.Conv2D(8, 1)(x), name="shared")


def test_layers_that_are_used_twice_are_trained_too() -> None:
    from convert.quantise.recover import check_recover, recover
    from train.loop.backend import prepare_backend

    prepare_backend(1, 1)
    graph = graph_of(shared())
    check_recover(graph.model)
    pictures = list(np.random.default_rng(1).integers(0, 256, (3, 48, 64, 3), np.uint8))
    made = recover(graph, pictures, 2)
    assert made.best > 0 and made.loss[2] < made.loss[0]


def test_what_is_added_bears_the_same_names_each_time() -> None:
    """TensorFlow sorts by them, and the order of a sum is in its last bits."""
    import keras

    from convert.quantise.fake_quant import _rounding_outputs

    model = shared()
    names = [
        [layer.name for layer in _rounding_outputs(keras.models.clone_model(model)).layers]
        for _ in range(2)
    ]
    assert names[0] == names[1] and "conv2d" in " ".join(names[0])


def test_confidences_are_compared_as_the_logits_that_they_came_from() -> None:
    import keras
    from keras import layers

    from convert.quantise.divergence import divergence, network_end

    logits = np.float32([[[[2, 0, -1]]], [[[0, 1, -2]]]])
    other = logits + np.float32([0.5, 0, -0.5])
    expected = float(divergence(logits, other))
    image = keras.Input((8, 8, 3))
    answer = layers.Conv2D(3, 1)(image)
    for end, turn in (("softmax", keras.ops.softmax), ("sigmoid", keras.ops.sigmoid)):
        assert float(divergence(turn(logits), turn(other), end)) == pytest.approx(
            expected, rel=0.01
        )
        nested = keras.Model(image, layers.Activation(end)(answer))
        assert network_end(keras.Model(image, layers.Reshape((8, 8, 3))(nested(image)))) == end
    assert network_end(keras.Model(image, layers.Softmax()(answer))) == "softmax"
    assert network_end(keras.Model(image, answer)) == ""


def test_what_cannot_be_trained_is_refused_before_the_work(
    camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras
    from keras import layers

    image = keras.Input((48, 64, 3))
    networks = {
        "that Keras can train: convert it without": layers.Concatenate()([image] * 3)[..., :8],
        "has int8_from_float32: build the network of float32": layers.Dense(8)(image),
    }
    for said, answer in networks.items():
        odd = keras.Model(image, answer, name="odd")
        if "int8" in said:
            odd.quantize("int8")
        odd.save(tmp_path / "odd.keras")
        arguments = [str(tmp_path / "odd.keras"), "--out", str(tmp_path / "m.tflite")]
        arguments += ["--calibration", str(camvid_folder / "train"), "--no-history"]
        assert main([*arguments, "--recover", "1"]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "calibration frames" not in error  # which would come next
        assert len([line for line in error.splitlines() if line.startswith("roadmask:")]) == 1


def test_a_network_of_mixed_precision_is_trained_in_float32(
    frames: list[U8], tmp_path: Path
) -> None:
    import keras
    from keras import layers

    from convert.forms.precision import to_float32
    from convert.quantise.recover import check_recover, recover
    from roadmask.errors import ModelError

    image = keras.Input((64, 96, 3))
    answer = layers.Conv2D(8, 1, dtype="mixed_float16", name="head")(image)
    model = keras.Model(image, answer, name="odd")
    with pytest.raises(ModelError, match="head has mixed_float16: build the network of float32"):
        check_recover(model)
    model, changes = to_float32(model)
    assert changes == ["brought from mixed_float16 to float32"]
    check_recover(model)
    assert recover(graph_of(model), frames[:2], 1).graph.model.output.dtype == "float32"


@pytest.mark.parametrize(("agreement", "kept"), [(0.315, False), (0.979, False), (0.985, True)])
def test_what_comes_out_is_never_worse_than_what_went_in(
    agreement: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With random weights a lower loss once brought the pixels that agree from 97.9 to 31.5 %."""
    from types import SimpleNamespace

    from convert.judge import outcome as module
    from convert.judge.gates import Gates, accuracy_misses
    from convert.judge.outcome import Outcome, find_outcome
    from convert.judge.trial import Trial
    from convert.plan import ConversionPlan
    from convert.quantise import recover as training
    from convert.quantise.converter import Quantiser

    score: dict[str, Any] = {"miou": 0.05, "iou": {"flat": 0.05}}
    better = score | {"miou": 0.06}

    def trial(agree: float, after: dict[str, Any]) -> Trial:
        evaluation: Any = SimpleNamespace(pixel_agreement=agree)
        misses = accuracy_misses(Gates(), score, after, agree)
        return Trial(b"", evaluation, score, after, misses, [])

    measured = {
        "accuracy": trial(0.979, score),
        "recovered": trial(agreement, better),
        "recovered, in float": trial(1.0, score),
    }
    graph = ExportGraph(None, (1.0, 0.0), "")
    trained = training.Recovery(graph, 2, 2, 0, 6, (6e-6, 6e-6, 5e-6), "")
    monkeypatch.setattr(training, "recover", lambda *_: trained)
    monkeypatch.setattr(Quantiser, "convert", lambda *_: b"")
    monkeypatch.setattr(module, "to_float", lambda *_, **__: b"")
    monkeypatch.setattr(module, "read_operators", lambda _: [])
    bench: Any = SimpleNamespace(measure=lambda _, title="accuracy": measured[title])
    plan = ConversionPlan(Path("net.keras"), Path("frames"), recover=2)
    made: Outcome = find_outcome(plan, Quantiser(graph, []), bench)
    assert made.trial is measured["recovered" if kept else "accuracy"]
    assert made.recover is not None and made.recover["kept"] is kept
    assert bool(made.recovered) is kept
