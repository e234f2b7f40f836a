"""The model that is kept: as it is quantised, or recovered, or repaired, where a gate is missed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from convert.judge.gates import misses_least
from convert.judge.trial import Bench, Trial
from convert.plan import ConversionPlan
from convert.quantise.converter import Quantiser, to_float
from convert.quantise.graph import ExportGraph
from convert.quantise.operators import float_operators, read_operators
from convert.quantise.repair import rank_layers, ranking_json, repair
from roadmask.errors import ModelError
from roadmask.inference.model_form import ONNX, SAVED_MODEL, TFLITE, model_form
from roadmask.system.progress import part

_ADVISED_EPOCHS = 10
_MEASURED = ("kept", "missed_before", "miou", "agreement")  # of a recovery; the rest made it


@dataclass(frozen=True)
class Outcome:
    """The model that is kept, and how it came about.

    Attributes:
        trial: what it was measured to do.
        quantiser: of the network that it was made from, whose weights may be recovered ones.
        float_layers: that stay in float.
        recover, repair: what was tried, for the report; None where it was not.
    """

    trial: Trial
    quantiser: Quantiser
    float_layers: tuple[str, ...] = ()
    recover: dict[str, Any] | None = None
    repair: dict[str, Any] | None = None

    @property
    def recovered(self) -> dict[str, Any] | None:
        """What the model file says of recovered weights, None where it has none."""
        if self.recover is None or not self.recover["kept"]:
            return None
        return {key: value for key, value in self.recover.items() if key not in _MEASURED}

    def metadata(self, mode: str) -> dict[str, Any]:
        """For the model file."""
        made = {"mode": mode, "float_layers": list(self.float_layers)}
        return {"quantisation": made | ({"recover": self.recovered} if self.recovered else {})}

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "float_layers": list(self.float_layers),
            "recover": self.recover,
            "repair": self.repair,
        }

    def advice(self, plan: ConversionPlan) -> str:
        """What was tried against a missed gate, and what is left to try; empty for what is the
        float model's own fault.
        """
        if not self.trial.missed or self.trial.floor or plan.mode != "int8":
            return ""
        tried = _tried(self.recover) if self.recover else ""
        left = [] if self.recover or not takes_recover(plan) else [f"--recover {_ADVISED_EPOCHS}"]
        left += [] if plan.repair or plan.float_layers else ["--repair"]
        return "; ".join(filter(None, [tried, f"try {' or '.join(left)}" if left else ""]))


def takes_recover(plan: ConversionPlan) -> bool:
    """Whether the network comes as layers that can be trained, and no layer was picked by hand."""
    keras_file = model_form(plan.model) not in (SAVED_MODEL, ONNX, TFLITE)
    return keras_file and plan.mode == "int8" and not plan.float_layers


def find_outcome(plan: ConversionPlan, quantiser: Quantiser, bench: Bench) -> Outcome:
    """Quantise and measure; where a gate is missed, what the plan allows against it.

    Raises:
        ModelError: operators that nobody asked to stay in float, or a repair that found no way.
    """
    with part(f"conversion to {plan.mode}"):
        model = quantiser.convert(plan.mode, plan.float_layers)
    exceptions = float_operators(read_operators(model))
    if exceptions and plan.mode == "int8" and not (plan.float_layers or plan.allow_float):
        raise ModelError(
            f"model {plan.model}: {len(exceptions)} operators stay in float, such as "
            f"{exceptions[0].name} ({exceptions[0].tensor}): build it without them, or let them "
            "with --allow-float"
        )
    outcome = Outcome(bench.measure(model), quantiser, plan.float_layers)
    if outcome.trial.floor:
        return outcome
    if plan.recover and outcome.trial.missed:
        outcome = _recover(plan, outcome, bench)
    if plan.repair and outcome.trial.missed:
        outcome = _repair(outcome, bench)
    return outcome


def _recover(plan: ConversionPlan, outcome: Outcome, bench: Bench) -> Outcome:
    from convert.quantise.recover import recover

    graph, before = outcome.quantiser.graph, outcome.trial
    assert isinstance(graph, ExportGraph)  # another form is refused before
    made = recover(graph, outcome.quantiser.samples, plan.recover)
    quantiser = replace(outcome.quantiser, graph=made.graph)
    after = bench.measure(quantiser.convert("int8"), "recovered")
    in_float = bench.measure(to_float(made.graph, verbose=plan.verbose), "recovered, in float")
    kept = misses_least(before.misses, after.misses)
    record = made.to_json() | {
        "kept": kept,
        "missed_before": before.missed,
        "miou": {
            "float": _change(before.before["miou"], in_float.after["miou"]),
            "int8": _change(before.after["miou"], after.after["miou"]),
        },
        "agreement": _change(before.evaluation.pixel_agreement, after.evaluation.pixel_agreement),
    }
    if not kept:
        return replace(outcome, recover=record)
    return Outcome(after, quantiser, recover=record)


def _change(before: float, after: float) -> dict[str, float]:
    return {"before": round(before, 5), "after": round(after, 5)}


def _tried(record: dict[str, Any]) -> str:
    agree, miou = record["agreement"], record["miou"]["int8"]
    return (
        f"--recover {record['epochs']} brought mean IoU from {100 * miou['before']:.2f} to "
        f"{100 * miou['after']:.2f} and the pixels that agree from {100 * agree['before']:.2f} to "
        f"{100 * agree['after']:.2f} %" + ("" if record["kept"] else ", and is not kept")
    )


def _repair(outcome: Outcome, bench: Bench) -> Outcome:
    quantiser = outcome.quantiser
    try:
        found = repair(
            rank_layers(quantiser),
            lambda layers: bench.measure(
                quantiser.convert("int8", layers), f"{len(layers)} layers in float"
            ),
            lambda attempt: not attempt.missed,
        )
    except ModelError as error:
        if outcome.recover is None:
            raise
        raise ModelError(f"{error}; before it {_tried(outcome.recover)}") from error
    record = {
        "missed_before": outcome.trial.missed,
        "attempts": found.attempts,
        "ranking": ranking_json(found.ranking),
    }
    return replace(outcome, trial=found.trial, float_layers=tuple(found.layers), repair=record)
