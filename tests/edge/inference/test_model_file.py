import os
from pathlib import Path

import numpy as np
import pytest

from roadmask.errors import ModelError
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import (
    FAMILY,
    METADATA_NAME,
    ModelInfo,
    digest,
    model_path,
    read_block,
    read_metadata,
    read_model,
    write_metadata,
)

INFO = ModelInfo("net", "cityscapes-8", (480, 352), scores={"int8": {"miou": 0.5}})


def test_the_shipped_model_describes_itself(shipped_model: Path) -> None:
    info = read_metadata(read_model(shipped_model))
    assert info is not None
    assert info.labels == "cityscapes-8"
    assert shipped_model.stem.endswith(f"{info.input_size[0]}x{info.input_size[1]}")
    assert info.output_stride == 4


@pytest.mark.parametrize("alias", FAMILY)
def test_the_family_by_its_sizes(alias: str) -> None:
    path = model_path(alias)
    info = read_metadata(read_model(alias))
    assert info is not None and path.stem == f"{info.name}" == FAMILY[alias]
    width, height = info.input_size
    assert path.stem.endswith(f"-{width}x{height}")
    engine = Engine(path)
    assert engine.labels.name == "cityscapes-8" and engine.output_spec.dtype == np.int8
    for word in ("not", "NC", "away"):  # what it must not be used for, licence, unseen roads
        assert word in path.with_suffix(".md").read_text(encoding="utf-8")


def test_a_file_of_an_aliass_name_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s").write_bytes(b"somebody's own")
    assert model_path("s") == Path("s")


def test_the_family_is_small_enough_to_ship() -> None:
    assert sum(model_path(alias).stat().st_size for alias in FAMILY) <= 12e6


def test_a_block_comes_back_as_written_and_replaces_its_former(shipped_model: Path) -> None:
    data = read_model(shipped_model)
    once = write_metadata(data, {METADATA_NAME: INFO.to_json().encode(), "OTHER": b"\0\xff"})
    assert read_metadata(once) == INFO
    assert read_block(once, "OTHER") == b"\0\xff"
    twice = write_metadata(once, {METADATA_NAME: ModelInfo("b", "x", (1, 2)).to_json().encode()})
    again = read_metadata(twice)
    assert again is not None
    assert again.name == "b"
    assert read_block(twice, "OTHER") == b"\0\xff"
    assert read_block(twice, "NONE") is None


def test_keys_of_a_newer_version_are_kept() -> None:
    text = INFO.to_json().replace('"name"', '"lens":"wide","name"', 1)
    assert ModelInfo.from_json(text).extra == {"lens": "wide"}


def test_the_same_content_gives_the_same_bytes(shipped_model: Path) -> None:
    data = read_model(shipped_model)
    block = {METADATA_NAME: INFO.to_json().encode()}
    assert digest(write_metadata(data, block)) == digest(write_metadata(data, block))


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="roadlite-288x224"):  # names what is shipped
        model_path("nothing")
    (tmp_path / "a.tflite").write_bytes(b"hello, I am no model")
    with pytest.raises(ModelError, match="not a TensorFlow Lite file"):
        read_model(tmp_path / "a.tflite")
    os.mkfifo(tmp_path / "fifo")  # nobody writes: opening it would wait for ever
    for name in ("/dev/zero", tmp_path / "fifo", tmp_path):
        with pytest.raises(ModelError, match="no regular file"):
            read_model(name)
    with (tmp_path / "long.tflite").open("wb") as file:
        file.write(b"aaaaTFL3")
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match="more than"):
        read_model(tmp_path / "long.tflite")


def test_a_file_cut_anywhere_raises_nothing_but_model_errors(shipped_model: Path) -> None:
    data = read_model(shipped_model)
    for length in range(8, len(data), len(data) // 60):
        try:
            read_metadata(data[:length])
        except ModelError:
            continue
    # The tables lie at the end of the file: cut short, they are gone.
    with pytest.raises(ModelError, match="corrupt"):
        read_metadata(data[: len(data) // 2])
