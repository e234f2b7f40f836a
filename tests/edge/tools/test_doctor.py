from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from roadmask.cli.main import main
from roadmask.inference.golden import pack, read_golden
from roadmask.inference.model_file import GOLDEN_NAME, read_model, sealed, write_metadata
from roadmask.tools.doctor import examine


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_this_machine_is_fit_and_gives_the_certified_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "doctor.json"
    arguments = ["doctor", "--verify", "roadnet-480x352", "--json", str(written)]
    assert main([*arguments, "--socket", str(tmp_path / "masks.sock")]) == 0
    printed = capsys.readouterr().out
    assert "FAULT" not in printed and "golden frame town-rain" in printed
    result = json.loads(written.read_text())
    assert result["fit"] and result["kernel_level"]
    found = {check["name"]: check["status"] for check in result["checks"]}
    for name in ("processor", "kernels", "shared memory", "clock", "versions"):
        assert name in found
    assert found["kernels"] == found["shared memory"] == "ok"
    assert found[f"socket folder {tmp_path}"] == "ok"


def test_a_board_is_described_by_its_own_files(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/cpuinfo": "Features\t: fp asimd evtstrm asimddp\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/class/thermal/thermal_zone0/temp": "85000\n",
            "sys/class/video4linux/video0/name": "UVC Camera\n",
            "sys/class/video4linux/video1/name": "bcm2835-isp\n",
            "dev/video0": "",
        },
    )
    found = {c.name: c for c in examine(tmp_path / "nowhere" / "masks.sock", tmp_path)}
    assert "Raspberry Pi 5" in found["machine"].text
    assert "asimd, asimddp" in found["processor"].text
    assert found["governor"].status == "note" and "performance" in found["governor"].text
    assert found["temperature"].status == "note" and "85 °C" in found["temperature"].text
    assert found[f"camera {tmp_path}/dev/video0"].status == "ok"
    assert "group 'video'" in found[f"camera {tmp_path}/dev/video1"].text
    assert found[f"socket folder {tmp_path}/nowhere"].status == "note"


def test_another_networks_answers_are_a_fault(
    shipped_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = read_model(shipped_model)
    golden = read_golden(data)
    assert golden is not None
    day, dusk, _ = golden.frames
    # The picture of the one with the answer of the other, as if this board saw something else.
    wrong = replace(golden, frames=(replace(day, image=dusk.image),))
    path = tmp_path / "wrong.tflite"
    path.write_bytes(write_metadata(data, {GOLDEN_NAME: pack(wrong)}))
    assert main(["doctor", "--verify", str(path), "--socket", str(tmp_path / "s")]) == 1
    assert "FAULT golden frame town-day" in capsys.readouterr().out


def test_models_without_frames_are_refused(
    shipped_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare.tflite"
    without = read_model(shipped_model).replace(b"ROADMASK_GOLDEN", b"ROADMASK_NOTHNG")
    bare.write_bytes(sealed(without))
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(write_metadata(read_model(shipped_model), {GOLDEN_NAME: b"RMGFnonsense"}))
    for model, message in (
        (bare, "holds no golden frames"),
        (damaged, "cannot be read"),
        (tmp_path / "none.tflite", "is missing"),
    ):
        assert main(["doctor", "--verify", str(model)]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and error.count("\n") == 0


def test_doctor_reads_a_network_as_it_is_told(
    shipped_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It took no option, so a network that tells no labels could not be verified."""
    silent = tmp_path / "silent.tflite"
    silent.write_bytes(sealed(read_model(shipped_model).replace(b"ROADMASK\0", b"NOBODYS_\0")))
    arguments = ["doctor", "--verify", str(silent), "--socket", str(tmp_path / "s")]
    assert main(arguments) == 2
    assert "--labels" in capsys.readouterr().err
    assert main([*arguments, "--labels", "cityscapes-8", "--input-range=-1..1"]) == 0
    assert "ok    golden frame" in capsys.readouterr().out
    assert main([*arguments, "--labels", "cityscapes-19"]) == 2
