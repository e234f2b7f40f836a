"""Delegates of every kind, made here: good, partial, refusing, broken, lost while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from delegate_parts import compiled_delegate
from network_parts import HEIGHT, OPERATOR, WIDTH, Draft
from stream_parts import process

from roadmask.cli.main import main
from roadmask.errors import ConfigError, ModelError
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine
from roadmask.labels.label_set import LabelClass, LabelSet
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.subscribe.subscriber import Subscriber


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compiled_delegate(tmp_path_factory.mktemp("delegate"))


@pytest.fixture(scope="module")
def processor(shipped_model: Path) -> Engine:
    engine = Engine(shipped_model)
    engine.input[:] = np.random.default_rng(15).integers(0, 256, engine.input.shape, np.uint8)
    engine.invoke()
    return engine


def engine_with(model: Path, library: str, *options: str, required: bool = False) -> Engine:
    return Engine(model, accelerator=Accelerator(library, options, required=required))


def test_on_the_processor_xnnpack_runs_all_but_the_input_conversion(processor: Engine) -> None:
    placement = processor.placement
    # uint8 -> int8 at the input, 1 of 53, is LiteRT's own.
    assert placement.operators - 1 <= placement.on_xnnpack and placement.operators > 20
    assert (placement.partitions, placement.accelerated, placement.fallback) == (1, 0, "")
    assert placement.latency_class == "cpu"
    assert f"{placement.on_xnnpack} on XNNPACK" in placement.describe()


def test_an_int8_network_that_xnnpack_leaves_alone_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, shipped_model: Path
) -> None:
    """The brightest channel of each pixel: integers in, an ArgMax, ids out."""
    draft = Draft()
    given = draft.tensor((1, HEIGHT, WIDTH, 3), "uint8", (1 / 255, 0), name="picture")
    axis = draft.tensor((1,), "int32", value=np.array([-1]))
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT32
    made = draft.tensor((1, HEIGHT, WIDTH), "int32")
    draft.operator(OPERATOR.ARG_MAX, [given, axis], [made], options)
    path = tmp_path / "argmax.tflite"
    path.write_bytes(draft.build([given], [made]))
    labels = LabelSet("rgb", tuple(LabelClass(i, f"c{i}", i + 1) for i in range(3)))
    engine = Engine(path, labels=labels)
    assert engine.placement.on_xnnpack == 0
    assert "no operator of this INT8 network runs on XNNPACK" in caplog.text
    caplog.clear()
    Engine(shipped_model)
    assert "XNNPACK" not in caplog.text


def test_where_it_runs_can_be_read_by_a_machine(
    shipped_model: Path, delegate: str, tmp_path: Path
) -> None:
    written, socket = tmp_path / "doctor.json", str(tmp_path / "s")
    command = ["doctor", "--verify", str(shipped_model), "--socket", socket, "--json", str(written)]
    assert main(command) == 0
    here = json.loads(written.read_text())
    assert here["latency_class"] == "cpu" and here["placement"]["accelerated"] == 0
    # It computes nothing, so the masks are wrong: a fault, and the placement is told even so.
    assert main([*command, "--delegate", delegate, "--delegate-option", "take=20"]) == 1
    there = json.loads(written.read_text())
    assert there["latency_class"] == "libtestdelegate.so" and not there["fit"]
    placement = there["placement"]
    assert placement["accelerated"] == 20 < placement["operators"]
    assert main([*command[:1], "--delegate", delegate, "--socket", socket]) == 2  # of what network?


def test_a_delegate_that_takes_all(shipped_model: Path, delegate: str, processor: Engine) -> None:
    engine = engine_with(shipped_model, delegate)
    assert engine.placement.accelerated == engine.placement.operators
    assert engine.placement.on_xnnpack == 0
    assert engine.placement.latency_class == "libtestdelegate.so"
    engine.input[:] = processor.input
    engine.invoke()  # computes nothing
    assert not np.array_equal(engine.output, processor.output)


def test_a_delegate_that_takes_a_part(shipped_model: Path, delegate: str) -> None:
    engine = engine_with(shipped_model, delegate, "take=7")
    placement = engine.placement
    assert placement.accelerated == 7
    assert placement.accelerated + placement.on_xnnpack == placement.operators  # the input's too
    assert placement.partitions == 2
    engine.invoke()
    assert engine.placement.fallback == ""


@pytest.mark.parametrize(
    ("library", "options", "reason"),
    [
        ("/nowhere/libedgetpu.so.1", (), "cannot be loaded: .*No such file"),
        ("libc.so.6", (), "is no TensorFlow Lite delegate"),
        ("{text}", (), "cannot be loaded"),
        ("{delegate}", ("take=0",), "took none of the"),
        ("{delegate}", ("take=-1",), "cannot be loaded by"),
        ("{delegate}", ("colour=red",), "refused: .*unknown option"),
    ],
)
def test_one_that_cannot_be_used_is_named_and_the_processor_takes_over(
    shipped_model: Path,
    delegate: str,
    processor: Engine,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    library: str,
    options: tuple[str, ...],
    reason: str,
) -> None:
    text = tmp_path / "text.so"
    text.write_text("no library")
    library = library.format(delegate=delegate, text=text)
    engine = engine_with(shipped_model, library, *options)
    with pytest.raises(ModelError, match=reason):
        engine_with(shipped_model, library, *options, required=True)
    assert engine.placement.latency_class == "cpu-fallback"
    assert engine.placement.on_xnnpack == processor.placement.on_xnnpack
    engine.input[:] = processor.input
    engine.invoke()
    np.testing.assert_array_equal(engine.output, processor.output)
    assert "Exception ignored" not in capfd.readouterr().err


def test_one_that_is_lost_while_it_runs(
    shipped_model: Path, delegate: str, processor: Engine
) -> None:
    engine = engine_with(shipped_model, delegate, "lives=2")
    given, made = engine.input, engine.output
    engine.input[:] = processor.input
    engine.invoke()
    engine.invoke()
    assert engine.placement.fallback == ""
    for _ in range(2):
        engine.invoke()
        assert "libtestdelegate.so failed" in engine.placement.fallback
        assert engine.input is given and engine.output is made  # others hold them
        np.testing.assert_array_equal(engine.output, processor.output)
    required = engine_with(shipped_model, delegate, "lives=0", required=True)
    with pytest.raises(ModelError, match="failed"):
        required.invoke()


@pytest.mark.parametrize("wrong", ["", "3 of 3 golden frames are not answered"])
def test_the_processor_that_takes_over_here_is_asked_before_its_first_frame(
    shipped_model: Path, delegate: str, processor: Engine, wrong: str
) -> None:
    """Only a process that was replaced was asked, not an engine in this one."""
    engine = engine_with(shipped_model, delegate, "lives=1")
    asked: list[str] = []

    def ask() -> str:
        engine.input[:] = 77
        engine.invoke()
        asked.append(engine.placement.latency_class)
        return wrong

    engine.ask_again = ask
    engine.input[:] = processor.input
    engine.invoke()
    if wrong:
        with pytest.raises(ModelError, match="on the processor: 3 of 3 golden frames"):
            engine.invoke()
    else:
        engine.invoke()
        np.testing.assert_array_equal(engine.output, processor.output)
    np.testing.assert_array_equal(engine.input, processor.input)
    assert asked == ["cpu-fallback"]


# In a process of their own: LiteRT's accelerators and TensorFlow, which other tests load, free each
# other's memory when the process ends.
COMPILED = """
import sys
from pathlib import Path
import numpy as np
from roadmask.inference.accelerator import Accelerator, CompiledRunner, InterpreterRunner
from roadmask.inference.engine import Engine

model = Path(sys.argv[1])
processor = Engine(model)
processor.input[:] = np.random.default_rng(15).integers(0, 256, processor.input.shape, np.uint8)
processor.invoke()
"""
GPU = """
engine = Engine(model, accelerator=Accelerator(gpu=True))
if engine.placement.fallback:
    assert "no GPU here" in engine.placement.fallback
    engine.input[:] = processor.input
    engine.invoke()
    np.testing.assert_array_equal(engine.output, processor.output)
"""
CPU = """
data = model.read_bytes()
runner = CompiledRunner(data, InterpreterRunner(model, data, 1), "CPU")
runner.input[:] = processor.input
runner.invoke()
np.testing.assert_array_equal(runner.output, processor.output)
"""


@pytest.mark.parametrize("code", [GPU, CPU], ids=["gpu where there is none", "processor"])
def test_a_compiled_model_gives_what_the_interpreter_gives(shipped_model: Path, code: str) -> None:
    pytest.importorskip("ai_edge_litert.compiled_model")
    with process(COMPILED + code, shipped_model) as running:
        _, _ = running.communicate(timeout=120)
        assert running.returncode == 0


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"delegate": "x.so", "gpu": True}, "give one of them"),
        ({"options": ("a=b",)}, "give the --delegate that it is for"),
        ({"required": True}, "give the --delegate, or --gpu"),
        ({"delegate": "x.so", "options": ("a",)}, "expected KEY=VALUE"),
        ({"delegate": "x.so", "options": ("=b",)}, "expected KEY=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Accelerator(**given)  # type: ignore[arg-type]


def daemon(model: Path, socket: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "roadmask", "run", "--model", str(model)]
    command += ["--source", "synthetic:town?seed=1&width=320&height=240&prerender=4"]
    command += ["--socket", str(socket), *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_the_stream_says_when_the_accelerator_is_lost(
    shipped_model: Path, delegate: str, tmp_path: Path
) -> None:
    socket = tmp_path / "masks.sock"
    options = (
        "--delegate",
        delegate,
        "--delegate-option",
        "lives=21",  # one is the warm-up's
        "--no-verify",  # it would be given up at once, for it computes nothing
        "--max-age-ms",
        "60000",  # else a machine that stands still for a moment costs it a fresh life
    )
    with (
        daemon(shipped_model, socket, *options) as process,
        Subscriber(socket, allow_not_live=True, max_age_ms=5000) as subscriber,
    ):
        try:
            modes = {}
            while len(modes) < 40:
                mask = subscriber.receive(timeout_s=60)
                assert mask is not None, subscriber.reason_text
                modes[mask.sequence] = (mask.mode, bool(mask.reasons & Reason.CPU_FALLBACK))
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    for sequence, (mode, fallback) in modes.items():
        assert fallback == (sequence > 20)  # one of the lives is the warm-up's
        assert mode is not Mode.OK or not fallback
    assert "on libtestdelegate.so, 0 on XNNPACK" in errors  # who ran what, with -v
    assert "on the processor from now on: libtestdelegate.so failed" in errors


def test_a_missing_delegate_ends_the_daemon_only_where_it_is_required(
    shipped_model: Path, tmp_path: Path
) -> None:
    missing = ("--delegate", "libnowhere.so.9", "--frames", "3")
    with daemon(shipped_model, tmp_path / "a.sock", *missing) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "on the processor from now on" in errors
    with daemon(shipped_model, tmp_path / "b.sock", *missing, "--delegate-required") as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "roadmask: delegate libnowhere.so.9 cannot be loaded" in errors
    assert "Traceback" not in errors
