"""Recordings of the stream, for the timeline."""
