from __future__ import annotations

from pathlib import Path

from benchmarks.model.energy import EnergyCounter, find_meter
from benchmarks.model.threads import measure_threads, thread_counts


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_rapl_counts_microjoules_and_wraps(tmp_path: Path) -> None:
    zone = "sys/class/powercap/intel-rapl:0"
    _write(
        tmp_path,
        {
            f"{zone}/name": "package-0\n",
            f"{zone}/max_energy_range_uj": "10000000\n",
            f"{zone}/energy_uj": "9000000\n",
        },
    )
    meter = find_meter(tmp_path)
    assert meter is not None and meter.name == "rapl package-0"
    counter = EnergyCounter(meter)
    with counter:
        (tmp_path / zone / "energy_uj").write_text("1500000\n")
    assert counter.joules == 2.5  # 9 J to the wrap at 10 J, and 1.5 J more


def test_a_jetson_is_sampled_in_watts(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon1"
    _write(
        tmp_path,
        {
            "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
            f"{chip}/name": "ina3221\n",
            f"{chip}/in1_label": "VDD_IN\n",
            f"{chip}/in1_input": "5000\n",
            f"{chip}/curr1_input": "2000\n",
        },
    )
    meter = find_meter(tmp_path)
    assert meter is not None and meter.name == "ina3221 VDD_IN"
    with EnergyCounter(meter) as counter:
        pass
    # 5 V x 2 A for as long as it took.
    assert counter.joules is not None
    assert abs(counter.joules - 10 * counter.seconds) < 1e-9


def test_without_a_meter_there_is_no_number(tmp_path: Path) -> None:
    assert find_meter(tmp_path) is None
    with EnergyCounter(None) as counter:
        pass
    assert counter.joules is None


def test_threads_are_timed_in_turns(int8_file: Path) -> None:
    assert thread_counts(1) == [1] and thread_counts(4) == [1, 2, 3, 4]
    assert thread_counts(64) == [1, 2, 3, 4, 6, 8, 12, 16]
    rows = measure_threads(str(int8_file), None, 20, (1, 2))
    assert [row["threads"] for row in rows] == [1, 2]
    for row in rows:
        assert row["invoke_ms"]["p50"] > 0 and row["spread_ms"] >= 0
