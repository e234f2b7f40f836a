"""The network in whatever file it came, ready to be converted, and what was changed of its form."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from convert.forms.fit_form import fit_form
from convert.forms.float_file import FloatFile, read_float_file
from convert.forms.onnx_file import read_onnx
from convert.forms.precision import to_float32
from convert.forms.saved_model import read_saved_model, saved_model_digest
from convert.plan import ConversionPlan
from convert.quantise.graph import ExportGraph, export_graph
from roadmask.errors import ConfigError
from roadmask.inference.model_form import ONNX, SAVED_MODEL, TFLITE, model_form
from train.custom_objects import read_custom_objects
from train.keras_file import check_keras, load_keras


def check_form(plan: ConversionPlan) -> None:
    """Refuse what cannot be read, before TensorFlow is loaded.

    Raises:
        ModelError: missing, or of another form.
        ConfigError: an option that this form does not take.
    """
    form = model_form(plan.model)
    if form not in (SAVED_MODEL, ONNX, TFLITE):
        return check_keras(plan.model)
    if plan.recover:
        raise ConfigError(
            f"--recover goes with a Keras file, whose layers can be trained: {plan.model} is {form}"
        )
    if plan.custom_objects:
        raise ConfigError(f"--custom-objects goes with a Keras file, {plan.model} is {form}")
    if form == TFLITE:
        if plan.mode in ("dynamic", "float16"):
            raise ConfigError(
                f"--mode {plan.mode} goes with a Keras file, a SavedModel or ONNX: {plan.model} "
                f"is {form}, expected int8 or int16x8"
            )
        read_float_file(plan.model)
    return None


def load(plan: ConversionPlan) -> tuple[ExportGraph | FloatFile, list[str]]:
    """The network, and what was changed of its form, a phrase each.

    Raises:
        ModelError: it cannot be read or brought to pictures in and a map of classes out.
        ConfigError: an option that it does not take.
    """
    form, path = model_form(plan.model), plan.model
    if form == TFLITE:
        file, changes = read_float_file(path)
        _check_size(plan, file.input_size, file.stem)
        return file, changes
    if form == SAVED_MODEL:
        model, signature = read_saved_model(path, plan.size)
        changes, digest = [signature], saved_model_digest(path)
    elif form == ONNX:
        model, changes = read_onnx(path, plan.size)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        model, changes = _load_keras(plan)
        return export_graph(model, path), changes
    model, more = fit_form(model, None, path)
    graph = export_graph(model, path)
    _check_size(plan, graph.input_size, graph.model.name)
    return replace(graph, weights_digest=digest), changes + more


def _load_keras(plan: ConversionPlan) -> tuple[object, list[str]]:
    custom = read_custom_objects(plan.custom_objects) if plan.custom_objects else None
    model, changes = to_float32(load_keras(plan.model, custom), plan.model)
    from train.models import MODELS, at_size

    if plan.size is None or model.name in MODELS:
        model, more = fit_form(at_size(model, plan.size) if plan.size else model, None, plan.model)
        return model, changes + more
    model, more = fit_form(model, plan.size, plan.model)
    _check_size(plan, tuple(model.inputs[0].shape[2:0:-1]), model.name)
    return model, changes + more


def _check_size(plan: ConversionPlan, given: tuple[int, ...], name: str) -> None:
    if plan.size is not None and given != plan.size:
        raise ConfigError(
            f"--size {plan.size[0]}x{plan.size[1]}: {name} is no network of the zoo and has "
            f"the fixed size {given[0]}x{given[1]} it was built with: leave the option out"
        )
