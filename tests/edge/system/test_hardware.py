from __future__ import annotations

from pathlib import Path

import pytest

from roadmask.system.hardware import processor_name, read_device, temperature_c


def _board(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_board_is_named_by_its_device_tree(tmp_path: Path) -> None:
    root = _board(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\n",
            "proc/meminfo": "MemTotal:        8245884 kB\nMemFree: 1 kB\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
            "sys/class/thermal/thermal_zone0/temp": "51250\n",
            "sys/class/thermal/thermal_zone1/temp": "48000\n",
        },
    )
    device = read_device(root)
    assert device.name == "Raspberry Pi 5 Model B Rev 1.0"
    assert device.governor == "ondemand"
    assert device.clock_mhz == 2400
    assert device.temperature_c == 51.25
    assert device.memory_mib == 8052  # 8245884 // 1024


def test_a_jetson_without_proc_link_is_named_too(tmp_path: Path) -> None:
    model = "NVIDIA Jetson Orin Nano Developer Kit\0"
    root = _board(tmp_path, {"sys/firmware/devicetree/base/model": model})
    assert read_device(root).name == "NVIDIA Jetson Orin Nano Developer Kit"


def test_a_desktop_is_named_by_its_processor(tmp_path: Path) -> None:
    root = _board(
        tmp_path, {"proc/cpuinfo": "model name\t: Some CPU @ 3.00GHz\ncpu MHz\t: 2999.5\n"}
    )
    device = read_device(root)
    assert (device.name, device.clock_mhz) == ("Some CPU @ 3.00GHz", 2999.5)
    assert device.governor is None and device.temperature_c is None and device.memory_mib is None


def test_this_machine_has_a_name() -> None:
    device = read_device()
    assert device.name and device.cpus >= 1


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ((), None),
        (("41000", "73500", "", "nonsense"), 73.5),
        (("655350000", "51000"), 51.0),
        (("655350000",), None),
        (("0", "-12000"), -12.0),  # a car in winter; a zone without a sensor
        (("0", "-274000", "2147483647"), None),
        (("nan", "inf", "48000"), 48.0),
    ],
)
def test_the_hottest_zone_that_can_be_true_counts_everywhere(
    tmp_path: Path, zones: tuple[str, ...], expected: float | None
) -> None:
    files = {f"sys/class/thermal/thermal_zone{i}/temp": text for i, text in enumerate(zones)}
    _board(tmp_path, files)
    assert temperature_c(tmp_path) == expected
    assert read_device(tmp_path).temperature_c == expected


def test_a_processor_that_the_kernel_does_not_name_is_its_architecture(tmp_path: Path) -> None:
    assert processor_name(tmp_path) == read_device(tmp_path).architecture
