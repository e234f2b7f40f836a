"""How a network is to be read is told by the same options wherever one is loaded."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

import pytest

TOLD = {
    "labels": "cityscapes-19",
    "input_range": "-1..1",
    "channels": "bgr",
    "size": "96x64",
    "output": "1",
}
# A converter writes the output itself, of a network that has one.
CONVERTED = {name: value for name, value in TOLD.items() if name != "output"}
COMMANDS = {
    "roadmask run": ("roadmask.cli.main", ["run", "--model", "m.tflite"], TOLD),
    "roadmask serve": ("roadmask.cli.main", ["serve", "--model", "m.tflite"], TOLD),
    "roadmask inspect": ("roadmask.cli.main", ["inspect", "m.tflite"], TOLD),
    "roadmask doctor": ("roadmask.cli.main", ["doctor", "--verify", "m.tflite"], TOLD),
    "benchmarks accuracy": (
        "benchmarks.__main__",
        ["accuracy", "m.tflite", "--dataset", "town"],
        TOLD,
    ),
    "benchmarks latency": ("benchmarks.__main__", ["latency", "m.tflite"], TOLD),
    "benchmarks peers": ("benchmarks.__main__", ["peers", "m.tflite"], TOLD),
    "convert": ("convert.__main__", ["m.keras", "--out", "m.tflite"], CONVERTED),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_same(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, arguments, told = COMMANDS[command]
    words = [w for name, value in told.items() for w in (f"--{name.replace('_', '-')}", value)]
    parse, taken = argparse.ArgumentParser.parse_args, dict[str, Any]()

    class TakenError(Exception):
        pass

    def parse_only(self: argparse.ArgumentParser, *given: Any) -> None:
        taken.update(vars(parse(self, *given)))
        raise TakenError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    with pytest.raises(TakenError):
        importlib.import_module(module).main([*arguments, *words])
    if taken["size"] == (96, 64):  # read already
        taken["size"] = "96x64"
    assert {name: taken[name] for name in told} == told
