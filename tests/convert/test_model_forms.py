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
from tests.convert.form_parts import (
    FIRST,
    IMAGE,
    ONNX_SOFTMAX,
    OWN,
    Keras,
    built,
    expected,
    in_policy,
    layers,
    lite,
    mixed_branches,
    nested,
    normalised,
    onnx_file,
    own,
    resized,
    separable,
    sharp,
    turned_round,
    two_outputs,
    two_ways,
    whole,
)
from tests.convert.test_foreign import HEIGHT, WIDTH, colours

assert colours  # a fixture


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
