from __future__ import annotations

from pathlib import Path

from roadmask.system.hardware import read_device


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
