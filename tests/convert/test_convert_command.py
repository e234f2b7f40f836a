from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.__main__ import main
from convert.quantise.operators import float_operators, read_operators
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import read_metadata
from tests.convert.conftest import Converted


def test_the_model_is_full_int8_and_says_what_it_is(converted: Converted) -> None:
    data = converted.model.read_bytes()
    engine = Engine(converted.model)
    assert engine.input_spec.dtype == np.uint8 and engine.input_size == (96, 64)
    # Pixels go in as they are: the quantisation is the Rescaling that was taken out.
    assert engine.input_spec.scale == pytest.approx(1 / 127.5)
    assert engine.input_spec.zero_point in (127, 128)
    assert engine.output_spec.dtype == np.int8 and engine.output_spec.shape == (1, 16, 24, 8)

    operators = read_operators(data)
    assert not float_operators(operators)
    assert [o.name for o in operators[:2]] == ["QUANTIZE", "CONV_2D"]  # no MUL, no ADD before
    assert all(o.scales == o.channels for o in operators if o.channels)  # weights per channel

    info = read_metadata(data)
    assert info is not None
    assert (info.name, info.labels, info.output_stride) == ("roadnet-96x64", "cityscapes-8", 4)
    assert info.normalisation == pytest.approx((1 / 127.5, -1))
    assert info.calibration["name"] == "train" and len(info.calibration["sha256"]) == 64
    assert info.scores["int8"]["images"] == 3
    assert info.scores["float"]["miou"] == pytest.approx(info.scores["int8"]["miou"], abs=0.2)


def test_float_and_int8_are_measured_and_reported(converted: Converted) -> None:
    report = json.loads(converted.report.read_text())
    assert report["accepted"] and report["float_operators"] == []
    for kind in ("float", "int8"):
        assert report["accuracy"][kind]["images"] == 3
        assert report["latency"][kind]["invoke_ms"]["p50"] > 0
        flicker = report["accuracy"][kind]["flicker"]
        assert flicker["pairs"] == 29 and 0 < flicker["consistency"] < 1
    assert 0.8 < report["pixel_agreement"] <= 1
    for word in ("mean IoU", "flicker", "invoke p50", "operators:", "written:"):
        assert word in converted.printed
    assert sorted(p.name for p in converted.model.parent.iterdir()) == [
        "tiny.html",
        "tiny.json",
        "tiny.tflite",
    ]


def test_bad_input_is_one_line_and_2_and_leaves_nothing(
    keras_file: Path, camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    inputs, out = tmp_path / "in", tmp_path / "out"
    for folder in (inputs, out, inputs / "empty", inputs / "corrupt", inputs / "twice"):
        folder.mkdir()
    (inputs / "fake.keras").write_bytes(b"no archive")
    (inputs / "pointer.keras").write_text("version https://git-lfs.github.com/spec/v1\n")
    (inputs / "graph").mkdir()
    (inputs / "graph" / "saved_model.pb").write_bytes(b"graph")
    (inputs / "net.onnx").write_bytes(b"\x08\x07")
    (inputs / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    (inputs / "corrupt" / "a.png").write_bytes(b"no picture")
    picture = next((camvid_folder / "train").iterdir()).read_bytes()
    for name in ("a.png", "b.png"):
        (inputs / "twice" / name).write_bytes(picture)
    (inputs / "manifest.toml").write_text('dataset = "camvid"\n')
    free = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(8, 1)])
    free.save(inputs / "free.keras")
    five = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(5, 1)])
    five.save(inputs / "five.keras")
    image = keras.Input((32, 32, 3))
    strange = keras.Model(image, keras.layers.Conv2D(8, 1)(keras.ops.erfinv(image)))
    strange.save(inputs / "strange.keras")
    (inputs / "history").mkdir()
    (inputs / "history" / "roadnet-96x64.json").write_text("{")

    model, train = str(keras_file), str(camvid_folder / "train")
    camvid = ["--eval-dataset", "camvid", "--eval-root", str(camvid_folder)]
    history = ["--history", str(inputs / "history")]
    cases = [
        ([str(inputs / "none.keras"), *camvid], "is missing"),
        ([str(inputs / "fake.keras"), *camvid], "no archive"),
        ([str(camvid_folder), *camvid], "neither a .keras nor an .h5"),
        ([str(inputs / "pointer.keras"), *camvid], "git lfs pull"),
        ([str(inputs / "graph"), *camvid], "cannot be read as a SavedModel"),
        ([str(inputs / "net.onnx"), *camvid], "has 0 inputs and 0 outputs"),
        ([str(inputs / "graph"), *camvid, "--custom-objects", "f.py"], "goes with a Keras file"),
        (["roadlite.tflite", *camvid], "is missing"),
        ([str(inputs / "free.keras"), *camvid], "fixed size"),
        ([str(inputs / "five.keras"), *camvid], "--labels"),
        ([str(inputs / "five.keras"), *camvid, "--size", "64x64"], "no network of the zoo"),
        ([model, *camvid, "--size", "100x64"], "multiples of 32"),
        ([str(inputs / "strange.keras"), *camvid, "--calibration", train], "for tf.Erfinv"),
        ([model, *camvid, "--calibration", train, "--float-layers", "conv9"], "conv9"),
        ([model, *camvid, "--mode", "float16", "--repair"], "--repair goes with --mode int8"),
        ([model, *camvid, "--repair", "--float-layers", "logits"], "not both"),
        ([model, *camvid, "--recover", "2", "--float-layers", "logits"], "not both"),
        ([model, *camvid, "--mode", "int16x8", "--recover", "2"], "--recover goes with --mode"),
        ([str(inputs / "graph"), *camvid, "--recover", "2"], "--recover goes with a Keras file"),
        ([str(inputs / "net.onnx"), *camvid, "--recover", "2"], "--recover goes with a Keras file"),
        ([str(inputs / "net.tflite"), *camvid, "--recover", "2"], "goes with a Keras file"),
        ([model, *camvid, "--calibration", train, *history], "roadnet-96x64.json"),
        ([model, *camvid, "--calibration", str(inputs / "nowhere")], "is missing"),
        ([model, *camvid, "--calibration", str(inputs / "empty")], "holds no picture"),
        ([model, *camvid, "--calibration", str(inputs / "corrupt")], "a.png"),
        ([model, *camvid, "--calibration", str(inputs / "twice")], "same picture"),
        ([model, *camvid, "--calibration", str(inputs / "manifest.toml")], "manifest.toml"),
        ([model, *camvid, "--calibration", str(camvid_folder / "val")], "evaluation split"),
        ([model, *camvid, "--calibration", train, "--video", "/nowhere.mp4"], "/nowhere.mp4"),
        ([model, "--eval-dataset", "kitti", "--calibration", train], "kitti"),
        ([model, *camvid, "--eval-split", "night", "--calibration", train], "night"),
    ]
    for arguments, message in cases:
        assert main([*arguments, "--out", str(out / "m.tflite")]) == 2, arguments
        error = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
        assert error.startswith("roadmask: ") and message in error, (arguments, error)
        assert list(out.iterdir()) == [], arguments
    for target in (out / "m.bin", out / "missing" / "m.tflite"):
        assert main([model, *camvid, "--out", str(target)]) == 2
        assert str(target) in capsys.readouterr().err


def test_calibrate_writes_a_manifest_that_convert_refuses_when_a_frame_changed(
    keras_file: Path, camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    root = tmp_path / "camvid"
    shutil.copytree(camvid_folder, root)
    manifest = tmp_path / "set.toml"
    pick = ["calibrate", "--dataset", "camvid", "--root", str(root), "--out", str(manifest)]
    assert main([*pick, "--count", "3"]) == 0
    assert "3 of 6 frames" in capsys.readouterr().out
    name = sorted((root / "train").iterdir())[0]
    for line in manifest.read_text().splitlines():
        if "{ id =" in line:
            name = root / "train" / f"{line.split(chr(34))[1]}.png"
    image = cv2.imread(str(name))
    image[0, 0] ^= 1
    cv2.imwrite(str(name), image)
    arguments = [str(keras_file), "--eval-dataset", "camvid", "--eval-root", str(root)]
    out = tmp_path / "m.tflite"
    assert main([*arguments, "--calibration", str(manifest), "--out", str(out)]) == 2
    assert f"frame {name.stem} has changed" in capsys.readouterr().err
    name.unlink()
    (root / "trainannot" / name.name).unlink()
    assert main([*arguments, "--calibration", str(manifest), "--out", str(out)]) == 2
    assert f"frame {name.stem} is missing" in capsys.readouterr().err
    assert not out.exists()
    for wrong, message in (
        (["--count", "99"], "--count 99"),
        (["--count", "1", "--split", "val"], "evaluation"),
    ):
        assert main([*pick, *wrong]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["net.keras", "--latency-frames=19"],  # was refused after the quantisation, minutes later
        ["net.keras", "--eval-count=0"],
        ["net.keras", "--recover=0"],
        ["net.keras", "--recover=-1"],
        ["net.keras", "--recover=1000000000"],  # would train for a year
        ["net.keras", "--threads=0"],
        ["calibrate", "--dataset", "town", "--count=0"],
        ["calibrate", "--dataset", "town", "--count=8", "--seed=-1"],
    ],
)
def test_numbers_out_of_range_are_refused_at_once(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    name, value = arguments[-1].split("=")
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{name} {value}: expected a whole number" in last
