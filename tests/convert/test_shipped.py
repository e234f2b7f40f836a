"""Each shipped model converted anew by the command on its card."""

import json
from pathlib import Path
from typing import Any

import pytest

from convert.__main__ import main
from convert.quantise.operators import float_operators, read_operators
from roadmask.inference.model_file import (
    FAMILY,
    METADATA_NAME,
    model_path,
    read_block,
    read_metadata,
    sealed,
)
from tests.convert.conftest import SMALL_DRIVE, SMALL_TOWN

ROOT = Path(__file__).parents[2]


# Shipped model → the float weights that it came from.
SHIPPED = {"roadnet-480x352": "roadnet-480x352.keras"} | dict.fromkeys(
    FAMILY.values(), "roadlite.keras"
)
# Of a recovery, what it was told.
_SETTINGS = ("epochs", "frames", "batch", "learning_rate", "seed")


def certificate(data: bytes) -> dict[str, Any]:
    """What a file says of its own conversion."""
    block = read_block(data, "ROADMASK_CERTIFICATE")
    assert block is not None
    read: dict[str, Any] = json.loads(block)
    return read


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_computes_in_int8_alone(name: str) -> None:
    operators = read_operators(model_path(name).read_bytes())
    assert operators and float_operators(operators) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_model_converted_anew_is_the_shipped_model(
    name: str, shared: Path, tmp_path: Path
) -> None:
    camvid, out = shared / "data" / "camvid", tmp_path / "m.tflite"
    if not camvid.is_dir():
        pytest.skip("no CamVid beside this clone")
    data = model_path(name).read_bytes()
    info, old = read_metadata(data), certificate(data)
    assert info is not None
    recovered = old.get("recover")
    arguments = [
        *(str(ROOT / "train" / "weights" / SHIPPED[name]), "--out", str(out)),
        *("--size", name.rpartition("-")[2]),
        *("--calibration", str(ROOT / "calibration_data" / "camvid.toml")),
        *("--eval-dataset", "camvid", "--eval-root", str(camvid)),
        *("--source", SMALL_TOWN, "--latency-frames", "20", "--video", SMALL_DRIVE),
        *("--temperature", str(info.temperature)),
        *(("--recover", str(recovered["epochs"])) if recovered else ()),
        "--no-history",
    ]
    assert main(arguments) == 0  # within every gate: 0.2 and 0.5 points, 99 %
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["miou_drop"] <= 0.002 and report["pixel_agreement"] >= 0.99
    assert report["float_operators"] == []
    made, shipped = out.read_bytes(), data
    new = certificate(made)
    if new["packages"] != old["packages"]:
        pytest.skip("the shipped model was converted with other packages")
    # The converting code may have changed since, which its digest tells; what it makes has not.
    code = [which["digests"].pop("code") for which in (new, old)]
    if recovered:  # a training, whose last bits are the processor's
        assert new["digests"] == old["digests"]
        assert {key: new["recover"][key] for key in _SETTINGS} == {
            key: recovered[key] for key in _SETTINGS
        }
        for kind in ("float", "int8"):
            assert new["iou"][kind] == pytest.approx(old["iou"][kind], abs=0.005)
        return
    assert new == old
    for block in (METADATA_NAME, "ROADMASK_GOLDEN"):
        assert read_block(made, block) == read_block(shipped, block)
    # A file's own digest follows its bytes.
    assert sealed(made.replace(code[0].encode(), code[1].encode())) == shipped
