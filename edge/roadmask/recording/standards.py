"""Other people's messages beside ours: Foxglove's in the recording, ROS 2's in a bag of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from roadmask.interop import foxglove_messages, ros2_messages
from roadmask.interop.view import View
from roadmask.recording.mcap_output import McapOutput
from roadmask.recording.writer import RecordingFile
from roadmask.stream.protocol import FrameHeader


class Standard(Protocol):
    """What a recorder tells of each message of the stream."""

    def hear(self, header: FrameHeader, view: View | None, now_ns: int) -> None:
        """A message, what is shown of it if it is a FRAME, and when it was sent, CLOCK_REALTIME."""


class FoxgloveTopics:
    """Foxglove's schemas, in ``file`` beside our own.

    Raises:
        ConfigError: the extra is missing.
    """

    def __init__(self, file: RecordingFile) -> None:
        foxglove_messages.require_foxglove()
        self._file, self._told_bits = file, -1

    def hear(self, header: FrameHeader, view: View | None, now_ns: int) -> None:
        """See ``Standard``."""
        if header.mode_bits != self._told_bits:
            self._told_bits = header.mode_bits
            said = foxglove_messages.log_message(now_ns, header.mode, header.reasons)
            self._file.add_standard(foxglove_messages.LOG, said, now_ns)
        if view is not None:
            for topic, shown in foxglove_messages.frame_messages(view).items():
                self._file.add_standard(topic, shown, view.time_ns)


class Ros2Bag(McapOutput):
    """A bag of ROS 2 in MCAP: CDR with the types' definitions, and nothing else.

    In a file of its own, because ROS's tools refuse what holds another encoding.

    Raises:
        ConfigError: the extra is missing, or the file exists or cannot be written.
    """

    def __init__(self, path: str | Path, namespace: str = "/roadmask") -> None:
        types = ros2_messages.require_ros2()
        super().__init__(path, "ros2", "--ros2")
        self._told_bits, self._told_ns = -1, 0
        for topic, kind in ros2_messages.TYPES.items():
            text = types.generate_msgdef(kind, ros_version=2)[0]
            schema = self._writer.register_schema(kind, "ros2msg", text.encode())
            full = ros2_messages.topic_of(topic, namespace)
            self._channels[topic] = self._writer.register_channel(full, "cdr", schema)

    def hear(self, header: FrameHeader, view: View | None, now_ns: int) -> None:
        """See ``Standard``."""
        due = now_ns - self._told_ns >= ros2_messages.DIAGNOSE_NS
        if header.mode_bits != self._told_bits or due:
            self._told_bits, self._told_ns = header.mode_bits, now_ns
            said = ros2_messages.diagnostics(now_ns, header)
            self._add(ros2_messages.DIAGNOSTICS, said, now_ns)
        if view is not None:
            self.frames += 1
            for topic, data in ros2_messages.frame_messages(view).items():
                self._add(topic, data, view.time_ns)

    def _add(self, topic: str, data: bytes, log_ns: int) -> None:
        self._writer.add_message(
            self._channels[topic], log_time=log_ns, publish_time=log_ns, data=data
        )
