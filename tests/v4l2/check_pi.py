"""The arm64 package on a Pi's core: the unit's own command, a USB camera's real driver, masks."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from conftest import Webcam, now_s
from daemons import Daemon, running

from roadmask.stream.modes import Mode, Reason

UNIT = Path("/usr/lib/systemd/system/roadmask@.service")
MASKS = 3


def unit_command(instance: str) -> list[str]:
    """What systemd would start."""
    (line,) = re.findall(r"^ExecStart=(.+)$", UNIT.read_text(), re.MULTILINE)
    return shlex.split(line.replace("%i", instance))


def three_masks(daemon: Daemon, since_s: float) -> list[float]:
    """Wait for them, each of a later frame; when these were captured."""
    captured_s = [since_s]
    for _ in range(MASKS):
        captured_s.append(daemon.masks_again(captured_s[-1]))
    return captured_s[1:]


def test_the_installed_daemon_gives_masks_and_survives_an_unplugged_camera(webcam: Webcam) -> None:
    assert os.uname().machine == "aarch64"
    command = unit_command("front")
    socket = Path(command[command.index("--socket") + 1])
    device = webcam.plug()
    assert device == "/dev/video0"  # as the installed front.toml has it
    began_s = now_s()
    with running(command, socket, device) as daemon:
        masks_s = three_masks(daemon, began_s)
        first_s = masks_s[0] - began_s
        mask = daemon.latest()
        assert mask.live and mask.camera_size == (1280, 720)
        assert not mask.reasons & Reason.ESTIMATED_TIME  # the driver's stamp
        unplugged_s = webcam.tell("unplug")
        named_s = daemon.says(Mode.FAULT, Reason.CAMERA_LOST) - unplugged_s
        plugged_s = webcam.tell("plug")
        captured_s = three_masks(daemon, plugged_s)
        back_s = captured_s[0] - plugged_s
    print(
        f"\n  the first frame with a mask {first_s:.1f} s after the daemon's start, {MASKS} within "
        f"{masks_s[-1] - began_s:.1f} s; CAMERA_LOST told {named_s:.2f} s after the camera was "
        f"pulled out; once it was plugged in again, the first {back_s:.1f} s, {MASKS} within "
        f"{captured_s[-1] - plugged_s:.1f} s"
    )
