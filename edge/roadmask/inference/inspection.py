"""``roadmask inspect``: the contract of a model file, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roadmask.errors import RoadmaskError
from roadmask.inference.contract import Contract, read_contract
from roadmask.inference.engine import Engine
from roadmask.inference.golden import read_golden
from roadmask.inference.model_file import check_seal, digest, model_path, naming, read_model
from roadmask.inference.reading.input import InputForm
from roadmask.inference.reading.output import OutputForm
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.labels.label_set import LabelSet


def inspect_model(
    model: str | Path, labels: str | LabelSet | None = None, read_as: ReadAs = AS_IT_SAYS
) -> dict[str, Any]:
    """The JSON object of ``roadmask inspect``: what the file says, and whether it loads.

    Raises:
        ModelError: no TensorFlow Lite file, or a damaged one.
        ConfigError: an option that cannot be read.
    """
    path = model_path(model)
    data = read_model(path)
    with naming(path):
        contract = read_contract(data, labels, read_as)
        golden = read_golden(data)
    engine, refused = _try(path, labels, read_as)
    return {
        "kind": "inspection",
        "model": contract.info.name if contract.info else path.stem,
        "runs": engine is not None,
        "input": _input(contract.input) if contract.input else None,
        "output": _output(contract.output, engine) if contract.output else None,
        "labels": contract.labels.name if contract.labels else None,
        "operators": _operators(contract, engine),
        "on_xnnpack": engine.placement.on_xnnpack if engine else None,
        "without_xnnpack": engine.placement.without_xnnpack if engine else "",
        "unknown": contract.unknown,
        "refused": refused,
        "problems": [problem.text for problem in contract.problems],
        "digest": digest(data),
        "sealed": check_seal(data, path),
        "golden_frames": len(golden.frames) if golden else 0,
    }


def _try(
    path: Path, labels: str | LabelSet | None, read_as: ReadAs
) -> tuple[Engine | None, str | None]:
    try:
        return Engine(path, labels=labels, read_as=read_as), None
    except RoadmaskError as error:
        return None, " ".join(str(error).split())


def _input(form: InputForm) -> dict[str, Any]:
    return {
        "shape": list(form.shape),
        "dtype": form.tensor.dtype,
        "layout": "NHWC",
        "range": form.range_name,
        "channels": "BGR" if form.pixels is not None and form.pixels.bgr else "RGB",
        "scale": form.tensor.scales[0] if form.tensor.quantised else None,
        "zero_point": form.tensor.zero_points[0] if form.tensor.quantised else None,
    }


def _output(form: OutputForm, engine: Engine | None) -> dict[str, Any]:
    shape = list(form.tensor.signature) if engine is None else list(engine.output_spec.shape)
    return {
        "index": form.index,
        "name": form.tensor.name,
        "shape": shape,
        "dtype": form.tensor.dtype,
        "layout": "NHW" if len(shape) == 3 else "NHWC",
        "ends_in": form.ends_in,
        "classes": form.classes,
        "scale": form.tensor.scales[0] if form.tensor.quantised else None,
        "zero_point": form.tensor.zero_points[0] if form.tensor.quantised else None,
    }


def _operators(contract: Contract, engine: Engine | None) -> dict[str, int]:
    """By the runtime's names; where it cannot load the network, by the schema's numbers."""
    names = engine.operators if engine else contract.graph.counted
    return dict(sorted(names.items()))


def inspection_lines(found: dict[str, Any]) -> Iterator[str]:
    """What ``inspect_model`` gave, for people."""
    given, made = found["input"], found["output"]
    yield f"model     {found['model']}, {found['digest'][:16]}…"
    if given:
        yield (
            f"input     {_sides(given['shape'])} {given['dtype']}, {given['layout']}, "
            f"{given['channels']}, pixels as {given['range']}"
        )
    if made:
        yield (
            f"output    {made['index']} {made['name']}: {_sides(made['shape'])} {made['dtype']}, "
            f"{made['layout']}, ends in {made['ends_in']}"
        )
    yield f"labels    {found['labels'] or 'not known'}"
    operators = sum(found["operators"].values())
    loaded = f"XNNPACK runs {found['on_xnnpack']}" if found["runs"] else "not loaded"
    yield f"operators {operators}, {loaded}"
    if found["without_xnnpack"]:
        yield f"          XNNPACK is left out: {found['without_xnnpack']}"
    proof = "its own digest is right" if found["sealed"] else "carries no digest of itself"
    yield f"proof     {proof}; {found['golden_frames']} golden frames"
    for text in found["problems"]:
        yield f"problem   {text}"
    if found["unknown"]:
        yield f"unknown   {', '.join(found['unknown'])}"
    yield "runs      yes" if found["runs"] else f"runs      no: {found['refused']}"


def _sides(shape: list[int]) -> str:
    return " x ".join("?" if side < 1 else str(side) for side in shape)
