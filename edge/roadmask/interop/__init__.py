"""Masks as other tools' standard messages: Foxglove's, ROS 2's."""
