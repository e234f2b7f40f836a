"""Two settings that cannot both be meant: one sentence, wherever they are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from roadmask.cli.main import main
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.contradictions import refuse_contradictions
from roadmask.daemon.reload import Reload
from roadmask.errors import ConfigError

PAIRS = {
    "latency_ms = 250 and max_age_ms = 250: every mask": {"latency_ms": 250.0},
    "latency_ms = 400 and max_age_ms = 300: every mask": {
        "source": "synthetic:town?latency_ms=400",
        "max_age_ms": 300,
    },
    "max_fps = 3.9 and max_age_ms = 250: each mask": {"max_fps": 3.9},
    "threads = 2 and cores = 0: threads that share": {"threads": 2, "cores": "0"},
    "--delegate a.so and --gpu: ": {"delegate": "a.so", "gpu": True},
    "--delegate-required: ": {"delegate_required": True},
}


@pytest.mark.parametrize("said", PAIRS)
def test_a_pair_is_refused_in_a_sentence(said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}.*give "):
        refuse_contradictions(DaemonConfig(**PAIRS[said]))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"latency_ms": 249.0},
        {"max_fps": 4.0},
        {"max_fps": 1.0, "max_age_ms": 1000},
        {"threads": 2},
        {"threads": 1, "cores": "0"},
    ],
)
def test_what_goes_together_is_taken(given: dict[str, object]) -> None:
    refuse_contradictions(DaemonConfig(**given))  # type: ignore[arg-type]


def test_file_and_option_are_seen_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "daemon.toml"
    file.write_text("[daemon]\nmax_fps = 5.0\nmax_age_ms = 200\n")
    assert main(["config", "check", str(file)]) == 0
    assert main(["run", "--config", str(file), "--max-age-ms", "199"]) == 2
    assert "max_fps = 5 and max_age_ms = 199" in capsys.readouterr().err
    file.write_text("[daemon]\nmax_fps = 5.0\nmax_age_ms = 100\n")
    assert main(["config", "check", str(file)]) == 2
    assert "max_fps = 5 and max_age_ms = 100" in capsys.readouterr().err


def test_a_reload_takes_no_half_of_a_pair(caplog: pytest.LogCaptureFixture) -> None:
    """The rate changes in the running daemon, the age only with a restart."""
    before = DaemonConfig()
    after = replace(before, max_fps=2.0, max_age_ms=1000)
    kept = Reload(lambda: after).apply(before, lambda *_: pytest.fail("nothing changes"))
    assert kept is before
    assert "max_fps = 2 and max_age_ms = 250" in caplog.text
