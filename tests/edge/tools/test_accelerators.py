"""What keeps the daemon from an accelerator is said before anybody tries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roadmask.tools.accelerators import accelerators


def libraries(*there: str) -> object:
    def version(name: str) -> str:
        if name not in there:
            raise OSError(name)
        return "1.2.3"

    return version


def found(root: Path, *there: str) -> list[tuple[str, bool, str]]:
    return [tuple(one) for one in accelerators(root, libraries(*there))]  # type: ignore[arg-type, misc]


def test_of_nothing_nothing_is_said(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_a_device_without_its_library_and_a_library_without_a_device(tmp_path: Path) -> None:
    node = tmp_path / "dev/dri/renderD128"
    node.parent.mkdir(parents=True)
    node.touch()
    (gpu, tpu) = found(tmp_path, "libedgetpu.so.1")
    assert gpu[:2] == ("GPU", False) and "libvulkan.so.1 is not installed" in gpu[2]
    assert tpu[:2] == ("Edge TPU", False) and "no /dev/apex_*" in tpu[2]
    ((name, usable, text),) = found(tmp_path, "libvulkan.so.1")
    assert (name, usable) == ("GPU", True) and f"{node}, libvulkan.so.1 (1.2.3): `doctor" in text


def test_an_edge_tpu_on_usb(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/usb/devices/2-1"
    device.mkdir(parents=True)
    (device / "idVendor").write_text("18d1\n")
    (device / "idProduct").write_text("9302\n")
    ((name, usable, text),) = found(tmp_path, "libedgetpu.so.1")
    assert (name, usable) == ("Edge TPU", True) and "USB 18d1:9302" in text


def test_a_device_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "dev/dri/renderD128"
    node.parent.mkdir(parents=True)
    node.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may open everything
    ((_, usable, text),) = found(tmp_path, "libvulkan.so.1")
    assert not usable and "join the group 'render'" in text
