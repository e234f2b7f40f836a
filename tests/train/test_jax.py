"""Training is the same on the JAX backend: it resumes byte for byte, on several devices too."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("jax_run.py")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="no JAX: pip install --group jax")
@pytest.mark.parametrize(("devices", "steps"), [(1, 4), (2, 3)])
def test_jax_trains_and_resumes_to_the_same_weights(
    devices: int, steps: int, tmp_path: Path
) -> None:
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), str(devices)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    # 7 samples in pairs: the odd one that two devices cannot share is left out.
    assert f"jax steps {steps} same True" in result.stdout
    # Trained in bfloat16, finished in float32.
    assert "network {'float32'} float32" in result.stdout
