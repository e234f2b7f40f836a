"""Boards held back, as trees of the files that real ones have."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadmask.system.board import read_board

PI_4 = {
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal",
    "sys/class/hwmon/hwmon1/name": "rpi_volt",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48686",
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
    "sys/class/thermal/cooling_device0/cur_state": "0",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1800000",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000",
}
JETSON = {
    "sys/class/hwmon/hwmon3/name": "soctherm_oc",
    "sys/class/hwmon/hwmon3/oc1_event_cnt": "0",
    "sys/class/hwmon/hwmon3/oc3_event_cnt": "2",
    "sys/class/thermal/thermal_zone0/type": "CPU-therm",
    "sys/class/thermal/thermal_zone0/temp": "51500",
    "sys/class/thermal/thermal_zone1/type": "tj-therm",
    "sys/class/thermal/thermal_zone1/temp": "655350000",
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": "2",
    "sys/class/thermal/cooling_device1/type": "thermal-cpufreq-0",
    "sys/class/thermal/cooling_device1/cur_state": "0",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def test_a_pi_that_is_well(tmp_path: Path) -> None:
    state = read_board(tree(tmp_path, PI_4))
    assert (state.hot, state.weak) == (False, False)
    assert state.describe() == "49 °C, 1800 of 1800 MHz"


@pytest.mark.parametrize(
    ("name", "text", "hot", "weak"),
    [
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005", True, True),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "0x1", False, True),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "8", True, False),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50000", False, False),  # past
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "nonsense", False, False),
        ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1", False, True),
        ("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1", False, False),  # another chip's
        ("sys/class/thermal/cooling_device0/cur_state", "2", True, False),
    ],
)
def test_a_pi_held_back(tmp_path: Path, name: str, text: str, hot: bool, weak: bool) -> None:
    state = read_board(tree(tmp_path, PI_4 | {name: text}))
    assert (state.hot, state.weak) == (hot, weak)


def test_what_throttling_costs_is_told(tmp_path: Path) -> None:
    slow = {"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000"}
    hot = {"sys/class/thermal/thermal_zone0/temp": "82300"}
    assert read_board(tree(tmp_path, PI_4 | slow | hot)).describe() == "82 °C, 600 of 1800 MHz"


def test_a_jetson(tmp_path: Path) -> None:
    first = read_board(tree(tmp_path, JETSON))
    assert (first.hot, first.weak, first.events) == (False, False, 2)  # the fan costs nothing
    assert first.temperature_c == 51.5  # the zone that is no sensor is passed over
    tree(tmp_path, {"sys/class/hwmon/hwmon3/oc1_event_cnt": "1"})
    second = read_board(tmp_path, first)
    assert second.weak and not read_board(tmp_path, second).weak
    tree(tmp_path, {"sys/class/thermal/cooling_device1/cur_state": "3"})
    assert read_board(tmp_path, second).hot


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    state = read_board(tmp_path)
    assert (state.hot, state.weak, state.describe()) == (False, False, "no sensor to be read")
